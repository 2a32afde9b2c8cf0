"""Scores of tags per token (pooling of its pieces, dropout, one linear layer) and of transitions between tags."""

from collections.abc import Callable
from typing import Any

from spacy.tokens import Doc
from thinc.api import Dropout, Linear, Model, Ops, chain, map_list
from thinc.initializers import zero_init
from thinc.types import Floats2d

from ..errors import Errors
from .resizing import resize_output
from .types import Array, PieceRows

POOLINGS = ("first", "mean", "max")
# Learning rates of fine-tuning are about 5e-5, and Adam moves a parameter by about that much per step: without this
# factor, the transitions would still be close to zero at the end of training.
TRANSITION_SCALE = 20.0


def token_classifier(tok2vec: Model, pooling: str, nO: int | None) -> Model[list[Doc], list[Floats2d]]:
    """Build the layers of a token classifier.

    The references are "tok2vec", "output_layer" (the linear layer) and "transitions" (a node with the parameters
    `follow` and `within`, which are to be multiplied by TRANSITION_SCALE). The arguments are those of
    `spacy_bigbird.architectures.token_classifier.build_token_classifier`.

    tok2vec (Model): the layer that returns PieceRows or one vector per token.
    pooling (str): "first", "mean" or "max".
    nO (int | None): number of tags; None if not known yet.
    RETURNS (Model[list[Doc], list[Floats2d]]): the model. Shape of each output: (tokens, tags).
    RAISES ValueError: unknown pooling.
    """
    if pooling not in POOLINGS:
        raise ValueError(Errors.BB200.format(name="pooling", value=pooling, expected=" or ".join(POOLINGS)))
    output = Linear(nO)
    dropout: Model = Dropout()
    # One document at a time: a batch of long ones would be copied as a whole.
    head: Model = map_list(chain(dropout, output))
    transitions = _transitions(nO)
    model: Model = Model(
        "token_classifier",
        _forward,
        init=_init,
        layers=[tok2vec, token_vectors(pooling), head, transitions],
        dims={"nO": nO},
        refs={"tok2vec": tok2vec, "output_layer": output, "transitions": transitions},
        attrs={"resize_output": resize_output},
    )
    return model


def _forward(model: Model, docs: list[Doc], is_train: bool) -> tuple[list[Floats2d], Callable]:
    output: Any = docs
    callbacks = []
    for layer in model.layers[:-1]:
        output, backprop = layer(output, is_train)
        callbacks.append(backprop)

    def backprop_all(gradient: list[Floats2d]) -> Any:
        result: Any = gradient
        for callback in reversed(callbacks):
            result = callback(result)
        return result

    return output, backprop_all


def _init(model: Model, X: list[Doc] | None = None, Y: Any = None) -> None:
    tok2vec, output, transitions = model.get_ref("tok2vec"), model.get_ref("output_layer"), model.get_ref("transitions")
    tok2vec.initialize(X=X)
    output.set_dim("nI", tok2vec.get_dim("nO"))
    for node in (output, transitions):
        node.set_dim("nO", model.get_dim("nO"))
        node.initialize()


def _transitions(nO: int | None) -> Model:
    params: dict[str, Any] = {"follow": None, "within": None}
    return Model("transitions", _nothing, init=_init_transitions, dims={"nO": nO}, params=params)


def _nothing(model: Model, X: Any, is_train: bool) -> tuple[Any, Callable]:
    return X, lambda dY: dY


def _init_transitions(model: Model, X: Any = None, Y: Any = None) -> None:
    labels = (model.get_dim("nO") - 1) // 4
    model.set_param("follow", zero_init(model.ops, (1 + labels, 1 + labels)))
    model.set_param("within", zero_init(model.ops, (labels, 2, 2)))


def token_vectors(pooling: str) -> Model[list[Any], list[Floats2d]]:
    """Pool the vectors of each token's pieces; a token without pieces gets zeros.

    Inputs with one vector per token pass unchanged, so any other spaCy embedding can be used in place of the listener.

    pooling (str): "first", "mean" or "max".
    RETURNS (Model[list[PieceRows | Floats2d], list[Floats2d]]): the layer. Shape of each output: (tokens, width).
    """
    return Model("token_vectors", _token_vectors_forward, attrs={"pooling": pooling})


def _token_vectors_forward(model: Model, inputs: list[Any], is_train: bool) -> tuple[list[Floats2d], Callable]:
    pooled = [_pool(model.ops, model.attrs["pooling"], X) if isinstance(X, PieceRows) else (X, None) for X in inputs]

    def backprop(gradients: list[Floats2d]) -> list[Any]:
        pairs = zip(pooled, gradients, strict=True)
        return [gradient if callback is None else callback(gradient) for (_, callback), gradient in pairs]

    return [output for output, _ in pooled], backprop


def _pool(ops: Ops, pooling: str, X: PieceRows) -> tuple[Array, Callable | None]:
    rows: Array = X.rows
    align: Array = X.align
    lengths: Array = ops.asarray1i(align.lengths)
    pieces: Array = ops.asarray1i(align.dataXd.reshape(-1))
    with_pieces = ops.xp.flatnonzero(lengths)
    output = ops.alloc2f(len(lengths), rows.shape[1])
    counts = lengths[with_pieces]
    which: Any = None
    if pooling == "first":
        pieces = pieces[ops.xp.cumsum(counts) - counts]
        output[with_pieces] = rows[pieces]
    elif pooling == "mean":
        output[with_pieces] = ops.reduce_mean(rows[pieces], counts)
    elif len(counts):
        output[with_pieces], which = ops.reduce_max(rows[pieces], counts)

    def backprop(gradient: Any) -> PieceRows:
        d_pieces = ops.as_contig(gradient[with_pieces])
        if pooling == "mean":
            d_pieces = ops.backprop_reduce_mean(d_pieces, counts)
        elif pooling == "max" and len(counts):
            d_pieces = ops.backprop_reduce_max(d_pieces, which, counts)
        d_rows = ops.alloc2f(*rows.shape)
        ops.scatter_add(d_rows, pieces, d_pieces)
        return PieceRows(d_rows, X.align, ops.alloc2f(*X.window_cls.shape), X.window_lengths)

    return output, backprop
