"""Any number of labels for whole documents of any length, from a shared encoder."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from spacy.language import Language
from spacy.training import Example
from thinc.api import Config, Model

from ...errors import Errors
from ...scoring.calibration import best_threshold
from ..settings import encoded_documents
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
    settings = {
        "objective": objective,
        "threshold": threshold,
        "class_weights": class_weights,
        "evidence_share": evidence_share,
    }
    return MultiTextLabeler(nlp.vocab, model, name, scorer, **settings)


class MultiTextLabeler(TextLabeler):
    """Assigns labels that are not mutually exclusive to documents, or numbers."""

    objectives: ClassVar[tuple[str, ...]] = ("multilabel", "regression")

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
        nlp (Language | None): the pipeline, whose components before this one are run on the `predicted` documents.
        RETURNS (dict[str, float]): the threshold of each label. Those of labels without a true value are not changed.
        RAISES ValueError: the component predicts numbers.
        """
        if self.cfg["objective"] != "multilabel":
            given = self.cfg["objective"]
            raise ValueError(
                Errors.BB200.format(name="objective", value=given, expected="multilabel, to have thresholds")
            )
        examples = list(self._checked(examples))
        scores = self.predict(encoded_documents(examples, self.name, nlp)).values
        values, counts = gold_values(examples, self.labels, False)
        for column, label in enumerate(self.labels):
            known = counts[:, column]
            gold = values[known, column] > 0
            if gold.any():
                self.cfg["thresholds"][label] = best_threshold(scores[known, column].tolist(), gold.tolist())
        return self.thresholds
