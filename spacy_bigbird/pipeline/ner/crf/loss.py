"""The loss of a conditional random field: the negative log likelihood of an annotation, which may be partial."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .lattice import Floats, Lattice, Mask, Transitions, in_batches
from .sums import PathSums


@dataclass
class PathLoss:
    """The negative log likelihood of the annotation, summed over documents, and its gradients.

    loss (float): the loss. Unit: nats.
    d_emissions (list[Floats]): gradient of each document's emissions. Shape of each: (tokens, 1 + 4 labels).
    d_transitions (Transitions): gradient of the transitions.
    impossible (list[int]): documents whose annotation agrees with no allowed path. They do not contribute.
    """

    loss: float
    d_emissions: list[Floats]
    d_transitions: Transitions
    impossible: list[int]


def path_loss(
    emissions: Sequence[Floats], gold: Sequence[Mask], allowed: Sequence[Mask], transitions: Transitions
) -> PathLoss:
    """Compare the paths that agree with the annotation with all valid paths.

    emissions (Sequence[Floats]): scores of the tags per document. Shape of each: (tokens, 1 + 4 labels).
    gold (Sequence[Mask]): the tags that agree with the annotation: one for an annotated token, all allowed ones for a
        token without annotation. Shape: as emissions.
    allowed (Sequence[Mask]): the tags that each token may have. Shape: as emissions.
    transitions (Transitions): scores of transitions between tags.
    RETURNS (PathLoss): the loss and its gradients.
    """
    result = PathLoss(0.0, [np.zeros_like(rows) for rows in emissions], Transitions.zeros(len(transitions.within)), [])

    def compare(batch: list[int]) -> None:
        # Without annotation, every path agrees.
        batch = [d for d in batch if (allowed[d] & ~gold[d]).any()]
        if not batch:
            return
        # All valid paths at even indices, those that agree at odd ones: they share one loop over tokens.
        masks = [mask for d in batch for mask in (allowed[d], gold[d] & allowed[d])]
        sums = PathSums(Lattice([emissions[d] for d in batch for _ in range(2)], masks, transitions))
        every, agreeing = sums.log_partition.reshape(-1, 2).T
        # NaN scores result in a NaN loss. Only minus infinity means that the annotation is impossible.
        possible = ~np.isneginf(agreeing)
        result.loss += float((every - agreeing)[possible].sum())
        marginals = sums.marginals()
        for i, d in enumerate(batch):
            if possible[i]:
                result.d_emissions[d] = marginals[2 * i] - marginals[2 * i + 1]
            else:
                result.impossible.append(d)
        counts = sums.transition_counts(np.outer(possible, (1.0, -1.0)).ravel())
        result.d_transitions.follow += counts.follow
        result.d_transitions.within += counts.within

    with np.errstate(invalid="ignore"):
        in_batches(emissions, compare, rows_per_token=2)
    return result
