"""Gold values of text labels, class weights, and losses on logits."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from spacy.training import Example

from ...errors import Errors
from ...errors.closest import did_you_mean
from ..ner.crf import Floats, Mask
from ..probabilities import sigmoid, softmax


def gold_values(examples: Sequence[Example], labels: Sequence[str], missing_is_zero: bool) -> tuple[Floats, Mask]:
    """Read `reference.cats`.

    examples (Sequence[Example]): the examples.
    labels (Sequence[str]): the labels, in the order of the columns.
    missing_is_zero (bool): for exclusive labels: if any label of a document is true, those not named are false. A
        document without a true label does not count.
    RETURNS (tuple[Floats, Mask]): the values (zero if missing), and whether they count. Shape of each:
        (documents, labels).
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
    """Compute weights of the loss for true and false labels.

    given (str | Mapping[str, float] | None): "balanced", so that every class (if exclusive), or true and false of every
        label, has the same total weight; weights of true labels by name; or None for no weights.
    examples (Iterable[Example]): examples to count the labels in, for "balanced".
    labels (Sequence[str]): the labels.
    exclusive (bool): whether exactly one label of a document is true.
    RETURNS (dict[str, list[float]]): the weight of each label if it is true, and if it is false.
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


def check_class_weights(name: str, given: str | Mapping[str, float] | None, labels: Sequence[str]) -> None:
    """Check that weights are given only for labels that there are.

    name (str): name of the component.
    given (str | Mapping[str, float] | None): the setting, as in `class_weights`.
    labels (Sequence[str]): the labels.
    RAISES ValueError: a weight is given for another label.
    """
    unknown = [label for label in given if label not in labels] if isinstance(given, Mapping) else []
    if unknown:
        hint, found = did_you_mean(unknown, labels), ", ".join(labels)
        raise ValueError(Errors.BB662.format(name=name, unknown=", ".join(unknown), labels=found, hint=hint))


def number_scales(examples: Iterable[Example], labels: Sequence[str]) -> dict[str, list[float]]:
    """Compute mean and standard deviation of each label's numbers.

    examples (Iterable[Example]): the examples.
    labels (Sequence[str]): the labels.
    RETURNS (dict[str, list[float]]): mean and standard deviation (1 if it is 0) of each label that has numbers.
    """
    values, counts = gold_values(list(examples), labels, False)
    scales = {}
    for label, column, known in zip(labels, values.T, counts.T, strict=True):
        numbers = column[known]
        if len(numbers):
            scales[label] = [float(numbers.mean()), float(numbers.std()) or 1.0]
    return scales


def exclusive_loss(logits: Floats, values: Floats, counts: Mask, weights: Floats) -> tuple[float, Floats]:
    """Compute the cross-entropy, averaged over the documents with a true label.

    logits (Floats): logits of exclusive labels. Shape: (documents, labels).
    values (Floats): gold values, 1 if a label is true and 0 if it is false. Shape: (documents, labels).
    counts (Mask): whether each value is annotated. Shape: (documents, labels).
    weights (Floats): weights of true labels, then those of false ones (not used). Shape: (2, labels).
    RETURNS (tuple[float, Floats]): the loss, and its gradient with respect to the logits. Shape: (documents, labels).
    """
    target = values * counts * weights[0]
    total = max(1, int(counts.any(axis=1).sum()))
    log_probabilities = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    gradient = softmax(logits) * target.sum(axis=1, keepdims=True) - target
    return -float((target * log_probabilities).sum()) / total, gradient / total


def independent_loss(logits: Floats, values: Floats, counts: Mask, weights: Floats) -> tuple[float, Floats]:
    """Compute the binary cross-entropy, averaged over the annotated labels. See `exclusive_loss` for the arguments."""
    total = max(1, int(counts.sum()))
    true, false = values * counts * weights[0], (1.0 - values) * counts * weights[1]
    loss = float((true * np.logaddexp(0.0, -logits) + false * np.logaddexp(0.0, logits)).sum())
    return loss / total, ((true + false) * sigmoid(logits) - true) / total


def squared_loss(logits: Floats, values: Floats, counts: Mask, weights: Floats) -> tuple[float, Floats]:
    """Compute the mean squared error over annotated values, with the weights of true labels. See `exclusive_loss`."""
    total = max(1, int(counts.sum()))
    difference = (logits - values) * counts
    return float((weights[0] * difference**2).sum()) / total, 2.0 * weights[0] * difference / total


LOSSES: dict[str, Any] = {"exclusive": exclusive_loss, "multilabel": independent_loss, "regression": squared_loss}
