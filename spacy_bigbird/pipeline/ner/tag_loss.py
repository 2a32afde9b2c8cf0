"""The loss of tag scores compared with the references, per annotated token."""

from collections.abc import Sequence

import numpy as np
from spacy.training import Example

from .biluo import gold_tags, valid_tags
from .crf import Floats, PathLoss, Transitions, path_loss


def tag_loss(
    examples: Sequence[Example], emissions: Sequence[Floats], labels: Sequence[str], transitions: Transitions | None
) -> PathLoss:
    """Compare scores of tags with the annotation. Missing annotation does not contribute to the loss.

    examples (Sequence[Example]): the batch.
    emissions (Sequence[Floats]): scores of the tags per document. Shape of each: (tokens, 1 + 4 labels).
    labels (Sequence[str]): the labels.
    transitions (Transitions | None): scores of transitions between tags, to learn whole sequences; None for a softmax
        over the tags of each token.
    RETURNS (PathLoss): the negative log likelihood divided by the number of annotated tokens, and its gradients.
    """
    golds, annotated = zip(*(gold_tags(example, labels) for example in examples), strict=True)
    if transitions is None:
        result = PathLoss(0.0, [], Transitions.zeros(len(labels)), [])
        for rows, gold, mask in zip(emissions, golds, annotated, strict=True):
            log_probabilities = rows - np.logaddexp.reduce(rows, axis=1, keepdims=True)
            target = gold & mask[:, None]
            result.loss -= float(log_probabilities[target].sum())
            result.d_emissions.append((np.exp(log_probabilities) - target) * mask[:, None])
    else:
        # The annotation may violate the rules of prediction, for example if an entity crosses a sentence start that
        # another component has set.
        rules = [valid_tags(example.predicted, labels) for example in examples]
        allowed = [rule | (gold & mask[:, None]) for rule, gold, mask in zip(rules, golds, annotated, strict=True)]
        result = path_loss(emissions, golds, allowed, transitions)
    factor = 1.0 / max(1, sum(int(mask.sum()) for mask in annotated))
    gradients = [gradient * factor for gradient in result.d_emissions]
    return PathLoss(result.loss * factor, gradients, result.d_transitions.scaled(factor), result.impossible)
