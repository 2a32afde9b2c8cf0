"""The `bigbird` component: a shared encoder that other components listen to, for documents of any length."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import srsly
from spacy import util
from spacy.language import Language
from spacy.pipeline.pipe import deserialize_config
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from spacy_transformers.annotation_setters import null_annotation_setter
from thinc.api import Config, Model, Optimizer

from ...annotations.extensions import WithExtensions, install_extensions
from ...cache.store import open_store
from ...check.upstreams import check_upstreams
from ...errors import Errors
from ...thinc_layers.encoder_wrapper import get_shim, set_width
from ...thinc_layers.grouping import group_by_size
from ...thinc_layers.linking import listener_keys
from ...thinc_layers.readers import choose_layers
from ...thinc_layers.shim import EncoderShim
from ...thinc_layers.types import BigBirdBatch
from ...thinc_layers.vectors import release
from ...warnings import Warnings
from ..configured import naming
from .deferred import DeferredBackprop
from .upstream import Upstream

DEFAULT_CONFIG_STR = """
[bigbird]
keep_vectors = "float32"
cache_dir = null
cache_gb = 20.0

[bigbird.set_extra_annotations]
@annotation_setters = "spacy-transformers.null_annotation_setter.v1"

[bigbird.model]
@architectures = "spacy-bigbird.BigBirdModel.v1"
"""
DEFAULT_CONFIG = Config().from_str(DEFAULT_CONFIG_STR)["bigbird"]
KEEP_VECTORS = ("float32", "float16", "none")
LARGE_BATCH_BYTES = 2 * 1024**3


@Language.factory("bigbird", assigns=["doc._.trf_data", "doc._.bigbird_stats"], default_config=DEFAULT_CONFIG)
def make_bigbird(
    nlp: Language,
    name: str,
    model: Model[list[Doc], BigBirdBatch],
    set_extra_annotations: Callable[[list[Doc], BigBirdBatch], None],
    keep_vectors: str,
    cache_dir: str | Path | None,
    cache_gb: float,
) -> "BigBird":
    """Construct the component of `[components.bigbird]`, without loading weights. See BigBird for the arguments."""
    component = BigBird(nlp.vocab, model, set_extra_annotations, name=name, keep_vectors=keep_vectors)
    component.shim.store = open_store(cache_dir, cache_gb)
    return component


class BigBird(WithExtensions, Upstream):
    """A shared encoder for whole documents.

    Components listen to it with spacy-transformers.TransformerListener.v1 or spacy-bigbird.PieceListener.v1.

    vocab (Vocab): the pipeline's vocabulary.
    model (Model[list[Doc], BigBirdBatch]): the encoder, usually spacy-bigbird.BigBirdModel.v1.
    set_extra_annotations (Callable): called with the documents and the batch once `doc._.trf_data` is set.
    name (str): name of the component.
    keep_vectors (str): what to keep in `doc._.trf_data` after the last listening component: "float32", "float16" (half
        the size) or "none".
    RAISES ValueError: the value of `keep_vectors` is not allowed, or the model contains no BigBird encoder.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        set_extra_annotations: Callable = null_annotation_setter,
        *,
        name: str = "bigbird",
        keep_vectors: str = "float32",
    ) -> None:
        if keep_vectors not in KEEP_VECTORS:
            expected = " or ".join(f'"{value}"' for value in KEEP_VECTORS)
            raise ValueError(Errors.BB135.format(name="keep_vectors", value=keep_vectors, expected=expected))
        get_shim(model)
        super().__init__(vocab, model, set_extra_annotations, name=name)
        self.keep_vectors = keep_vectors
        self._deferred = DeferredBackprop(model)
        self._has_warned = False
        install_extensions()

    @property
    def shim(self) -> EncoderShim:
        """The object that holds the encoder, its tokenizer and its settings."""
        return get_shim(self.model)

    @property
    def hide_labels(self) -> bool:
        """Always True: the component has no labels to show."""
        return True

    def initialize(self, get_examples: Callable[[], Iterable[Example]], *, nlp: Language | None = None) -> None:
        """Load the weights if there are none yet, and find the components that listen.

        get_examples (Callable[[], Iterable[Example]]): returns examples. They are not used by the encoder.
        nlp (Language | None): the pipeline.
        RAISES ValueError: the config names no weights, or a component listens to an encoder that does not exist.
        """
        validate_get_examples(get_examples, "BigBird.initialize")
        self.model.initialize()
        if nlp is None:
            return
        check_upstreams(nlp)
        position = [pipe is self for _, pipe in nlp.components].index(True)
        for name, component in nlp.components[position + 1 :]:
            self.find_listeners(component)
            # spaCy ignores disabled (frozen) components here, but they will read the vectors too.
            if name in nlp.disabled:
                for listener in self.listener_map.get(name, []):
                    self.expect_reader(listener)

    # Prediction

    def predict(self, docs: Iterable[Doc]) -> Any:
        """Encode documents without modifying them.

        docs (Iterable[Doc]): the documents.
        RETURNS (BigBirdBatch): the data of all documents, including those without tokens.
        """
        self._deferred.run()
        keeps_vectors = self.keep_vectors != "none" or self.set_extra_annotations is not null_annotation_setter
        choose_layers(self.shim, self.readers, keeps_vectors=keeps_vectors)
        return self.model.predict(list(docs))

    def set_annotations(self, docs: Iterable[Doc], predictions: Any) -> None:
        """Set `doc._.trf_data` and `doc._.bigbird_stats`.

        docs (Iterable[Doc]): the documents.
        predictions (BigBirdBatch): the result of `predict`.
        """
        install_extensions()
        docs = list(docs)
        readers = listener_keys(self.readers)
        for doc, data in zip(docs, predictions.doc_data, strict=True):
            data.encoder, data.keep_vectors, data.waiting = self.name, self.keep_vectors, set(readers)
            doc._.trf_data, doc._.bigbird_stats = data, data.stats
        self.set_extra_annotations(docs, predictions)
        for doc in docs:
            # Documents without tokens have no readers, because spaCy's components skip them.
            if not readers or not len(doc):
                release(doc)

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Encode a stream of documents, lazily and in order.

        stream (Iterable[Doc]): the documents.
        batch_size (int): number of documents to read ahead.
        YIELDS (Doc): the documents. One that fails is passed to the error handler; the others are not affected.
        """
        for docs in util.minibatch(stream, batch_size):
            docs, pieces = list(docs), 0
            for part in group_by_size(docs, lambda doc: len(doc) + 2, self.shim.settings.max_batch_pieces):
                encoded = self._annotate(part)
                pieces += sum(doc._.bigbird_stats["pieces"] for doc in encoded)
                yield from encoded
            self._warn_of_size(len(docs), pieces)

    def _annotate(self, docs: list[Doc]) -> list[Doc]:
        try:
            self.set_annotations(docs, self.predict(docs))
            return docs
        except Exception as error:
            if len(docs) == 1:
                self.get_error_handler()(self.name, self, docs, error)
                return []
        return [doc for one in docs for doc in self._annotate([one])]

    def _warn_of_size(self, number: int, pieces: int) -> None:
        size = pieces * self.shim.config.hidden_size * 4 if pieces else 0
        if size > LARGE_BATCH_BYTES and number > 1 and not self._has_warned:
            self._has_warned = True
            warnings.warn(Warnings.BW133.format(encoder=self.name, number=number, size=size / 1024**3), stacklevel=3)

    # Training

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Encode a batch for the components that listen.

        The backward pass runs when all of them have sent their gradients, or in `finish_update` with those received so
        far, so frozen or disabled components do not keep the others from learning.

        examples (Iterable[Example]): the batch; only `predicted` is used.
        drop (float): not used; dropout rates are set in `transformer_config`.
        sgd (Optimizer | None): takes a step once the backward pass has run.
        losses (dict[str, float] | None): the norm of the gradient is added under the component's name.
        RETURNS (dict[str, float]): the losses.
        """
        examples = list(examples)
        validate_examples(examples, "BigBird.update")
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        self._deferred.finish()
        docs = [example.predicted for example in examples]
        if docs and self.listeners:
            choose_layers(self.shim, self.readers, keeps_vectors=False)
            self._deferred.start(docs, self.listeners, self.name, losses, sgd or None)
        return losses

    def finish_update(self, sgd: Optimizer) -> None:
        """Take a step with the gradient received so far. If there is none yet, take it once there is.

        sgd (Optimizer): the optimizer.
        """
        self._deferred.step(sgd)

    # Saving

    def to_bytes(self, *, exclude: Sequence[str] = ()) -> bytes:
        """Serialize the component, once the pending backward pass has run. Arguments as in `Transformer.to_bytes`."""
        self._deferred.run()
        return super().to_bytes(exclude=exclude)

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write spaCy's files, and config.json, model.safetensors and spiece.model, which transformers can read too.

        path (str | Path): the component's folder.
        exclude (Iterable[str]): what to leave out: "cfg", "vocab", "model".
        """
        self._deferred.run()
        writers = {
            "cfg": lambda file: srsly.write_json(file, self.cfg),
            "vocab": lambda folder: self.vocab.to_disk(folder),
            "model": lambda file: self.shim.to_folder(file.parent),
        }
        util.to_disk(util.ensure_path(path), writers, exclude)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "BigBird":
        """Read a folder written by `to_disk`.

        path (str | Path): the component's folder.
        exclude (Iterable[str]): what to leave out: "cfg", "vocab", "model".
        RETURNS (BigBird): the component itself.
        RAISES ValueError: a file is missing or damaged.
        """
        readers: dict[str, Callable] = {
            "vocab": lambda folder: self.vocab.from_disk(folder),
            "cfg": self._read_cfg,
            "model": self._read_model,
        }
        util.from_disk(util.ensure_path(path), readers, exclude)
        return self

    def _read_cfg(self, file: Path) -> None:
        with naming(file):
            self.cfg.update(deserialize_config(file))

    def _read_model(self, file: Path) -> None:
        self.shim.from_folder(file.parent)
        set_width(self.model)
