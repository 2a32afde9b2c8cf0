"""Conversion of logits to probabilities, on the host."""

import numpy as np

from .ner.crf import Floats


def softmax(logits: Floats) -> Floats:
    """Compute the probabilities of mutually exclusive outcomes, along the last axis.

    logits (Floats): the logits.
    RETURNS (Floats): the probabilities. Shape: as logits.
    """
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def sigmoid(logits: Floats) -> Floats:
    """Compute the probabilities of independent outcomes.

    logits (Floats): the logits.
    RETURNS (Floats): the probabilities. Shape: as logits.
    """
    return np.exp(-np.logaddexp(0.0, -logits))
