"""The encoder as a Thinc model, for whole documents and for heads with an encoder of their own.

A head with its own encoder (to read a question along with a passage, say) builds and uses one like this:

    encoder = build_encoder(EncoderSettings(name="google/bigbird-roberta-base"))   # loads nothing
    encoder.initialize()                                                            # loads; sets the dimension nO
    tokenizer, config = get_tokenizer(encoder), get_config(encoder)
    rows, backprop = encoder(PackedPieces(ids, lengths, token_type_ids), is_train=True)
    backprop(d_rows)                                                                # adds to the weights' gradients

Make it a layer of the head's model: `finish_update`, `to_bytes`, `from_bytes`, `copy` and pickling then include the
weights, configuration and vocabulary. In training, a call with `recompute` set in PackedPieces keeps no activations.
"""

from collections.abc import Callable
from typing import Any

from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats2d

from ..errors import Errors
from ..plan.config import BigBirdConfig
from ..tokenizer.sentencepiece import BigBirdTokenizer
from .settings import EncoderSettings
from .shim import EncoderShim
from .types import Array, PackedPieces


def build_encoder(
    settings: EncoderSettings, shim_class: type[EncoderShim] = EncoderShim
) -> Model[PackedPieces, Floats2d]:
    """Wrap an encoder that is loaded later, by `initialize`, `from_bytes` or its shim's `from_folder`.

    settings (EncoderSettings): what to load, and how to run and train it.
    shim_class (type[EncoderShim]): the shim that holds it; a subclass returns the output of a head instead of rows.
    RETURNS (Model[PackedPieces, Floats2d]): a layer from sequences to one row per piece. Shape: (total_pieces, width).
    """
    return Model("bigbird_encoder", _forward, init=_init, dims={"nO": None}, shims=[shim_class(settings)])


def _init(model: Model, X: Any = None, Y: Any = None) -> None:
    get_shim(model).load()
    set_width(model)


def _forward(model: Model, inputs: PackedPieces, is_train: bool) -> tuple[Array, Callable[[Array], None]]:
    shim = get_shim(model)
    if not is_train:
        return torch2xp(shim.predict(inputs)), _no_backprop
    rows, backprop = shim.begin_update(inputs)
    return torch2xp(rows), lambda gradient: backprop(xp2torch(gradient, device=shim.device))


def _no_backprop(gradient: Any) -> None:
    return None


def get_shim(model: Model) -> EncoderShim:
    """Find the encoder inside a model.

    model (Model): any model that contains an encoder.
    RETURNS (EncoderShim): the first encoder found, breadth first.
    RAISES ValueError: the model contains no encoder.
    """
    for node in model.walk():
        for shim in node.shims:
            if isinstance(shim, EncoderShim):
                return shim
    raise ValueError(Errors.BB140.format(found=model.name))


def get_tokenizer(model: Model) -> BigBirdTokenizer:
    """Get the tokenizer of the encoder inside a model.

    model (Model): any model that contains a loaded encoder.
    RETURNS (BigBirdTokenizer): the tokenizer.
    RAISES ValueError: the model contains no encoder, or it is not loaded.
    """
    return get_shim(model).checkpoint.tokenizer


def get_config(model: Model) -> BigBirdConfig:
    """Get the configuration of the encoder inside a model.

    model (Model): any model that contains a loaded encoder.
    RETURNS (BigBirdConfig): the configuration.
    RAISES ValueError: the model contains no encoder, or it is not loaded.
    """
    return get_shim(model).config


def set_width(model: Model) -> None:
    """Set every unset dimension nO inside a model to the encoder's width. Does nothing before the encoder is loaded.

    model (Model): a model whose layers all return rows of the encoder's width.
    """
    shim = get_shim(model)
    if shim.is_loaded:
        for node in model.walk():
            if node.has_dim("nO") is None:
                node.set_dim("nO", shim.config.hidden_size)
