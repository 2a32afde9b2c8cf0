"""Tokens per second and peak memory of `nlp.pipe` on real long documents.

Compared in turns: this package in fp32 and in bf16; spacy-transformers hosting transformers' BigBird, each document as
one span; spacy-transformers with a dense encoder of the same size in windows of 128 tokens at a stride of 96. All have
random weights (the same for both BigBirds) and Google's vocabulary. The documents fit into 4,096 pieces, since
transformers' BigBird takes no more. Peak memory is that of a fresh process, both in total and above the loaded
pipeline.

    SPACY_BIGBIRD_DATA=data python benchmarks/pipeline.py --json pipeline.json --plot pipeline.png
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import spacy
import torch
import transformers
from common import MEGABYTE, Memory, data_dir, in_fresh_process, interleaved, parser, real_texts, report, watched_memory
from spacy.language import Language

from spacy_bigbird.tokenizer import BigBirdTokenizer

HEAD_WIDTH = 64
MAX_PIECES = 4096
OURS, HOSTED, STRIDED = "spacy-bigbird", "spacy-transformers, BigBird", "spacy-transformers, dense windows"
CASES = {
    f"{OURS} fp32": ("bigbird", {"precision": "fp32"}),
    f"{OURS} bf16": ("bigbird", {"precision": "bf16"}),
    HOSTED: ("hosted", {"@span_getters": "spacy-transformers.doc_spans.v1"}),
    STRIDED: ("strided", {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 128, "stride": 96}),
}


def save_checkpoints(folder: Path, vocab_file: Path, width: int, layers: int) -> None:
    """Write random weights of both kinds of encoder, with the same vocabulary, in the format of transformers.

    folder (Path): parent of the folders "sparse" and "dense".
    vocab_file (Path): Google's SentencePiece model.
    width (int): hidden size.
    layers (int): number of layers.
    """
    torch.manual_seed(0)
    shape = {
        "vocab_size": BigBirdTokenizer(vocab_file).vocab_size,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // HEAD_WIDTH,
        "intermediate_size": 4 * width,
    }
    sparse = transformers.BigBirdModel(transformers.BigBirdConfig(**shape, max_position_embeddings=MAX_PIECES))
    dense = transformers.BertModel(transformers.BertConfig(**shape, max_position_embeddings=512))
    tokenizer = transformers.BigBirdTokenizerFast(vocab_file=str(vocab_file), model_max_length=MAX_PIECES)
    for name, model in (("sparse", sparse), ("dense", dense)):
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    (folder / "sparse" / "spiece.model").write_bytes(vocab_file.read_bytes())


def build(kind: str, setting: dict[str, Any], folder: Path, batch_size: int) -> Language:
    """Build a pipeline that contains only an encoder.

    kind (str): "bigbird", "hosted" or "strided".
    setting (dict[str, Any]): settings of our encoder, or how spacy-transformers splits documents.
    folder (Path): folder of the checkpoints.
    batch_size (int): value of `nlp.batch_size`.
    RETURNS (Language): the pipeline, ready to run.
    """
    nlp = spacy.blank("en")
    nlp.batch_size = batch_size
    if kind == "bigbird":
        model = {"@architectures": "spacy-bigbird.BigBirdModel.v1", "name": str(folder / "sparse"), **setting}
        nlp.add_pipe("bigbird", config={"model": model})
    else:
        name = folder / ("sparse" if kind == "hosted" else "dense")
        model = {
            "@architectures": "spacy-transformers.TransformerModel.v3",
            "name": str(name),
            "get_spans": setting,
            "tokenizer_config": {"use_fast": True},
        }
        nlp.add_pipe("transformer", config={"model": model})
    nlp.initialize()
    return nlp


def consume(nlp: Language, texts: list[str]) -> int:
    """Run the pipeline. RETURNS (int): number of tokens, each of which has a vector."""
    return sum(len(doc) for doc in nlp.pipe(texts) if doc._.trf_data is not None)


def memory_of(
    kind: str, setting: dict[str, Any], folder: Path, batch_size: int, texts: list[str], threads: int
) -> Memory:
    """Run a single case. RETURNS (Memory): memory of this process while the documents were processed."""
    _quiet()
    torch.set_num_threads(threads)
    nlp = build(kind, setting, folder, batch_size)
    with watched_memory() as memory:
        consume(nlp, texts)
    return memory


def choose_texts(options: argparse.Namespace) -> list[str]:
    """Choose whole articles that transformers' BigBird accepts and attends to sparsely."""
    folder = data_dir()
    tokenizer = BigBirdTokenizer(folder / "vocab" / "gpt2.model")
    chosen: list[str] = []
    for text in real_texts(folder, 50 * options.documents, options.min_pieces):
        if len(chosen) < options.documents and options.min_pieces <= len(tokenizer(text)) <= MAX_PIECES:
            chosen.append(text)
    return chosen


def main() -> None:
    options = parser(__doc__, repeats=3)
    options.add_argument("--documents", type=int, default=12, help="number of real articles")
    options.add_argument("--min-pieces", type=int, default=1500, help="skip shorter articles")
    options.add_argument("--layers", type=int, default=4, help="layers of every encoder")
    options.add_argument("--width", type=int, default=768, help="hidden size of every encoder, a multiple of 64")
    options.add_argument("--batch-size", type=int, default=16, help="nlp.batch_size")
    options = options.parse_args()
    _quiet()
    torch.set_num_threads(options.threads)
    texts = choose_texts(options)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_checkpoints(folder, data_dir() / "vocab" / "gpt2.model", options.width, options.layers)
        memory = {
            case: in_fresh_process(memory_of, kind, setting, folder, options.batch_size, texts, options.threads)
            for case, (kind, setting) in CASES.items()
        }
        pipelines = {case: build(*arguments, folder, options.batch_size) for case, arguments in CASES.items()}
        tokens = consume(pipelines[f"{OURS} fp32"], texts)
        runs: dict[str, Callable[[], object]] = {
            case: (lambda nlp=nlp: consume(nlp, texts)) for case, nlp in pipelines.items()
        }
        timings = interleaved(runs, options.repeats, on_round=lambda number: print(f"round {number}", flush=True))
    rows = [
        {
            "pipeline": case,
            "tokens/s": tokens / timing.median,
            "x BigBird": timing.times_faster_than(timings[HOSTED]),
            "x windows": timing.times_faster_than(timings[STRIDED]),
            "spread": timing.spread,
            "peak MB": memory[case].peak / MEGABYTE,
            "above loaded MB": memory[case].rise / MEGABYTE,
            "seconds": timing.seconds,
        }
        for case, timing in timings.items()
    ]
    columns = ["pipeline", "tokens/s", "x BigBird", "x windows", "spread", "peak MB", "above loaded MB"]
    note = f"{len(texts)} documents with {tokens:,} tokens in total; x: times faster, median over rounds"
    title = f"nlp.pipe, {options.layers} layers of width {options.width}"
    report(title, options, columns, rows, lambda axes: _draw(axes, rows), [note])


def _draw(axes: Any, rows: list[dict[str, Any]]) -> None:
    bars = axes.bar([row["pipeline"].replace(", ", ",\n") for row in rows], [row["tokens/s"] for row in rows])
    axes.bar_label(bars, fmt="{:,.0f}")
    axes.set_ylabel("tokens per second")


def _quiet() -> None:
    """Silence transformers, which warns about every length."""
    transformers.logging.set_verbosity_error()


if __name__ == "__main__":
    main()
