"""Attention to some of the keys, which can be completed by attention to others: the same as to all of them at once.

The output for all keys is a weighted mean of the outputs for parts of them. The weight of a part is the sum of its
exponentiated scores, whose logarithm is kept along with the output.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ...plan.attention import AttentionPlan
from .engines.torch import attend_with

# Scores that are computed at a time: 16 MB, which limits memory and stays near a CPU's caches.
SCORES_AT_ONCE = 2**22


class Partial(NamedTuple):
    """What queries read from some of their keys.

    output (Tensor): as if there were no other keys. Shape: (..., queries, head_size).
    weight (Tensor): logarithm of the sum of the exponentiated scores. Shape: (..., queries, 1).
    """

    output: Tensor
    weight: Tensor

    def join(self, other: Partial) -> Tensor:
        """Complete this attention by that to all other keys.

        other (Partial): what the same queries read from the other keys.
        RETURNS (Tensor): the output for all keys. Shape: (..., queries, head_size).
        """
        return torch.lerp(other.output, self.output, torch.sigmoid(self.weight - other.weight))


def attend_to(query: Tensor, key: Tensor, value: Tensor, dropout: float = 0.0) -> Partial:
    """Attend to some keys.

    query (Tensor): the queries. Shape: (..., queries, head_size).
    key, value (Tensor): the keys and their values. Shape: (..., keys, head_size).
    dropout (float): dropout of the attention probabilities.
    RETURNS (Partial): what the queries read, in at least fp32.
    """
    both = _operator(query, key, value, dropout_p=dropout)
    return Partial(both[..., :-1], both[..., -1:])


def attend_to_own(query_key_value: Tensor, plan: AttentionPlan, dropout: float = 0.0) -> Partial:
    """Attend to the keys that a plan allows, as `attention.api.attend` does.

    query_key_value (Tensor): concatenated projections. Shape: (rows, 3 * hidden_size).
    plan (AttentionPlan): what attends to what.
    dropout (float): dropout of dense attention's probabilities.
    RETURNS (Partial): what the rows read. Shape of the output: (heads, rows, head_size).
    """
    both = attend_with(_operator, query_key_value, plan, dropout, SCORES_AT_ONCE // 2).transpose(0, 1)
    return Partial(both[..., :-1], both[..., -1:])


def _operator(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0
) -> Tensor:
    """Compute what PyTorch's operator does with a mask that is the same for all queries of a sequence or block, and
    `Partial.weight` as one more column.
    """
    mask = None if attn_mask is None else attn_mask[..., :1, :]
    per_query = query.shape[:-2].numel() * key.shape[-2]
    step = max(1, SCORES_AT_ONCE // max(1, per_query))
    if step >= query.shape[-2]:
        return _attend(query, key, value, mask, dropout_p)
    repeats = torch.is_grad_enabled() and query.requires_grad
    outputs = []
    for part in query.split(step, dim=-2):
        arguments = (part, key, value, mask, dropout_p)
        outputs.append(checkpoint(_attend, *arguments, use_reentrant=False) if repeats else _attend(*arguments))
    return torch.cat(outputs, dim=-2)


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
    scores = query * query.shape[-1] ** -0.5 @ key.transpose(-1, -2)
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if mask is not None:
        scores = scores.masked_fill_(~mask, -torch.inf) if mask.dtype == torch.bool else scores.add_(mask)
    highest = scores.detach().amax(-1, keepdim=True)
    exponentials = scores.sub_(highest).exp_()
    total = exponentials.sum(-1, keepdim=True)
    output = torch.dropout(exponentials.to(value.dtype), dropout, train=dropout > 0) @ value
    return torch.cat([output / total, highest + total.log()], dim=-1)
