"""Evidence for a label: the stretches of a document that decided it, from the weights of attention pooling."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup
from thinc.types import Ragged

from ...thinc_layers.stretches import Stretch
from ...thinc_layers.text_classifier import PieceScores
from ..ner.crf import Floats


def on_host(pieces: PieceScores, to_host: Callable[[Any], Any]) -> PieceScores:
    """RETURNS (PieceScores): the same in NumPy arrays. to_host (Callable[[Any], Any]): converts an array."""
    align = Ragged(to_host(pieces.align.dataXd), to_host(pieces.align.lengths))
    return PieceScores(to_host(pieces.weights), to_host(pieces.logits), align)


def contributions(pieces: PieceScores, stretches: Sequence[Stretch], exclusive: bool) -> Floats:
    """Compute how much each stretch changes each label's logit, compared with attention that ignores the stretch.

    pieces (PieceScores): weights and logits of the document's pieces, on the host.
    stretches (Sequence[Stretch]): first token and end (exclusive) of each stretch.
    exclusive (bool): whether only the difference from the other labels' logits counts.
    RETURNS (Floats): the contributions. Shape: (stretches, labels).
    """
    weights, logits = np.asarray(pieces.weights, dtype=float), np.asarray(pieces.logits, dtype=float)
    align, lengths = np.asarray(pieces.align.dataXd), np.asarray(pieces.align.lengths)
    # A piece shared by several tokens is divided equally among them.
    shares = 1.0 / np.maximum(1, np.bincount(align, minlength=len(weights)))[align]
    mass = _sum_runs(weights[align] * shares[:, None], lengths)
    moved = _sum_runs((weights * logits)[align] * shares[:, None], lengths)
    total = (weights * logits).sum(axis=0)
    result = np.zeros((len(stretches), weights.shape[1]))
    for row, (start, end) in enumerate(stretches):
        here, left = moved[start:end].sum(axis=0), 1.0 - mass[start:end].sum(axis=0)
        without = np.where(left > 1e-6, (total - here) / np.maximum(left, 1e-6), 0.0)
        result[row] = total - without
    if exclusive and result.shape[1] > 1:
        result -= (result.sum(axis=1, keepdims=True) - result) / (result.shape[1] - 1)
    return result


def _sum_runs(values: Floats, lengths: np.ndarray) -> Floats:
    """Sum runs of rows with the given lengths, which may be zero."""
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    ends = np.cumsum(lengths)
    return sums[ends] - sums[ends - lengths]


def evidence(contribution: Floats, share: float) -> list[tuple[int, float]]:
    """Choose the smallest number of stretches that make up a share of everything that supports a label.

    contribution (Floats): contribution of each stretch to one label. Shape: (stretches,).
    share (float): the share, above 0 and at most 1.
    RETURNS (list[tuple[int, float]]): number and weight of the chosen stretches, in the order of the text. The weights
        of all stretches that support the label sum to 1.
    """
    positive = np.maximum(contribution, 0.0)
    if not positive.any():
        return []
    weights = positive / positive.sum()
    order = np.argsort(-weights, kind="stable")
    needed = int(np.searchsorted(np.cumsum(weights[order]), share - 1e-9)) + 1
    return sorted((int(i), float(weights[i])) for i in order[:needed] if weights[i] > 0)


def evidence_group(
    doc: Doc, label: str, key: str, stretches: Sequence[Stretch], contribution: Floats, share: float
) -> SpanGroup:
    """Make a span group of the evidence for a label, with the weights in its attributes.

    doc (Doc): the document.
    label (str): the label.
    key (str): name of the group.
    stretches (Sequence[Stretch]): first token and end (exclusive) of each stretch.
    contribution (Floats): contribution of each stretch to the label. Shape: (stretches,).
    share (float): as for `evidence`.
    RETURNS (SpanGroup): the group.
    """
    chosen = evidence(contribution, share)
    spans = [Span(doc, *stretches[number], label=label) for number, _ in chosen]
    weights = np.asarray([weight for _, weight in chosen], dtype="f")
    return SpanGroup(doc, name=key, spans=spans, attrs={"weights": weights})
