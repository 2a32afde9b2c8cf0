"""The service under load, against `nlp.pipe` in the same machine's hands.

A service with a small pipeline (entities, random weights) runs in a process of its own; this one sends requests over
loopback. Measured: documents per second with 16 clients, in turns with `nlp.pipe` (the service is idle meanwhile);
times of requests; what happens with more clients than the queue holds; and that it comes back after it was killed, and
finishes what it has begun when it is told to stop. With --replayed, instead: memory while so many different documents
pass, each with a question and one that follows, and what is kept reaches its limits early.

    SPACY_BIGBIRD_DATA=data python benchmarks/serve.py --json serve.json
    SPACY_BIGBIRD_DATA=data python benchmarks/serve.py --replayed 4000 --characters 2000 --width 64 --layers 2
"""

import argparse
import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import linear_regression, median, quantiles
from typing import Any

import httpx
import psutil
import spacy
import torch
from common import MEGABYTE, data_dir, parser, real_texts, report

LABELS = ("PERSON", "PLACE", "WORK")
QUESTIONS = ("Who is it about?", "Where did it happen?")
PATIENCE = 300.0
# For the documents that are replayed: reached within the first quarter of some thousand.
KEPT = ("--kept-characters", "4000000", "--kept-megabytes", "16")
KEEP_NOTHING = ("--kept-characters", "0", "--kept-megabytes", "0")
INTERVAL = 1.0
SHOWN_READINGS = 40


def make_pipeline(folder: Path, vocab_file: Path, width: int, layers: int, *, answers: bool) -> None:
    """Write a pipeline with an encoder and a head for entities, with random weights.

    folder (Path): where to.
    vocab_file (Path): SentencePiece model.
    width, layers (int): size of the encoder.
    answers (bool): whether it also answers questions, about documents that are encoded once.
    """
    torch.manual_seed(0)
    nlp = spacy.blank("en")
    config = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "intermediate_size": 4 * width,
    }
    model = {"vocab_file": str(vocab_file), "transformer_config": config}
    encoder = {"@architectures": "spacy-bigbird.BigBirdModel.v1", **model}
    nlp.add_pipe("bigbird", config={"model": encoder, "keep_vectors": "none"})
    head: Any = nlp.add_pipe("bigbird_ner")
    for label in LABELS:
        head.add_label(label)
    if answers:
        asked = {"@architectures": "spacy-bigbird.SpanQA.v1", **model, "join_layer": layers - 1}
        nlp.add_pipe("bigbird_span_qa", config={"model": asked})
    nlp.initialize()
    nlp.to_disk(folder)


class Server:
    """A service in a process of its own.

    folder (Path): the pipeline.
    threads (int): its PyTorch threads.
    *options (str): further options of the command.
    """

    def __init__(self, folder: Path, threads: int, *options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        line = [sys.executable, "-m", "spacy", "bigbird", "serve", str(folder), "--port", str(self.port)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen([*line, *options], env=environment, stderr=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                if httpx.get(f"{self.url}/health").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise RuntimeError("The service did not start.")

    @property
    def memory(self) -> int:
        """Resident memory of the process. Unit: bytes."""
        return psutil.Process(self.process.pid).memory_info().rss

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait. RETURNS (int): the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


async def send(
    url: str, texts: Sequence[str], clients: int, questions: Sequence[str] = ()
) -> tuple[Counter[str], list[float]]:
    """Send every text, from several clients at once.

    url (str): address of the service.
    texts (Sequence[str]): the texts.
    clients (int): number of clients, each of which waits for its answer before it sends the next text.
    questions (Sequence[str]): questions to ask about each, one after the other.
    RETURNS (tuple[Counter[str], list[float]]): how often each status came, and the seconds of each request.
    """
    statuses: Counter[str] = Counter()
    seconds: list[float] = []
    remaining = iter(texts)

    async def post(client: httpx.AsyncClient, route: str, body: dict[str, Any]) -> Any:
        begin = time.perf_counter()
        try:
            response = await client.post(f"{url}/v1/{route}", json=body)
            statuses[str(response.status_code)] += 1
            return response.json()
        except httpx.TransportError as error:
            statuses[type(error).__name__] += 1
        finally:
            seconds.append(time.perf_counter() - begin)

    async def one(client: httpx.AsyncClient) -> None:
        for text in remaining:
            found = await post(client, "documents", {"text": text, "questions": questions[:1]})
            for question in questions[1:] if found and "id" in found else ():
                await post(client, "ask", {"document": found["id"], "questions": [question]})

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=PATIENCE, limits=limits) as client:
        await asyncio.gather(*(one(client) for _ in range(clients)))
    return statuses, seconds


def measure(options: argparse.Namespace, folder: Path, texts: list[str]) -> list[dict[str, Any]]:
    """Run all measurements.

    options (Namespace): the options.
    folder (Path): the pipeline.
    texts (list[str]): the documents.
    RETURNS (list[dict]): a row for each.
    """
    torch.set_num_threads(options.threads)
    nlp = spacy.load(folder)
    # Nothing is kept: every document is computed.
    arguments = ("--max-waiting", str(options.max_waiting), *KEEP_NOTHING)
    server = Server(folder, options.threads, *arguments)
    rows = []
    ratios, speeds, times = [], [], []
    for number in range(options.repeats + 1):
        begin = time.perf_counter()
        list(nlp.pipe(texts, batch_size=options.clients))
        alone = time.perf_counter() - begin
        begin = time.perf_counter()
        statuses, seconds = asyncio.run(send(server.url, texts, options.clients))
        served = time.perf_counter() - begin
        assert statuses == {"200": len(texts)}, statuses
        if number:
            ratios.append(alone / served)
            speeds.append(len(texts) / served)
            times += seconds
    cuts = quantiles(times, n=100)
    rows.append(
        {
            "case": f"{options.clients} clients",
            "documents per second": median(speeds),
            "of nlp.pipe": median(ratios),
            "p50 (s)": cuts[49],
            "p99 (s)": cuts[98],
        }
    )
    crowd = 2 * options.max_waiting + options.clients
    statuses, seconds = asyncio.run(send(server.url, texts[:50] * -(-4 * crowd // 50), crowd))
    rows.append({"case": f"{crowd} clients, {options.max_waiting} may wait", "statuses": dict(statuses)})
    server.stop(signal.SIGKILL)
    begin = time.perf_counter()
    server = Server(folder, options.threads, *arguments)
    rows.append({"case": "killed and started again", "p50 (s)": time.perf_counter() - begin})

    async def stop_meanwhile() -> Counter[str]:
        sending = asyncio.create_task(send(server.url, texts[: options.clients], options.clients))
        await asyncio.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        return (await sending)[0]

    statuses = asyncio.run(stop_meanwhile())
    rows.append({"case": "told to stop with requests on the way", "statuses": dict(statuses)})
    server.process.wait(PATIENCE)
    return rows


def replay(options: argparse.Namespace, folder: Path, texts: list[str]) -> list[dict[str, Any]]:
    """Watch the memory of the service while documents pass that it has not seen.

    options (Namespace): the options.
    folder (Path): a pipeline that answers questions.
    texts (list[str]): the documents, each of which is sent once.
    RETURNS (list[dict]): a row.
    """
    server = Server(folder, options.threads, *KEPT)
    readings: list[float] = []

    async def watched() -> Counter[str]:
        async def watch() -> None:
            while True:
                readings.append(server.memory / MEGABYTE)
                await asyncio.sleep(INTERVAL)

        watching = asyncio.create_task(watch())
        statuses, _ = await send(server.url, texts, options.clients, QUESTIONS)
        watching.cancel()
        return statuses

    begin = time.perf_counter()
    statuses = asyncio.run(watched())
    seconds = time.perf_counter() - begin
    numbers = [line for line in httpx.get(f"{server.url}/metrics").text.splitlines() if line.startswith("bigbird_kept")]
    server.stop()
    quarter = len(readings) // 4
    start, end = median(readings[quarter : 2 * quarter]), median(readings[-quarter:])
    # What is kept fills up in the first quarter.
    steady = readings[quarter:]
    slope = linear_regression(range(len(steady)), steady).slope * len(readings) / len(texts) * 1000
    return [
        {
            "case": f"{len(texts)} documents with {len(QUESTIONS)} questions each",
            "statuses": dict(statuses),
            "minutes": seconds / 60,
            "memory, second quarter (MB)": start,
            "memory, last quarter (MB)": end,
            "last / second": end / start,
            "MB per 1000 documents": slope,
            "readings (MB)": [round(one, 1) for one in readings[:: max(1, len(readings) // SHOWN_READINGS)]],
            "kept at the end": numbers,
        }
    ]


def stretches(texts: list[str], characters: int, number: int) -> list[str]:
    """Cut texts into different documents of the same length. RETURNS (list[str]): at most so many of them."""
    parts = (
        text[start : start + characters] for text in texts for start in range(0, len(text) - characters + 1, characters)
    )
    found = list(dict.fromkeys(parts))[:number]
    if len(found) < number:
        sys.exit(f"There are only {len(found):,} different documents of {characters:,} characters.")
    return found


def main() -> None:
    """Run the benchmark."""
    options = parser(__doc__, repeats=3)
    options.add_argument("--pipeline", type=Path, help="a pipeline of your own, instead of one with random weights")
    options.add_argument("--documents", type=int, default=100, help="documents in a round")
    options.add_argument("--clients", type=int, default=16, help="clients that send at the same time")
    options.add_argument("--replayed", type=int, default=0, help="only watch memory while so many documents pass")
    options.add_argument("--characters", type=int, help="cut documents to this length; whole ones if not given")
    options.add_argument("--width", type=int, default=256, help="width of the encoder")
    options.add_argument("--layers", type=int, default=4, help="its layers")
    options.add_argument("--max-waiting", type=int, default=64, help="as of the service")
    given = options.parse_args()
    folder = data_dir()
    number = given.replayed or given.documents
    texts = real_texts(folder, number, given.characters or 2000)
    if given.characters:
        texts = stretches(texts, given.characters, number)
    with tempfile.TemporaryDirectory() as temporary:
        pipeline = given.pipeline or Path(temporary) / "pipeline"
        if given.pipeline is None:
            vocab_file = folder / "vocab" / "gpt2.model"
            make_pipeline(pipeline, vocab_file, given.width, given.layers, answers=bool(given.replayed))
        rows = (replay if given.replayed else measure)(given, pipeline, texts)
    columns = ["case", "documents per second", "of nlp.pipe", "p50 (s)", "p99 (s)", "statuses"]
    if given.replayed:
        columns = [name for name in rows[0] if "readings" not in name and "kept" not in name]
    report("The service", given, columns, rows)


if __name__ == "__main__":
    main()
