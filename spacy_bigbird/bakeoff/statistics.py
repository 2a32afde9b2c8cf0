"""Scores with confidence intervals over documents, by length and by position.

Everything is computed from counts per document (an array with a row for each) and a function from their sums to a
score, so that the scores of thousands of resampled sets of documents take a single matrix product.
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
    """RETURNS (NDArray): precision, from the same counts as `f_score`."""
    right, wrong, _ = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    return np.divide(right, right + wrong, out=np.zeros_like(right), where=right + wrong > 0)


def recall(sums: Counts) -> NDArray[np.float64]:
    """RETURNS (NDArray): recall, from the same counts as `f_score`."""
    return precision(np.asarray(sums)[..., [0, 2, 1]])


def macro_f(sums: Counts) -> NDArray[np.float64]:
    """RETURNS (NDArray): mean F1 of the labels that occur, from three counts per label. Shape: (..., 3 * labels)."""
    by_label = np.asarray(sums, dtype=np.float64).reshape(*np.shape(sums)[:-1], -1, 3)
    occurs = by_label.sum(-1) > 0
    return (f_score(by_label) * occurs).sum(-1) / np.maximum(1, occurs.sum(-1))


def mean(sums: Counts) -> NDArray[np.float64]:
    """RETURNS (NDArray): the mean (such as accuracy), from totals and numbers. Shape: (..., 2) to (...)."""
    total, number = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    return np.divide(total, number, out=np.zeros_like(total), where=number > 0)


def _drawn(documents: int, seed: int, resamples: int) -> Counts:
    """Count how often each document is drawn in each resample. Shape: (resamples, documents)."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(documents, np.full(documents, 1 / documents), size=resamples).astype(np.float64)


def interval(counts: Counts, score: Score, seed: int = 0, resamples: int = RESAMPLES) -> dict[str, float]:
    """Compute a score and its confidence interval, with the percentile bootstrap over documents.

    counts (Counts): counts of each document. Shape: (documents, any).
    score (Score): function from sums of counts to a score.
    seed (int): seed of the resampling.
    resamples (int): number of resampled sets.
    RETURNS (dict[str, float]): `score`, and the `low` and `high` ends of its 95% interval.
    """
    counts = np.asarray(counts, dtype=np.float64)
    if not len(counts):
        return {"score": 0.0, "low": 0.0, "high": 0.0}
    low, high = _ends(score(_drawn(len(counts), seed, resamples) @ counts))
    return {"score": round(float(score(counts.sum(0))), 4), "low": low, "high": high}


def difference(
    first: Counts, second: Counts, score: Score, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, float]:
    """Compute how much better one system is than another on the same documents, with a paired bootstrap.

    first, second (Counts): counts of the same documents in the same order. Shape: (documents, any).
    score, seed, resamples: as in `interval`.
    RETURNS (dict[str, float]): `score`, that of the first minus that of the second, and `low` and `high`.
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
    """Compute the scores of equally large groups of documents, from the shortest to the longest.

    counts (Counts): counts of each document. Shape: (documents, any).
    lengths (Sequence[int]): lengths of the documents.
    score (Score): function from sums of counts to a score.
    parts (int): number of groups.
    RETURNS (list[dict[str, Any]]): for each group its `shortest` and `longest` length, `documents` and the interval.
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
    """Compute the scores of the quarters of all documents, from beginning to end.

    counts (NDArray): counts of each document and quarter. Shape: (documents, quarters, any).
    score (Score): function from sums of counts to a score.
    RETURNS (list[dict[str, Any]]): for each quarter its `start` and `end` as shares of the document, and the interval.
    """
    counts = np.asarray(counts, dtype=np.float64)
    parts = counts.shape[1]
    return [
        {"start": part / parts, "end": (part + 1) / parts, **interval(counts[:, part], score)} for part in range(parts)
    ]
