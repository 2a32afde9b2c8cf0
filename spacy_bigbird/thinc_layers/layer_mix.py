"""Listen to chosen layers of the encoder, or to a learned mean of all of them, instead of the last one only.

The layer stands behind a listener and takes a document's data: what comes out looks as if the encoder's last layer had
been the chosen layers side by side, or their mean. So everything that reads a listener's data works unchanged.
"""

from collections.abc import Callable
from typing import Any

from spacy_transformers.data_classes import TransformerData
from thinc.api import Model
from transformers.utils import ModelOutput

from ..errors import Errors
from .layer_choice import LayerChoice, layers_of
from .shim import EncoderShim
from .types import Array, with_output

NAME = "layer_mix"


def layer_mix(choice: LayerChoice) -> Model[list[TransformerData], list[TransformerData]]:
    """Build the layer.

    A learned mean has a weight for each layer, which a softmax normalizes, and a factor (Peters et al. 2018, section
    3.2). It starts as the plain mean.

    choice (LayerChoice): the listener's choice, other than "last".
    RETURNS (Model[list[TransformerData], list[TransformerData]]): a layer from the documents' data to their data with
        the chosen states as the last ones.
    """
    params: dict[str, Any] = {"weights": None, "factor": None} if choice == "mix" else {}
    return Model(NAME, _forward, init=_init, dims={"layers": None}, params=params, attrs={"layers": choice})


def tell_layers(model: Model, shim: EncoderShim) -> None:
    """Tell every layer mix inside a model how many layers the encoder has. Does nothing before the encoder is loaded.

    model (Model): a head's model.
    shim (EncoderShim): the encoder that it listens to.
    RAISES ValueError: a layer was chosen that the encoder lacks.
    """
    if not shim.is_loaded:
        return
    count = shim.config.num_hidden_layers
    for node in model.walk():
        if node.name == NAME:
            layers_of(choice_of(node), count)
            node.set_dim("layers", count + 1, force=True)


def choice_of(model: Model) -> LayerChoice:
    """Get the layers that a listener or a layer mix reads.

    model (Model): the node. A listener of another package reads the last layer.
    RETURNS (LayerChoice): the choice.
    """
    # Tuples come back from disk as lists.
    choice = model.attrs.get("layers", "last")
    return choice if isinstance(choice, str) else tuple(choice)


def width_of(model: Model, width: int) -> int:
    """Get the width of what a layer mix returns.

    model (Model): a layer mix.
    width (int): width of the encoder.
    RETURNS (int): the width.
    """
    choice = choice_of(model)
    return width if isinstance(choice, str) else width * len(choice)


def _init(model: Model, X: Any = None, Y: Any = None) -> None:
    if "weights" in model.param_names and model.has_dim("layers"):
        model.set_param("weights", model.ops.alloc1f(model.get_dim("layers")))
        model.set_param("factor", model.ops.alloc1f(1) + 1.0)


def _forward(
    model: Model, datas: list[TransformerData], is_train: bool
) -> tuple[list[TransformerData], Callable[[list[TransformerData]], list[TransformerData]]]:
    mixed = [_mix(model, data) for data in datas]

    def backprop(gradients: list[TransformerData]) -> list[TransformerData]:
        return [callback(gradient) for (_, callback), gradient in zip(mixed, gradients, strict=True)]

    return [data for data, _ in mixed], backprop


def _mix(model: Model, data: TransformerData) -> tuple[TransformerData, Callable[[TransformerData], TransformerData]]:
    output = data.model_output
    if "all_layers" not in output:
        return _without_vectors(model, data), lambda gradient: gradient
    layers = output["layers"].tolist()
    rows, backprop_rows = _combine(model, output["all_layers"][0], layers)
    cls, backprop_cls = _combine(model, output["all_layers_cls"], layers)
    chosen = {"last_hidden_state": rows[None], "window_cls": cls, "window_lengths": output["window_lengths"]}
    if "all_statistics" in output:
        chosen["statistics"], _ = _combine(model, output["all_statistics"], layers)

    def backprop(gradient: TransformerData) -> TransformerData:
        given = gradient.model_output
        d_output = ModelOutput(last_hidden_state=backprop_rows(given["last_hidden_state"][0])[None])
        if "window_cls" in given:
            d_output["window_cls"] = backprop_cls(given["window_cls"])
        return with_output(gradient, d_output)

    return with_output(data, ModelOutput(chosen)), backprop


def _without_vectors(model: Model, data: TransformerData) -> TransformerData:
    """Make the placeholder for a document that nothing has encoded as wide as the chosen layers."""
    output = data.model_output
    if any(map(any, data.wordpieces.strings)):
        raise ValueError(Errors.BB462.format(layers=model.attrs["layers"]))
    width = width_of(model, data.width)
    zeros = {
        key: model.ops.xp.zeros((*output[key].shape[:-1], width), dtype="f")
        for key in ("last_hidden_state", "window_cls")
        if key in output
    }
    return with_output(data, ModelOutput({**output, **zeros}))


def _combine(model: Model, states: Array, layers: list[int]) -> tuple[Array, Callable[[Array], Array]]:
    """Combine states of several layers, side by side. Shape: (rows, layers * width)."""
    xp = model.ops.xp
    count, columns = states.shape
    floats: Array = model.ops.asarray_f(states)
    by_layer = floats.reshape(count, len(layers), columns // len(layers))
    if "weights" not in model.param_names:
        chosen: Any = choice_of(model)
        return _choose(model, by_layer, [layers.index(layer) for layer in chosen])
    weights: Array = model.get_param("weights")
    factor: Array = model.get_param("factor")
    shares = model.ops.softmax(weights[None])[0]

    def backprop(gradient: Array) -> Array:
        by_share = xp.einsum("nw,nlw->l", gradient, by_layer)
        model.inc_grad("weights", factor * shares * (by_share - (by_share * shares).sum()))
        model.inc_grad("factor", (by_share * shares).sum(keepdims=True))
        return (gradient[:, None] * (factor * shares)[:, None]).reshape(count, columns)

    return xp.einsum("nlw,l->nw", by_layer, factor * shares), backprop


def _choose(model: Model, by_layer: Array, chosen: list[int]) -> tuple[Array, Callable[[Array], Array]]:
    count, layers, width = by_layer.shape

    def backprop(gradient: Array) -> Array:
        d_states: Array = model.ops.alloc3f(count, layers, width)
        for place, layer in enumerate(chosen):
            d_states[:, layer] += gradient[:, place * width : (place + 1) * width]
        return d_states.reshape(count, layers * width)

    return by_layer[:, chosen].reshape(count, len(chosen) * width), backprop
