"""What is fitted on held-out documents: the probabilities of spans, and the threshold of each label."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from ...errors import Errors
from ...scoring.calibration import expected_calibration_error, fit_logistic
from ...scoring.spans import Curve, Match, outcomes_by_label
from ..held_out import encoded_batches
from ..labelled import Labelled
from .decoding import Candidate, Found, probabilities

# Until it is fitted, the logit of a span is the lowest of its logits, without a constant.
LOWEST_OF_ALL = [0.0, 0.0, 0.0, 1.0, 0.0]
LOWEST_THRESHOLD = 0.1


class FittedSpans(Labelled):
    """A component that finds spans, whose `cfg` holds the fitted values."""

    @property
    def key(self) -> str:
        """Key of the span group, by the name that spaCy's components use."""
        return self.settings.spans_key

    @property
    def thresholds(self) -> dict[str, float]:
        """The minimum probability of a predicted span of each label: the tuned threshold, or else the setting."""
        if self.settings.threshold is not None:
            return dict.fromkeys(self.labels, self.settings.threshold)
        default = self._configured.threshold
        return {label: self.cfg["thresholds"].get(label, default) for label in self.labels}

    def _candidates(self, docs: list[Doc]) -> list[list[Candidate]]:
        """Get the candidates of each document."""
        raise NotImplementedError

    def _found(self, listed: list[Candidate], lowest: float) -> list[Found]:
        """Keep those with at least the given probability that do not overlap too much."""
        raise NotImplementedError

    def _gold(self, examples: list[Example]) -> list[list[Span] | None]:
        """Get the annotated spans of each example."""
        raise NotImplementedError

    def calibrate(self, examples: Iterable[Example], *, nlp: Language | None = None) -> dict[str, Any]:
        """Fit how the scores make up the probability of a span, so that spans are correct as often as it says.

        examples (Iterable[Example]): held-out examples, whose `predicted` documents have been processed by the encoder
            unless `nlp` is given.
        nlp (Language | None): the pipeline, whose components before this one are run on the `predicted` documents.
        RETURNS (dict[str, Any]): the `weights` of the scores, and the expected calibration error `before` and `after`,
            of all spans with a probability of at least `candidates_threshold`.
        RAISES ValueError: no span is predicted in annotated text.
        """
        match = Match(self.settings.min_overlap)
        features: list[tuple[float, ...]] = []
        before: list[float] = []
        is_right: list[bool] = []
        for gold, found in self._held_out(examples, nlp):
            for label in self.labels:
                there = [(span, one) for span, one in found if span.label_ == label]
                table = match.table([span for span in gold if span.label_ == label], [span for span, _ in there])
                matches: Any = table.any(axis=0)
                is_right += matches.tolist()
                features += [one.features for _, one in there]
                before += [one.probability for _, one in there]
        if not is_right:
            raise ValueError(Errors.BB430.format(name=self.name, lowest=self.settings.candidates_threshold))
        self.cfg["weights"] = fit_logistic(np.asarray(features), is_right, LOWEST_OF_ALL)
        after = probabilities(features, self.cfg["weights"]).tolist()
        return {
            "weights": self.cfg["weights"],
            "before": expected_calibration_error(before, is_right),
            "after": expected_calibration_error(after, is_right),
        }

    def tune_thresholds(
        self, examples: Iterable[Example], *, nlp: Language | None = None, lowest: float = LOWEST_THRESHOLD
    ) -> dict[str, float]:
        """Set the threshold of each label to the one with the best F1 on held-out examples.

        examples (Iterable[Example]): held-out examples, as for `calibrate`, after which the thresholds should be tuned.
        nlp (Language | None): as for `calibrate`.
        lowest (float): no threshold is set below it. The best F1 of a label that is hardly known may need spans of
            which one in a hundred is correct, and these are found in any text.
        RETURNS (dict[str, float]): the threshold of each label. Those of labels of which no span was found correctly
            are not changed.
        """
        tuned = self.thresholds
        pairs = (
            (gold, [(span, one.probability) for span, one in found]) for gold, found in self._held_out(examples, nlp)
        )
        for label, outcomes in outcomes_by_label(pairs, Match(self.settings.min_overlap)).items():
            if outcomes.right and label in tuned:
                tuned[label] = max(lowest, Curve.of(outcomes).best_threshold())
        # A threshold that is set from now on, as `spacy find-threshold` does, is meant for all labels again.
        self.cfg["thresholds"] = tuned
        self.set(threshold=None)
        return self.thresholds

    def _held_out(
        self, examples: Iterable[Example], nlp: Language | None
    ) -> Iterator[tuple[list[Span], list[tuple[Span, Found]]]]:
        """Yield the annotated spans of each example, and all that are at least possible."""
        known = (example for example in examples if self.key in example.reference.spans)
        for batch, docs in encoded_batches(known, self.name, nlp):
            for doc, gold, listed in zip(docs, self._gold(batch), self._candidates(docs), strict=True):
                found = self._found(listed, self.settings.candidates_threshold)
                yield gold or [], [(Span(doc, one.start, one.end, self.labels[one.label]), one) for one in found]
