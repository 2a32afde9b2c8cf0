"""The loss of scores of spans: the cross-entropy of every token being a start, an end, or inside, for each label."""

from collections.abc import Sequence

import numpy as np
from spacy.tokens import Span
from spacy.training import Example

from ...thinc_layers.span_classifier import END, INSIDE, KINDS, START
from ..ner.crf import Floats
from ..probabilities import sigmoid

# All tokens of a clause are inside of it, so each of them counts less than its only start and its only end.
INSIDE_WEIGHT = 0.3


def gold_of(example: Example, key: str) -> list[Span] | None:
    """Get the annotated spans in the tokens of the predicted document.

    example (Example): the example.
    key (str): key in `doc.spans`.
    RETURNS (list[Span] | None): the spans that match the tokens; None if the reference has no such key, so that its
        spans are unknown.
    """
    if key not in example.reference.spans:
        return None
    return example.get_aligned_spans_y2x(list(example.reference.spans[key]), allow_overlap=True)


def targets(spans: Sequence[Span], labels: Sequence[str], tokens: int) -> Floats:
    """Make the values that the probabilities should have.

    spans (Sequence[Span]): the annotated spans. Those with other labels are left out.
    labels (Sequence[str]): the labels.
    tokens (int): number of tokens in the document.
    RETURNS (Floats): 0 or 1. Shape: (tokens, labels, 3).
    """
    numbers = {label: number for number, label in enumerate(labels)}
    values = np.zeros((tokens, len(labels), KINDS))
    for span in spans:
        if (label := numbers.get(span.label_)) is not None:
            values[span.start, label, START] = 1.0
            values[span.end - 1, label, END] = 1.0
            values[span.start : span.end, label, INSIDE] = 1.0
    return values


def span_loss(
    scores: Sequence[Floats], gold: Sequence[Sequence[Span] | None], labels: Sequence[str], positive_weight: float
) -> tuple[float, list[Floats]]:
    """Compute the loss of a batch. Documents whose spans are unknown do not contribute.

    scores (Sequence[Floats]): logits per document. Shape of each: (tokens, 3 labels).
    gold (Sequence[Sequence[Span] | None]): the annotated spans per document, or None.
    labels (Sequence[str]): the labels.
    positive_weight (float): weight of the values that should be 1.
    RETURNS (tuple[float, list[Floats]]): the sum over labels of the mean over annotated tokens, and its gradients.
    """
    total, gradients = 0.0, []
    annotated = sum(len(rows) for rows, spans in zip(scores, gold, strict=True) if spans is not None)
    of_kind = np.ones(KINDS)
    of_kind[INSIDE] = INSIDE_WEIGHT
    for rows, spans in zip(scores, gold, strict=True):
        if spans is None or not len(rows):
            gradients.append(np.zeros_like(rows))
            continue
        values = targets(spans, labels, len(rows))
        logits = rows.reshape(values.shape)
        weights = np.where(values > 0, positive_weight, 1.0) * of_kind / annotated
        total += float((weights * (np.logaddexp(0.0, logits) - values * logits)).sum())
        gradients.append((weights * (sigmoid(logits) - values)).reshape(rows.shape))
    return total, gradients
