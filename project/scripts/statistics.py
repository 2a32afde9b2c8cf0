"""Scores with confidence intervals over documents, by length and by position.

Everything is made of counts per document (an array with a row for each) and of a function from their sums to a score,
so that the score of any set of documents, and of ten thousand drawn sets, is a matrix product away.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]
Score = Callable[[Counts], NDArray[np.float64]]
RESAMPLES, CONFIDENCE = 2000, 0.95


def f_score(sums: Counts) -> NDArray[np.float64]:
    """RETURNS (NDArray): F1 of true positives, false positives and false negatives. Shape: (..., 3) to (...)."""
    right, wrong, missed = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    total = 2 * right + wrong + missed
    return np.divide(2 * right, total, out=np.zeros_like(total), where=total > 0)


def precision(sums: Counts) -> NDArray[np.float64]:
    """RETURNS (NDArray): precision, of the same counts as `f_score`."""
    right, wrong, _ = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    return np.divide(right, right + wrong, out=np.zeros_like(right), where=right + wrong > 0)


def recall(sums: Counts) -> NDArray[np.float64]:
    """RETURNS (NDArray): recall, of the same counts as `f_score`."""
    return precision(np.asarray(sums)[..., [0, 2, 1]])


def macro_f(sums: Counts) -> NDArray[np.float64]:
    """RETURNS (NDArray): mean F1 of the labels that occur, of three counts per label. Shape: (..., 3 labels)."""
    by_label = np.asarray(sums, dtype=np.float64).reshape(*np.shape(sums)[:-1], -1, 3)
    occurs = by_label.sum(-1) > 0
    return (f_score(by_label) * occurs).sum(-1) / np.maximum(1, occurs.sum(-1))


def mean(sums: Counts) -> NDArray[np.float64]:
    """RETURNS (NDArray): a mean, or accuracy, of totals and numbers. Shape: (..., 2) to (...)."""
    total, number = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    return np.divide(total, number, out=np.zeros_like(total), where=number > 0)


def _drawn(documents: int, seed: int, resamples: int) -> Counts:
    """How often each document is drawn in each resample. Shape: (resamples, documents)."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(documents, np.full(documents, 1 / documents), size=resamples).astype(np.float64)


def interval(counts: Counts, score: Score, seed: int = 0, resamples: int = RESAMPLES) -> dict[str, float]:
    """A score with its confidence interval: the percentile bootstrap over documents.

    counts (Counts): of each document. Shape: (documents, any). score (Score): from sums to a score.
    seed (int): of the draws. resamples (int): how many sets are drawn.
    RETURNS (dict[str, float]): `score`, and the `low` and `high` ends of the interval of 95 %.
    """
    counts = np.asarray(counts, dtype=np.float64)
    if not len(counts):
        return {"score": 0.0, "low": 0.0, "high": 0.0}
    low, high = _ends(score(_drawn(len(counts), seed, resamples) @ counts))
    return {"score": round(float(score(counts.sum(0))), 4), "low": low, "high": high}


def difference(
    first: Counts, second: Counts, score: Score, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, float]:
    """How much better one system is than another on the same documents, each drawn for both at once.

    first, second (Counts): of the same documents in the same order. score, seed, resamples: as in `interval`.
    RETURNS (dict[str, float]): `score`, the first's minus the second's, and `low` and `high`.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    drawn = _drawn(len(one), seed, resamples)
    low, high = _ends(score(drawn @ one) - score(drawn @ other))
    return {"score": round(float(score(one.sum(0)) - score(other.sum(0))), 4), "low": low, "high": high}


def _ends(scores: NDArray[np.float64]) -> tuple[float, float]:
    rest = (1 - CONFIDENCE) / 2
    low, high = np.quantile(scores, [rest, 1 - rest])
    return round(float(low), 4), round(float(high), 4)


def by_length(counts: Counts, lengths: Sequence[int], score: Score, parts: int = 4) -> list[dict[str, Any]]:
    """Scores of equally many documents each, from the shortest to the longest.

    counts (Counts): of each document. lengths (Sequence[int]): their lengths. score (Score): from sums to a score.
    parts (int): how many groups.
    RETURNS (list[dict[str, Any]]): of each group the `shortest` and `longest` length, `documents` and the interval.
    """
    order = np.argsort(np.asarray(lengths), kind="stable")
    counts, sizes = np.asarray(counts, dtype=np.float64), np.asarray(lengths)
    return [
        {
            "shortest": int(sizes[group].min()),
            "longest": int(sizes[group].max()),
            "documents": len(group),
            **interval(counts[group], score),
        }
        for group in np.array_split(order, parts)
        if len(group)
    ]


def by_position(counts: NDArray[np.float64], score: Score) -> list[dict[str, Any]]:
    """Scores of the quarters of all documents, from their beginnings to their ends.

    counts (NDArray): of each document and quarter. Shape: (documents, quarters, any).
    score (Score): from sums to a score.
    RETURNS (list[dict[str, Any]]): of each part `start` and `end` as shares of the document, and the interval.
    """
    counts = np.asarray(counts, dtype=np.float64)
    parts = counts.shape[1]
    return [
        {"start": part / parts, "end": (part + 1) / parts, **interval(counts[:, part], score)} for part in range(parts)
    ]
