"""Labels or numbers for whole documents of any length, from a shared encoder, and the stretches that decided them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from spacy.errors import Errors as SpacyErrors
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Config, Model

from ...annotations.extensions import install_extensions
from ...errors import Errors
from ...thinc_layers.stretches import stretches_of
from ...thinc_layers.text_classifier import PieceScores, TextScores
from ..labelled import Labelled
from ..ner.crf import Floats
from ..probabilities import sigmoid, softmax
from ..settings import ExclusiveSettings, TextSettings
from .evidence import contributions, evidence_group, on_host
from .loss import LOSSES, check_class_weights, class_weights, gold_values, number_scales

DEFAULT_CONFIG_STR = """[textcat]
objective = "exclusive"
threshold = 0.0
class_weights = null
evidence_share = 0.5

[textcat.scorer]
@scorers = "spacy-bigbird.textcat_scorer.v1"

[textcat.model]
@architectures = "spacy-bigbird.TextClassifier.v1"
pooling = "cls"
activation = "gelu_new"

[textcat.model.tok2vec]
@architectures = "spacy-bigbird.PieceListener.v1"
upstream = "*"
grad_factor = 1.0
"""
ASSIGNS = ["doc.cats", "doc.spans"]
SCORE_WEIGHTS: dict[str, float | None] = {
    "cats_score": 1.0,
    **dict.fromkeys(
        [f"cats_{average}_{measure}" for average in ("micro", "macro") for measure in ("p", "r", "f")]
        + ["cats_score_desc", "cats_macro_auc", "cats_f_per_type", "cats_mae", "cats_r2", "cats_spearman"]
    ),
}


@Language.factory(
    "bigbird_textcat",
    assigns=ASSIGNS,
    default_config=Config().from_str(DEFAULT_CONFIG_STR)["textcat"],
    default_score_weights=SCORE_WEIGHTS,
)
def make_textcat(
    nlp: Language,
    name: str,
    model: Model,
    objective: str,
    threshold: float,
    class_weights: str | dict[str, float] | None,
    evidence_share: float,
    scorer: Callable | None,
) -> "TextLabeler":
    """Construct the component of `[components.bigbird_textcat]`.

    It sets `doc.cats` to scores that sum to 1, or to numbers.

    nlp (Language): the pipeline.
    name (str): name of the component.
    model (Model): `spacy-bigbird.TextClassifier.v1`.
    objective (str): "exclusive" (one label per document is true) or "regression" (each label is a number, learned by
        mean squared error in units of its standard deviation).
    threshold (float): not used, as in spaCy's textcat.
    class_weights (str | dict[str, float] | None): "balanced", so that classes of different frequency count the same in
        the loss; weights by label; or null.
    evidence_share (float): with attention pooling, `doc.spans["evidence:LABEL"]` gets the smallest number of sentences
        that make up this share of what supports the predicted label, with their weights in its attributes. 0 for none.
    scorer (Callable | None): the scoring function.
    RETURNS (TextLabeler): the component.
    RAISES ValueError: a setting is not allowed.
    """
    return TextLabeler.from_factory(**locals())


@dataclass
class TextPredictions:
    """The predictions for a batch.

    values (Floats): scores or numbers. Shape: (documents, labels).
    pieces (list[PieceScores]): with attention pooling, weights and logits of each document's pieces.
    """

    values: Floats
    pieces: list[PieceScores] = field(default_factory=list)


class TextLabeler(Labelled):
    """Assigns one of several labels to each document, or numbers.

    The arguments are those of Trainable, with the settings of `make_textcat`.
    """

    settings_type: ClassVar[type[TextSettings]] = ExclusiveSettings
    unfitted: ClassVar[dict[str, Any]] = {"labels": [], "positive_label": None, "weights": {}, "scales": {}}

    @property
    def thresholds(self) -> dict[str, float]:
        """The minimum score with which each label counts as predicted."""
        return dict.fromkeys(self.labels, self.settings.threshold)

    def _num_outputs(self) -> int:
        return len(self.labels)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Iterable[str] | None = None,
        positive_label: str | None = None,
    ) -> None:
        """Initialize the weights for the labels; compute class weights and the scales of numbers from the examples.

        See `Labelled.initialize` for the other arguments.

        positive_label (str | None): of two exclusive labels, the one whose F1 is reported as `cats_score`.
        RAISES ValueError: labels or annotation do not suit the objective, or the encoder is missing or has no weights.
        """
        super().initialize(get_examples, nlp=nlp, labels=labels)
        if positive_label is not None and positive_label not in self.labels:
            raise ValueError(SpacyErrors.E920.format(pos_label=positive_label, labels=self.labels))
        if positive_label is not None and len(self.labels) != 2:
            raise ValueError(SpacyErrors.E919.format(pos_label=positive_label, labels=self.labels))
        self.cfg["positive_label"] = positive_label

    def _labels_of(self, example: Example) -> Iterable[str]:
        return example.reference.cats

    def _find_labels(self, get_examples: Callable[[], Iterable[Example]]) -> Iterable[str]:
        # In the order of the annotation, as in spaCy's textcat.
        return dict.fromkeys(label for example in get_examples() for label in self._labels_of(example))

    def _prepare(self, get_examples: Callable[[], Iterable[Example]]) -> None:
        if self.settings.objective == "exclusive" and len(self.labels) < 2:
            raise ValueError(SpacyErrors.E867)
        check_class_weights(self.name, self.settings.class_weights, self.labels)
        if self.settings.class_weights is not None:
            exclusive = self.settings.objective == "exclusive"
            examples = self._checked(get_examples())
            self.cfg["weights"] = class_weights(self.settings.class_weights, examples, self.labels, exclusive)
        if self.settings.objective == "regression":
            self.cfg["scales"] = number_scales(self._checked(get_examples()), self.labels)

    def predict(self, docs: Iterable[Doc]) -> TextPredictions:
        """Score documents without modifying them.

        docs (Iterable[Doc]): the documents.
        RETURNS (TextPredictions): scores or numbers, and their parts.
        RAISES ValueError: there are no labels or no weights yet.
        """
        install_extensions()
        docs = list(docs)
        self._require_weights()
        if not docs:
            return TextPredictions(np.zeros((0, len(self.labels))))
        scores: TextScores = self.model.predict(docs)
        to_host = self.model.ops.to_numpy
        logits = to_host(scores.logits).astype(np.float64)
        if self.settings.objective == "regression":
            mean, scale = self._mean_and_scale()
            return TextPredictions(logits * scale + mean, scores.pieces)
        activation = softmax if self._is_exclusive else sigmoid
        return TextPredictions(activation(logits), scores.pieces)

    def set_annotations(self, docs: Iterable[Doc], predictions: TextPredictions) -> None:
        """Set `doc.cats` and, with attention pooling, `doc.spans["evidence:LABEL"]` of the predicted labels.

        docs (Iterable[Doc]): the documents.
        predictions (TextPredictions): the result of `predict`.
        """
        for row, (doc, values) in enumerate(zip(docs, predictions.values, strict=True)):
            doc.cats.update(zip(self.labels, values.tolist(), strict=True))
            if not predictions.pieces or not self.settings.evidence_share:
                continue
            stretches = stretches_of(doc)
            pieces = on_host(predictions.pieces[row], self.model.ops.to_numpy)
            shares = contributions(pieces, stretches, self._is_exclusive)
            for column, label in enumerate(self.labels):
                key = f"evidence:{label}"
                doc.spans.pop(key, None)
                if not self._is_predicted(values, column):
                    continue
                # A number is also determined by what lowers it.
                speaks = np.abs(shares[:, column]) if self.settings.objective == "regression" else shares[:, column]
                doc.spans[key] = evidence_group(doc, label, key, stretches, speaks, self.settings.evidence_share)

    @property
    def _is_exclusive(self) -> bool:
        return self.settings.objective == "exclusive"

    def _is_predicted(self, values: Floats, column: int) -> bool:
        if self._is_exclusive:
            return int(values.argmax()) == column
        return self.settings.objective == "regression" or values[column] >= self.thresholds[self.labels[column]]

    def get_loss(self, examples: Iterable[Example], scores: TextScores) -> tuple[float, Any]:
        """Compute the loss of a batch and its gradient.

        The loss is the mean cross-entropy of the annotated documents or labels, or the mean squared error in units of
        the standard deviation. Labels missing from `reference.cats` are ignored, except that exclusive labels are false
        if another one is true.

        examples (Iterable[Example]): the batch.
        scores (TextScores): the output of the model.
        RETURNS (tuple[float, Floats2d]): the loss, and the gradient of the logits.
        RAISES ValueError: the annotation does not suit the objective.
        """
        values, counts = gold_values(list(self._checked(examples)), self.labels, self._is_exclusive)
        mean, scale = self._mean_and_scale()
        weights = np.asarray([self.cfg["weights"].get(label, [1.0, 1.0]) for label in self.labels]).T
        logits = self.model.ops.to_numpy(scores.logits).astype(np.float64)
        loss, gradient = LOSSES[self.settings.objective](logits, (values - mean) / scale, counts, weights)
        return loss, self.model.ops.asarray(gradient.astype("f"))

    def _checked(self, examples: Iterable[Example]) -> Iterable[Example]:
        """Yield the examples. RAISES ValueError: the annotation does not suit the objective."""
        for example in examples:
            cats = {label: value for label, value in example.reference.cats.items() if value is not None}
            for label, value in cats.items():
                if self.settings.objective == "regression":
                    if not np.isfinite(value):
                        raise ValueError(Errors.BB200.format(name=f"cats[{label!r}]", value=value, expected="a number"))
                elif value not in (0.0, 1.0):
                    raise ValueError(SpacyErrors.E851.format(val=value))
            if self._is_exclusive and list(cats.values()).count(1.0) > 1:
                raise ValueError(SpacyErrors.E895.format(value=example.reference.cats))
            yield example

    def _mean_and_scale(self) -> Floats:
        return np.asarray([self.cfg["scales"].get(label, [0.0, 1.0]) for label in self.labels]).T
