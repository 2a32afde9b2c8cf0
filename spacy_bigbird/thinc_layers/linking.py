"""Functions that replace those of the stock listener when the `bigbird` component links it.

They report missing vectors, reject a batch other than the one just encoded, read vectors in half precision, and release
vectors once every listener has read them.
"""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy
from spacy.errors import Errors as SpacyErrors
from spacy.tokens import Doc
from spacy_transformers.data_classes import TransformerData
from transformers.utils import ModelOutput

from ..errors import Errors
from ..warnings import Warnings
from .types import Array, BigBirdData, with_output


@dataclass
class Link:
    """Connects a listener to its encoder, by name only, so that a pickled head does not include the encoder.

    reader (str): name of the component that the listener is part of.
    number (int): index of the listener among those of its component.
    encoder (str): name of the encoder.
    sample (tuple[int, ...] | None): identity of the documents that the reader was last initialized with.
    has_warned (bool): whether missing vectors have been reported.
    """

    reader: str
    number: int
    encoder: str
    sample: tuple[int, ...] | None = None
    has_warned: bool = False

    @property
    def key(self) -> str:
        """The listener's name in `BigBirdData.waiting`."""
        return f"{self.reader}/{self.number}"


def batch_identity(docs: list[Doc]) -> tuple[int, ...]:
    """Identify a batch by the words of its documents. The order counts: reordered documents are a different batch.

    docs (list[Doc]): the documents.
    RETURNS (tuple[int, ...]): one hash per document.
    """
    return tuple(hash(numpy.asarray(doc.to_array("ORTH")).tobytes()) for doc in docs)


def link(listener: Any, reader: str, number: int, encoder: str) -> None:
    """Connect a listener to the encoder that feeds it.

    listener (TransformerListener): the node inside the reading component.
    reader (str): name of the reading component.
    number (int): index of the listener among those of its component.
    encoder (str): name of the encoder.
    """
    previous = getattr(listener, "link", None)
    remembered = (previous.sample, previous.has_warned) if previous else ()
    listener.link = Link(reader, number, encoder, *remembered)
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
    RAISES ValueError: the batch is not the one just encoded, vectors are missing in training or were dropped, or they
        come from another encoder than the one listened to.
    """
    if is_train and model._batch_id is not None:
        if model._batch_id != batch_identity(docs):
            raise ValueError(
                Errors.BB132.format(reader=model.link.reader, encoder=model.link.encoder, number=len(docs))
            )
        return model._outputs, model.backprop_and_clear
    # A document without tokens needs no vectors: its rows are zeros anyway.
    missing = [doc for doc in docs if len(doc) and doc._.trf_data is None]
    if missing and is_train:
        raise ValueError(SpacyErrors.E203.format(name=model.link.encoder))
    outputs = [_read(model, doc) for doc in docs]
    if missing:
        _report_missing(model, docs, missing)
    if not is_train:
        for doc in docs:
            data = doc._.trf_data
            if isinstance(data, BigBirdData) and model.link.key in data.waiting:
                data.waiting.discard(model.link.key)
                if not data.waiting:
                    release(doc)
    return outputs, _no_backprop


def _no_backprop(d_outputs: Any) -> list:
    return []


def _read(model: Any, doc: Doc) -> TransformerData:
    data = doc._.trf_data
    if data is None:
        return BigBirdData.without_vectors(len(doc), model.get_dim("nO"), model.ops.xp)
    if isinstance(data, BigBirdData) and model.upstream_name not in ("*", data.encoder):
        raise ValueError(
            Errors.BB133.format(reader=model.link.reader, upstream=model.upstream_name, found=data.encoder)
        )
    return converted(data, model.ops.asarray_f)


def _report_missing(model: Any, docs: list[Doc], missing: list[Doc]) -> None:
    """Raise an error if vectors were dropped, which is a mistake in the pipeline; warn if they were never computed."""
    if any(doc._.bigbird_stats is not None for doc in missing):
        raise ValueError(Errors.BB134.format(reader=model.link.reader, encoder=model.link.encoder))
    if not model.link.has_warned and model.link.sample != batch_identity(docs):
        model.link.has_warned = True
        warnings.warn(Warnings.BW130.format(reader=model.link.reader, encoder=model.link.encoder), stacklevel=2)


def converted(data: TransformerData, convert: Callable[[Any], Any]) -> TransformerData:
    """Copy a document's data with its vectors converted. The original is not modified.

    data (TransformerData): the document's data.
    convert (Callable): applied to every floating-point array.
    RETURNS (TransformerData): data of the same class; the same object if no array changed.
    """
    floats = {
        key: value for key, value in data.model_output.items() if hasattr(value, "dtype") and value.dtype.kind == "f"
    }
    new = {key: convert(value) for key, value in floats.items()}
    if all(new[key] is floats[key] for key in floats):
        return data
    return with_output(data, ModelOutput({**data.model_output, **new}))


def release(doc: Doc) -> None:
    """Reduce a document's vectors to what its encoder's `keep_vectors` says, and leave nothing on the GPU.

    doc (Doc): a document whose vectors have been read by every listener.
    """
    data: BigBirdData = doc._.trf_data
    if data.keep_vectors == "none":
        doc._.trf_data = None
    else:
        doc._.trf_data = converted(data, partial(_to_host, dtype=data.keep_vectors))


def _to_host(array: Array, dtype: str) -> Array:
    on_host = array.get() if hasattr(array, "get") else array
    return on_host.astype(dtype, copy=False)
