"""Named entities of documents of any length, with probabilities, from the pieces of a shared encoder."""

import warnings
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example
from thinc.api import Config, Model
from thinc.types import Floats2d

from ...annotations.extensions import install_extensions, score_attribute
from ...thinc_layers.token_classifier import TRANSITION_SCALE
from ...warnings import Warnings
from ..settings import EntitySettings
from .biluo import misaligned_entities, preset_entities, valid_tags
from .crf import Floats, Transitions
from .entities import Entities, TagScores
from .fitting import FittedEntities
from .tag_loss import tag_loss

DEFAULT_CONFIG = Config().from_str(
    """[ner]
decoder = "crf"
threshold = 0.0
spans_key = null
spans_threshold = null
overwrite_ents = false

[ner.scorer]
@scorers = "spacy-bigbird.ner_scorer.v1"

[ner.model]
@architectures = "spacy-bigbird.TokenClassifier.v1"
pooling = "first"

[ner.model.tok2vec]
@architectures = "spacy-bigbird.PieceListener.v1"
upstream = "*"
grad_factor = 1.0
"""
)["ner"]

SCORE_WEIGHTS = {"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None, "ents_ece": None}


@Language.factory(
    "bigbird_ner",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type", "span._.score"],
    default_config=DEFAULT_CONFIG,
    default_score_weights=SCORE_WEIGHTS,
)
def make_ner(
    nlp: Language,
    name: str,
    model: Model,
    decoder: str,
    threshold: float,
    spans_key: str | None,
    spans_threshold: float | None,
    overwrite_ents: bool,
    scorer: Callable | None,
) -> "EntityTagger":
    """Construct the component of `[components.bigbird_ner]`, which sets `doc.ents` and their `span._.score`.

    nlp (Language): the pipeline.
    name (str): name of the component.
    model (Model): `spacy-bigbird.TokenClassifier.v1`.
    decoder (str): "crf" learns whole valid tag sequences with scores of transitions; "constrained" learns each tag
        separately. Both predict the best valid sequence.
    threshold (float): less probable entities of that sequence are left out of `doc.ents`.
    spans_key (str | None): key in `doc.spans` for entities with their probabilities; None to not set any.
    spans_threshold (float | None): include all entities with at least this probability there, including overlapping
        ones; None for the predicted entities only.
    overwrite_ents (bool): whether to drop entities that are already set. Otherwise they are kept and take precedence.
    scorer (Callable | None): the scoring function.
    RETURNS (EntityTagger): the component.
    RAISES ValueError: a setting is not allowed.
    """
    return EntityTagger.from_factory(**locals())


class EntityTagger(FittedEntities):
    """Tags tokens in the BILUO scheme. Invalid sequences are impossible, see `crf/` and `biluo.py`.

    The arguments are those of Trainable, with the settings of `make_ner`.
    """

    settings_type = EntitySettings
    unfitted: ClassVar[dict[str, Any]] = {"labels": [], "temperature": 1.0}
    _has_reported_misaligned = False

    def _num_outputs(self) -> int:
        return 1 + 4 * len(self.labels)

    def _labels_of(self, example: Example) -> Iterable[str]:
        return (ent.label_ for ent in example.reference.ents)

    def _find_labels(self, get_examples: Callable[[], Iterable[Example]]) -> Iterable[str]:
        self._report_misaligned(get_examples())
        return super()._find_labels(get_examples)

    def predict(self, docs: Iterable[Doc]) -> list[Entities]:
        """Find the entities of documents without modifying them.

        docs (Iterable[Doc]): the documents.
        RETURNS (list[Entities]): the entities per document.
        RAISES ValueError: there are no labels or no weights yet.
        """
        install_extensions()
        docs = list(docs)
        presets = [([], []) if self.settings.overwrite_ents else preset_entities(doc) for doc in docs]
        allowed = [valid_tags(doc, self.labels, *preset) for doc, preset in zip(docs, presets, strict=True)]
        tag_scores = TagScores(self._emissions(docs), allowed, self._transitions())
        results = tag_scores.entities(self.cfg["temperature"], self.settings.spans_threshold)
        for result, (kept, blocked) in zip(results, presets, strict=True):
            result.keep(kept, blocked)
        return results

    def set_annotations(self, docs: Iterable[Doc], predictions: list[Entities]) -> None:
        """Set `doc.ents`, `span._.score` and, with `spans_key`, the span group with probabilities in its attributes.

        docs (Iterable[Doc]): the documents.
        predictions (list[Entities]): the result of `predict`.
        """
        score = score_attribute()
        for doc, result in zip(docs, predictions, strict=True):
            for ent in doc.ents:
                if self.settings.overwrite_ents:
                    ent._.set(score, None)
            found = [entity for entity in result.found if entity[3] >= self.settings.threshold]
            spans = [Span(doc, start, end, self.labels[label]) for start, end, label, _ in found]
            blocked = [doc[i : i + 1] for i in result.blocked]
            doc.set_ents([*result.kept, *spans], blocked=blocked, default="outside")
            for span, entity in zip(spans, found, strict=True):
                span._.set(score, entity[3])
            if key := self.settings.spans_key:
                listed = found if result.probable is None else result.probable
                group = [Span(doc, start, end, self.labels[label]) for start, end, label, _ in listed]
                scores = np.asarray([entity[3] for entity in listed], dtype="f")
                doc.spans[key] = SpanGroup(doc, name=key, spans=group, attrs={"scores": scores})

    def get_loss(self, examples: Iterable[Example], scores: list[Floats2d]) -> tuple[float, list[Floats2d]]:
        """Compute the loss of a batch and its gradient.

        The loss is the negative log likelihood of the annotation per annotated token of the batch. With "crf", it is
        that of whole sequences, summed over all completions of missing annotation.

        examples (Iterable[Example]): the batch.
        scores (list[Floats2d]): scores of the tags. Shape of each: (tokens, 1 + 4 labels).
        RETURNS (tuple[float, list[Floats2d]]): the loss, and the gradient of the scores.
        """
        return self._tag_loss(list(examples), scores)[:2]

    def _loss(self, examples: list[Example], scores: list[Floats2d]) -> tuple[float, list[Floats2d]]:
        self._report_misaligned(examples)
        loss, d_scores, d_transitions = self._tag_loss(examples, scores)
        node = self.model.get_ref("transitions")
        for parameter in ("follow", "within"):
            gradient = getattr(d_transitions, parameter) * TRANSITION_SCALE
            node.inc_grad(parameter, node.ops.asarray_f(gradient, dtype="f"))
        return loss, d_scores

    def _emissions(self, docs: list[Doc]) -> list[Floats]:
        self._require_weights()
        return self._to_host(self.model.predict(docs)) if docs else []

    def _transitions(self) -> Transitions:
        if self.settings.decoder != "crf":
            return Transitions.zeros(len(self.labels))
        node = self.model.get_ref("transitions")
        follow, within = (node.ops.to_numpy(node.get_param(name)).astype(np.float64) for name in ("follow", "within"))
        return Transitions(follow, within).scaled(TRANSITION_SCALE)

    def _tag_loss(self, examples: list[Example], scores: list[Floats2d]) -> tuple[float, list[Floats2d], Transitions]:
        transitions = self._transitions() if self.settings.decoder == "crf" else None
        result = tag_loss(examples, self._to_host(scores), self.labels, transitions)
        for number in result.impossible:
            warnings.warn(Warnings.BW201.format(name=self.name, text=examples[number].text[:50]), stacklevel=5)
        to_model: Any = self.model.ops.asarray
        gradients: list[Any] = [to_model(gradient.astype("f")) for gradient in result.d_emissions]
        return result.loss, gradients, result.d_transitions

    def _to_host(self, scores: list[Floats2d]) -> list[Floats]:
        return [self.model.ops.to_numpy(rows).astype(np.float64) for rows in scores]

    def _report_misaligned(self, examples: Iterable[Example]) -> None:
        if self._has_reported_misaligned:
            return
        pairs = [(misaligned_entities(example), len(example.reference.ents)) for example in examples]
        if lost := sum(count for count, _ in pairs):
            self._has_reported_misaligned = True
            warnings.warn(
                Warnings.BW200.format(name=self.name, lost=lost, total=sum(n for _, n in pairs)), stacklevel=5
            )
