"""Memory of `nlp.pipe`: one document of a million characters, and a stream of thousands of long documents.

Each part runs in a fresh process, with random weights and Google's vocabulary. The first part reports the peak memory
above the loaded pipeline, with the encoder alone and with a stock tagger, which makes copies of all vectors of its
batch. The second part reports the memory after every few documents, which the caller drops: its growth from the second
quarter of the stream to the last must stay near zero. The third part, with `--held-out N`, scores and fits a pipeline
with N documents and with 4 N, and reports by how much a further document raises the peak: its vectors would take
`width` x 4 bytes per token. The text consists of real articles, joined.

    SPACY_BIGBIRD_DATA=data python benchmarks/memory.py --json memory.json --plot memory.png
"""

import argparse
import itertools
import json
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import spacy
import torch
from common import (
    MEGABYTE,
    data_dir,
    in_fresh_process,
    parser,
    real_texts,
    report,
    resident_memory,
    watched_memory,
)
from spacy.language import Language

from spacy_bigbird.cli.evaluate import evaluate, make_reader

HEAD_WIDTH = 64
LIMIT_MB = 2048
ARTICLES = 120


def build(options: argparse.Namespace, has_tagger: bool = True) -> Language:
    """RETURNS (Language): a pipeline with the encoder and, optionally, a stock tagger that listens to it."""
    nlp = spacy.blank("en")
    nlp.max_length = max(nlp.max_length, options.characters)
    nlp.batch_size = options.batch_size
    shape = {
        "hidden_size": options.width,
        "num_hidden_layers": options.layers,
        "num_attention_heads": options.width // HEAD_WIDTH,
        "intermediate_size": 4 * options.width,
    }
    encoder = {
        "@architectures": "spacy-bigbird.BigBirdModel.v1",
        "vocab_file": str(data_dir() / "vocab" / "gpt2.model"),
        "transformer_config": shape,
        "max_batch_pieces": options.max_batch_pieces,
        "precision": options.precision,
    }
    nlp.add_pipe("bigbird", config={"model": encoder, "keep_vectors": options.keep_vectors})
    if has_tagger:
        listener = {
            "@architectures": "spacy-transformers.TransformerListener.v1",
            "grad_factor": 1.0,
            "pooling": {"@layers": "reduce_mean.v1"},
        }
        tagger = nlp.add_pipe("tagger", config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": listener}})
        for label in ("A", "B"):
            tagger.add_label(label)
    nlp.initialize()
    return nlp


def long_text(characters: int) -> str:
    """RETURNS (str): real articles, concatenated repeatedly and cut to a length."""
    text = "\n\n".join(real_texts(data_dir(), ARTICLES))
    return (text * (characters // len(text) + 1))[:characters]


def long_documents(number: int, tokens: int) -> Iterator[str]:
    """Create texts of about the same length, all of them different.

    They are cut from a fixed set of articles, since strings that are new to spaCy would show up as growth.

    number (int): number of texts.
    tokens (int): approximate length of each. Unit: tokens, of about 4.9 characters in English with the following space.
    YIELDS (str): the texts.
    """
    characters = round(4.9 * tokens)
    text = long_text(characters * ARTICLES)
    for index in range(number):
        start = index * 1009 * 7 % (len(text) - characters)
        yield text[start : start + characters]


def one_long_document(options: argparse.Namespace, has_tagger: bool) -> dict[str, Any]:
    """Process one document of `--characters`. RETURNS (dict[str, Any]): a row of the table."""
    torch.set_num_threads(options.threads)
    nlp, text = build(options, has_tagger), long_text(options.characters)
    start = time.perf_counter()
    with watched_memory() as memory:
        (doc,) = nlp.pipe([text])
    stats = doc._.bigbird_stats
    return {
        "case": f"{options.characters:,} characters{', with a tagger' if has_tagger else ''}",
        "documents": 1,
        "tokens": len(doc),
        "windows": stats["windows"],
        "loaded MB": memory.before / MEGABYTE,
        "above loaded MB": memory.rise / MEGABYTE,
        "tokens/s": len(doc) / (time.perf_counter() - start),
    }


def many_documents(options: argparse.Namespace) -> dict[str, Any]:
    """Stream and drop `--documents` documents. RETURNS (dict[str, Any]): a row, with the memory over the stream."""
    torch.set_num_threads(options.threads)
    nlp = build(options)
    texts = long_documents(options.documents, options.tokens)
    every = max(1, options.documents // 200)
    tokens, curve = 0, []
    start = time.perf_counter()
    with watched_memory() as memory:
        for index, doc in enumerate(nlp.pipe(texts)):
            tokens += len(doc)
            if index % every == 0:
                curve.append((index, resident_memory() / MEGABYTE))
    quarter = max(1, len(curve) // 4)
    # The first batches fill caches and the allocator. Growth is what follows.
    early = statistics.median(value for _, value in curve[quarter : 2 * quarter] or curve)
    late = statistics.median(value for _, value in curve[-quarter:])
    return {
        "case": f"{options.documents:,} documents of {options.tokens:,} tokens, with a tagger",
        "documents": options.documents,
        "tokens": tokens,
        "loaded MB": memory.before / MEGABYTE,
        "above loaded MB": memory.rise / MEGABYTE,
        "growth MB": late - early,
        "tokens/s": tokens / (time.perf_counter() - start),
        "curve": curve,
    }


def held_out(options: argparse.Namespace, method: str, number: int) -> float:
    """Score or fit a pipeline with documents that are read one by one. RETURNS (float): peak above it. Unit: MB."""
    torch.set_num_threads(options.threads)
    nlp = build(options, has_tagger=False)
    nlp.add_pipe("bigbird_ner").add_label("A")
    nlp.add_pipe("bigbird_textcat_multilabel").add_label("A")
    nlp.initialize()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "held_out.jsonl"
        with path.open("w", encoding="utf8") as lines:
            # The same texts again and again, since new words make the vocabulary of spaCy grow, whatever we do.
            texts = itertools.islice(itertools.cycle(long_documents(options.held_out, options.tokens)), number)
            for index, text in enumerate(texts):
                word = re.search(r"(?<= )[A-Za-z]+(?= )", text)
                places = [[word.start(), word.end(), "A"]] if word else []
                record = {"text": text, "entities": places, "cats": {"A": float(index % 2)}}
                lines.write(json.dumps(record) + "\n")
        examples = make_reader(path)(nlp)
        calls: dict[str, Callable[[], object]] = {
            "evaluate": lambda: evaluate(nlp, path),
            "calibrate": lambda: nlp.get_pipe("bigbird_ner").calibrate(examples, nlp=nlp),
            "tune_thresholds": lambda: nlp.get_pipe("bigbird_textcat_multilabel").tune_thresholds(examples, nlp=nlp),
        }
        with watched_memory() as memory:
            calls[method]()
    return memory.rise / MEGABYTE


def growth(options: argparse.Namespace, method: str) -> dict[str, Any]:
    """RETURNS (dict[str, Any]): a row: what a document adds to the peak, between N and 4 N of them."""
    few, many = options.held_out, 4 * options.held_out
    peaks = [in_fresh_process(held_out, options, method, number) for number in (few, many)]
    return {
        "case": f"{method}, {few:,} and {many:,} documents of {options.tokens:,} tokens",
        "documents": many,
        "above loaded MB": peaks[1],
        "with fewer MB": peaks[0],
        "MB per document": (peaks[1] - peaks[0]) / (many - few),
        "vectors MB": options.tokens * options.width * 4 / MEGABYTE,
    }


def main() -> None:
    options = parser(__doc__, repeats=1)
    options.add_argument(
        "--characters", type=int, default=1_000_000, help="length of the single long document; 0 to skip it"
    )
    options.add_argument("--documents", type=int, default=2000, help="documents in the stream; 0 to skip it")
    options.add_argument("--tokens", type=int, default=4000, help="tokens in each document of the stream")
    options.add_argument("--held-out", type=int, default=0, help="documents to score and fit with; 0 to skip it")
    options.add_argument("--layers", type=int, default=12, help="layers of the encoder")
    options.add_argument("--stream-layers", type=int, default=1, help="layers of the encoder for the stream")
    options.add_argument("--width", type=int, default=768, help="hidden size, a multiple of 64")
    options.add_argument("--batch-size", type=int, default=16, help="nlp.batch_size")
    options.add_argument("--max-batch-pieces", type=int, default=16384, help="pieces in the encoder at once")
    options.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    options.add_argument("--keep-vectors", default="float32", choices=["float32", "float16", "none"])
    options = options.parse_args()
    torch.set_num_threads(options.threads)
    taggers = (False, True) if options.characters else ()
    rows = [in_fresh_process(one_long_document, options, has_tagger) for has_tagger in taggers]
    if options.documents:
        stream = argparse.Namespace(**{**vars(options), "layers": options.stream_layers})
        rows.append(in_fresh_process(many_documents, stream))
    columns = ["case", "tokens", "windows", "loaded MB", "above loaded MB", "growth MB", "tokens/s"]
    if options.held_out:
        fitted = argparse.Namespace(**{**vars(options), "layers": options.stream_layers})
        rows += [growth(fitted, method) for method in ("evaluate", "calibrate", "tune_thresholds")]
        columns += ["MB per document", "vectors MB"]
    notes = [
        f"Limit for the encoder alone: {LIMIT_MB:,} MB above the loaded pipeline. Growth: from second to last quarter."
    ]
    title = (
        f"Memory of nlp.pipe, width {options.width}, {options.layers} layers ({options.stream_layers} for the stream)"
    )
    report(title, options, columns, rows, lambda axes: _draw(axes, rows), notes)


def _draw(axes: Any, rows: list[dict[str, Any]]) -> None:
    if not any("curve" in row for row in rows):
        names = [row["case"] for row in rows]
        loaded = axes.bar(names, [row["loaded MB"] for row in rows], label="loaded pipeline", color="gray")
        axes.bar(names, [row["above loaded MB"] for row in rows], bottom=loaded.datavalues, label="above it, at most")
    for number, row in enumerate(rows, start=1):
        if "curve" in row:
            numbers, values = zip(*row["curve"], strict=True)
            axes.plot(numbers, values, label=row["case"])
            axes.axhline(row["loaded MB"], color="gray", linestyle=":", label="loaded pipeline")
            axes.set_xlabel("documents done")
        elif any("curve" in other for other in rows):
            peak = row["loaded MB"] + row["above loaded MB"]
            axes.axhline(peak, color=f"C{number}", linestyle="--", label=f"highest for {row['case']}")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("memory of the process (MB)")
    axes.legend()


if __name__ == "__main__":
    main()
