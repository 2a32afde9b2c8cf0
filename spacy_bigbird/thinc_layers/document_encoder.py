"""The forward pass from spaCy documents to the data that their listeners read, and the backward pass."""

import warnings
from collections.abc import Callable
from typing import Any, cast

import numpy
from spacy.tokens import Doc
from thinc.api import Model

from ..cache.store import StateStore
from ..errors import Errors
from ..plan.windows import plan_windows
from ..tokenizer.sentencepiece import BigBirdTokenizer
from ..warnings import Warnings
from .encoder_wrapper import get_shim, get_tokenizer, set_width
from .piece_encoder import DocumentPieces, encode_documents, token_starts
from .summaries import Summary, statistics_of
from .types import BigBirdBatch, BigBirdData, PieceRows


def document_encoder(
    windows: Model[list[DocumentPieces], list[PieceRows]], attrs: dict[str, Any]
) -> Model[list[Doc], BigBirdBatch]:
    """Build the layer that encodes whole documents.

    windows (Model[list[DocumentPieces], list[PieceRows]]): the result of `with_windows`.
    attrs (dict[str, Any]): the attributes that spaCy looks up when it replaces listeners.
    RETURNS (Model[list[Doc], BigBirdBatch]): a layer from documents to their data.
    """
    return Model("bigbird", _forward, init=_init, dims={"nO": None}, layers=[windows], attrs=attrs)


def _init(model: Model, X: Any = None, Y: Any = None) -> None:
    model.layers[0].initialize()
    set_width(model)


def _forward(model: Model, docs: list[Doc], is_train: bool) -> tuple[BigBirdBatch, Callable[[BigBirdBatch], list]]:
    tokenizer = get_tokenizer(model)
    shim = get_shim(model)
    if shim.summarizes:
        return BigBirdBatch.build([_summarized(model, doc, is_train) for doc in docs]), lambda batch: []
    layers = shim.layers if shim.wanted_layers - {"last"} else ()
    documents = _encode_within_limits(model, docs)
    all_rows, backprop_windows = model.layers[0](documents, is_train)
    doc_data = []
    for doc, document, encoded in zip(docs, documents, all_rows, strict=True):
        ids = numpy.concatenate([[tokenizer.cls_token_id], document.ids, [tokenizer.sep_token_id]]).astype("int32")
        data = BigBirdData.build(
            encoded.rows,
            document.align,
            encoded.window_cls,
            encoded.window_lengths,
            strings=tokenizer.convert_ids_to_tokens(ids.tolist()),
            ids=ids,
            offsets=document.offsets,
            token_starts=token_starts(doc),
            stats=_count(document, len(encoded.window_lengths), tokenizer),
            layers=layers,
        )
        doc_data.append(data)

    def backprop(batch: BigBirdBatch) -> list:
        columns = [encoded.rows.shape[1] for encoded in all_rows]
        backprop_windows([rows.widened(width) for rows, width in zip(batch.gradient, columns, strict=True)])
        return []

    return BigBirdBatch.build(doc_data), backprop


def _count(document: DocumentPieces, windows: int, tokenizer: BigBirdTokenizer) -> dict[str, int]:
    """RETURNS (dict[str, int]): the counts for `doc._.bigbird_stats`."""
    return {
        "pieces": len(document.ids),
        "windows": windows if len(document.ids) else 0,
        "unknown_pieces": int((document.ids == tokenizer.unk_token_id).sum()),
        "truncated_pieces": document.truncated,
    }


def _summarized(model: Model, doc: Doc, is_train: bool) -> BigBirdData:
    """Get the data of a document that is read as statistics only."""
    shim = get_shim(model)
    width, settings = shim.config.hidden_size, shim.settings
    is_half = settings.mixed_precision if is_train else settings.precision == "bf16"
    names = [shim.lower.fingerprints.of(layer, "bfloat16" if is_half else "float32") for layer in shim.layers]

    def compute() -> Summary:
        (document,) = _encode_within_limits(model, [doc])
        limits = settings.window_capacity(shim.config)
        statistics = statistics_of(
            document,
            names,
            limits,
            width,
            cast(StateStore, shim.store),
            lambda one: model.layers[0]([one], is_train)[0][0],
        )
        return Summary(
            statistics, _count(document, len(plan_windows(len(document.ids), *limits)), get_tokenizer(model))
        )

    summary = shim.summaries.get(doc.text, names, compute)
    layers = shim.layers if shim.wanted_layers - {"last"} else ()
    return BigBirdData.of_statistics(
        model.ops.asarray2f(summary.statistics), len(doc), width, dict(summary.stats), layers
    )


def _encode_within_limits(model: Model, docs: list[Doc]) -> list[DocumentPieces]:
    """Tokenize documents and apply `on_oversize` to long ones; nothing is ever cut silently."""
    shim, tokenizer = get_shim(model), get_tokenizer(model)
    capacity, _ = shim.settings.window_capacity(shim.config)
    policy = shim.settings.on_oversize
    documents = encode_documents(docs, tokenizer, capacity if policy == "truncate" else None)
    for doc, document in zip(docs, documents, strict=True):
        values = {"pieces": len(document.ids) + document.truncated, "capacity": capacity, "start": doc.text[:40]}
        if policy == "error" and len(document.ids) > capacity:
            raise ValueError(Errors.BB141.format(**values))
        if document.truncated:
            warnings.warn(Warnings.BW131.format(truncated=document.truncated, **values), stacklevel=2)
    return documents
