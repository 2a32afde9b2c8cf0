"""Random weights that attend to neighbours: an initialization for encoders that have minutes to learn, not days.

Position embeddings are initialized to sines and cosines (Vaswani et al. 2017, section 3.5), as strong as the random
word embeddings, and two heads in each of the first two layers attend to the pieces one and two positions before and
after, like the "positional heads" of trained models (Voita et al. 2019). All of these are trained like other weights.
"""

import math

import torch
from torch import Tensor

from spacy_bigbird.model import BigBirdModel

# For each of the first layers, the relative positions that its first heads attend to.
OFFSETS = ((-1, 1), (-2, 2))
# Makes the attention score of the target position about 8, while that of others is about 0.
SHARPNESS = math.sqrt(2)


def rates(width: int) -> Tensor:
    """Choose how fast each pair of sine and cosine turns.

    width (int): width of the embeddings.
    RETURNS (Tensor): angle per position of each pair. The first half is spread over 0 to pi, which distinguishes
        neighbours; the second half gets slower and slower, which distinguishes distant positions. Shape: (width // 2,).
    """
    fast = width // 4
    slow = width // 2 - fast
    spread = (torch.arange(fast) + torch.rand(fast)) * (math.pi / fast)
    return torch.cat([spread, math.pi / 4 * torch.exp(torch.linspace(0, -math.log(1024), slow))])


def position_rows(positions: int, angles: Tensor, deviation: float) -> Tensor:
    """Compute the position embeddings.

    positions (int): number of positions.
    angles (Tensor): angle per position of each pair. Shape: (width // 2,).
    deviation (float): standard deviation of the numbers in a row.
    RETURNS (Tensor): sines in the first half of each row, cosines in the second. Shape: (positions, width).
    """
    turned = torch.arange(positions)[:, None] * angles
    return torch.cat([turned.sin(), turned.cos()], dim=1) * (deviation * math.sqrt(2))


def look_at(weight: Tensor, head: int, head_size: int, angles: Tensor, offset: int) -> None:
    """Change the queries and keys of a head so that it attends to a relative position.

    weight (Tensor): rows of queries, keys and values, changed in place. Shape: (3 * width, width).
    head, head_size (int): index and size of the head.
    angles (Tensor): angle per position of each pair. Shape: (width // 2,).
    offset (int): the relative position, negative for earlier pieces.
    """
    width = weight.shape[1]
    pairs = torch.arange(head_size // 2)
    sines, cosines = pairs, pairs + width // 2
    queries = head * head_size + 2 * pairs
    keys = width + queries
    turn = angles[pairs] * offset
    weight[keys, sines] += SHARPNESS
    weight[keys + 1, cosines] += SHARPNESS
    weight[queries, sines] += SHARPNESS * turn.cos()
    weight[queries, cosines] += SHARPNESS * turn.sin()
    weight[queries + 1, cosines] += SHARPNESS * turn.cos()
    weight[queries + 1, sines] -= SHARPNESS * turn.sin()


def add_neighbours(model: BigBirdModel) -> None:
    """Change the random weights of a model so that it attends to neighbours. Heads of size 64 make attention sharp.

    model (BigBirdModel): a newly initialized model, changed in place. PyTorch's global generator is used.
    """
    config = model.config
    angles = rates(config.hidden_size)
    rows = position_rows(config.max_position_embeddings, angles, config.initializer_range)
    head_size = config.hidden_size // config.num_attention_heads
    with torch.no_grad():
        model.embeddings.position_embeddings.weight.copy_(rows)
        for layer, offsets in zip(model.encoder.layers, OFFSETS, strict=False):
            for head, offset in enumerate(offsets[: config.num_attention_heads]):
                look_at(layer.attention.query_key_value.weight, head, head_size, angles, offset)
