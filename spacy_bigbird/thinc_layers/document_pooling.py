"""One vector for a whole document: statistics over all of its pieces, side by side, on a common scale."""

from collections.abc import Callable, Sequence
from typing import Any

from thinc.api import Model, Ops
from thinc.types import Floats2d

from ..errors import Errors
from .types import Array, PieceRows

STATISTICS = ("cls", "mean", "std", "max", "attention")
# Those without weights to learn: they are the same every time for a frozen encoder.
FIXED = STATISTICS[:-1]
EPSILON = 1e-6
# The scale is exact for so many documents, and later follows about as many of the latest ones: an encoder may change.
LATEST = 2000


def pool_documents(statistics: Sequence[str]) -> Model[list[Any], Floats2d]:
    """Build a layer that describes each document by statistics of its pieces, whatever their number.

    A document in several windows is one document. Only "cls", a mean by the windows' lengths, takes them into account.
    A document that comes as statistics, without its pieces, gets no gradient.

    statistics (Sequence[str]): any of "cls", "mean", "std" (standard deviation), "max" and "attention" (a mean with
        weights that are learned, which starts as the plain mean).
    RETURNS (Model[list[PieceRows | Floats2d], Floats2d]): the layer. Shape of the output: (documents, statistics *
        width).
    """
    params: dict[str, Any] = {"query": None} if "attention" in statistics else {}
    return Model(
        "pool_documents", _forward, init=_init, params=params, dims={"nI": None}, attrs={"statistics": list(statistics)}
    )


def _init(model: Model, X: Any = None, Y: Any = None) -> None:
    if "query" in model.param_names:
        model.set_param("query", model.ops.alloc1f(model.get_dim("nI")))


def _forward(model: Model, inputs: list[Any], is_train: bool) -> tuple[Array, Callable[[Array], list[Any]]]:
    statistics, width = model.attrs["statistics"], model.get_dim("nI")
    output: Array = model.ops.alloc2f(len(inputs), len(statistics) * width)
    callbacks: list[list[Callable]] = []
    for number, X in enumerate(inputs):
        parts = [_compute(model, name, X) for name in statistics]
        output[number] = model.ops.xp.concatenate([value for value, _ in parts])
        callbacks.append([callback for _, callback in parts])

    def backprop(gradient: Array) -> list[Any]:
        return [_spread(model.ops, *item, width) for item in zip(inputs, callbacks, gradient, strict=True)]

    return output, backprop


def _spread(ops: Ops, X: Any, callbacks: list[Callable], gradient: Array, width: int) -> Any:
    """Turn the gradient of one document's statistics into that of the input, in its form."""
    pieces = pieces_of(X)
    d_rows: Array = ops.alloc2f(*(X.rows if isinstance(X, PieceRows) else X).shape)
    d_pieces = d_rows[1:-1] if isinstance(X, PieceRows) else d_rows
    d_cls: Array = ops.alloc2f(*X.window_cls.shape) if isinstance(X, PieceRows) else None
    for number, callback in enumerate(callbacks):
        callback(gradient[number * width : (number + 1) * width], d_pieces if len(pieces) else None, d_cls)
    return PieceRows(d_rows, X.align, d_cls, X.window_lengths) if isinstance(X, PieceRows) else d_rows


def pieces_of(X: Any) -> Array:
    """Get the vectors of a document's pieces, without [CLS] and [SEP]; all vectors if there is one for each token.

    X (PieceRows | Floats2d): the document.
    RETURNS (Floats2d): the vectors. Shape: (pieces, width).
    """
    return X.rows[1:-1] if isinstance(X, PieceRows) else X


# Adds the gradient of a statistic to those of the pieces (None if there are none) and of the windows' [CLS].
Add = Callable[[Array, Array, Array], None]


def _compute(model: Model, name: str, X: Any) -> tuple[Array, Add]:
    if isinstance(X, PieceRows) and X.statistics is not None:
        return X.statistics[FIXED.index(name)], lambda gradient, d_pieces, d_cls: None
    xp, pieces = model.ops.xp, pieces_of(X)
    if name == "cls":
        return _cls(model.ops, X)
    if not len(pieces):
        return model.ops.alloc1f(model.get_dim("nI")), lambda gradient, d_pieces, d_cls: None
    mean = pieces.mean(axis=0)
    if name == "std":
        deviation = xp.sqrt(((pieces - mean) ** 2).mean(axis=0) + EPSILON)

        def add_std(gradient: Array, d_pieces: Array, d_cls: Array) -> None:
            d_pieces += (gradient / (len(pieces) * deviation)) * (pieces - mean)

        return deviation, add_std
    if name == "max":
        which, columns = pieces.argmax(axis=0), xp.arange(pieces.shape[1])

        def add_max(gradient: Array, d_pieces: Array, d_cls: Array) -> None:
            d_pieces[which, columns] += gradient

        return pieces[which, columns], add_max
    if name == "attention":
        query: Array = model.get_param("query")
        weights = model.ops.softmax((pieces @ query)[None])[0]
        value = weights @ pieces

        def add_attention(gradient: Array, d_pieces: Array, d_cls: Array) -> None:
            d_scores = weights * (pieces @ gradient - value @ gradient)
            model.inc_grad("query", d_scores @ pieces)
            d_pieces += xp.outer(weights, gradient) + xp.outer(d_scores, query)

        return value, add_attention

    def add_mean(gradient: Array, d_pieces: Array, d_cls: Array) -> None:
        d_pieces += gradient / len(pieces)

    return mean, add_mean


def _cls(ops: Ops, X: Any) -> tuple[Array, Add]:
    if not isinstance(X, PieceRows):
        expected = "others where the vectors do not come from spacy-bigbird.PieceListener.v1 or v2"
        raise ValueError(Errors.BB200.format(name="pooling", value="cls", expected=expected))
    lengths: Array = ops.xp.maximum(ops.asarray(X.window_lengths, dtype="f"), EPSILON)
    shares = lengths / lengths.sum()

    def add(gradient: Array, d_pieces: Array, d_cls: Array) -> None:
        d_cls += ops.xp.outer(shares, gradient)

    return shares @ X.window_cls, add


def standardize() -> Model[Floats2d, Floats2d]:
    """Build a layer that brings each column to mean 0 and standard deviation 1 over the documents seen in training.

    Statistics of different size then count alike, which a classifier on a frozen encoder needs. In prediction, the
    scale is that of the training.

    RETURNS (Model[Floats2d, Floats2d]): the layer. Shape: (documents, columns).
    """
    params: dict[str, Any] = {"center": None, "variance": None, "seen": None}
    return Model("standardize", _standardize, init=_init_scale, params=params, dims={"nI": None})


def _init_scale(model: Model, X: Any = None, Y: Any = None) -> None:
    columns = model.get_dim("nI")
    model.set_param("center", model.ops.alloc1f(columns))
    model.set_param("variance", model.ops.alloc1f(columns) + 1.0)
    model.set_param("seen", model.ops.alloc1f(1))


def _standardize(model: Model, X: Array, is_train: bool) -> tuple[Array, Callable[[Array], Array]]:
    if is_train and len(X):
        _follow(model, X)
    center: Array = model.get_param("center")
    variance: Array = model.get_param("variance")
    scale = model.ops.xp.sqrt(variance + EPSILON)
    return (X - center) / scale, lambda gradient: gradient / scale


def _follow(model: Model, X: Array) -> None:
    """Take a batch into the mean and the variance. Both are constants for the gradient."""
    center: Array = model.get_param("center")
    variance: Array = model.get_param("variance")
    seen: Array = model.get_param("seen")
    share = len(X) / (min(float(seen[0]), LATEST) + len(X))
    difference = X.mean(axis=0) - center
    spread = ((X - X.mean(axis=0)) ** 2).mean(axis=0)
    model.set_param("variance", (1 - share) * variance + share * spread + share * (1 - share) * difference**2)
    model.set_param("center", center + share * difference)
    model.set_param("seen", seen + len(X))
