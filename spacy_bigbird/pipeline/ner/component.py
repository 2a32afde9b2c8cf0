"""Named entities of documents of any length, with probabilities, from the pieces of a shared encoder."""

import warnings
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model, Optimizer, set_dropout_rate
from thinc.types import Floats2d

from ...annotations.extensions import WithExtensions, install_extensions, score_attribute
from ...check.upstreams import check_weights_of_upstreams
from ...thinc_layers.token_classifier import TRANSITION_SCALE
from ...warnings import Warnings
from ..labelled import Labelled
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
    settings = {
        "decoder": decoder,
        "threshold": threshold,
        "spans_key": spans_key,
        "spans_threshold": spans_threshold,
        "overwrite_ents": overwrite_ents,
    }
    return EntityTagger(nlp.vocab, model, name, scorer, **settings)


class EntityTagger(WithExtensions, FittedEntities, Labelled, TrainablePipe):
    """Tags tokens in the BILUO scheme. Invalid sequences are impossible, see `crf/` and `biluo.py`."""

    settings_type = EntitySettings

    def __init__(self, vocab: Vocab, model: Model, name: str, scorer: Callable | None, **settings: Any) -> None:
        """Construct the component. The settings are those of `make_ner`.

        vocab (Vocab): the pipeline's vocabulary.
        model (Model): `spacy-bigbird.TokenClassifier.v1`.
        name (str): name of the component.
        scorer (Callable | None): the scoring function.
        RAISES ValueError: a setting is not allowed.
        """
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self._configure(settings, labels=[], temperature=1.0)
        self._has_reported_misaligned = False
        install_extensions()

    def _num_outputs(self) -> int:
        return 1 + 4 * len(self.labels)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Iterable[str] | None = None,
    ) -> None:
        """Initialize the weights for the entity types.

        get_examples (Callable[[], Iterable[Example]]): returns examples; their entity types are used without `labels`.
        nlp (Language | None): the pipeline.
        labels (Iterable[str] | None): the entity types, for example from `spacy init labels`.
        RAISES ValueError: there are no labels, or the encoder is missing or has no weights.
        """
        validate_get_examples(get_examples, "EntityTagger.initialize")
        if nlp is not None:
            check_weights_of_upstreams(self.name, self, nlp)
        if labels is None:
            labels = sorted({ent.label_ for example in get_examples() for ent in example.reference.ents} - {""})
            self._report_misaligned(get_examples())
        for label in labels:
            self.add_label(label)
        self._require_labels()
        if not self.model.has_dim("nO"):
            self.model.set_dim("nO", self._num_outputs())
        self.model.initialize(X=[example.predicted for example in islice(get_examples(), 10)])

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

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch of examples.

        The loss is the negative log likelihood of the annotation per annotated token of the batch. With "crf", it is
        that of whole sequences, summed over all completions of missing annotation.

        examples (Iterable[Example]): the batch.
        drop (float): the dropout rate.
        sgd (Optimizer | None): if given, takes a step immediately.
        losses (dict[str, float] | None): the loss is added under the component's name.
        RETURNS (dict[str, float]): the losses.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "EntityTagger.update")
        if not examples:
            return losses
        self._report_misaligned(examples)
        self._report_unknown(ent.label_ for example in examples for ent in example.reference.ents)
        set_dropout_rate(self.model, drop)
        emissions, backprop = self.model.begin_update([example.predicted for example in examples])
        loss, d_emissions, d_transitions = self._loss(examples, emissions)
        node = self.model.get_ref("transitions")
        for parameter in ("follow", "within"):
            gradient = getattr(d_transitions, parameter) * TRANSITION_SCALE
            node.inc_grad(parameter, node.ops.asarray_f(gradient, dtype="f"))
        backprop(d_emissions)
        if sgd not in (None, False):
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def get_loss(self, examples: Iterable[Example], scores: list[Floats2d]) -> tuple[float, list[Floats2d]]:
        """Compute the loss of a batch and its gradient. See `update`.

        examples (Iterable[Example]): the batch.
        scores (list[Floats2d]): scores of the tags. Shape of each: (tokens, 1 + 4 labels).
        RETURNS (tuple[float, list[Floats2d]]): the loss, and the gradient of the scores.
        """
        return self._loss(list(examples), scores)[:2]

    def _emissions(self, docs: list[Doc]) -> list[Floats]:
        self._require_weights()
        return self._to_host(self.model.predict(docs)) if docs else []

    def _transitions(self) -> Transitions:
        if self.settings.decoder != "crf":
            return Transitions.zeros(len(self.labels))
        node = self.model.get_ref("transitions")
        follow, within = (node.ops.to_numpy(node.get_param(name)).astype(np.float64) for name in ("follow", "within"))
        return Transitions(follow, within).scaled(TRANSITION_SCALE)

    def _loss(self, examples: list[Example], scores: list[Floats2d]) -> tuple[float, list[Floats2d], Transitions]:
        transitions = self._transitions() if self.settings.decoder == "crf" else None
        result = tag_loss(examples, self._to_host(scores), self.labels, transitions)
        for number in result.impossible:
            warnings.warn(Warnings.BW201.format(name=self.name, text=examples[number].text[:50]), stacklevel=3)
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
                Warnings.BW200.format(name=self.name, lost=lost, total=sum(n for _, n in pairs)), stacklevel=3
            )
