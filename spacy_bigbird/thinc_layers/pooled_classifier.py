"""Scores of labels per document: a classifier on statistics of all of its pieces."""

from collections.abc import Callable, Sequence
from typing import Any

from spacy.tokens import Doc
from thinc.api import Dropout, Linear, Model, chain
from thinc.initializers import zero_init

from ..errors import Errors
from ..model.activations import ACTIVATIONS
from .document_pooling import FIXED, STATISTICS, pool_documents, standardize
from .layer_mix import choice_of
from .readers import ONLY_STATISTICS
from .resizing import resize_output
from .text_classifier import TextScores, activation_layer
from .types import Array


def pooled_classifier(
    tok2vec: Model, pooling: Sequence[str], standardized: bool, hidden_width: int, activation: str, nO: int | None
) -> Model[list[Doc], TextScores]:
    """Build the layers of a text classifier on pooled documents.

    The references are "tok2vec" and "output_layer". The arguments are those of
    `spacy_bigbird.architectures.text_classifier.build_pooled_text_classifier`.

    tok2vec (Model): the layer that returns PieceRows or one vector per token.
    pooling (Sequence[str]): the statistics.
    standardized (bool): whether they are brought to a common scale.
    hidden_width (int): width of a hidden layer; 0 for none.
    activation (str): its activation.
    nO (int | None): number of labels; None if not known yet.
    RETURNS (Model[list[Doc], TextScores]): the model.
    RAISES ValueError: a setting is not allowed.
    """
    if isinstance(pooling, str) or not pooling or not set(pooling) <= set(STATISTICS):
        expected = f"a list of {', '.join(STATISTICS)}"
        raise ValueError(Errors.BB200.format(name="pooling", value=pooling, expected=expected))
    if activation not in ACTIVATIONS:
        raise ValueError(Errors.BB200.format(name="activation", value=activation, expected=" or ".join(ACTIVATIONS)))
    if isinstance(hidden_width, bool) or not isinstance(hidden_width, int) or hidden_width < 0:
        expected = "a whole number, 0 for no hidden layer"
        raise ValueError(Errors.BB200.format(name="hidden_width", value=hidden_width, expected=expected))
    if (
        "listener" in tok2vec.ref_names
        and set(pooling) <= set(FIXED)
        and choice_of(tok2vec.get_ref("listener")) != "mix"
    ):
        tok2vec.get_ref("listener").attrs[ONLY_STATISTICS] = True
    layers: list[Model] = [standardize()] if standardized else []
    layers.append(Dropout())
    if hidden_width:
        layers += [Linear(hidden_width), activation_layer(activation), Dropout()]
    # With weights of zero, no label is preferred at first: a logistic regression has one best solution.
    output = Linear(nO, init_W=zero_init)
    return Model(
        "pooled_classifier",
        _forward,
        init=_init,
        layers=[tok2vec, pool_documents(pooling), chain(*layers, output)],
        dims={"nO": nO},
        refs={"tok2vec": tok2vec, "output_layer": output},
        attrs={"resize_output": resize_output},
    )


def _forward(model: Model, docs: list[Doc], is_train: bool) -> tuple[TextScores, Callable[[Array], Any]]:
    inputs, backprop_inputs = model.layers[0](docs, is_train)
    pooled, backprop_pool = model.layers[1](inputs, is_train)
    logits, backprop_head = model.layers[2](pooled, is_train)
    return TextScores(logits), lambda gradient: backprop_inputs(backprop_pool(backprop_head(gradient)))


def _init(model: Model, X: list[Doc] | None = None, Y: Any = None) -> None:
    tok2vec, pool, head = model.layers
    tok2vec.initialize(X=X)
    pool.set_dim("nI", tok2vec.get_dim("nO"))
    width = tok2vec.get_dim("nO") * len(pool.attrs["statistics"])
    model.get_ref("output_layer").set_dim("nO", model.get_dim("nO"))
    for node in head.layers:
        if node.has_dim("nI") is None:
            node.set_dim("nI", width)
        width = node.get_dim("nO") if node.has_dim("nO") else width
    for node in (pool, *head.layers):
        node.initialize()
