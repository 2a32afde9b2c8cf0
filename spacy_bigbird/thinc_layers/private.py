"""What stock objects have no public name for: the only place where their private parts are read."""

from collections.abc import Callable
from typing import Any

from thinc.api import Model


def forward_of(model: Model) -> Callable:
    """Get the function that computes a layer. Thinc asks for it when callbacks are replaced, but does not tell it.

    model (Model): the layer.
    RETURNS (Callable): the function.
    """
    return model._func


def replace_init(model: Model, init: Callable) -> None:
    """Replace only how a layer is initialized.

    model (Model): the layer, changed in place.
    init (Callable): the function.
    """
    model.replace_callbacks(forward_of(model), init=init)


def received(listener: Any) -> tuple[Any, list[Any]]:
    """Get what an encoder has sent to a listener in training. The stock listener only hands it to its own function.

    listener (TransformerListener): the listener.
    RETURNS (tuple[Any, list[Any]]): the identity of the batch, or None if there is none, and its documents' data.
    """
    return listener._batch_id, listener._outputs
