"""The reference: BigBird's attention as dense attention with an explicit count for every query and key.

It is slow and needs quadratic memory. All others must equal it, and only it returns attention probabilities.
"""

import numpy as np
import torch
from torch import Tensor

from ....plan.attention import AttentionPlan
from ....plan.config import BigBirdConfig
from ....plan.pattern import random_blocks


def attend(query_key_value: Tensor, plan: AttentionPlan, dropout: float) -> Tensor:
    """Compute the attention. Arguments as in `attention.api.attend`."""
    return attend_with_probabilities(query_key_value, plan, dropout)[0]


def refusal(query_key_value: Tensor, plan: AttentionPlan, dropout: float) -> str | None:
    """Say what the engine cannot do: nothing."""
    return None


def attend_with_probabilities(
    query_key_value: Tensor, plan: AttentionPlan, dropout: float
) -> tuple[Tensor, list[Tensor]]:
    """Compute the attention and its probabilities.

    query_key_value (Tensor): concatenated projections. Shape: (rows, 3 * hidden_size).
    plan (AttentionPlan): what attends to what.
    dropout (float): dropout of dense attention's probabilities.
    RETURNS (tuple[Tensor, list[Tensor]]): the concatenated outputs of the heads, shape (rows, hidden_size), and for
        each sequence the probabilities, shape (heads, length, length).
    """
    heads = plan.config.num_attention_heads
    outputs, attentions = [query_key_value.new_empty(0, query_key_value.shape[1] // 3)], []
    for rows, sequence in zip(query_key_value.split(plan.packing.row_counts), plan.sequences(), strict=True):
        query, key, value = rows[: sequence.length].unflatten(1, (3, heads, -1)).permute(1, 2, 0, 3)
        counts = key_counts(plan.config, plan.layer, sequence.length, sequence.pattern_blocks)
        context, probabilities = reference_attention(query, key, value, counts, dropout if sequence.is_dense else 0.0)
        padding = (0, 0, 0, sequence.rows - sequence.length)
        outputs.append(torch.nn.functional.pad(context.transpose(0, 1).flatten(1), padding))
        attentions.append(probabilities)
    return torch.cat(outputs), attentions


def key_counts(config: BigBirdConfig, layer: int, length: int, num_blocks: int) -> Tensor:
    """Count how often each key is included in the softmax of each query.

    config (BigBirdConfig): the hyper-parameters.
    layer (int): index of the layer.
    length (int): number of pieces of the sequence.
    num_blocks (int): number of blocks that determines the sparse pattern; 0 for dense attention.
    RETURNS (Tensor): counts by head, query and key. Shape: (heads, length, length).
    """
    size, heads = config.block_size, config.num_attention_heads
    if num_blocks == 0:
        return torch.ones(heads, length, length, device="cpu")
    counts = np.zeros((heads, num_blocks, num_blocks), dtype=np.float32)
    counts[:, [0, -1], :] = 1
    drawn = random_blocks(config, layer, num_blocks)
    for query in range(1, num_blocks - 1):
        counts[:, query, [0, query - 1, query, query + 1, num_blocks - 1]] = 1
        for head in range(heads):
            for key in drawn[head, query - 1]:
                if key >= 0:
                    counts[head, query, key] += 1
    by_piece = torch.from_numpy(counts).repeat_interleave(size, 1).repeat_interleave(size, 2)
    return by_piece[:, :length, :length]


def reference_attention(
    query: Tensor, key: Tensor, value: Tensor, counts: Tensor, dropout: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Compute softmax attention in which a key may count several times or not at all.

    query, key, value (Tensor): projections of one sequence. Shape: (heads, length, head_size).
    counts (Tensor): counts from `key_counts`. Shape: (heads, length, length).
    dropout (float): dropout of the attention probabilities.
    RETURNS (tuple[Tensor, Tensor]): the heads' outputs and the probabilities, whose rows sum to 1 without dropout.
        Shapes: (heads, length, head_size) and (heads, length, length).
    """
    scores = query @ key.transpose(1, 2) * query.shape[-1] ** -0.5
    # log(0) is -inf, so such a key has probability 0. In at least fp32, because half precision loses the tail.
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    scores = scores + counts.to(scores).log()
    probabilities = torch.dropout(scores.softmax(dim=-1).to(value.dtype), dropout, train=dropout > 0)
    return probabilities @ value, probabilities
