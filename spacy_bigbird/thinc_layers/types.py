"""What travels between the layers: packed pieces in, rows out, one document's data, one batch's gradient.

list[Doc] -> encode_documents -> pieces -> windows -> PackedPieces -> encoder -> rows -> BigBirdBatch -> doc._.trf_data
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import numpy
from spacy_transformers.data_classes import FullTransformerBatch, TransformerData, WordpieceBatch
from thinc.types import Floats2d, Ints1d, Ragged
from transformers.utils import ModelOutput

# A numpy or cupy array. Thinc's array types know neither of them nor all of their methods.
Array: TypeAlias = Any


@dataclass
class PieceRows:
    """One document as `spacy-bigbird.PieceListener.v1` gives it. Its gradient has the same form.

    rows (Floats2d): [CLS] of the first window, the document's pieces in order, [SEP] of the last window.
        Shape: (pieces + 2, width).
    align (Ragged): per spaCy token the row numbers of its pieces; a token of white space may have none.
        Ignored in a gradient.
    window_cls (Floats2d): [CLS] of every window; row 0 repeats `rows[0]`. In a gradient, what arrives for
        `window_cls[0]` and for `rows[0]` is summed. Shape: (windows, width).
    window_lengths (Ints1d): pieces of each window, special ones excluded. Ignored in a gradient. Shape: (windows,).
    """

    rows: Floats2d
    align: Ragged
    window_cls: Floats2d
    window_lengths: Ints1d


@dataclass
class PackedPieces:
    """Sequences for the encoder, back to back and without padding.

    ids (Ints1d): piece ids of all sequences, [CLS] and [SEP] included. Shape: (total_pieces,).
    lengths (Sequence[int]): pieces of each sequence, special ones included; they sum to total_pieces.
    token_type_ids (Ints1d | None): 0 or 1 per piece, None for zeros. Shape: (total_pieces,).
    recompute (bool): in training, forget the activations and compute them again in the backward pass.
    """

    ids: Ints1d
    lengths: Sequence[int]
    token_type_ids: Ints1d | None = None
    recompute: bool = False


@dataclass
class BigBirdData(TransformerData):
    """`doc._.trf_data`: what spaCy-transformers' listeners read, and who has still to read it.

    encoder (str): name of the component that wrote it.
    waiting (set[str]): listeners that will read the vectors; the last one lets them go.
    keep_vectors (str): what then remains: "float32", "float16" or "none".
    stats (dict[str, int]): pieces, windows, unknown_pieces and truncated_pieces of the document.
    """

    encoder: str = ""
    waiting: set[str] = field(default_factory=set)
    keep_vectors: str = "float32"
    stats: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> Array:
        """RETURNS (Floats2d): the rows as a matrix. Shape: (pieces + 2, width)."""
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
        stats: dict[str, int],
    ) -> "BigBirdData":
        """Gather one document's vectors, pieces and alignment in the form that listeners read.

        rows (Floats2d): as in PieceRows, like `align`, `window_cls` and `window_lengths`.
        strings (Sequence[str]): the pieces as text, in the order of the rows.
        ids (Ints1d): the pieces' ids. Shape: (pieces + 2,).
        stats (dict[str, int]): counts for `doc._.bigbird_stats`.
        RETURNS (BigBirdData): the document's data.
        """
        wordpieces = WordpieceBatch(
            strings=[list(strings)],
            input_ids=ids.reshape(1, -1),
            attention_mask=cast(Array, numpy.ones((1, len(ids)), dtype="f")),
            lengths=[len(ids)],
            token_type_ids=None,
        )
        output = ModelOutput(
            last_hidden_state=rows.reshape(1, *rows.shape), window_cls=window_cls, window_lengths=window_lengths
        )
        return cls(wordpieces=wordpieces, model_output=output, align=align, stats=stats)

    @classmethod
    def without_vectors(cls, num_tokens: int, width: int, xp: Any = numpy) -> "BigBirdData":
        """Zeros for a document that no encoder has seen: one row per token between [CLS] and [SEP].

        num_tokens (int): the document's length in spaCy tokens.
        width (int): the encoder's width.
        xp (module): numpy or cupy.
        RETURNS (BigBirdData): data of the right form.
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
            stats={},
        )


@dataclass
class BigBirdBatch(FullTransformerBatch):
    """Documents of different length, each with its own rows: nothing is padded, so nothing is cut again.

    gradient (list[list[Floats]]): in the backward pass, per document the gradient of its rows and, where the
        document has several windows and a head used them, of its window_cls.
    """

    gradient: list[list[Any]] = field(default_factory=list)

    @classmethod
    def build(cls, doc_data: Sequence[BigBirdData]) -> "BigBirdBatch":
        """RETURNS (BigBirdBatch): a batch whose only content is the documents' own data."""
        empty = FullTransformerBatch.empty(0)
        spans: list = [[] for _ in doc_data]
        return cls(spans, empty.wordpieces, empty.model_output, empty.align, cached_doc_data=list(doc_data))

    def unsplit_by_doc(self, arrays: list[list[Any]]) -> "BigBirdBatch":
        """Turn the gradients of the documents into the gradient of the batch.

        arrays (list[list[Floats]]): per document the gradient of `last_hidden_state`, then that of `window_cls`.
        RETURNS (BigBirdBatch): a batch that carries only the gradient.
        """
        batch = BigBirdBatch.build([])
        batch.gradient = arrays
        return batch
