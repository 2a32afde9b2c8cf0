"""A listener that returns whole documents as rows. The node that spaCy links is that of spacy-transformers."""

import warnings
from collections.abc import Callable
from typing import Any

from spacy.tokens import Doc
from spacy_transformers.data_classes import TransformerData
from spacy_transformers.layers import TransformerListener
from thinc.api import Model, chain
from thinc.types import Ragged
from transformers.utils import ModelOutput

from ..errors import Errors
from ..warnings import Warnings
from .layer_choice import LayerChoice
from .layer_mix import NAME, layer_mix, width_of
from .private import replace_init
from .types import Array, BigBirdData, PieceRows


def piece_listener(
    upstream: str, grad_factor: float, choice: LayerChoice = "last"
) -> Model[list[Doc], list[PieceRows]]:
    """Listen to a `bigbird` component and return all rows of every document.

    upstream (str): name of the component to listen to, or "*" for any.
    grad_factor (float): factor on the gradient that is sent to the encoder.
    choice (LayerChoice): the layers to read.
    RETURNS (Model[list[Doc], list[PieceRows]]): the layer. Its reference "listener" is the node that spaCy links.
    """
    listener = listening_node(upstream, choice)
    model: Model = chain(listener, *mixing(choice), piece_rows(grad_factor))
    replace_init(model, _init_piece_listener)
    model.set_ref("listener", listener)
    return model


def _init_piece_listener(model: Model, X: list[Doc] | None = None, Y: Any = None) -> None:
    """Set the width to the encoder's, which is known without a forward pass."""
    upstream: Any = model.layers[0]
    upstream.initialize(X=X)
    if not upstream.has_dim("nO"):
        raise ValueError(Errors.BB145.format(upstream=upstream.upstream_name))
    set_mixed_width(model, upstream.get_dim("nO"))


def listening_node(upstream: str, choice: LayerChoice) -> TransformerListener:
    """Make the node that spaCy links. Its attribute "layers" tells the encoder what is read.

    upstream (str): name of the component to listen to, or "*" for any.
    choice (LayerChoice): the layers to read.
    RETURNS (TransformerListener): the node.
    """
    listener = TransformerListener(upstream_name=upstream)
    if choice != "last":
        listener.attrs["layers"] = choice
    return listener


def mixing(choice: LayerChoice) -> list[Model]:
    """Make what stands between a listener and the layers behind it.

    choice (LayerChoice): the layers to read.
    RETURNS (list[Model]): a layer mix, or nothing if only the last layer is read.
    """
    return [] if choice == "last" else [layer_mix(choice)]


def set_mixed_width(model: Model, width: int) -> None:
    """Initialize the layers behind a listener, and set a model's width to what they return.

    model (Model): a chain of a listener, or what stands in its place, and further layers.
    width (int): width of the encoder.
    """
    for node in model.layers[1:]:
        node.initialize()
        width = width_of(node, width) if node.name == NAME else width
    model.set_dim("nO", width)


def piece_rows(grad_factor: float) -> Model[list[TransformerData], list[PieceRows]]:
    """Turn the documents' data into rows with their alignment.

    grad_factor (float): factor on the gradient.
    RETURNS (Model[list[TransformerData], list[PieceRows]]): the layer.
    """
    return Model("piece_rows", _piece_rows_forward, attrs={"grad_factor": grad_factor})


def _piece_rows_forward(
    model: Model, datas: list[TransformerData], is_train: bool
) -> tuple[list[PieceRows], Callable[[list[PieceRows]], list[TransformerData]]]:
    outputs = [_as_piece_rows(model, data) for data in datas]
    shapes = [(output.rows.shape, len(output.window_cls)) for output in outputs]

    def backprop(gradients: list[PieceRows]) -> list[TransformerData]:
        factor = model.attrs["grad_factor"]
        return [_as_gradient(*args, factor) for args in zip(datas, gradients, shapes, strict=True)]

    return outputs, backprop


def _as_piece_rows(model: Model, data: TransformerData) -> PieceRows:
    output = data.model_output
    if "window_cls" not in output:
        if any(map(any, data.wordpieces.strings)):
            raise ValueError(Errors.BB130.format(kind=type(data).__name__))
        # The stock listener's placeholder for a document that nothing has encoded: no encoder has linked it.
        if len(data.align.lengths):
            reader = "A component with spacy-bigbird.PieceListener.v1"
            warnings.warn(Warnings.BW130.format(reader=reader, encoder="its encoder"), stacklevel=2)
        data = BigBirdData.without_vectors(len(data.align.lengths), data.width, model.ops.xp)
        output = data.model_output
    to_float = model.ops.asarray2f
    return PieceRows(
        _writable(to_float(output["last_hidden_state"][0])),
        Ragged(_writable(data.align.dataXd), _writable(data.align.lengths)),
        _writable(to_float(output["window_cls"])),
        _writable(output["window_lengths"]),
        output.get("statistics"),
    )


def _writable(array: Array) -> Array:
    """Copy a read-only array, such as one read from bytes: Thinc's operations require writable arrays."""
    return array if getattr(array.flags, "writeable", True) else array.copy()


def _as_gradient(
    data: TransformerData, gradient: PieceRows, shape: tuple[tuple[int, int], int], factor: float
) -> TransformerData:
    rows: Array = gradient.rows
    window_cls: Array = gradient.window_cls
    if (rows.shape, len(window_cls)) != shape:
        raise ValueError(Errors.BB131.format(given=(rows.shape, len(window_cls)), expected=shape))
    d_rows = rows * factor
    d_rows[0] += window_cls[0] * factor
    output = ModelOutput(last_hidden_state=d_rows.reshape(1, *d_rows.shape))
    if len(window_cls) > 1:
        d_window_cls = window_cls * factor
        d_window_cls[0] = 0.0
        output["window_cls"] = d_window_cls
    return TransformerData(wordpieces=data.wordpieces, model_output=output, align=data.align)
