"""Functions that replace those of the stock listener when the `bigbird` component links it.

They report missing vectors and compute dropped ones again, reject a batch other than the one just encoded, read vectors
in half precision, and follow the tokens of documents that were retokenized.
"""

import warnings
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from spacy.errors import Errors as SpacyErrors
from spacy.tokens import Doc
from spacy_transformers.data_classes import TransformerData

from ..errors import Errors
from ..warnings import Warnings
from .layer_mix import choice_of
from .private import received
from .types import BigBirdData
from .vectors import converted, mark_read, realigned


class EncoderReference:
    """The way from listeners to their encoder's component, which all of them share.

    It does not keep the component alive. A copy of a whole pipeline leads to the copied encoder, because that one
    points its own reference to itself; a head that is pickled alone does not include the encoder.
    """

    def __init__(self) -> None:
        self._get: Callable[[], Any] = _nothing

    @property
    def component(self) -> Any:
        """The encoder's component, or None if there is none any more."""
        return self._get()

    def point_to(self, component: Any) -> None:
        """Set where the reference leads.

        component (BigBird): the encoder's component.
        """
        self._get = weakref.ref(component)

    def __reduce__(self) -> tuple:
        return EncoderReference, ()


def _nothing() -> None:
    return None


@dataclass
class Link:
    """Connects a listener to its encoder.

    reader (str): name of the component that the listener is part of.
    number (int): index of the listener among those of its component.
    encoder (str): name of the encoder.
    reference (EncoderReference): leads to the encoder's component.
    releases (bool): whether reading the vectors is the last sign of the reader that it has used them.
    makes_documents (bool): whether the reader makes documents of its own, which no encoder has seen.
    sample (tuple[int, ...] | None): identity of the documents that the reader was last initialized with.
    has_warned (bool): whether missing vectors have been reported.
    """

    reader: str
    number: int
    encoder: str
    reference: EncoderReference = field(default_factory=EncoderReference)
    releases: bool = True
    makes_documents: bool = False
    sample: tuple[int, ...] | None = None
    has_warned: bool = False

    @property
    def key(self) -> str:
        """The listener's name in `BigBirdData.waiting`."""
        return f"{self.reader}/{self.number}"


def batch_identity(docs: list[Doc]) -> tuple[int, ...]:
    """Identify a batch by the texts of its documents, on which vectors depend. The order counts; tokens do not.

    docs (list[Doc]): the documents.
    RETURNS (tuple[int, ...]): one hash per document.
    """
    return tuple(hash(doc.text) for doc in docs)


def link(listener: Any, reader: str, number: int, encoder: str, reference: EncoderReference) -> None:
    """Connect a listener to the encoder that feeds it.

    listener (TransformerListener): the node inside the reading component.
    reader (str): name of the reading component.
    number (int): index of the listener among those of its component.
    encoder (str): name of the encoder.
    reference (EncoderReference): leads to the encoder's component.
    """
    previous = getattr(listener, "link", None)
    listener.link = Link(reader, number, encoder, reference)
    if previous is not None:
        listener.link.sample, listener.link.has_warned = previous.sample, previous.has_warned
    listener.replace_callbacks(linked_forward, init=linked_init)


def listener_keys(listeners: Iterable[Any]) -> set[str]:
    """Get the names of linked listeners in `BigBirdData.waiting`.

    listeners (Iterable[TransformerListener]): the linked listeners.
    RETURNS (set[str]): the names.
    """
    return {listener.link.key for listener in listeners}


def linked_init(model: Any, X: list[Doc] | None = None, Y: Any = None) -> None:
    """Remember the sample. Heads run on it before anything has encoded it, which must not cause a warning."""
    if X is not None:
        model.link.sample = batch_identity(X)


def linked_forward(model: Any, docs: list[Doc], is_train: bool) -> tuple[list[TransformerData], Callable]:
    """Pass a head the vectors of its documents: in training those just computed, otherwise those on the documents.

    model (TransformerListener): the linked listener.
    docs (list[Doc]): the documents.
    is_train (bool): whether the head is being trained.
    RETURNS (tuple[list[TransformerData], Callable]): the documents' data, and the function that takes its gradient.
    RAISES ValueError: the batch is not the one just encoded, vectors are missing in training, were dropped and cannot
        be computed again, come from another encoder than the one listened to, or cannot follow changed tokens.
    """
    reader = model.link.reader
    batch, datas = received(model)
    if is_train and batch is not None:
        if batch != batch_identity(docs):
            raise ValueError(Errors.BB132.format(reader=reader, encoder=model.link.encoder, number=len(docs)))
        outputs = [realigned(data, doc, reader) for doc, data in zip(docs, datas, strict=True)]
        return outputs, model.backprop_and_clear
    computed = _compute_missing(model, docs, is_train)
    outputs = [_read(model, doc, computed.get(number)) for number, doc in enumerate(docs)]
    if model.link.releases and not is_train:
        for doc in docs:
            mark_read(doc, {model.link.key})
    return outputs, _no_backprop


def _no_backprop(d_outputs: Any) -> list:
    return []


def _compute_missing(model: Any, docs: list[Doc], is_train: bool) -> dict[int, TransformerData]:
    """Compute vectors that were dropped or that no encoder could have computed, without keeping them on the documents.

    What remains missing is reported. A document without tokens needs no vectors: its rows are zeros anyway.
    """
    link, datas = model.link, [doc._.trf_data for doc in docs]
    missing = [number for number, doc in enumerate(docs) if len(doc) and _is_missing(model, datas[number])]
    if not missing:
        return {}
    is_sample = not is_train and link.sample == batch_identity(docs)
    encoder: Any = link.reference.component
    dropped = [number for number in missing if datas[number] is not None or docs[number]._.bigbird_stats is not None]
    if dropped and encoder is None:
        raise ValueError(Errors.BB134.format(reader=link.reader, encoder=link.encoder))
    if dropped:
        encoder.expect_reader(model)
    wanted = missing if link.makes_documents and encoder is not None and not is_sample else dropped
    if len(wanted) < len(missing) and not is_sample:
        if is_train:
            raise ValueError(SpacyErrors.E203.format(name=link.encoder))
        if not link.has_warned:
            link.has_warned = True
            reader, name = f"Component {link.reader!r}", repr(link.encoder)
            warnings.warn(Warnings.BW130.format(reader=reader, encoder=name), stacklevel=2)
    if not wanted:
        return {}
    return dict(zip(wanted, encoder.predict([docs[number] for number in wanted]).doc_data, strict=True))


def _is_missing(model: Any, data: TransformerData | None) -> bool:
    """Whether there are no vectors, or not those of the layers that the listener reads: no reader of them was known."""
    if data is None:
        return True
    choice, output = choice_of(model), data.model_output
    if choice == "last" or "piece_offsets" not in output:
        return False
    return "layers" not in output or not (choice == "mix" or set(choice) <= set(output["layers"].tolist()))


def _read(model: Any, doc: Doc, computed: TransformerData | None) -> TransformerData:
    link = model.link
    data = computed or doc._.trf_data
    if data is None:
        return BigBirdData.without_vectors(len(doc), model.get_dim("nO"), model.ops.xp)
    writer = data.encoder if isinstance(data, BigBirdData) and computed is None else ""
    # An encoder that was renamed is still the one that its listeners are linked to.
    if writer and model.upstream_name != "*" and writer not in (model.upstream_name, link.encoder):
        raise ValueError(Errors.BB133.format(reader=link.reader, upstream=model.upstream_name, found=writer))
    return converted(realigned(data, doc, link.reader), model.ops.asarray_f)
