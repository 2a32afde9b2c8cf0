"""Models of ours and of transformers to be saved and loaded, and what to compare of them."""

import torch
from torch import nn

from spacy_bigbird.model import (
    BigBirdConfig,
)

SIZES = {
    "vocab_size": 40,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 32,
    "block_size": 4,
    "attention_type": "original_full",
}
CONFIG = BigBirdConfig(**SIZES)


def randomized(model: nn.Module, seed: int = 0) -> nn.Module:
    """The model with every parameter drawn anew, also the biases that initialisation sets to zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return model


def assert_same_weights(one: nn.Module, other: nn.Module) -> None:
    left, right = one.state_dict(), other.state_dict()
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), name
