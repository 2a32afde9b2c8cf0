"""Token vectors of long documents in prediction, without the stock layer's copies of all rows."""

import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy
import spacy_transformers.layers
from spacy_transformers.data_classes import TransformerData
from thinc.api import Model
from thinc.types import Floats2d, Ragged

from .private import forward_of
from .types import Array

# Imported this way because the package's function of the same name hides the module.
_STOCK = sys.modules[f"{spacy_transformers.layers.__name__}.trfs2arrays"]
ROWS_AT_ONCE = 8192


def pool_in_stretches(model: Model) -> None:
    """Make the stock layers inside a model that pool pieces to tokens process a few thousand rows at a time.

    The stock layer copies all rows of the whole batch, twice. The results are the same; training still uses that layer.

    model (Model): a head's model. It is changed in place; its layers and parameters stay the same.
    """
    for node in model.walk():
        if node.name == "trfs2arrays" and forward_of(node) is _STOCK.forward:
            node.replace_callbacks(_forward, init=node.init)


def _forward(
    model: Model[list[TransformerData], list[Floats2d]], datas: list[TransformerData], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    if is_train:
        return _STOCK.forward(model, datas, is_train)
    return [_pool(model, data) for data in datas], _no_backprop


def _no_backprop(d_outputs: Any) -> list:
    return []


def _pool(model: Model, data: Any) -> Array:
    pooling = model.layers[0]
    if not isinstance(data, TransformerData) or not data.align.lengths.sum():
        return _STOCK.forward(model, [data], False)[0][0]
    last: Array = data.model_output["last_hidden_state"]
    rows = last.reshape(-1, last.shape[-1])
    lengths, numbers = data.align.lengths, data.align.dataXd
    vectors: Array = None
    first_row = 0
    for start, end in _stretches(lengths):
        last_row = first_row + int(lengths[start:end].sum())
        # Copied because arrays read from bytes are read-only, and Thinc's operations require writable ones.
        counts = model.ops.asarray1i(lengths[start:end].copy())
        pooled = pooling.predict(Ragged(rows[numbers[first_row:last_row]], counts))
        if vectors is None:
            vectors = model.ops.alloc2f(len(lengths), pooled.shape[1])
        vectors[start:end] = pooled
        first_row = last_row
    return vectors


def _stretches(lengths: Array) -> Iterator[tuple[int, int]]:
    """Split the tokens into stretches of at most ROWS_AT_ONCE rows (or one token), each with at least one row."""
    ends = numpy.cumsum(lengths)
    cuts = numpy.searchsorted(ends, range(ROWS_AT_ONCE, int(ends[-1]), ROWS_AT_ONCE), side="right")
    # Tokens without rows at the beginning belong to the first token with more rows than fit.
    cuts = cuts[ends[cuts - 1] > 0]
    return pairwise(sorted({0, *cuts.tolist(), len(lengths)}))
