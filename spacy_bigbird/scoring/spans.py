"""Scores of span groups: spaCy's own, the curve of precision and recall, and the calibration of probabilities."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from spacy.scorer import Scorer
from spacy.tokens import Doc, Span
from spacy.training import Example

from .calibration import expected_calibration_error, reliability_table

RECALL = 0.8


def overlap(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Compute the intersection over union of two spans, given as first token and end (exclusive).

    first, second (tuple[int, int]): the spans.
    RETURNS (float): from 0 (disjoint) to 1 (equal).
    """
    shared = min(first[1], second[1]) - max(first[0], second[0])
    return shared / (max(first[1], second[1]) - min(first[0], second[0])) if shared > 0 else 0.0


@dataclass(frozen=True)
class Match:
    """When a predicted span counts as an annotated one with the same label.

    min_overlap (float): minimum intersection over union; 1.0 for equal spans.
    by_words (bool): whether that is counted over different words, wherever they are, as by CUAD's authors, rather than
        over tokens.
    contained (tuple[str, ...]): with `by_words`, labels for which a prediction that contains the annotated text counts.
    """

    min_overlap: float = 1.0
    by_words: bool = False
    contained: tuple[str, ...] = ()

    def table(self, gold: Sequence[Span], predicted: Sequence[Span]) -> np.ndarray:
        """Compare spans that have the same label.

        gold (Sequence[Span]): the annotated spans.
        predicted (Sequence[Span]): the predicted spans.
        RETURNS (ndarray): whether they match. Shape: (annotated, predicted).
        """
        values = self._word_overlaps(gold, predicted) if self.by_words else self._token_overlaps(gold, predicted)
        # A little less, because 0.1 + 0.2 and the like are not exact.
        return np.asarray(values).reshape(len(gold), len(predicted)) >= self.min_overlap - 1e-9

    @staticmethod
    def _token_overlaps(gold: Sequence[Span], predicted: Sequence[Span]) -> list[list[float]]:
        return [[overlap((a.start, a.end), (b.start, b.end)) for b in predicted] for a in gold]

    def _word_overlaps(self, gold: Sequence[Span], predicted: Sequence[Span]) -> list[list[float]]:
        words = [words_of(span.text) for span in predicted]
        rows = []
        for span in gold:
            own = words_of(span.text)
            row = [len(own & others) / len(own | others) for others in words]
            if span.label_ in self.contained:
                row = [1.0 if span.text in b.text else value for b, value in zip(predicted, row, strict=True)]
            rows.append(row)
        return rows


def words_of(text: str) -> frozenset[str]:
    """Split a text into the words that CUAD's authors compare.

    text (str): the text.
    RETURNS (frozenset[str]): the different words, without case and punctuation.
    """
    for mark in ".,;:":
        text = text.replace(mark, "")
    return frozenset(text.lower().replace("/", " ").split(" "))


@dataclass
class Outcomes:
    """What became of the annotated and predicted spans of one label, or of several.

    best (list[float]): for each annotated span, the highest probability of a prediction that matches; -inf for none.
    wrong (list[float]): the probabilities of the predictions that match nothing.
    right (list[float]): those of the others.
    """

    best: list[float] = field(default_factory=list)
    wrong: list[float] = field(default_factory=list)
    right: list[float] = field(default_factory=list)

    def add(self, table: np.ndarray, probabilities: np.ndarray) -> None:
        """Add the spans of one document.

        table (ndarray): which spans match. Shape: (annotated, predicted).
        probabilities (ndarray): the probability of each prediction. Shape: (predicted,).
        """
        self.best += np.where(table, probabilities, -np.inf).max(axis=1, initial=-np.inf).tolist()
        matches = table.any(axis=0)
        self.wrong += probabilities[~matches].tolist()
        self.right += probabilities[matches].tolist()

    def __add__(self, other: "Outcomes") -> "Outcomes":
        return Outcomes(self.best + other.best, self.wrong + other.wrong, self.right + other.right)


@dataclass
class Curve:
    """Precision and recall at every threshold, from the highest to the lowest.

    An annotated span is found, and counts once, if any prediction matches it; predictions that match none are wrong.
    Precision is the best one at this recall or a higher one, so that it falls with recall.

    thresholds (ndarray): minimum probability of a prediction. Shape: (thresholds,).
    precision (ndarray): 1 where nothing is predicted. Shape: (1 + thresholds,).
    recall (ndarray): 0 where nothing is predicted. Shape: (1 + thresholds,).
    """

    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray

    @classmethod
    def of(cls, outcomes: Outcomes) -> "Curve":
        """Compute the curve.

        outcomes (Outcomes): the outcomes.
        RETURNS (Curve): the curve.
        """
        best, wrong = np.sort(outcomes.best), np.sort(outcomes.wrong)
        thresholds = np.unique(np.concatenate([best[np.isfinite(best)], wrong]))[::-1]
        found = len(best) - np.searchsorted(best, thresholds)
        false = len(wrong) - np.searchsorted(wrong, thresholds)
        precision = np.concatenate([[1.0], found / np.maximum(1, found + false)])
        recall = np.concatenate([[0.0], found / max(1, len(best))])
        return cls(thresholds, np.maximum.accumulate(precision[::-1])[::-1], recall)

    def area(self) -> float:
        """Compute the area under the curve, up to the highest recall. RETURNS (float): from 0 to 1."""
        return float((np.diff(self.recall) * (self.precision[1:] + self.precision[:-1])).sum() / 2)

    def precision_at(self, recall: float) -> float:
        """Get the precision at a recall.

        recall (float): the recall.
        RETURNS (float): the best precision with at least this recall; 0.0 if no threshold reaches it.
        """
        reached = np.flatnonzero(self.recall >= recall)
        return float(self.precision[reached[0]]) if len(reached) else 0.0

    def best_threshold(self) -> float:
        """Find the threshold with the best F1. RETURNS (float): the threshold, halfway to the next lower one."""
        f1 = 2 * self.precision[1:] * self.recall[1:] / np.maximum(1e-12, self.precision[1:] + self.recall[1:])
        last = int(f1.argmax())
        below = self.thresholds[last + 1] if last + 1 < len(self.thresholds) else 0.0
        return float(self.thresholds[last] + below) / 2


def outcomes_by_label(
    pairs: Iterable[tuple[Sequence[Span], Sequence[tuple[Span, float]]]], match: Match
) -> dict[str, Outcomes]:
    """Compare predictions with the annotation.

    pairs (Iterable[tuple[Sequence[Span], Sequence[tuple[Span, float]]]]): for each document, the annotated spans, and
        the predicted ones with their probabilities.
    match (Match): when a prediction counts.
    RETURNS (dict[str, Outcomes]): the outcomes, for the labels that occur.
    """
    found: dict[str, Outcomes] = {}
    for gold, predicted in pairs:
        for label in sorted({span.label_ for span in gold} | {span.label_ for span, _ in predicted}):
            there = [(span, score) for span, score in predicted if span.label_ == label]
            table = match.table([span for span in gold if span.label_ == label], [span for span, _ in there])
            found.setdefault(label, Outcomes()).add(table, np.asarray([score for _, score in there], dtype=float))
    return found


def scored_spans(doc: Doc, key: str) -> list[tuple[Span, float]]:
    """Get the spans of a group with their probabilities.

    doc (Doc): the document.
    key (str): key in `doc.spans`.
    RETURNS (list[tuple[Span, float]]): the spans; the probability is 1.0 if the group has none.
    """
    if key not in doc.spans:
        return []
    spans = list(doc.spans[key])
    scores = doc.spans[key].attrs.get("scores")
    values = [1.0] * len(spans) if scores is None else np.asarray(scores, dtype=float).tolist()
    return list(zip(spans, values, strict=True))


def spancat_score(
    examples: Iterable[Example],
    *,
    spans_key: str,
    candidates_key: str | None = None,
    min_overlap: float = 1.0,
    by_words: bool = False,
    contained: Sequence[str] = (),
    **kwargs: Any,
) -> dict[str, Any]:
    """Score a span group as spaCy does, along with the curve of precision and recall, and calibration.

    Documents whose reference lacks the group are left out.

    examples (Iterable[Example]): examples that the component has processed.
    spans_key (str): key in `doc.spans`.
    candidates_key (str | None): key of the predicted spans with lower probabilities, for a curve that does not end at
        the component's thresholds.
    min_overlap, by_words, contained: when a prediction counts, for the curve and calibration. See `Match`.
    RETURNS (dict[str, Any]): with `spans_{key}_` before each: `p`, `r`, `f` and `per_type`, of equal spans; `aupr` and
        `p80r`, the area under the curve and precision at 80 % recall; `curve_per_type`, with both for each label and
        the number of annotated spans; `ece` and `reliability`, of the predicted spans.
    """
    examples = [example for example in examples if spans_key in example.reference.spans]
    match = Match(min_overlap, by_words, tuple(contained))
    prefix = f"spans_{spans_key}_"
    scores = Scorer.score_spans(
        examples,
        attr=f"spans_{spans_key}",
        getter=lambda doc, _: doc.spans.get(spans_key, []),
        has_annotation=lambda doc: spans_key in doc.spans,
        allow_overlap=True,
    )
    if not examples:
        return scores

    def compare(key: str) -> dict[str, Outcomes]:
        pairs = (
            (list(example.reference.spans[spans_key]), scored_spans(example.predicted, key)) for example in examples
        )
        return outcomes_by_label(pairs, match)

    by_label = compare(candidates_key or spans_key)
    curves = {label: Curve.of(outcomes) for label, outcomes in by_label.items()}
    overall = Curve.of(sum(by_label.values(), Outcomes()))
    predicted = sum(compare(spans_key).values(), Outcomes())
    probabilities = predicted.right + predicted.wrong
    is_right = [True] * len(predicted.right) + [False] * len(predicted.wrong)
    return {
        **scores,
        f"{prefix}aupr": overall.area(),
        f"{prefix}p80r": overall.precision_at(RECALL),
        f"{prefix}curve_per_type": {
            label: {"aupr": curve.area(), "p80r": curve.precision_at(RECALL), "annotated": len(by_label[label].best)}
            for label, curve in curves.items()
        },
        f"{prefix}ece": expected_calibration_error(probabilities, is_right),
        f"{prefix}reliability": reliability_table(probabilities, is_right),
    }


def make_spancat_scorer(by_words: bool = False, contained: Sequence[str] = ()) -> Callable:
    """Make the scorer for `[components.bigbird_spancat.scorer]`.

    by_words (bool): whether overlap is counted over different words, as by CUAD's authors, rather than over tokens.
    contained (Sequence[str]): with `by_words`, labels for which a prediction that contains the annotated text counts.
    RETURNS (Callable): `spancat_score`.
    """
    return partial(spancat_score, by_words=by_words, contained=contained)
