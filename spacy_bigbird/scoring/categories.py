"""Scores of text labels: spaCy's own keys, with a threshold per label, and those of regression."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from spacy.scorer import Scorer
from spacy.tokens import Doc
from spacy.training import Example

from ..pipeline.ner.crf import Floats
from .stored_examples import several_passes


def textcat_score(
    examples: Iterable[Example],
    *,
    labels: Iterable[str],
    objective: str,
    positive_label: str | None = None,
    threshold: float | None = None,
    thresholds: Mapping[str, float] | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Score `doc.cats`.

    examples (Iterable[Example]): examples that the component has processed.
    labels (Iterable[str]): the component's labels.
    objective (str): "exclusive", "multilabel" or "regression".
    positive_label (str | None): of two exclusive labels, the one whose F1 is reported as `cats_score`.
    threshold (float | None): minimum score of a predicted label; None for 0.5.
    thresholds (Mapping[str, float] | None): thresholds per label, which take precedence.
    RETURNS (dict[str, Any]): the keys of `spacy.scorer.Scorer.score_cats`, or for regression of `regression_scores`.
    """
    examples, labels = several_passes(examples), list(labels)
    if objective == "regression":
        return regression_scores(examples, labels)
    default = 0.5 if threshold is None else threshold
    thresholds = {label: (thresholds or {}).get(label, default) for label in labels}

    def cats(doc: Doc, attr: str) -> dict[str, float]:
        if objective == "exclusive":
            return doc.cats
        # spaCy supports a single threshold: rescale each label's to 0.5, which keeps the ranking within the label.
        known = [(label, doc.cats[label]) for label in thresholds if doc.cats.get(label) is not None]
        return {label: move_threshold(score, thresholds[label]) for label, score in known}

    return Scorer.score_cats(
        examples,
        "cats",
        getter=cats,
        labels=labels,
        multi_label=objective == "multilabel",
        positive_label=positive_label,
        threshold=0.5,
    )


def make_textcat_scorer() -> Callable:
    """Make the scorer for `[components.bigbird_textcat.scorer]` and the multi-label component.

    RETURNS (Callable): `textcat_score`.
    """
    return textcat_score


def move_threshold(score: float, threshold: float) -> float:
    """Rescale a score so that the threshold becomes 0.5. The order is kept, and 0 and 1 are unchanged.

    score (float): a score between 0 and 1.
    threshold (float): the threshold, between 0 and 1.
    RETURNS (float): the rescaled score.
    """
    if score == 0.0:
        # Gold values are rescaled too, and a label that is false stays false with a threshold of 0.
        return 0.0
    if score < threshold:
        return 0.5 * score / threshold
    return 1.0 if threshold >= 1.0 else 0.5 + 0.5 * (score - threshold) / (1.0 - threshold)


def regression_scores(examples: Iterable[Example], labels: Iterable[str]) -> dict[str, Any]:
    """Score the numbers in `doc.cats` for which the reference has a value.

    examples (Iterable[Example]): examples that the component has processed.
    labels (Iterable[str]): the labels.
    RETURNS (dict[str, Any]): `cats_mae` (mean absolute error), `cats_r2` (1 is perfect, 0 is as good as the mean) and
        `cats_spearman` (rank correlation), each the mean over labels; `cats_regression_per_type`; `cats_score` (R2).
    """
    examples = several_passes(examples)
    per_type = {}
    for label in labels:
        pairs = [
            (example.predicted.cats[label], example.reference.cats[label])
            for example in examples
            if example.reference.cats.get(label) is not None and label in example.predicted.cats
        ]
        if pairs:
            predicted, gold = np.asarray(pairs, dtype=float).T
            per_type[label] = {
                "mae": float(np.abs(predicted - gold).mean()),
                "r2": r_squared(predicted, gold),
                "spearman": spearman(predicted, gold),
            }
    means: dict[str, float | None] = {}
    for key in ("mae", "r2", "spearman"):
        values = [score for scores in per_type.values() if (score := scores[key]) is not None]
        means[key] = float(np.mean(values)) if values else None
    return {
        "cats_score": means["r2"],
        "cats_score_desc": "R2",
        **{f"cats_{key}": value for key, value in means.items()},
        "cats_regression_per_type": per_type,
    }


def r_squared(predicted: Floats, gold: Floats) -> float | None:
    """Compute the share of the variance that is explained.

    predicted (Floats): the predictions. Shape: (values,).
    gold (Floats): the gold values. Shape: (values,).
    RETURNS (float | None): R2; None if the gold values do not vary.
    """
    variance = ((gold - gold.mean()) ** 2).sum()
    return float(1.0 - ((predicted - gold) ** 2).sum() / variance) if variance > 0 else None


def spearman(first: Floats, second: Floats) -> float | None:
    """Compute the correlation of ranks, with mean ranks for ties.

    first (Floats): some values. Shape: (values,).
    second (Floats): the values to compare them with. Shape: (values,).
    RETURNS (float | None): the correlation; None if one of them does not vary.
    """
    ranks = [mean_ranks(values) for values in (first, second)]
    deviations = [values - values.mean() for values in ranks]
    norm = np.sqrt((deviations[0] ** 2).sum() * (deviations[1] ** 2).sum())
    return float((deviations[0] * deviations[1]).sum() / norm) if norm > 0 else None


def mean_ranks(values: Floats) -> Floats:
    """Rank values from 1. Equal values get the mean of their ranks.

    values (Floats): the values. Shape: (values,).
    RETURNS (Floats): the ranks. Shape: (values,).
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]
