"""Documents as statistics of frozen layers: all that heads with a fixed pooling read, kept instead of every piece."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy

from ..cache.fingerprint import name_of_pieces
from ..cache.store import StateStore
from ..plan.bounded_cache import BoundedCache
from .document_pooling import FIXED, pool_documents
from .piece_encoder import DocumentPieces
from .types import Array, PieceRows

# What is kept in memory, so that a document is neither tokenized nor read from disk again. Unit: bytes.
LARGEST = 500_000_000


@dataclass(frozen=True)
class Summary:
    """A document without its pieces.

    statistics (Floats2d): a row for each statistic in FIXED, on the CPU. Shape: (statistics, layers * width).
    stats (dict[str, int]): counts for `doc._.bigbird_stats`.
    """

    statistics: Array
    stats: dict[str, int]


class Summaries:
    """Statistics of documents, in memory and in the cache on disk: a few kilobytes for each layer of a document.

    A copy is empty: it belongs to another encoder.
    """

    def __init__(self) -> None:
        self._kept: BoundedCache[Summary] = BoundedCache(LARGEST, lambda summary: summary.statistics.nbytes)

    def __reduce__(self) -> tuple:
        return Summaries, ()

    def get(self, text: str, layers: Sequence[str], compute: Callable[[], Summary]) -> Summary:
        """Look up a document, or compute it.

        text (str): the document's text.
        layers (Sequence[str]): names of the layers and their weights.
        compute (Callable[[], Summary]): computes it.
        RETURNS (Summary): its statistics, which must not be changed.
        """
        return self._kept.get((text, *layers), compute)


def statistics_of(
    document: DocumentPieces,
    layers: Sequence[str],
    windows: tuple[int, int],
    width: int,
    store: StateStore,
    encode: Callable[[DocumentPieces], PieceRows],
) -> Array:
    """Read a document's statistics from the cache, or compute and store them.

    document (DocumentPieces): its pieces.
    layers (Sequence[str]): names of the layers and their weights.
    windows (tuple[int, int]): capacity and overlap of the windows, on which states depend.
    width (int): width of the encoder.
    store (StateStore): the cache.
    encode (Callable[[DocumentPieces], PieceRows]): encodes the document. Width of the rows: layers * width.
    RETURNS (Floats2d): the statistics. Shape: (statistics, layers * width).
    """
    text = "-".join([name_of_pieces(document.ids), *map(str, windows)])
    names = [f"{layer}-statistics" for layer in layers]
    found = [store.read(name, text) for name in names]
    parts = [part for part in found if part is not None and part.shape == (len(FIXED), width)]
    if len(parts) < len(layers):
        parts = numpy.split(summarize(encode(document)), len(layers), axis=1)
        for name, part in zip(names, parts, strict=True):
            store.write(name, text, numpy.ascontiguousarray(part))
    return numpy.concatenate(parts, axis=1)


def summarize(rows: PieceRows) -> Array:
    """Compute the statistics in FIXED of a document.

    rows (PieceRows): the document.
    RETURNS (Floats2d): the statistics, on the CPU. Shape: (statistics, width of the rows).
    """
    pool = pool_documents(FIXED)
    pool.set_dim("nI", rows.rows.shape[1])
    pooled: Array = pool.predict([rows])
    return pool.ops.to_numpy(pooled).reshape(len(FIXED), -1)
