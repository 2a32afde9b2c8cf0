"""Scores of labelled spans: for each token and label, how likely a span starts there, ends there, and contains it.

A clause is recognized by what its sentence says somewhere, so each token sees the strongest features of its own stretch
(see `stretches.py`) and of the one before, which is often a heading. The cost is linear in the length of the document.
"""

from collections.abc import Callable
from typing import Any

from spacy.tokens import Doc
from thinc.api import Dropout, LayerNorm, Linear, Maxout, Model, Ops, chain, expand_window, residual
from thinc.initializers import zero_init
from thinc.types import Floats2d

from ..errors import Errors
from .matrix_products import multiply_with_numpy
from .resizing import resize_output
from .stretches import Stretch, stretches_of
from .token_classifier import POOLINGS, token_vectors
from .types import Array

# What is scored for each label, in the order of the outputs.
START, END, INSIDE = range(3)
KINDS = 3
# Spans are rare, so that training starts from low probabilities, also for labels that are added later.
PRIOR_LOGIT = -5.0
# Whether a token is the first, and whether it is the last, of its stretch.
EDGES = 2
PIECES = 2
LONGEST_STRETCH = 256


def span_classifier(
    tok2vec: Model, pooling: str, width: int, depth: int, nO: int | None
) -> Model[list[Doc], list[Floats2d]]:
    """Build the layers of a span classifier.

    The references are "tok2vec" and "output_layer". The arguments are those of
    `spacy_bigbird.architectures.span_classifier.build_span_classifier`.

    tok2vec (Model): the layer that returns PieceRows or one vector per token.
    pooling (str): "first", "mean" or "max".
    width (int): width of the hidden layers.
    depth (int): number of convolutions.
    nO (int | None): number of outputs; None if not known yet.
    RETURNS (Model[list[Doc], list[Floats2d]]): the model. Shape of each output: (tokens, 3 labels).
    RAISES ValueError: unknown pooling, or a size that is not allowed.
    """
    for name, is_allowed, value, expected in (
        ("pooling", pooling in POOLINGS, pooling, " or ".join(POOLINGS)),
        ("width", width >= 1, width, "at least 1"),
        ("depth", depth >= 0, depth, "at least 0"),
    ):
        if not is_allowed:
            raise ValueError(Errors.BB200.format(name=name, value=value, expected=expected))
    reduce = Maxout(width, nP=PIECES)
    dropout: Model = Dropout()
    hidden: list[Model] = [chain(dropout, reduce, LayerNorm(width))]
    for _ in range(depth):
        hidden.append(residual(chain(expand_window(1), _hidden(width, 3 * width))))
    local: Model = chain(*hidden) if depth else hidden[0]
    combine = _hidden(width, 3 * width)
    output = Linear(nO, width, init_W=zero_init, init_b=_prior)
    for layer in (local, combine, output):
        multiply_with_numpy(layer)
    return Model(
        "span_classifier",
        _forward,
        init=_init,
        layers=[tok2vec, token_vectors(pooling), local, combine, output],
        dims={"nO": nO},
        refs={"tok2vec": tok2vec, "reduce": reduce, "output_layer": output},
        attrs={"resize_output": resize_span_classifier},
    )


def _hidden(width: int, inputs: int) -> Model[Floats2d, Floats2d]:
    return chain(Maxout(width, inputs, nP=PIECES), LayerNorm(width), Dropout())


def _prior(ops: Ops, shape: tuple[int, ...]) -> Array:
    return ops.alloc(shape) + PRIOR_LOGIT


def _init(model: Model, X: list[Doc] | None = None, Y: Any = None) -> None:
    tok2vec, reduce, output = (model.get_ref(name) for name in ("tok2vec", "reduce", "output_layer"))
    tok2vec.initialize(X=X)
    reduce.set_dim("nI", tok2vec.get_dim("nO") + EDGES)
    output.set_dim("nO", model.get_dim("nO"))
    for layer in model.layers[2:]:
        layer.initialize()


def _forward(model: Model, docs: list[Doc], is_train: bool) -> tuple[list[Floats2d], Callable]:
    rows, backprop_rows = model.layers[0](docs, is_train)
    vectors, backprop_vectors = model.layers[1](rows, is_train)
    # One document at a time: a batch of long ones would need every layer's output for all tokens at once.
    scored = [_score(model, doc, X, is_train) for doc, X in zip(docs, vectors, strict=True)]

    def backprop(d_scores: list[Floats2d]) -> Any:
        pairs = zip(scored, d_scores, strict=True)
        return backprop_rows(backprop_vectors([callback(gradient) for (_, callback), gradient in pairs]))

    return [scores for scores, _ in scored], backprop


def _score(model: Model, doc: Doc, X: Array, is_train: bool) -> tuple[Array, Callable[[Array], Array]]:
    ops = model.ops
    if not len(doc):
        return ops.alloc2f(0, model.get_dim("nO")), lambda gradient: X
    stretches = stretches_of(doc, LONGEST_STRETCH)
    local, backprop_local = model.layers[2](ops.xp.hstack([X, _edges(ops, len(doc), stretches)]), is_train)
    context, backprop_context = _with_context(ops, local, stretches)
    combined, backprop_combine = model.layers[3](context, is_train)
    scores, backprop_output = model.layers[4](combined, is_train)

    def backprop(gradient: Array) -> Array:
        d_local = backprop_context(backprop_combine(backprop_output(gradient)))
        return ops.as_contig(backprop_local(d_local)[:, :-EDGES])

    return scores, backprop


def _edges(ops: Ops, length: int, stretches: list[Stretch]) -> Array:
    edges = ops.alloc2f(length, EDGES)
    for column, tokens in enumerate(([start for start, _ in stretches], [end - 1 for _, end in stretches])):
        edges[tokens, column] = 1.0
    return edges


def _with_context(ops: Ops, X: Array, stretches: list[Stretch]) -> tuple[Array, Callable[[Array], Array]]:
    """Append to each token's features the maxima over its own stretch and over the one before, or zeros."""
    width = X.shape[1]
    lengths = ops.asarray1i([end - start for start, end in stretches])
    maxima, which = ops.reduce_max(X, lengths)
    before = ops.xp.vstack([ops.alloc2f(1, width), maxima[:-1]])
    numbers = ops.xp.repeat(ops.xp.arange(len(stretches)), lengths)

    def backprop(gradient: Array) -> Array:
        own, earlier = (
            ops.reduce_sum(ops.as_contig(gradient[:, part : part + width]), lengths) for part in (width, 2 * width)
        )
        own[:-1] += earlier[1:]
        return gradient[:, :width] + ops.backprop_reduce_max(own, which, lengths)

    return ops.xp.hstack([X, maxima[numbers], before[numbers]]), backprop


def resize_span_classifier(model: Model, new_nO: int) -> Model:
    """Add outputs for new labels. Existing labels keep their weights; new labels are improbable everywhere.

    model (Model): a span classifier.
    new_nO (int): number of outputs, not less than before.
    RETURNS (Model): the same model.
    """
    old_nO = model.get_dim("nO") if model.has_dim("nO") else None
    resize_output(model, new_nO)
    output = model.get_ref("output_layer")
    if old_nO is not None and output.has_param("b"):
        bias: Array = output.get_param("b").copy()
        bias[old_nO:] = PRIOR_LOGIT
        output.set_param("b", bias)
    return model
