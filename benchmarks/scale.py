"""Applying a pipeline with `apply`, against plain `nlp.pipe` and with two workers, and training on two processes.

`apply`: pieces per second of one worker against `nlp.pipe` on the same documents (overhead), of two workers of one
thread each against one (efficiency), the memory of a long run from its second quarter to its last, the highest memory
against what was printed beforehand, and whether a run whose worker was killed ends with the same bytes. Training: words
per second of one process and of two. All of it with random weights and Google's vocabulary, on real articles.

    SPACY_BIGBIRD_DATA=data python benchmarks/scale.py --json benchmarks/results/scale.json
"""

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import spacy
import torch
from common import MEGABYTE, data_dir, in_fresh_process, parser, real_texts, report, resident_memory, watched_memory
from spacy.tokens import DocBin, Span

from spacy_bigbird.apply import LocalEngine, Settings, apply
from spacy_bigbird.apply.inputs import Fields
from spacy_bigbird.apply.plan import make_plan
from spacy_bigbird.apply.sizing import worker_memory
from spacy_bigbird.cli.new_config import make_config

SHARD_PIECES = 30_000


def build(folder: Path, options: Any) -> Path:
    """Save a pipeline with an encoder and a head for entities. RETURNS (Path): its folder."""
    torch.manual_seed(0)
    nlp = spacy.blank("en")
    shape = {
        "hidden_size": options.width,
        "num_hidden_layers": options.layers,
        "num_attention_heads": options.width // 64,
        "intermediate_size": 4 * options.width,
    }
    model = {
        "@architectures": "spacy-bigbird.BigBirdModel.v1",
        "vocab_file": str(data_dir() / "vocab" / "gpt2.model"),
        "transformer_config": shape,
    }
    nlp.add_pipe("bigbird", config={"model": model, "keep_vectors": "none"})
    nlp.add_pipe("bigbird_ner").add_label("NAME")
    nlp.initialize()
    nlp.to_disk(folder / "pipeline")
    return folder / "pipeline"


def write_texts(path: Path, number: int, characters: int) -> Path:
    """Write parts of articles, all of them different. RETURNS (Path): the file of JSON lines."""
    text = "\n\n".join(real_texts(data_dir(), 200))
    with path.open("w", encoding="utf8") as file:
        for index in range(number):
            start = index * 7919 % (len(text) - characters)
            file.write(json.dumps({"text": text[start : start + characters]}) + "\n")
    return path


def plain(pipeline: Path, texts: Path, threads: int) -> float:
    """Process texts with `nlp.pipe`. RETURNS (float): the time without loading. Unit: seconds."""
    torch.set_num_threads(threads)
    nlp = spacy.load(pipeline)
    lines = [json.loads(line)["text"] for line in texts.open(encoding="utf8")]
    list(nlp.pipe(lines[:1]))
    start = time.perf_counter()
    for doc in nlp.pipe(lines):
        [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]
    return time.perf_counter() - start


def applied(pipeline: Path, texts: Path, threads: int, output: Path) -> tuple[float, int, float]:
    """Process texts with `apply`. RETURNS (tuple): seconds of work without loading, pieces, and the highest memory."""
    with watched_memory() as memory:
        summary = apply(pipeline, [texts], output, settings=Settings(shard_pieces=SHARD_PIECES), threads=threads)
    return summary["worker_seconds"], summary["pieces"], memory.peak / MEGABYTE


def with_workers(pipeline: Path, texts: Path, workers: int, output: Path, killed: bool = False) -> dict[str, Any]:
    """Process texts in processes of one thread each. RETURNS (dict): the summary."""
    done = threading.Event()
    if killed:
        threading.Thread(target=kill_one, args=(output, done), daemon=True).start()
    engine = LocalEngine(workers)
    summary = apply(pipeline, [texts], output, settings=Settings(shard_pieces=SHARD_PIECES), engine=engine, threads=1)
    if killed and not done.is_set():
        raise RuntimeError("No worker was killed: use more --documents.")
    return summary


def kill_one(output: Path, done: threading.Event) -> None:
    """Kill a worker once the first shard is done."""
    while not list(output.glob("progress/*.json")):
        time.sleep(0.05)
    multiprocessing.active_children()[-1].kill()
    done.set()


def steady_rate(output: Path, workers: int) -> float:
    """Compute the pieces per second of all workers while they worked. RETURNS (float): without starting them."""
    notes = [json.loads(path.read_text()) for path in output.glob("progress/*.json")]
    return workers * sum(note["pieces"] for note in notes) / sum(note["seconds"] for note in notes)


def stream(pipeline: Path, texts: Path, output: Path) -> dict[str, float]:
    """Follow the memory of a long run. RETURNS (dict): its mean in the second quarter and in the last. Unit: MB."""
    torch.set_num_threads(1)
    curve: list[float] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.5):
            curve.append(resident_memory() / MEGABYTE)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    apply(pipeline, [texts], output, settings=Settings(shard_pieces=SHARD_PIECES), threads=1)
    stop.set()
    watcher.join()
    quarter = max(1, len(curve) // 4)
    mean = [sum(part) / len(part) for part in (curve[quarter : 2 * quarter], curve[-quarter:])]
    return {"second quarter": mean[0], "last quarter": mean[1]}


def training(folder: Path, options: Any, processes: int) -> float:
    """Train for a few steps. RETURNS (float): words per second from the first evaluation to the last."""
    nlp = spacy.blank("en")
    docs = []
    for text in real_texts(data_dir(), 64, 4000):
        doc = nlp.make_doc(text[:4000])
        doc.ents = [Span(doc, number, number + 1, "NAME") for number in range(0, len(doc), 50)]
        docs.append(doc)
    DocBin(docs=docs).to_disk(folder / "train.spacy")
    DocBin(docs=docs[:1]).to_disk(folder / "dev.spacy")
    vocab_file = str(data_dir() / "vocab" / "gpt2.model")
    config = make_config(["ner"], lang="en", vocab_file=vocab_file)
    config["paths"].update(train=str(folder / "train.spacy"), dev=str(folder / "dev.spacy"))
    shape = {"hidden_size": options.width, "num_hidden_layers": options.layers}
    shape.update(num_attention_heads=options.width // 64, intermediate_size=4 * options.width)
    config["components"]["bigbird"]["model"]["transformer_config"] = shape
    config["training"].update(max_steps=options.steps, eval_frequency=options.steps // 2, patience=0)
    config["training"]["batcher"] = {
        "@batchers": "spacy-bigbird.batch_by_pieces.v1",
        "size": 4000,
        "vocab_file": vocab_file,
    }
    config.to_disk(folder / "config.cfg")
    output = folder / f"training-{processes}"
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    command = [*launch, "-m", "spacy", "bigbird", "train", str(folder / "config.cfg"), "--output", str(output)]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
    (state,) = (json.loads(path.read_text()) for path in output.glob("resume/*/state.json"))
    return state["words"] / max(1, state["seconds"])


def main() -> None:
    """Measure and report."""
    given = parser(__doc__, repeats=3, threads=1)
    given.add_argument("--documents", type=int, default=200, help="documents of the comparisons")
    given.add_argument("--stream", type=int, default=5000, help="documents of the long run; 0 leaves it out")
    given.add_argument("--characters", type=int, default=6000, help="length of a document")
    given.add_argument("--width", type=int, default=256)
    given.add_argument("--layers", type=int, default=4)
    given.add_argument("--steps", type=int, default=20, help="steps of the training; 0 leaves it out")
    options = given.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        report("Applying and training at scale", options, ["case", "value", "unit", "target"], measure(folder, options))
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, options: Any) -> list[dict[str, Any]]:
    """Measure everything. RETURNS (list[dict]): the rows of the table."""
    pipeline = build(folder, options)
    texts = write_texts(folder / "texts.jsonl", options.documents, options.characters)
    pairs = [
        (
            in_fresh_process(plain, pipeline, texts, options.threads),
            in_fresh_process(applied, pipeline, texts, options.threads, folder / f"one-{number}"),
        )
        for number in range(options.repeats)
    ]
    overheads = sorted(seconds / alone - 1 for alone, (seconds, _, _) in pairs)
    pieces, memory = pairs[0][1][1], max(found[2] for _, found in pairs)
    plan = make_plan([str(texts)], Fields(), shard_pieces=SHARD_PIECES)
    efficiencies = []
    for number in range(options.repeats):
        for workers in (1, 2):
            with_workers(pipeline, texts, workers, folder / f"workers-{number}-{workers}")
        single, double = (steady_rate(folder / f"workers-{number}-{workers}", workers) for workers in (1, 2))
        efficiencies.append(double / single / 2)
    with_workers(pipeline, texts, 2, folder / "killed", killed=True)
    parts = sorted(path.name for path in (folder / "one-0").glob("part-*"))
    is_same = all((folder / "one-0" / name).read_bytes() == (folder / "killed" / name).read_bytes() for name in parts)
    predicted = worker_memory(str(pipeline), plan, Settings()) / MEGABYTE
    rows = [
        row("one worker", pieces / pairs[0][1][0], "pieces/s", ""),
        row("overhead over nlp.pipe", overheads[len(overheads) // 2], "share", "<= 0.05"),
        row("two workers, efficiency", sorted(efficiencies)[len(efficiencies) // 2], "share", ">= 0.9"),
        row("same bytes after a worker was killed", str(is_same), "", "True"),
        row("highest memory of a worker", memory, "MB", f"<= {predicted:,.0f} as printed"),
    ]
    if options.stream:
        many = write_texts(folder / "many.jsonl", options.stream, options.characters)
        found = in_fresh_process(stream, pipeline, many, folder / "stream")
        growth = found["last quarter"] / found["second quarter"] - 1
        rows.append(row(f"memory over {options.stream:,} documents, growth", growth, "share", "<= 0.02"))
    if options.steps:
        single, double = (training(folder, options, processes) for processes in (1, 2))
        rows.append(row("training, one process", single, "words/s", ""))
        rows.append(row("training, two processes, efficiency", double / single / 2, "share", ""))
    return rows


def row(case: str, value: Any, unit: str, target: str) -> dict[str, Any]:
    """Make a row of the table."""
    return {"case": case, "value": value, "unit": unit, "target": target}


if __name__ == "__main__":
    main()
