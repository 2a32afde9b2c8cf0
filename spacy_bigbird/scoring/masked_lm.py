"""How well masked pieces are guessed: what each of them costs, and where in a document."""

from collections.abc import Sequence

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]


def score_guesses(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Compare guesses with what is right, in full precision.

    logits (Tensor): scores of all pieces of the vocabulary, or of all classes. Shape: (guesses, pieces).
    labels (Tensor): the right ones. Shape: (guesses,).
    RETURNS (tuple[Tensor, Tensor]): negative log-likelihood of the right ones (unit: nats; it has a gradient), and
        whether they have the highest score. Shape of each: (guesses,).
    """
    # argmax over bfloat16 is slow on CPUs.
    scores = logits.float()
    return F.cross_entropy(scores, labels, reduction="none"), scores.detach().argmax(-1) == labels


def sums_by_range(starts: Sequence[int], places: NDArray, columns: Sequence[NDArray]) -> Floats:
    """Sum what belongs to pieces over ranges of their positions.

    starts (Sequence[int]): first position of each range, ascending from 0. The last range has no end.
    places (NDArray): position of each piece in its document. Shape: (pieces,).
    columns (Sequence[NDArray]): numbers, one for each piece. Shape of each: (pieces,).
    RETURNS (Floats): the sums. Shape: (ranges, columns).
    """
    sums = np.zeros((len(starts), len(columns)))
    np.add.at(sums, np.searchsorted(starts, places, side="right") - 1, np.stack(columns, axis=1))
    return sums
