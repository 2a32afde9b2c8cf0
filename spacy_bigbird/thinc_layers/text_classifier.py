"""Scores of labels per document: a head on rows of the document, whose logits are combined in a weighted mean."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from spacy.tokens import Doc
from thinc.api import Dropout, Linear, Model, Ops, chain, torch2xp, xp2torch
from thinc.initializers import zero_init
from thinc.types import Floats2d, Ragged

from ..errors import Errors
from ..model.activations import ACTIVATIONS
from .resizing import resize_output
from .types import Array, PieceRows

POOLINGS = ("cls", "mean", "max", "attention")


@dataclass
class PieceScores:
    """The parts of one document's logits under "attention" pooling: the sum over pieces of weights times logits.

    weights (Floats2d): attention of each label, which sums to 1 over the pieces. Shape: (pieces, labels).
    logits (Floats2d): output of the head for each piece. Shape: (pieces, labels).
    align (Ragged): the numbers of each spaCy token's pieces, as counted here.
    """

    weights: Floats2d
    logits: Floats2d
    align: Ragged


@dataclass
class TextScores:
    """The scores of a batch.

    logits (Floats2d): one score per document and label. Shape: (documents, labels).
    pieces (list[PieceScores]): the parts of each document's logits, with "attention" pooling only.
    """

    logits: Floats2d
    pieces: list[PieceScores] = field(default_factory=list)


def text_classifier(tok2vec: Model, pooling: str, activation: str, nO: int | None) -> Model[list[Doc], TextScores]:
    """Build the layers of a text classifier.

    The references are "tok2vec", "dense", "output_layer" and, with "attention" pooling, "attention". The arguments are
    those of `spacy_bigbird.architectures.text_classifier.build_text_classifier`.

    tok2vec (Model): the layer that returns PieceRows or one vector per token.
    pooling (str): "cls", "mean", "max" or "attention".
    activation (str): name of the dense layer's activation.
    nO (int | None): number of labels; None if not known yet.
    RETURNS (Model[list[Doc], TextScores]): the model.
    RAISES ValueError: unknown pooling or activation.
    """
    for name, value, allowed in (("pooling", pooling, POOLINGS), ("activation", activation, tuple(ACTIVATIONS))):
        if value not in allowed:
            raise ValueError(Errors.BB200.format(name=name, value=value, expected=" or ".join(allowed)))
    dense, output = Linear(), Linear(nO)
    hidden: Model = chain(Dropout(), dense, activation_layer(activation), Dropout())
    layers = [tok2vec, hidden, output]
    refs: dict[str, Model | None] = {"tok2vec": tok2vec, "dense": dense, "output_layer": output}
    if pooling == "attention":
        # With weights of zero attention is uniform, so that training starts from the mean.
        layers.append(Linear(nO, init_W=zero_init))
        refs["attention"] = layers[-1]
    return Model(
        "text_classifier",
        _forward,
        init=_init,
        layers=layers,
        dims={"nO": nO},
        refs=refs,
        attrs={"pooling": pooling, "resize_output": resize_output},
    )


def _forward(model: Model, docs: list[Doc], is_train: bool) -> tuple[TextScores, Callable[[Floats2d], Any]]:
    inputs, backprop_inputs = model.layers[0](docs, is_train)
    # One document at a time: for a batch of long ones, every layer's output would be needed for all pieces at once.
    scored = [_score(model, X, is_train) for X in inputs]
    logits = model.ops.alloc2f(len(docs), model.layers[2].get_dim("nO"))
    for row, (document_logits, _, _) in enumerate(scored):
        logits[row] = document_logits
    pieces = [parts for _, parts, _ in scored if parts is not None]

    def backprop(d_logits: Any) -> Any:
        pairs = zip(scored, d_logits, strict=True)
        return backprop_inputs([backprop_document(gradient) for (_, _, backprop_document), gradient in pairs])

    return TextScores(logits, pieces), backprop


def _score(model: Model, X: Any, is_train: bool) -> tuple[Array, PieceScores | None, Callable[[Array], Any]]:
    """Compute one document's logits, their parts, and the function from their gradient to that of the input."""
    ops = model.ops
    rows, weights, unpool = _POOL[model.attrs["pooling"]](ops, X)
    hidden, backprop_hidden = model.layers[1](rows, is_train)
    logits, backprop_output = model.layers[2](hidden, is_train)
    backprop_attention = pieces = None
    if model.attrs["pooling"] == "attention":
        attention, backprop_attention = model.layers[3](hidden, is_train)
        weights = ops.softmax(attention, axis=0)
        pieces = PieceScores(weights, logits, _piece_align(ops, X))
    total = (weights * logits).sum(axis=0)

    def backprop(gradient: Array) -> Any:
        d_hidden = backprop_output(weights * gradient)
        if backprop_attention is not None:
            d_hidden = d_hidden + backprop_attention(weights * (logits - total) * gradient)
        return unpool(backprop_hidden(d_hidden))

    return total, pieces, backprop


# The result of a pooling: the rows that the head is applied to, the weights of their logits (shape: (rows, 1)), and
# the function from the gradient of the rows to that of the input.
Pooled = tuple[Array, Array, Callable[[Array], Any]]


def _pieces(X: PieceRows | Floats2d) -> Array:
    """Get the rows of a document's pieces, without [CLS] and [SEP], or all rows if there is one vector per token."""
    return X.rows[1:-1] if isinstance(X, PieceRows) else X


def _spread(ops: Ops, X: PieceRows | Floats2d, d_pieces: Array) -> Any:
    """Turn the gradient of the pieces into that of the input, in its form."""
    if not isinstance(X, PieceRows):
        return d_pieces
    d_rows = ops.alloc2f(*X.rows.shape)
    d_rows[1:-1] = d_pieces
    return PieceRows(d_rows, X.align, ops.alloc2f(*X.window_cls.shape), X.window_lengths)


def _pool_cls(ops: Ops, X: PieceRows | Floats2d) -> Pooled:
    if not isinstance(X, PieceRows):
        expected = '"mean", "max" or "attention" where the vectors do not come from spacy-bigbird.PieceListener.v1'
        raise ValueError(Errors.BB200.format(name="pooling", value="cls", expected=expected))
    # A document without pieces has one window of length zero.
    window_lengths: Array = X.window_lengths
    lengths = ops.xp.maximum(ops.asarray1f(window_lengths, dtype="f"), 1e-6)

    def unpool(d_cls: Array) -> PieceRows:
        return PieceRows(ops.alloc2f(*X.rows.shape), X.align, d_cls, X.window_lengths)

    return X.window_cls, (lengths / lengths.sum()).reshape(-1, 1), unpool


def _pool_mean(ops: Ops, X: PieceRows | Floats2d) -> Pooled:
    pieces = _pieces(X)
    count = max(1, len(pieces))

    def unpool(d_mean: Array) -> Any:
        return _spread(ops, X, ops.xp.repeat(d_mean / count, len(pieces), axis=0))

    return pieces.sum(axis=0, keepdims=True) / count, ops.alloc2f(1, 1) + 1.0, unpool


def _pool_max(ops: Ops, X: PieceRows | Floats2d) -> Pooled:
    pieces = _pieces(X)
    if not len(pieces):
        return _pool_mean(ops, X)
    which = pieces.argmax(axis=0)
    columns = ops.xp.arange(pieces.shape[1])

    def unpool(d_max: Array) -> Any:
        d_pieces = ops.alloc2f(*pieces.shape)
        d_pieces[which, columns] = d_max[0]
        return _spread(ops, X, d_pieces)

    return pieces[which, columns].reshape(1, -1), ops.alloc2f(1, 1) + 1.0, unpool


def _pool_attention(ops: Ops, X: PieceRows | Floats2d) -> Pooled:
    pieces = _pieces(X)
    if not len(pieces):
        return _pool_mean(ops, X)
    return pieces, ops.alloc2f(len(pieces), 1), lambda d_pieces: _spread(ops, X, d_pieces)


_POOL = {"cls": _pool_cls, "mean": _pool_mean, "max": _pool_max, "attention": _pool_attention}


def _piece_align(ops: Ops, X: PieceRows | Floats2d) -> Ragged:
    """Get the alignment with pieces counted from 0: row 0 of the document is [CLS], which is not a piece here."""
    if isinstance(X, PieceRows):
        align: Array = X.align
        return Ragged(ops.asarray1i(align.dataXd.reshape(-1) - 1), ops.asarray1i(align.lengths))
    return Ragged(ops.asarray1i(range(len(X))), ops.asarray1i([1] * len(X)))


def _init(model: Model, X: list[Doc] | None = None, Y: Any = None) -> None:
    tok2vec, dense = model.get_ref("tok2vec"), model.get_ref("dense")
    tok2vec.initialize(X=X)
    width = tok2vec.get_dim("nO")
    dense.set_dim("nI", width)
    dense.set_dim("nO", width)
    for layer in model.layers[2:]:
        layer.set_dim("nI", width)
        layer.set_dim("nO", model.get_dim("nO"))
    for layer in model.layers[1:]:
        layer.initialize()


def activation_layer(name: str) -> Model[Floats2d, Floats2d]:
    """Build a layer with one of the encoder's activations. Thinc's GELU is a different approximation.

    name (str): name in `spacy_bigbird.model.activations.ACTIVATIONS`.
    RETURNS (Model[Floats2d, Floats2d]): the layer.
    """
    return Model("activation", _activation_forward, attrs={"activation": name})


def _activation_forward(model: Model, X: Floats2d, is_train: bool) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    inputs: Any = xp2torch(X, requires_grad=is_train)
    outputs = ACTIVATIONS[model.attrs["activation"]](inputs)

    def backprop(gradient: Floats2d) -> Floats2d:
        outputs.backward(xp2torch(gradient))
        return cast(Floats2d, torch2xp(inputs.grad))

    return cast(Floats2d, torch2xp(outputs)), backprop
