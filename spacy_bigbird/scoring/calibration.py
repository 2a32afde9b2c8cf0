"""Calibration: how reliable probabilities are, a temperature that improves them, and thresholds for decisions."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

BINS = 10
TEMPERATURES = (0.05, 20.0)
GOLDEN = (5**0.5 - 1) / 2


@dataclass
class ReliabilityBin:
    """The outcome of predictions with similar probabilities.

    low (float): lower end of the bin.
    high (float): upper end of the bin.
    count (int): number of predictions in the bin.
    probability (float): their mean probability.
    accuracy (float): the share of them that was correct.
    """

    low: float
    high: float
    count: int
    probability: float
    accuracy: float


def reliability_table(probabilities: Sequence[float], is_right: Sequence[bool]) -> list[dict[str, Any]]:
    """Compare probabilities with outcomes in ten bins of equal width. Empty bins are omitted.

    probabilities (Sequence[float]): the probability of each prediction.
    is_right (Sequence[bool]): whether each prediction was correct.
    RETURNS (list[dict[str, Any]]): the bins as JSON-serializable dictionaries, see `ReliabilityBin`.
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
    """Compute the mean distance between probability and accuracy, weighted by the size of the bins (Guo et al. 2017).

    probabilities (Sequence[float]): the probability of each prediction.
    is_right (Sequence[bool]): whether each prediction was correct.
    RETURNS (float | None): from 0 (perfect) to 1; None without predictions.
    """
    table = reliability_table(probabilities, is_right)
    total = sum(row["count"] for row in table)
    return sum(row["count"] * abs(row["probability"] - row["accuracy"]) for row in table) / total if total else None


def log_loss(probabilities: Sequence[float], is_right: Sequence[bool]) -> float:
    """Compute the mean negative log likelihood of the outcomes.

    probabilities (Sequence[float]): the probability of each prediction.
    is_right (Sequence[bool]): whether each prediction was correct.
    RETURNS (float): the loss. Unit: nats.
    """
    values = np.clip(np.asarray(probabilities, dtype=float), 1e-12, 1 - 1e-12)
    return float(-np.log(np.where(np.asarray(is_right, dtype=bool), values, 1 - values)).mean())


def fit_temperature(loss: Callable[[float], float], steps: int = 20) -> float:
    """Find the temperature with the smallest loss by golden-section search on its logarithm.

    loss (Callable[[float], float]): returns the loss at a temperature.
    steps (int): number of steps, each of which shrinks the interval by a factor of 0.618.
    RETURNS (float): between 0.05 and 20; 1.0 if no temperature is better than leaving the scores unchanged.
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
    """Find the threshold with the best F1. It lies halfway between the scores that it separates.

    scores (Sequence[float]): scores between 0 and 1.
    is_positive (Sequence[bool]): the annotation of each score.
    default (float): returned if there are no positives.
    RETURNS (float): the threshold; scores at or above it count as positive.
    """
    order = np.argsort(-np.asarray(scores, dtype=float), kind="stable")
    values, positive = np.asarray(scores, dtype=float)[order], np.asarray(is_positive, dtype=bool)[order]
    if not positive.any():
        return default
    hits = np.cumsum(positive)
    f1 = 2 * hits / (np.arange(1, len(values) + 1) + positive.sum())
    # A threshold cannot separate equal scores.
    f1[:-1][values[:-1] == values[1:]] = -1.0
    last = int(f1.argmax())
    below = float(values[last + 1]) if last + 1 < len(values) else 0.0
    return (float(values[last]) + below) / 2


def fit_logistic(
    features: np.ndarray, is_right: Sequence[bool], start: Sequence[float], strength: float = 1.0
) -> list[float]:
    """Fit a logistic regression by Newton's method.

    features (ndarray): features of each prediction. Shape: (predictions, features).
    is_right (Sequence[bool]): whether each prediction was correct.
    start (Sequence[float]): weights of the features, then the bias, which the result is drawn to when there is little
        data.
    strength (float): how much it is drawn to them; 0.0 for not at all.
    RETURNS (list[float]): the weights of the features, then the bias.
    """
    rows = np.hstack([np.asarray(features, dtype=float), np.ones((len(features), 1))])
    right, origin = np.asarray(is_right, dtype=float), np.asarray(start, dtype=float)

    def loss(weights: np.ndarray) -> float:
        logits = rows @ weights
        return float(
            (np.logaddexp(0.0, logits) - right * logits).sum() + strength / 2 * ((weights - origin) ** 2).sum()
        )

    weights = origin.copy()
    for _ in range(50):
        probabilities = np.exp(-np.logaddexp(0.0, -(rows @ weights)))
        slope = rows.T @ (probabilities - right) + strength * (weights - origin)
        spread = rows.T @ (rows * (probabilities * (1 - probabilities))[:, None]) + (strength + 1e-9) * np.eye(
            len(origin)
        )
        step = np.linalg.solve(spread, slope)
        while loss(weights - step) > loss(weights) and np.abs(step).max() > 1e-9:
            step = step / 2
        weights = weights - step
        if np.abs(step).max() < 1e-8:
            break
    return weights.tolist()
