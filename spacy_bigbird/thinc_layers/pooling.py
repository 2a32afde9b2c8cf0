"""Pooling of a token's pieces that also accepts tokens without pieces, such as line breaks."""

import sys
from collections.abc import Callable

from thinc.api import Model, reduce_first, reduce_last, reduce_max, reduce_mean, reduce_sum
from thinc.types import Floats2d, Ragged

from .private import forward_of
from .types import Array

# Of these Thinc layers, some reject empty sequences, and the others lose the width if there are no sequences at all.
_LAYERS = (reduce_first, reduce_last, reduce_max, reduce_mean, reduce_sum)
_MODULES = {make.__name__: sys.modules[make.__module__] for make in _LAYERS}


def allow_empty_tokens(model: Model) -> None:
    """Make every pooling layer inside a model return zeros for tokens without pieces.

    model (Model): a head's model, or a pooling layer. It is changed in place; its layers and parameters stay the same.
    """
    for node in model.walk():
        if node.name in _MODULES and forward_of(node) is _MODULES[node.name].forward:
            node.replace_callbacks(_forward, init=node.init)


def _forward(model: Model[Ragged, Floats2d], X: Ragged, is_train: bool) -> tuple[Array, Callable[[Array], Ragged]]:
    pool = _MODULES[model.name].forward
    rows: Array = X.dataXd
    lengths: Array = X.lengths
    has_pieces = lengths > 0
    if len(lengths) and has_pieces.all():
        return pool(model, X, is_train)
    pooled = model.ops.alloc2f(len(lengths), rows.shape[1])
    if not has_pieces.any():
        return pooled, lambda d_pooled: Ragged(model.ops.xp.zeros_like(rows), X.lengths)
    pooled[has_pieces], backprop_pool = pool(model, Ragged(rows, lengths[has_pieces]), is_train)

    def backprop(d_pooled: Array) -> Ragged:
        return Ragged(backprop_pool(d_pooled[has_pieces]).dataXd, X.lengths)

    return pooled, backprop
