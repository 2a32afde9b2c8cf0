"""How far probabilities can be trusted, a temperature that makes them so, and thresholds for decisions."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

BINS = 10
TEMPERATURES = (0.05, 20.0)
GOLDEN = (5**0.5 - 1) / 2


@dataclass
class ReliabilityBin:
    """What happened to the predictions of similar probability.

    low, high (float): the probabilities of this bin. count (int): predictions in it. probability (float): their mean
    probability. accuracy (float): the share of them that was right.
    """

    low: float
    high: float
    count: int
    probability: float
    accuracy: float


def reliability_table(probabilities: Sequence[float], is_right: Sequence[bool]) -> list[dict[str, Any]]:
    """Compare probabilities to what came true, in ten bins of equal width. Empty bins are left out.

    probabilities (Sequence[float]): of each prediction. is_right (Sequence[bool]): whether it came true.
    RETURNS (list[dict[str, Any]]): the fields of `ReliabilityBin`, JSON-able.
    """
    values, right = np.asarray(probabilities, dtype=float), np.asarray(is_right, dtype=float)
    numbers = np.minimum((values * BINS).astype(int), BINS - 1)
    table = []
    for number in np.unique(numbers).tolist():
        here = numbers == number
        means = float(values[here].mean()), float(right[here].mean())
        table.append(asdict(ReliabilityBin(number / BINS, (number + 1) / BINS, int(here.sum()), *means)))
    return table


def expected_calibration_error(probabilities: Sequence[float], is_right: Sequence[bool]) -> float | None:
    """The mean distance between probability and accuracy over the bins, weighted by their counts (Guo et al. 2017).

    RETURNS (float | None): 0 is perfect, 1 the worst; None without predictions. Arguments as in `reliability_table`.
    """
    table = reliability_table(probabilities, is_right)
    total = sum(row["count"] for row in table)
    return sum(row["count"] * abs(row["probability"] - row["accuracy"]) for row in table) / total if total else None


def log_loss(probabilities: Sequence[float], is_right: Sequence[bool]) -> float:
    """RETURNS (float): the mean negative logarithm of the probability of what came true. Unit: nats."""
    values = np.clip(np.asarray(probabilities, dtype=float), 1e-12, 1 - 1e-12)
    return float(-np.log(np.where(np.asarray(is_right, dtype=bool), values, 1 - values)).mean())


def fit_temperature(loss: Callable[[float], float], steps: int = 20) -> float:
    """Find the temperature with the smallest loss by golden-section search on its logarithm.

    loss (Callable[[float], float]): gives the loss at a temperature.
    steps (int): the interval shrinks by 0.618 at each.
    RETURNS (float): between 0.05 and 20; 1.0 where nothing beats leaving the scores as they are.
    """
    low, high = (float(np.log(temperature)) for temperature in TEMPERATURES)

    def at(x: float) -> float:
        return loss(float(np.exp(x)))

    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = at(left), at(right)
    for _ in range(steps):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = at(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = at(right)
    best = left if at_left <= at_right else right
    return float(np.exp(best)) if min(at_left, at_right) < loss(1.0) else 1.0


def best_threshold(scores: Sequence[float], is_positive: Sequence[bool], default: float = 0.5) -> float:
    """Find the threshold with the best F1, halfway between the scores that it separates.

    scores (Sequence[float]): between 0 and 1. is_positive (Sequence[bool]): the annotation.
    default (float): where there is nothing positive, or nothing at all.
    RETURNS (float): a score at or above it counts as positive.
    """
    order = np.argsort(-np.asarray(scores, dtype=float), kind="stable")
    values, positive = np.asarray(scores, dtype=float)[order], np.asarray(is_positive, dtype=bool)[order]
    if not positive.any():
        return default
    hits = np.cumsum(positive)
    f1 = 2 * hits / (np.arange(1, len(values) + 1) + positive.sum())
    # Equal scores fall on the same side of every threshold.
    f1[:-1][values[:-1] == values[1:]] = -1.0
    last = int(f1.argmax())
    below = float(values[last + 1]) if last + 1 < len(values) else 0.0
    return (float(values[last]) + below) / 2
