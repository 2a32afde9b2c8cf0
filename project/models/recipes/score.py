"""Evaluate how well a model predicts masked pieces of held-out documents, by position in the document, with a context
of up to 4,096 pieces and of 512. Documents, masked pieces and their replacements are the same for both.

Near context: windows of 512 pieces at a stride of 256, of which the middle half is scored (and the rest at the ends of
the document), so that each piece has 128 to 384 pieces on either side. Far context: all 4,096 pieces at once. Documents
are the first of each test split that have at least 4,096 pieces, of which the first 4,096 are used.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spacy_bigbird.bakeoff.statistics import difference, interval, mean
from spacy_bigbird.check.plot import check_can_plot
from spacy_bigbird.corpora.text_files import read_texts
from spacy_bigbird.model import BigBirdForMaskedLM
from spacy_bigbird.pretraining.masking import MaskedPieces, PieceTable, mask_pieces
from spacy_bigbird.pretraining.settings import MaskingSettings
from spacy_bigbird.scoring.masked_lm import score_guesses, sums_by_range
from spacy_bigbird.tokenizer import BigBirdTokenizer

from ...workflows.library.machines import describe_machine

LONGEST, WINDOW = 4096, 512
EDGES = (0, 512, 1024, 2048, 4096)
SEED = 13


def documents(path: Path, tokenizer: BigBirdTokenizer, table: PieceTable, count: int) -> Iterator[MaskedPieces]:
    """Mask long documents.

    path (Path): a .jsonl file.
    tokenizer (BigBirdTokenizer): the tokenizer.
    table (PieceTable): its vocabulary.
    count (int): maximum number of documents.
    YIELDS (MaskedPieces): the first 4,096 pieces of a document, including [CLS] and [SEP].
    """
    inside = LONGEST - 2
    # No text averages more than 12 characters per piece, so not much more of a novel is tokenized than needed.
    texts = (text[: 12 * LONGEST] for text in read_texts([path]))
    pieces = (np.asarray(tokenizer.text_ids([text])[0]) for text in texts)
    for number, ids in enumerate(islice((ids for ids in pieces if len(ids) >= inside), count)):
        whole = np.concatenate([[table.cls_id], ids[:inside], [table.sep_id]])
        yield mask_pieces(whole, table, MaskingSettings(), np.random.default_rng([SEED, number]))


def windows(length: int, window: int = WINDOW) -> list[tuple[int, int, int, int]]:
    """Cover a sequence with overlapping windows.

    length (int): length of the sequence.
    window (int): length of a window, which must be even.
    RETURNS (list[tuple[int, int, int, int]]): start and end of each window, and of the part of it that is scored. These
        parts together make up the sequence.
    """
    if length <= window:
        return [(0, length, 0, length)]
    starts = [*range(0, length - window, window // 2), length - window]
    found, done = [], 0
    for start in starts:
        end = length if start == starts[-1] else start + window * 3 // 4
        found.append((start, start + window, done, end))
        done = end
    return found


@torch.no_grad()
def nats(model: BigBirdForMaskedLM, document: MaskedPieces, window: int | None) -> np.ndarray:
    """Score the masked pieces of a document.

    model (BigBirdForMaskedLM): the model.
    document (MaskedPieces): the document.
    window (int | None): length of the windows that the model reads; None to read the whole document at once.
    RETURNS (ndarray): negative log-likelihood of each masked piece. Shape: (masked,). Unit: nats.
    """
    ids, places, labels = (torch.from_numpy(part) for part in (document.ids, document.places, document.labels))
    parts = windows(len(ids), window or len(ids))
    lengths = [end - start for start, end, _, _ in parts]
    states = model.bigbird.forward_packed(torch.cat([ids[start:end] for start, end, _, _ in parts]), lengths)
    rows = torch.empty_like(ids)
    first_row = 0
    for start, end, counted, counted_end in parts:
        rows[counted:counted_end] = first_row + torch.arange(counted - start, counted_end - start)
        first_row += end - start
    return score_guesses(model.lm_head(states[rows[places]]), labels)[0].numpy()


def bits_and_characters(
    losses: np.ndarray, places: np.ndarray, labels: np.ndarray, table: PieceTable, edges: Sequence[int] = EDGES
) -> np.ndarray:
    """Sum the losses of a document by ranges of positions.

    losses (ndarray): negative log-likelihood of each masked piece. Shape: (masked,). Unit: nats.
    places, labels (ndarray): positions and ids of the masked pieces. Shape: (masked,).
    table (PieceTable): the vocabulary, with the number of characters in each piece.
    edges (Sequence[int]): start of each range, and end of the last one.
    RETURNS (ndarray): bits and characters of each range. Shape: (ranges, 2).
    """
    return sums_by_range(edges[:-1], places, [losses / np.log(2), table.characters[labels]])


def evaluate(model: BigBirdForMaskedLM, found: Sequence[MaskedPieces], table: PieceTable) -> dict[str, Any]:
    """Score documents with near and far context.

    model (BigBirdForMaskedLM): the model.
    found (Sequence[MaskedPieces]): the documents.
    table (PieceTable): the vocabulary.
    RETURNS (dict[str, Any]): bits per character with 95% intervals over documents, in total and by position; `gain` is
        near minus far.
    """
    sums = {}
    for name, window in (("far", None), ("near", WINDOW)):
        scored = [bits_and_characters(nats(model, one, window), one.places, one.labels, table) for one in found]
        sums[name] = np.array(scored)
    far, near = sums["far"], sums["near"]

    def row(a: np.ndarray, b: np.ndarray) -> dict[str, Any]:
        return {"far": interval(a, mean), "near": interval(b, mean), "gain": difference(b, a, mean)}

    return {
        "documents": len(found),
        "masked_pieces": sum(len(one.places) for one in found),
        "all": row(far.sum(1), near.sum(1)),
        "by_position": [
            {"start": start, "end": end, **row(far[:, index], near[:, index])}
            for index, (start, end) in enumerate(pairwise(EDGES))
        ],
    }


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw a figure. results (dict[str, Any]): results of each corpus. path (Path): the PNG file."""
    from matplotlib.figure import Figure

    corpora = results["corpora"]
    figure = Figure(figsize=(3.2 * len(corpora) + 1, 3.4), layout="constrained")
    axes = figure.subplots(1, len(corpora), squeeze=False, sharey=True)[0]
    for axis, (name, found) in zip(axes, corpora.items(), strict=True):
        rows = found["by_position"]
        for key, label in (("near", "512 pieces of context"), ("far", "up to 4,096")):
            scores = np.array([[row[key][end] for end in ("score", "low", "high")] for row in rows]).T
            axis.errorbar(
                range(len(rows)), scores[0], [scores[0] - scores[1], scores[2] - scores[0]], capsize=3, label=label
            )
        axis.set_xticks(range(len(rows)), [f"{row['start']:,}-\n{row['end']:,}" for row in rows])
        axis.set_title(f"{name} ({found['documents']} documents)", fontsize=10)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("bits per character of masked pieces")
    # Above the charts, where it hides nothing.
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=8)
    figure.supxlabel("position in the document (pieces)", fontsize=10)
    figure.savefig(path, dpi=110)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("model", type=Path, help="checkpoint")
    options.add_argument(
        "texts", type=Path, nargs="+", help=".jsonl files of held-out documents, named as their corpora"
    )
    options.add_argument("--output", type=Path, required=True, help="JSON file to write, with a figure next to it")
    options.add_argument("--documents", type=int, default=32, help="of each corpus (default: 32)")
    given = options.parse_args()
    # Scoring takes long, and ends with a figure.
    check_can_plot()
    start = time.monotonic()
    model = BigBirdForMaskedLM.from_pretrained(given.model).eval()
    tokenizer = BigBirdTokenizer.from_pretrained(given.model, map_whitespace=True)
    table = PieceTable.of(tokenizer)
    corpora = {}
    for path in given.texts:
        found = list(documents(path, tokenizer, table, given.documents))
        corpora[path.stem] = evaluate(model, found, table)
        one = corpora[path.stem]["all"]
        print(f"{path.stem}: {one['near']['score']:.3f} near, {one['far']['score']:.3f} far", flush=True)
    results = {
        "unit": "bits per character of masked pieces",
        "seed": SEED,
        "machine": describe_machine(),
        "threads": torch.get_num_threads(),
        "seconds": round(time.monotonic() - start, 1),
        "corpora": corpora,
    }
    given.output.write_text(json.dumps(results, indent=2) + "\n")
    draw(results, given.output.with_suffix(".png"))


if __name__ == "__main__":
    main()
