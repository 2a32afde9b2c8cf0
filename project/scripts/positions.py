"""Random weights that know neighbours: a start for encoders that have minutes to learn in, not days.

Position embeddings begin as sines and cosines (Vaswani et al. 2017, section 3.5) as strong as the words' random rows,
and two heads of each of the first two layers look at the pieces one and two places before and behind, as the
"positional heads" of trained models do (Voita et al. 2019). All of it is learned further like any other weight.
"""

import math

import torch
from torch import Tensor

from spacy_bigbird.model import BigBirdModel

# Of each layer, where its first heads look.
OFFSETS = ((-1, 1), (-2, 2))
# Makes the score of the place that is looked at about 8, where others have about 0.
SHARPNESS = math.sqrt(2)


def rates(width: int) -> Tensor:
    """RETURNS (Tensor): angle per position of each pair. The first half is spread over 0 to pi, which tells neighbours
    apart; the other gets ever slower, which tells far places apart. Shape: (width // 2,).
    """
    fast = width // 4
    slow = width // 2 - fast
    spread = (torch.arange(fast) + torch.rand(fast)) * (math.pi / fast)
    return torch.cat([spread, math.pi / 4 * torch.exp(torch.linspace(0, -math.log(1024), slow))])


def position_rows(positions: int, angles: Tensor, deviation: float) -> Tensor:
    """positions (int): how many. angles (Tensor): per position. deviation (float): of the numbers in a row.
    RETURNS (Tensor): sines in the first half of each row, cosines in the second. Shape: (positions, 2 angles).
    """
    turned = torch.arange(positions)[:, None] * angles
    return torch.cat([turned.sin(), turned.cos()], dim=1) * (deviation * math.sqrt(2))


def look_at(weight: Tensor, head: int, head_size: int, angles: Tensor, offset: int) -> None:
    """Add to a head's queries and keys what makes it look at the place so far away.

    weight (Tensor): rows of queries, keys and values. Shape: (3 width, width). head (int), head_size (int): the head.
    angles (Tensor): per position. offset (int): below zero for places before.
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
    """Change the random weights of a model so. Heads of 64 make it sharp.

    model (BigBirdModel): as it was made; changed in place. PyTorch's global generator is drawn from.
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
