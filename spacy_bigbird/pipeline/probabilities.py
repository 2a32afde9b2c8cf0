"""From logits to probabilities, on the host."""

import numpy as np

from .crf import Floats


def softmax(logits: Floats) -> Floats:
    """RETURNS (Floats): probabilities of what excludes each other, along the last axis. Shape: as logits."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def sigmoid(logits: Floats) -> Floats:
    """RETURNS (Floats): probabilities of what does not exclude each other. Shape: as logits."""
    return np.exp(-np.logaddexp(0.0, -logits))
