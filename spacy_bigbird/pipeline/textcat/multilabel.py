"""Any number of labels for whole documents of any length, from a shared encoder."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.training import Example
from thinc.api import Config, Model

from ...errors import Errors
from ...scoring.calibration import best_threshold
from ..held_out import encoded_batches
from ..settings import MultilabelSettings
from .component import ASSIGNS, DEFAULT_CONFIG_STR, SCORE_WEIGHTS, TextLabeler
from .loss import gold_values

DEFAULT_CONFIG: dict[str, Any] = {
    **Config().from_str(DEFAULT_CONFIG_STR)["textcat"],
    "objective": "multilabel",
    "threshold": 0.5,
}


@Language.factory(
    "bigbird_textcat_multilabel", assigns=ASSIGNS, default_config=DEFAULT_CONFIG, default_score_weights=SCORE_WEIGHTS
)
def make_textcat_multilabel(
    nlp: Language,
    name: str,
    model: Model,
    objective: str,
    threshold: float,
    class_weights: str | dict[str, float] | None,
    evidence_share: float,
    scorer: Callable | None,
) -> "MultiTextLabeler":
    """Construct the component of `[components.bigbird_textcat_multilabel]`.

    It sets `doc.cats`, where each label has an independent score between 0 and 1, or a number. See
    `spacy_bigbird.pipeline.textcat.component.make_textcat` for the other arguments.

    objective (str): "multilabel", or "regression" as in `make_textcat`.
    threshold (float): minimum score with which a label counts as predicted, in evaluation and for evidence. Thresholds
        per label from `tune_thresholds` take precedence.
    RETURNS (MultiTextLabeler): the component.
    RAISES ValueError: a setting is not allowed.
    """
    return MultiTextLabeler.from_factory(**locals())


class MultiTextLabeler(TextLabeler):
    """Assigns labels that are not mutually exclusive to documents, or numbers."""

    settings_type = MultilabelSettings

    @property
    def thresholds(self) -> dict[str, float]:
        """The minimum score with which each label counts as predicted: the tuned threshold, or else the setting."""
        if self.settings.threshold is not None:
            return dict.fromkeys(self.labels, self.settings.threshold)
        default = self._configured.threshold
        return {label: self.cfg["tuned_thresholds"].get(label, default) for label in self.labels}

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Score examples that the component has processed. Arguments as in spaCy's `Pipe.score`."""
        return super().score(examples, **{"thresholds": self.thresholds, **kwargs})

    def initialize(  # type: ignore[override]  # there is no positive label
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Iterable[str] | None = None,
    ) -> None:
        """Initialize the weights for the labels. Arguments as in `TextLabeler.initialize`, without a positive label."""
        super().initialize(get_examples, nlp=nlp, labels=labels)

    def tune_thresholds(self, examples: Iterable[Example], *, nlp: Language | None = None) -> dict[str, float]:
        """Set the threshold of each label to the one with the best F1 on held-out examples.

        examples (Iterable[Example]): held-out examples, whose `predicted` documents have been processed by the encoder
            unless `nlp` is given.
        nlp (Language | None): the pipeline, whose components before this one are run on copies of the `predicted`
            documents.
        RETURNS (dict[str, float]): the threshold of each label. Those of labels without a true value are not changed.
        RAISES ValueError: the component predicts numbers.
        """
        if self.settings.objective != "multilabel":
            given = self.settings.objective
            raise ValueError(
                Errors.BB200.format(name="objective", value=given, expected="multilabel, to have thresholds")
            )
        parts = []
        for batch, docs in encoded_batches(self._checked(examples), self.name, nlp):
            parts.append((self.predict(docs).values, *gold_values(batch, self.labels, False)))
        if not parts:
            return self.thresholds
        scores, values, counts = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        tuned = self.thresholds
        for column, label in enumerate(self.labels):
            known = counts[:, column]
            gold = values[known, column] > 0
            if gold.any():
                tuned[label] = best_threshold(scores[known, column].tolist(), gold.tolist())
        # A threshold that is set from now on, as `spacy find-threshold` does, is meant for all labels again.
        self.cfg["tuned_thresholds"] = tuned
        self.set(threshold=None)
        return self.thresholds

    def _set_again(self) -> None:
        # Pipelines saved by earlier versions have tuned thresholds beside the one that they take precedence over.
        if tuned := self.cfg.pop("thresholds", None):
            default = self.cfg["threshold"]
            self.cfg["tuned_thresholds"] = {label: tuned.get(label, default) for label in self.labels}
            self.cfg["threshold"] = None
        super()._set_again()
