"""A trainable stand-in for PieceListener.v1: every character of a token is a piece with a vector of its own."""

import numpy as np
from thinc.api import Model, registry
from thinc.types import Ragged

from spacy_bigbird.thinc_layers.types import PieceRows

TABLE = 128


def toy_rows(width: int = 8, window: int = 6) -> Model:
    """Rows are looked up in one table; row 0 of the table is [CLS], row 1 is [SEP]. Windows do not overlap."""
    return Model("toy_rows", _forward, init=_init, params={"E": None}, dims={"nO": width}, attrs={"window": window})


def _init(model, X=None, Y=None):
    model.set_param("E", np.random.default_rng(0).normal(size=(TABLE, model.get_dim("nO"))).astype("f"))


def _forward(model, docs, is_train):
    table, window = model.get_param("E"), model.attrs["window"]
    outputs, ids, firsts = [], [], []
    for doc in docs:
        tokens = [[2 + ord(char) % (TABLE - 2) for char in token.text.strip()] for token in doc]
        pieces = [piece for token in tokens for piece in token]
        lengths = np.asarray([len(token) for token in tokens], dtype="i")
        align = Ragged(np.arange(1, len(pieces) + 1, dtype="i"), lengths)
        sizes = [len(pieces[i : i + window]) for i in range(0, len(pieces), window)] or [0]
        # [CLS] of a window depends on its first piece, so that windows differ.
        first = [pieces[i * window] if pieces else 0 for i in range(len(sizes))]
        cls = table[0] + table[first]
        ids.append([0, *pieces, 1])
        firsts.append(first)
        rows = table[ids[-1]]
        rows[0] = cls[0]
        outputs.append(PieceRows(rows, align, cls, np.asarray(sizes, dtype="i")))

    def backprop(gradients):
        d_table = np.zeros_like(table)
        for gradient, rows, first in zip(gradients, ids, firsts, strict=True):
            d_cls = gradient.window_cls.copy()
            d_cls[0] += gradient.rows[0]
            d_table[0] += d_cls.sum(axis=0)
            np.add.at(d_table, first, d_cls)
            np.add.at(d_table, rows[1:], gradient.rows[1:])
        model.inc_grad("E", d_table)
        return []

    return outputs, backprop


def register() -> None:
    """Make the layer available in configs as `toy_rows.v1`."""
    registry.layers("toy_rows.v1", func=toy_rows)


def check_gradient(model, docs, forward, backward, names=None, step=1e-2, tolerance=2e-3):
    """Compare every gradient of a model's parameters to differences of a loss.

    forward: output -> loss (float64); backward: output -> gradient of the loss.
    """
    output, backprop = model(docs, is_train=True)
    backprop(backward(output))
    gradients = {
        (node, name): node.get_grad(name).copy()
        for node in model.walk()
        for name in node.param_names
        if node.has_grad(name)
    }
    assert gradients
    rng = np.random.default_rng(1)
    for (node, name), gradient in gradients.items():
        value = node.get_param(name)
        candidates = np.argwhere(gradient != 0)
        assert len(candidates), (node.name, name)
        for index in rng.permutation(candidates)[:12]:
            losses = []
            for sign in (1, -1):
                moved = value.copy()
                moved[tuple(index)] += sign * step
                node.set_param(name, moved)
                losses.append(forward(model.predict(docs)))
            node.set_param(name, value)
            difference = (losses[0] - losses[1]) / (2 * step)
            assert abs(gradient[tuple(index)] - difference) < tolerance * max(1.0, abs(difference)), (node.name, name)
    return gradients
