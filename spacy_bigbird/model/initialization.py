"""Random weights of a new model."""

from torch import nn

from .config import BigBirdConfig


def initialize_weights(module: nn.Module, config: BigBirdConfig) -> None:
    """Give every layer inside a module the random weights that a new BigBird has: normal for linear layers and
    embeddings (the padding piece's row zero), zero biases, identity layer normalisation.

    module (nn.Module): changed in place. PyTorch's global generator is drawn from, so `torch.manual_seed` decides.
    config (BigBirdConfig): gives `initializer_range`.
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
