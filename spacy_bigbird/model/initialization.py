"""Initialize the weights of a new model."""

import torch
from torch import nn

from ..plan.config import BigBirdConfig


def initialize_weights(module: nn.Module, config: BigBirdConfig) -> None:
    """Initialize all layers of a module.

    Weights of linear layers and embeddings are normally distributed, except for zeros in the padding piece's row.
    Biases are zero, and layer normalisation is the identity.

    module (nn.Module): the module, changed in place. Random numbers come from PyTorch's global generator, so use
        `torch.manual_seed` for reproducible weights.
    config (BigBirdConfig): configuration with the `initializer_range`.
    """
    for layer in module.modules():
        for name, _ in layer.named_parameters(recurse=False):
            initialize_weight(layer, name, config)


def initialize_weight(layer: nn.Module, name: str, config: BigBirdConfig) -> None:
    """Initialize a single weight or bias, as `initialize_weights` does.

    layer (nn.Module): the layer that the weight belongs to, changed in place.
    name (str): name of the weight in the layer.
    config (BigBirdConfig): configuration with the `initializer_range`.
    """
    weight = layer.get_parameter(name)
    if name == "weight" and isinstance(layer, nn.LayerNorm):
        nn.init.ones_(weight)
    elif name == "weight" and isinstance(layer, nn.Linear | nn.Embedding):
        nn.init.normal_(weight, std=config.initializer_range)
        if isinstance(layer, nn.Embedding) and layer.padding_idx is not None:
            with torch.no_grad():
                weight[layer.padding_idx].zero_()
    else:
        nn.init.zeros_(weight)
