"""The encoder as a Thinc model, for whole documents and for heads that bring an encoder of their own.

A head with its own encoder (questions beside passages, say) builds and uses one like this:

    encoder = build_encoder(EncoderSettings(name="google/bigbird-roberta-base"))   # loads nothing
    encoder.initialize()                                                            # loads; sets the dimension nO
    tokenizer, config = get_tokenizer(encoder), get_config(encoder)
    rows, backprop = encoder(PackedPieces(ids, lengths, token_type_ids), is_train=True)
    backprop(d_rows)                                                                # adds to the weights' gradients

Make it a layer of the head's model: then `finish_update`, `to_bytes`, `from_bytes`, `copy` and pickling carry weights,
configuration and vocabulary along. In training, `recompute` in PackedPieces keeps no activations of that call.
"""

from collections.abc import Callable
from typing import Any

from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats2d

from ..errors import Errors
from ..model.config import BigBirdConfig
from ..tokenizer.sentencepiece import BigBirdTokenizer
from .settings import EncoderSettings
from .shim import EncoderShim
from .types import Array, PackedPieces


def build_encoder(
    settings: EncoderSettings, shim_class: type[EncoderShim] = EncoderShim
) -> Model[PackedPieces, Floats2d]:
    """Wrap an encoder that `initialize`, `from_bytes` or `from_folder` of its shim will load.

    settings (EncoderSettings): what to load, how to run and train it.
    shim_class (type[EncoderShim]): what holds it; a subclass gives what a head computes instead of rows.
    RETURNS (Model[PackedPieces, Floats2d]): from sequences to one row per piece. Shape: (total_pieces, width).
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

    model (Model): any model with an encoder among its layers.
    RETURNS (EncoderShim): the first one found, breadth first.
    RAISES ValueError: there is none.
    """
    for node in model.walk():
        for shim in node.shims:
            if isinstance(shim, EncoderShim):
                return shim
    raise ValueError(Errors.BB140.format(found=model.name))


def get_tokenizer(model: Model) -> BigBirdTokenizer:
    """RETURNS (BigBirdTokenizer): the tokenizer of the encoder inside `model`; it must be loaded."""
    return get_shim(model).checkpoint.tokenizer


def get_config(model: Model) -> BigBirdConfig:
    """RETURNS (BigBirdConfig): the configuration of the encoder inside `model`; it must be loaded."""
    return get_shim(model).config


def set_width(model: Model) -> None:
    """Set the dimension nO of every layer that has it unset to the encoder's width, where that is known.

    model (Model): a model whose layers all give the encoder's rows.
    """
    shim = get_shim(model)
    if shim.is_loaded:
        for node in model.walk():
            if node.has_dim("nO") is None:
                node.set_dim("nO", shim.config.hidden_size)
