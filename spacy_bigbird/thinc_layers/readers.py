"""What an encoder does to the models of the components that listen to it."""

from collections.abc import Sequence

from thinc.api import Model

from .layer_choice import all_layers
from .layer_mix import choice_of, tell_layers
from .pooling import allow_empty_tokens
from .shim import EncoderShim
from .token_vectors import pool_in_stretches

# Attribute of a listener behind which a document is nothing but statistics of its pieces, without weights to learn.
ONLY_STATISTICS = "only_statistics"


def adapt_reader(model: Model, shim: EncoderShim) -> None:
    """Adapt a head's pooling to tokens without pieces and to long documents, and its layer mix to the encoder.

    model (Model): the head's model. It is changed in place; its layers and parameters stay the same.
    shim (EncoderShim): the encoder.
    RAISES ValueError: the head reads a layer that the encoder lacks.
    """
    allow_empty_tokens(model)
    pool_in_stretches(model)
    tell_layers(model, shim)


def choose_layers(shim: EncoderShim, listeners: Sequence[Model], *, keeps_vectors: bool) -> None:
    """Let the encoder return the layers that are read; of frozen ones with a cache, only statistics if these will do.

    shim (EncoderShim): the encoder.
    listeners (Sequence[Model]): all that listen to it.
    keeps_vectors (bool): whether somebody else may read the vectors after them.
    """
    shim.wanted_layers = {choice_of(listener) for listener in listeners}
    only_statistics = bool(listeners) and all(ONLY_STATISTICS in listener.attrs for listener in listeners)
    shim.summarizes = not keeps_vectors and only_statistics and _is_frozen(shim)


def _is_frozen(shim: EncoderShim) -> bool:
    """Determine if everything that is read is frozen and cached, so that statistics can be kept in its place."""
    layers = all_layers(shim.wanted_layers, shim.config.num_hidden_layers)
    return shim.store is not None and max(layers) <= shim.settings.freeze_layers > 0
