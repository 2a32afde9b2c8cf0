"""Long and overlapping labelled spans in documents of any length, with probabilities, from a shared encoder."""

import warnings
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example
from thinc.api import Config, Model
from thinc.types import Floats2d

from ...thinc_layers.span_classifier import KINDS
from ...warnings import Warnings
from ..ner.crf import Floats
from ..settings import SpanSettings
from .decoding import Candidate, Found, candidates, probabilities, select
from .fitting import LOWEST_OF_ALL, FittedSpans
from .loss import gold_of, span_loss

DEFAULT_CONFIG = Config().from_str(
    """[spancat]
spans_key = "sc"
threshold = 0.5
candidates_key = null
candidates_threshold = 0.01
longest = 512
max_overlap = 0.5
min_overlap = 1.0
positive_weight = 1.0

[spancat.scorer]
@scorers = "spacy-bigbird.spancat_scorer.v1"

[spancat.model]
@architectures = "spacy-bigbird.SpanClassifier.v1"
pooling = "mean"
width = 128
depth = 2

[spancat.model.tok2vec]
@architectures = "spacy-bigbird.PieceListener.v2"
upstream = "*"
grad_factor = 1.0
layers = "last"
"""
)["spancat"]

SCORE_WEIGHTS: dict[str, float | None] = {
    "spans_sc_f": 1.0,
    "spans_sc_p": 0.0,
    "spans_sc_r": 0.0,
    "spans_sc_aupr": 0.0,
    "spans_sc_p80r": 0.0,
}


@Language.factory(
    "bigbird_spancat",
    assigns=["doc.spans"],
    default_config=DEFAULT_CONFIG,
    default_score_weights=SCORE_WEIGHTS,
)
def make_spancat(
    nlp: Language,
    name: str,
    model: Model,
    spans_key: str,
    threshold: float,
    candidates_key: str | None,
    candidates_threshold: float,
    longest: int,
    max_overlap: float,
    min_overlap: float,
    positive_weight: float,
    scorer: Callable | None,
) -> "SpanTagger":
    """Construct the component of `[components.bigbird_spancat]`, which sets `doc.spans[spans_key]`.

    The group's `attrs["scores"]` are the probabilities of its spans.

    nlp (Language): the pipeline.
    name (str): name of the component.
    model (Model): `spacy-bigbird.SpanClassifier.v1`.
    spans_key (str): key in `doc.spans` of the annotation and the predictions.
    threshold (float): minimum probability of a predicted span, until `tune_thresholds` sets one for each label.
    candidates_key (str | None): key in `doc.spans` for all spans with at least the probability `candidates_threshold`,
        for example to score the whole curve of precision and recall; None to not set any.
    candidates_threshold (float): see `candidates_key`.
    longest (int): maximum number of tokens in a span.
    max_overlap (float): maximum overlap of two predicted spans with the same label, as intersection over union: 0.0 for
        none, 0.5 to keep one of several similar spans, 0.99 for nested mentions. Different labels are independent.
    min_overlap (float): minimum overlap with an annotated span for a prediction to count as correct in `calibrate`,
        `tune_thresholds` and the scorer's curve; 1.0 for equal spans.
    positive_weight (float): weight in the loss of tokens where a span starts, where one ends, and inside of spans.
        Above 1.0, more spans are found, and fewer of them are correct.
    scorer (Callable | None): the scoring function.
    RETURNS (SpanTagger): the component.
    RAISES ValueError: a setting is not allowed.
    """
    return SpanTagger.from_factory(**locals())


class SpanTagger(FittedSpans):
    """Finds spans of several labels, which may overlap, by their starts, their ends and what is inside.

    The arguments are those of Trainable, with the settings of `make_spancat`.
    """

    settings_type = SpanSettings
    unfitted: ClassVar[dict[str, Any]] = {"labels": [], "thresholds": {}, "weights": LOWEST_OF_ALL}
    _has_reported_misaligned = False

    def _num_outputs(self) -> int:
        return KINDS * len(self.labels)

    def _labels_of(self, example: Example) -> Iterable[str]:
        return (span.label_ for span in example.reference.spans.get(self.key, ()))

    def predict(self, docs: Iterable[Doc]) -> list[list[Found]]:
        """Find the spans of documents without modifying them.

        docs (Iterable[Doc]): the documents.
        RETURNS (list[list[Found]]): the spans of each document that may become predictions or candidates.
        RAISES ValueError: there are no labels or no weights yet.
        """
        docs = list(docs)
        lowest = min(self.thresholds.values(), default=1.0)
        if self.settings.candidates_key:
            lowest = min(lowest, self.settings.candidates_threshold)
        return [self._found(listed, lowest) for listed in self._candidates(docs)]

    def set_annotations(self, docs: Iterable[Doc], predictions: list[list[Found]]) -> None:
        """Set the span group, and that of all candidates if there is a key for it.

        docs (Iterable[Doc]): the documents.
        predictions (list[list[Found]]): the result of `predict`.
        """
        thresholds = list(self.thresholds.values())
        for doc, found in zip(docs, predictions, strict=True):
            self._set_group(doc, self.key, [span for span in found if span.probability >= thresholds[span.label]])
            if key := self.settings.candidates_key:
                lowest = self.settings.candidates_threshold
                self._set_group(doc, key, [span for span in found if span.probability >= lowest])

    def get_loss(self, examples: Iterable[Example], scores: list[Floats2d]) -> tuple[float, list[Floats2d]]:
        """Compute the loss of a batch and its gradient: the cross-entropy of starts, ends and insides.

        It is summed over labels, per annotated token. Examples whose reference lacks the span group do not count.

        examples (Iterable[Example]): the batch.
        scores (list[Floats2d]): the output of the model. Shape of each: (tokens, 3 labels).
        RETURNS (tuple[float, list[Floats2d]]): the loss, and the gradient of the scores.
        """
        gold = self._gold(list(examples))
        loss, gradients = span_loss(self._to_host(scores), gold, self.labels, self.settings.positive_weight)
        to_model: Any = self.model.ops.asarray
        return loss, [to_model(gradient.astype("f")) for gradient in gradients]

    def _candidates(self, docs: list[Doc]) -> list[list[Candidate]]:
        self._require_weights()
        scores = self._to_host(self.model.predict(docs)) if docs else []
        # As in spaCy, a span neither starts nor ends with whitespace.
        visible = [doc.to_array("IS_SPACE").astype(bool) ^ True for doc in docs]
        longest = self.settings.longest
        return [candidates(rows, mask, longest) for rows, mask in zip(scores, visible, strict=True)]

    def _found(self, listed: list[Candidate], lowest: float) -> list[Found]:
        values = probabilities([one.features for one in listed], self.cfg["weights"]).tolist()
        scored = [Found(*one, value) for one, value in zip(listed, values, strict=True) if value >= lowest]
        return select(scored, self.settings.max_overlap, self.settings.longest)

    def _set_group(self, doc: Doc, key: str, found: list[Found]) -> None:
        spans = [Span(doc, one.start, one.end, self.labels[one.label]) for one in found]
        scores = np.asarray([one.probability for one in found], dtype="f")
        doc.spans[key] = SpanGroup(doc, name=key, spans=spans, attrs={"scores": scores})

    def _gold(self, examples: list[Example]) -> list[list[Span] | None]:
        golds = [gold_of(example, self.key) for example in examples]
        if not self._has_reported_misaligned:
            known = [
                (len(e.reference.spans[self.key]), len(g))
                for e, g in zip(examples, golds, strict=True)
                if g is not None
            ]
            total, kept = sum(n for n, _ in known), sum(n for _, n in known)
            if kept < total:
                self._has_reported_misaligned = True
                message = Warnings.BW430.format(name=self.name, lost=total - kept, total=total)
                warnings.warn(message, stacklevel=5)
        return golds

    def _to_host(self, scores: list[Floats2d]) -> list[Floats]:
        return [self.model.ops.to_numpy(rows).astype(np.float64) for rows in scores]
