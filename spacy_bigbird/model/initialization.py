"""Initialize the weights of a new model."""

from torch import nn

from .config import BigBirdConfig


def initialize_weights(module: nn.Module, config: BigBirdConfig) -> None:
    """Initialize all layers of a module.

    Weights of linear layers and embeddings are normally distributed, except for zeros in the padding piece's row.
    Biases are zero, and layer normalisation is the identity.

    module (nn.Module): the module, changed in place. Random numbers come from PyTorch's global generator, so use
        `torch.manual_seed` for reproducible weights.
    config (BigBirdConfig): configuration with the `initializer_range`.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=config.initializer_range)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Embedding):
            nn.init.normal_(layer.weight, std=config.initializer_range)
            if layer.padding_idx is not None:
                nn.init.zeros_(layer.weight[layer.padding_idx])
        elif isinstance(layer, nn.LayerNorm):
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)
