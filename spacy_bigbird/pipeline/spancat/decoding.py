"""From scores of tokens to spans: probable starts are paired with probable ends, in time linear in the document."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...scoring.spans import overlap
from ...thinc_layers.span_classifier import END, INSIDE, KINDS, START
from ..ner.crf import Floats
from ..probabilities import sigmoid

# A start or end less probable than this is not considered, nor are more of them than one per so many tokens.
LOWEST_EDGE = 0.002
TOKENS_PER_EDGE, MIN_EDGES = 25, 8
ENDS_PER_START = 4


class Candidate(NamedTuple):
    """A possible span: first token, end (exclusive), number of its label, and its features: the logits of its first
    token as a start, of its last token as an end, and of all its tokens on average, and the lowest of these three.
    """

    start: int
    end: int
    label: int
    features: tuple[float, ...]


class Found(NamedTuple):
    """A candidate with its probability."""

    start: int
    end: int
    label: int
    features: tuple[float, ...]
    probability: float


def candidates(scores: Floats, may_be_edge: np.ndarray, longest: int) -> list[Candidate]:
    """Pair starts with ends for each label.

    scores (Floats): logits of a document. Shape: (tokens, 3 labels).
    may_be_edge (ndarray): whether spans may start or end at each token. Shape: (tokens,).
    longest (int): maximum number of tokens in a span.
    RETURNS (list[Candidate]): the candidates, by label.
    """
    tokens = len(scores)
    by_kind = scores.reshape(tokens, scores.shape[1] // KINDS, KINDS).transpose(2, 1, 0)
    lowest = np.log(LOWEST_EDGE / (1 - LOWEST_EDGE))
    most = MIN_EDGES + tokens // TOKENS_PER_EDGE
    sums = np.pad(np.cumsum(by_kind[INSIDE], axis=1), ((0, 0), (1, 0)))
    found = []
    for label in np.flatnonzero((by_kind[START] >= lowest).any(axis=1) & (by_kind[END] >= lowest).any(axis=1)):
        starts, ends = (
            _edges(np.where(may_be_edge, by_kind[kind, label], -np.inf), lowest, most) for kind in (START, END)
        )
        firsts = np.searchsorted(ends, starts)
        lasts = np.searchsorted(ends, starts + longest)
        for start, first, last in zip(starts, firsts, lasts, strict=True):
            paired = ends[first:last]
            if not len(paired):
                continue
            inside = (sums[label, paired + 1] - sums[label, start]) / (paired + 1 - start)
            at_end = by_kind[END, label, paired]
            for best in np.argsort(-(at_end + inside), kind="stable")[:ENDS_PER_START]:
                logits = (float(by_kind[START, label, start]), float(at_end[best]), float(inside[best]))
                found.append(Candidate(int(start), int(paired[best]) + 1, int(label), (*logits, min(logits))))
    return found


def _edges(logits: Floats, lowest: float, most: int) -> np.ndarray:
    """Choose the most probable edges, in the order of the text."""
    edges = np.flatnonzero(logits >= lowest)
    if len(edges) > most:
        edges = np.sort(edges[np.argsort(-logits[edges], kind="stable")[:most]])
    return edges


def probabilities(features: Sequence[Sequence[float]], weights: Sequence[float]) -> Floats:
    """Compute the probabilities of candidates.

    features (Sequence[Sequence[float]]): their features.
    weights (Sequence[float]): weights of the features, then a constant.
    RETURNS (Floats): the probabilities. Shape: (candidates,).
    """
    rows = np.asarray(features, dtype=float).reshape(-1, len(weights) - 1)
    return sigmoid(rows @ np.asarray(weights[:-1]) + weights[-1])


def select(scored: list[Found], max_overlap: float, longest: int) -> list[Found]:
    """Keep the most probable of spans that have the same label and overlap too much.

    scored (list[Found]): candidates with probabilities.
    max_overlap (float): maximum intersection over union of two spans with the same label.
    longest (int): maximum number of tokens in a span.
    RETURNS (list[Found]): the kept spans, in the order of the text.
    """
    kept: list[Found] = []
    # Only spans that start nearby can overlap: by label and stretch of the text.
    rivals: dict[tuple[int, int], list[Found]] = defaultdict(list)
    for span in sorted(scored, key=lambda span: (-span.probability, span.start, span.end)):
        place = span.start // longest
        near = (rival for step in (-1, 0, 1) for rival in rivals.get((span.label, place + step), ()))
        if all(overlap(span[:2], rival[:2]) <= max_overlap for rival in near):
            rivals[span.label, place].append(span)
            kept.append(span)
    return sorted(kept, key=lambda span: span[:3])
