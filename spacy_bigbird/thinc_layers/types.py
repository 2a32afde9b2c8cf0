"""The data that layers exchange: packed pieces, rows, one document's data, one batch's gradient.

list[Doc] -> encode_documents -> pieces -> windows -> PackedPieces -> encoder -> rows -> BigBirdBatch -> doc._.trf_data
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import numpy
from spacy_transformers.data_classes import FullTransformerBatch, TransformerData, WordpieceBatch
from thinc.api import get_array_module
from thinc.types import Floats2d, Ints1d, Ragged
from transformers.utils import ModelOutput

# A numpy or cupy array. Thinc's array types are neither of these, and lack some of their methods.
Array: TypeAlias = Any


@dataclass
class PieceRows:
    """One document as returned by `spacy-bigbird.PieceListener.v1`. Its gradient has the same form.

    rows (Floats2d): [CLS] of the first window, the document's pieces in order, [SEP] of the last window.
        Shape: (pieces + 2, width).
    align (Ragged): the row numbers of each spaCy token's pieces; a whitespace token may have none.
        Ignored in a gradient.
    window_cls (Floats2d): [CLS] of every window; row 0 repeats `rows[0]`. In a gradient, the values for
        `window_cls[0]` and `rows[0]` are added up. Shape: (windows, width).
    window_lengths (Ints1d): pieces of each window, without special pieces. Ignored in a gradient. Shape: (windows,).

    statistics (Floats2d | None): a document whose frozen states are only read as statistics has these instead of its
        pieces: a row for each in `document_pooling.FIXED`. Shape: (statistics, width).

    In the encoder, where several layers may be read, the width is that of all of them, or of the last one only for the
    gradient of a head that reads no others; `window_cls` of a gradient may be None for zeros.
    """

    rows: Floats2d
    align: Ragged
    window_cls: Floats2d
    window_lengths: Ints1d
    statistics: Floats2d | None = None

    @classmethod
    def of(cls, data: TransformerData) -> "PieceRows":
        """Read a document's data, or its gradient as listeners send it.

        data (TransformerData): the data. Stock listeners send no gradient of `window_cls`.
        RETURNS (PieceRows): its rows, as they are.
        """
        output: Any = data.model_output
        rows = output["last_hidden_state"]
        return cls(rows.reshape(-1, rows.shape[-1]), data.align, output.get("window_cls"), output.get("window_lengths"))

    def __add__(self, other: "PieceRows") -> "PieceRows":
        """Add two gradients of the same document, of which one may be that of the last layer only."""
        rows, window_cls = _sum(self.rows, other.rows), _sum(self.window_cls, other.window_cls)
        return PieceRows(rows, self.align, window_cls, self.window_lengths)

    def widened(self, columns: int) -> "PieceRows":
        """Extend the gradient of the last layer to that of several layers, of which it is the last.

        columns (int): layers * width.
        RETURNS (PieceRows): the gradient, with zeros for the other layers.
        """
        rows, window_cls = _widened(self.rows, columns), _widened(self.window_cls, columns)
        return PieceRows(rows, self.align, window_cls, self.window_lengths)

    def sum_of_squares(self) -> Array:
        """Add up the squares of a gradient. RETURNS: a number on the gradient's device."""
        arrays: list[Array] = [self.rows, self.window_cls]
        return sum((array**2).sum() for array in arrays if array is not None)


def _sum(first: Array, second: Array) -> Array:
    if first is None or second is None:
        return second if first is None else first
    columns = max(first.shape[-1], second.shape[-1])
    return _widened(first, columns) + _widened(second, columns)


def _widened(gradient: Array, columns: int) -> Array:
    missing = 0 if gradient is None else columns - gradient.shape[-1]
    if not missing:
        return gradient
    wide = get_array_module(gradient).zeros((len(gradient), columns), dtype="f")
    wide[:, missing:] = gradient
    return wide


@dataclass
class PackedPieces:
    """Sequences for the encoder, back to back and without padding.

    ids (Ints1d): piece ids of all sequences, including [CLS] and [SEP]. Shape: (total_pieces,).
    lengths (Sequence[int]): pieces of each sequence, including special ones; they sum to total_pieces.
    token_type_ids (Ints1d | None): 0 or 1 per piece; None for zeros. Shape: (total_pieces,).
    recompute (bool): in training, whether to discard the activations and recompute them in the backward pass.
    """

    ids: Ints1d
    lengths: Sequence[int]
    token_type_ids: Ints1d | None = None
    recompute: bool = False


@dataclass
class JoinedPieces:
    """Questions about documents, each encoded apart below `join_layer`.

    documents (PackedPieces): the documents, or windows of them.
    questions (PackedPieces): the questions.
    asked (Sequence[int]): for each question, the index of its document.
    recompute (bool): as in PackedPieces.
    """

    documents: PackedPieces
    questions: PackedPieces
    asked: Sequence[int]
    recompute: bool = False


@dataclass
class BigBirdData(TransformerData):
    """The value of `doc._.trf_data`: what spacy-transformers' listeners read, and which of them have yet to read it.

    encoder (str): name of the component that wrote it.
    waiting (set[str]): listeners that have yet to read the vectors; after the last one, the vectors are released.
    keep_vectors (str): what remains after that: "float32", "float16" or "none".
    stats (dict[str, int]): pieces, windows, unknown_pieces and truncated_pieces of the document.
    """

    encoder: str = ""
    waiting: set[str] = field(default_factory=set)
    keep_vectors: str = "float32"
    stats: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> Array:
        """The rows as a matrix. Shape: (pieces + 2, width)."""
        return self.model_output["last_hidden_state"][0]

    @classmethod
    def build(
        cls,
        rows: Array,
        align: Ragged,
        window_cls: Array,
        window_lengths: Array,
        *,
        strings: Sequence[str],
        ids: Array,
        offsets: Array,
        token_starts: Array,
        stats: dict[str, int],
        layers: Sequence[int] = (),
    ) -> "BigBirdData":
        """Combine one document's vectors, pieces and alignment in the form that listeners read.

        rows (Floats2d): as in PieceRows, for each of the layers side by side. Shape: (pieces + 2, layers * width).
        align (Ragged): as in PieceRows.
        window_cls (Floats2d): as in PieceRows, for each of the layers. Shape: (windows, layers * width).
        window_lengths (Ints1d): as in PieceRows. Shape: (windows,).
        strings (Sequence[str]): the pieces as text, in the order of the rows.
        ids (Ints1d): ids of the pieces. Shape: (pieces + 2,).
        offsets (Ints2d): first character of each piece and one past its last. Shape: (pieces, 2).
        token_starts (Ints1d): first character of each token that `align` is for. Shape: (tokens,).
        stats (dict[str, int]): counts for `doc._.bigbird_stats`.
        layers (Sequence[int]): the layers' numbers, the last of which stock listeners read; empty for this one only.
        RETURNS (BigBirdData): the document's data.
        """
        wordpieces = WordpieceBatch(
            strings=[list(strings)],
            input_ids=ids.reshape(1, -1),
            attention_mask=cast(Array, numpy.ones((1, len(ids)), dtype="f")),
            lengths=[len(ids)],
            token_type_ids=None,
        )
        width = rows.shape[1] // max(1, len(layers))
        output: dict[str, Any] = {"last_hidden_state": rows[None, :, -width:], "window_cls": window_cls[:, -width:]}
        output |= {"window_lengths": window_lengths, "piece_offsets": offsets, "token_starts": token_starts}
        if layers:
            output |= {"all_layers": rows[None], "all_layers_cls": window_cls}
            output["layers"] = numpy.array(layers, dtype="i")
        return cls(wordpieces=wordpieces, model_output=ModelOutput(output), align=align, stats=stats)

    @classmethod
    def of_statistics(
        cls, statistics: Array, num_tokens: int, width: int, stats: dict[str, int], layers: Sequence[int]
    ) -> "BigBirdData":
        """Make the data of a document that is known by statistics only: it has no pieces, and its rows are zeros.

        statistics (Floats2d): as in PieceRows, for each of the layers. Shape: (statistics, layers * width).
        num_tokens (int): length of the document. Unit: spaCy tokens.
        width (int): width of the encoder.
        stats, layers: as in `build`.
        RETURNS (BigBirdData): the document's data.
        """
        xp, columns = get_array_module(statistics), width * max(1, len(layers))
        data = cls.build(
            xp.zeros((2, columns), dtype="f"),
            Ragged(cast(Array, numpy.zeros(0, dtype="i")), cast(Array, numpy.zeros(num_tokens, dtype="i"))),
            xp.zeros((1, columns), dtype="f"),
            numpy.zeros(1, dtype="i"),
            strings=["", ""],
            ids=numpy.zeros(2, dtype="i"),
            offsets=numpy.zeros((0, 2), dtype="i"),
            token_starts=numpy.zeros(0, dtype="i"),
            stats=stats,
            layers=layers,
        )
        # There are no places to follow when tokens change.
        output = {
            key: value for key, value in data.model_output.items() if key not in ("piece_offsets", "token_starts")
        }
        output |= {"statistics": statistics[:, -width:], "all_statistics": statistics}
        data.model_output = ModelOutput(output)
        return data

    @classmethod
    def without_vectors(cls, num_tokens: int, width: int, xp: Any = numpy) -> "BigBirdData":
        """Make zeros for a document that has not been encoded: one row per token between [CLS] and [SEP].

        num_tokens (int): length of the document. Unit: spaCy tokens.
        width (int): width of the encoder.
        xp (module): numpy or cupy.
        RETURNS (BigBirdData): the document's data.
        """
        return cls.build(
            xp.zeros((num_tokens + 2, width), dtype="f"),
            Ragged(
                cast(Array, numpy.arange(1, num_tokens + 1, dtype="i")),
                cast(Array, numpy.ones((num_tokens,), dtype="i")),
            ),
            xp.zeros((1, width), dtype="f"),
            numpy.full((1,), num_tokens, dtype="i"),
            strings=[""] * (num_tokens + 2),
            ids=numpy.zeros((num_tokens + 2,), dtype="i"),
            offsets=numpy.zeros((num_tokens, 2), dtype="i"),
            token_starts=numpy.arange(num_tokens, dtype="i"),
            stats={},
        )


def with_output(data: TransformerData, output: ModelOutput) -> TransformerData:
    """Copy a document's data with another output. The original is not modified.

    data (TransformerData): the document's data.
    output (ModelOutput): the output of the copy.
    RETURNS (TransformerData): data of the same class.
    """
    copied = object.__new__(type(data))
    copied.__dict__.update(data.__dict__)
    copied.model_output = output
    return copied


@dataclass
class BigBirdBatch(FullTransformerBatch):
    """Documents of different lengths, each with its own rows: there is no padding to add or remove.

    gradient (list[PieceRows]): in the backward pass, the gradient of each document.
    """

    gradient: list[PieceRows] = field(default_factory=list)

    @classmethod
    def build(cls, doc_data: Sequence[BigBirdData]) -> "BigBirdBatch":
        """Make a batch that contains nothing but the documents' own data.

        doc_data (Sequence[BigBirdData]): the data of each document.
        RETURNS (BigBirdBatch): the batch.
        """
        empty = FullTransformerBatch.empty(0)
        spans: list = [[] for _ in doc_data]
        return cls(spans, empty.wordpieces, empty.model_output, empty.align, cached_doc_data=list(doc_data))

    def with_gradient(self, gradient: list[PieceRows]) -> "BigBirdBatch":
        """Make what the backward pass takes.

        gradient (list[PieceRows]): the gradient of each document.
        RETURNS (BigBirdBatch): a batch that contains only the gradient.
        """
        batch = BigBirdBatch.build([])
        batch.gradient = gradient
        return batch

    def unsplit_by_doc(self, arrays: list[list[Any]]) -> "BigBirdBatch":
        """Make what the backward pass takes from the arrays that spacy-transformers passes.

        arrays (list[list[Floats]]): per document the gradient of `last_hidden_state`, then any of `window_cls`.
        RETURNS (BigBirdBatch): a batch that contains only the gradient.
        """
        gradient = []
        for data, (last, *window_cls) in zip(self.doc_data, arrays, strict=True):
            output = dict(zip(("last_hidden_state", "window_cls"), (last, *window_cls), strict=False))
            gradient.append(PieceRows.of(with_output(data, ModelOutput(output))))
        return self.with_gradient(gradient)
