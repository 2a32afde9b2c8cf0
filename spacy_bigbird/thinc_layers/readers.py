"""What an encoder does to the models of the components that listen to it."""

from collections.abc import Iterable

from thinc.api import Model

from .layer_mix import choice_of, tell_layers
from .pooling import allow_empty_tokens
from .shim import EncoderShim
from .token_vectors import pool_in_stretches


def adapt_reader(model: Model, shim: EncoderShim) -> None:
    """Adapt a head's pooling to tokens without pieces and to long documents, and its layer mix to the encoder.

    model (Model): the head's model. It is changed in place; its layers and parameters stay the same.
    shim (EncoderShim): the encoder.
    RAISES ValueError: the head reads a layer that the encoder lacks.
    """
    allow_empty_tokens(model)
    pool_in_stretches(model)
    tell_layers(model, shim)


def choose_layers(shim: EncoderShim, listeners: Iterable[Model]) -> None:
    """Let the encoder return the layers that are read.

    shim (EncoderShim): the encoder.
    listeners (Iterable[Model]): all that listen to it.
    """
    shim.wanted_layers = {choice_of(listener) for listener in listeners}
