"""The vectors on a document, from the encoder to the last reader: their tokens, their precision, their release."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy
from spacy.tokens import Doc
from spacy_transformers.data_classes import TransformerData
from transformers.utils import ModelOutput

from ..errors import Errors
from .piece_encoder import align_tokens, token_starts
from .types import Array, BigBirdData, with_output


def realigned(data: TransformerData, doc: Doc, reader: str) -> TransformerData:
    """Align a document's vectors with its present tokens, by the characters that tokens and pieces share.

    data (TransformerData): the document's data.
    doc (Doc): the document, which may have been retokenized since it was encoded.
    reader (str): name of the reading component, for messages.
    RETURNS (TransformerData): a copy with another alignment; the same object if the tokens are those encoded.
    RAISES ValueError: the tokens have changed, and the data does not say which characters its pieces stand for.
    """
    output = data.model_output
    if "piece_offsets" not in output:
        if len(data.align.lengths) != len(doc):
            numbers = {"encoded": len(data.align.lengths), "tokens": len(doc)}
            raise ValueError(Errors.BB630.format(reader=reader, start=doc.text[:40], **numbers))
        return data
    starts = token_starts(doc)
    if numpy.array_equal(starts, output["token_starts"]):
        return data
    stats = getattr(data, "stats", None) or doc._.bigbird_stats or {}
    offsets: Array = output["piece_offsets"]
    end = int(offsets[-1, 1]) if stats.get("truncated_pieces") else None
    changed = with_output(data, ModelOutput({**output, "token_starts": starts}))
    changed.align = align_tokens(doc, offsets, end)
    return changed


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
    return (
        data
        if all(new[key] is floats[key] for key in floats)
        else with_output(data, ModelOutput({**data.model_output, **new}))
    )


def mark_read(doc: Doc, readers: Iterable[str]) -> None:
    """Note that readers have used a document's vectors, and release these after the last one.

    doc (Doc): the document.
    readers (Iterable[str]): the readers' names in `BigBirdData.waiting`.
    """
    data = doc._.trf_data
    if isinstance(data, BigBirdData) and not data.waiting.isdisjoint(readers):
        data.waiting.difference_update(readers)
        if not data.waiting:
            release(doc)


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
