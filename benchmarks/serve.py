"""The service under load, against `nlp.pipe` in the same machine's hands.

A service with a small pipeline (entities, random weights) runs in a process of its own; this one sends requests over
loopback. Measured: documents per second with 16 clients, in turns with `nlp.pipe` (the service is idle meanwhile);
times of requests; memory while thousands of documents pass; what happens with more clients than the queue holds; and
that it comes back after it was killed, and finishes what it has begun when it is told to stop.

    SPACY_BIGBIRD_DATA=data python benchmarks/serve.py --json serve.json
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
from statistics import median, quantiles
from typing import Any

import httpx
import psutil
import spacy
import torch
from common import MEGABYTE, data_dir, parser, real_texts, report

ENCODER = {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 1024}
LABELS = ("PERSON", "PLACE", "WORK")
PATIENCE = 300.0


def make_pipeline(folder: Path, vocab_file: Path) -> None:
    """Write a pipeline with an encoder and a head for entities, with random weights.

    folder (Path): where to.
    vocab_file (Path): SentencePiece model.
    """
    torch.manual_seed(0)
    nlp = spacy.blank("en")
    model = {
        "@architectures": "spacy-bigbird.BigBirdModel.v1",
        "vocab_file": str(vocab_file),
        "transformer_config": ENCODER,
    }
    nlp.add_pipe("bigbird", config={"model": model, "keep_vectors": "none"})
    head: Any = nlp.add_pipe("bigbird_ner")
    for label in LABELS:
        head.add_label(label)
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
        # Nothing is kept: every document is computed.
        line = [sys.executable, "-m", "spacy", "bigbird", "serve", str(folder), "--port", str(self.port)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            [*line, "--kept-characters", "0", *options], env=environment, stderr=subprocess.DEVNULL
        )
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


async def send(url: str, texts: Sequence[str], clients: int) -> tuple[Counter[str], list[float]]:
    """Send every text, from several clients at once.

    url (str): address of the service.
    texts (Sequence[str]): the texts.
    clients (int): number of clients, each of which waits for its answer before it sends the next text.
    RETURNS (tuple[Counter[str], list[float]]): how often each status came, and the seconds of each request.
    """
    statuses: Counter[str] = Counter()
    seconds: list[float] = []
    remaining = iter(texts)

    async def one(client: httpx.AsyncClient) -> None:
        for text in remaining:
            begin = time.perf_counter()
            try:
                response = await client.post(f"{url}/v1/documents", json={"text": text})
                statuses[str(response.status_code)] += 1
            except httpx.TransportError as error:
                statuses[type(error).__name__] += 1
            seconds.append(time.perf_counter() - begin)

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
    server = Server(folder, options.threads, "--max-waiting", str(options.max_waiting))
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
    before = server.memory
    readings = []
    for part in range(4):
        passed = [f"{part} {text}" for text in texts * -(-options.replayed // (4 * len(texts)))][
            : options.replayed // 4
        ]
        asyncio.run(send(server.url, passed, options.clients))
        readings.append(server.memory / MEGABYTE)
    rows.append(
        {
            "case": f"{options.replayed} documents replayed",
            "memory (MB)": " ".join(f"{reading:.0f}" for reading in [before / MEGABYTE, *readings]),
        }
    )
    crowd = 2 * options.max_waiting + options.clients
    statuses, seconds = asyncio.run(send(server.url, texts[:50] * -(-4 * crowd // 50), crowd))
    rows.append({"case": f"{crowd} clients, {options.max_waiting} may wait", "statuses": dict(statuses)})
    server.stop(signal.SIGKILL)
    begin = time.perf_counter()
    server = Server(folder, options.threads, "--max-waiting", str(options.max_waiting))
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


def main() -> None:
    """Run the benchmark."""
    options = parser(__doc__, repeats=3)
    options.add_argument("--pipeline", type=Path, help="a pipeline of your own, instead of one with random weights")
    options.add_argument("--documents", type=int, default=100, help="documents in a round")
    options.add_argument("--clients", type=int, default=16, help="clients that send at the same time")
    options.add_argument("--replayed", type=int, default=4000, help="documents that pass while memory is watched")
    options.add_argument("--max-waiting", type=int, default=64, help="as of the service")
    given = options.parse_args()
    folder = data_dir()
    texts = real_texts(folder, given.documents, 2000)
    with tempfile.TemporaryDirectory() as temporary:
        pipeline = given.pipeline or Path(temporary) / "pipeline"
        if given.pipeline is None:
            make_pipeline(pipeline, folder / "vocab" / "gpt2.model")
        rows = measure(given, pipeline, texts)
    columns = ["case", "documents per second", "of nlp.pipe", "p50 (s)", "p99 (s)", "memory (MB)", "statuses"]
    report("The service", given, columns, rows)


if __name__ == "__main__":
    main()
