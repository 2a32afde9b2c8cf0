"""Gold values of text labels, weights of classes, and losses on logits."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from spacy.training import Example

from .crf import Floats, Mask
from .probabilities import sigmoid, softmax


def gold_values(examples: Sequence[Example], labels: Sequence[str], missing_is_zero: bool) -> tuple[Floats, Mask]:
    """Read `reference.cats`.

    missing_is_zero (bool): exclusive labels: in a document with any annotation, a label that is not named is false.
    RETURNS (tuple): values, zero where missing, and whether they count. Shape of each: (documents, labels).
    """
    values = np.zeros((len(examples), len(labels)))
    counts = np.zeros((len(examples), len(labels)), dtype=bool)
    for row, example in enumerate(examples):
        cats = example.reference.cats
        for column, label in enumerate(labels):
            if cats.get(label) is not None:
                values[row, column], counts[row, column] = cats[label], True
        if missing_is_zero:
            counts[row] = values[row].any()
    return values, counts


def class_weights(
    given: str | Mapping[str, float] | None, examples: Iterable[Example], labels: Sequence[str], exclusive: bool
) -> dict[str, list[float]]:
    """Weights of the loss where a label is true and where it is false.

    given (str | Mapping[str, float] | None): "balanced": every class (exclusive), or true and false of every label,
        counts the same in all; weights of true labels by name; or None for none.
    RETURNS (dict[str, list[float]]): per label the weight where it is true, and where it is false.
    """
    if given is None:
        return {}
    if not isinstance(given, str):
        return {label: [float(weight), 1.0] for label, weight in given.items()}
    values, counts = gold_values(list(examples), labels, exclusive)
    true, annotated = (values * counts).sum(axis=0), counts.sum(axis=0)
    weights = {}
    for label, positive, total in zip(labels, true.tolist(), annotated.tolist(), strict=True):
        share = total / (len(labels) if exclusive else 2)
        negative = 1.0 if exclusive else share / max(1.0, total - positive)
        weights[label] = [share / max(1.0, positive), negative]
    return weights


def number_scales(examples: Iterable[Example], labels: Sequence[str]) -> dict[str, list[float]]:
    """RETURNS (dict[str, list[float]]): mean and standard deviation of each label's numbers."""
    values, counts = gold_values(list(examples), labels, False)
    scales = {}
    for label, column, known in zip(labels, values.T, counts.T, strict=True):
        numbers = column[known]
        if len(numbers):
            scales[label] = [float(numbers.mean()), float(numbers.std()) or 1.0]
    return scales


def exclusive_loss(logits: Floats, values: Floats, counts: Mask, weights: Floats) -> tuple[float, Floats]:
    """Cross-entropy, averaged over the documents that have a true label.

    logits (Floats): of exclusive labels. Shape: (documents, labels).
    values (Floats): gold: 1 where a label is true, 0 where it is false. Shape: (documents, labels).
    counts (Mask): whether a value is annotated. Shape: (documents, labels).
    weights (Floats): where a label is true and where it is false (not used). Shape: (2, labels).
    RETURNS (tuple[float, Floats]): loss, and its gradient by the logits. Shape: (documents, labels).
    """
    target = values * counts * weights[0]
    total = max(1, int(counts.any(axis=1).sum()))
    log_probabilities = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    gradient = softmax(logits) * target.sum(axis=1, keepdims=True) - target
    return -float((target * log_probabilities).sum()) / total, gradient / total


def independent_loss(logits: Floats, values: Floats, counts: Mask, weights: Floats) -> tuple[float, Floats]:
    """Binary cross-entropy, averaged over the annotated labels. Arguments and result as in `exclusive_loss`."""
    total = max(1, int(counts.sum()))
    true, false = values * counts * weights[0], (1.0 - values) * counts * weights[1]
    loss = float((true * np.logaddexp(0.0, -logits) + false * np.logaddexp(0.0, logits)).sum())
    return loss / total, ((true + false) * sigmoid(logits) - true) / total


def squared_loss(logits: Floats, values: Floats, counts: Mask, weights: Floats) -> tuple[float, Floats]:
    """Mean squared error over the annotated values, the weights being those of true labels. As in `exclusive_loss`."""
    total = max(1, int(counts.sum()))
    difference = (logits - values) * counts
    return float((weights[0] * difference**2).sum()) / total, 2.0 * weights[0] * difference / total


LOSSES: dict[str, Any] = {"exclusive": exclusive_loss, "multilabel": independent_loss, "regression": squared_loss}
