"""The engine of PyTorch's FlexAttention: one fused kernel for all documents and heads, which skips unread blocks.

On a GPU the kernel is compiled on first use. On a CPU PyTorch runs it unfused, in quadratic memory and without a
backward pass: that is for tests.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....plan.attention import AttentionPlan
from ....plan.pattern import MISSING
from ...cpu.device import on_cpu

# The kernels' matrix products have at least this many rows.
SMALLEST_BLOCK = 16


def attend(query_key_value: Tensor, plan: AttentionPlan, dropout: float) -> Tensor:
    """Compute the attention. Arguments as in `attention.api.attend`."""
    heads = plan.config.num_attention_heads
    if not len(query_key_value):
        return query_key_value.new_empty(0, query_key_value.shape[1] // 3)
    layout = _layout(plan, query_key_value.device)
    rows = query_key_value if layout.rows is None else query_key_value.index_select(0, layout.rows)
    query, key, value = rows.unflatten(1, (3, heads, -1)).permute(1, 2, 0, 3)[:, None].contiguous()
    attention = _eager() if on_cpu(query_key_value) else _compiled()
    output = attention(query, key, value, score_mod=layout.score_mod, block_mask=layout.mask)
    output = output[0].transpose(0, 1).flatten(1)
    return output if layout.back is None else output.index_select(0, layout.back)


def refusal(query_key_value: Tensor, plan: AttentionPlan, dropout: float) -> str | None:
    """Say what the engine cannot do. Arguments as in `attention.api.attend`."""
    if dropout and not all(plan.packing.pattern_blocks):
        return "it has no dropout of attention probabilities, which short sequences in training ask for"
    if on_cpu(query_key_value):
        needs_gradient = torch.is_grad_enabled() and query_key_value.requires_grad
        return "PyTorch has no backward pass of FlexAttention on the CPU" if needs_gradient else None
    if plan.config.block_size % SMALLEST_BLOCK:
        return f"its kernels need a block_size that is a multiple of {SMALLEST_BLOCK}, not {plan.config.block_size}"
    return None


@functools.cache
def _eager() -> Callable[..., Any]:
    from torch.nn.attention.flex_attention import flex_attention

    return flex_attention


@functools.cache
def _compiled() -> Callable[..., Any]:
    return torch.compile(_eager())


@dataclass(frozen=True, eq=False)
class _Layout:
    """Whole blocks for every sequence, and which of them read which.

    rows (Tensor | None): row of the packed batch for each row of the blocks; None if they are the same.
    back (Tensor | None): the reverse.
    mask (BlockMask): the blocks that are read.
    score_mod (Callable | None): adds to the scores of blocks that count several times; None if none does.
    """

    rows: Tensor | None
    back: Tensor | None
    mask: Any
    score_mod: Callable[..., Tensor] | None


@functools.lru_cache(maxsize=32)
def _layout(plan: AttentionPlan, device: torch.device) -> _Layout:
    from torch.nn.attention.flex_attention import BlockMask

    size = plan.config.block_size
    rows, back, counts, pieces = block_counts(plan)
    total = len(rows)
    times = torch.from_numpy(counts).to(device)
    valid = torch.from_numpy(pieces).to(device)

    def mask_mod(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (times[head, query // size, key // size] > 0) & (key % size < valid[key // size])

    def score_mod(score: Tensor, batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return score + times[head, query // size, key // size].to(score.dtype).log()

    is_whole = valid == size
    partial, full = (_listed((times > 0) & which) for which in (~is_whole, is_whole))
    mask = BlockMask.from_kv_blocks(*partial, *full, BLOCK_SIZE=size, mask_mod=mask_mod, seq_lengths=(total, total))
    is_same = total == len(back)
    return _Layout(
        None if is_same else torch.from_numpy(rows).to(device),
        None if is_same else torch.from_numpy(back).to(device),
        mask,
        score_mod if counts.max() > 1 else None,
    )


def _listed(reads: Tensor) -> tuple[Tensor, Tensor]:
    """Convert a table of what is read to the number and the indices of the key blocks of each query block."""
    counts = reads.sum(-1, dtype=torch.int32)
    order = torch.argsort(reads.to(torch.int8), dim=-1, descending=True, stable=True).to(torch.int32)
    return counts[None], order[None]


def block_counts(plan: AttentionPlan) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Lay a batch out in whole blocks and count how often each of them is read by each other one.

    plan (AttentionPlan): the plan.
    RETURNS (tuple[ndarray, ndarray, ndarray, ndarray]): row of the batch for each row of the blocks (any row where
        there is none); the reverse; how often a query block counts a key block, shape (heads, blocks, blocks); and the
        number of pieces in each block, shape (blocks,).
    """
    size, heads = plan.config.block_size, plan.config.num_attention_heads
    sequences = list(plan.sequences())
    blocks = [-(-sequence.rows // size) for sequence in sequences]
    counts = np.zeros((heads, sum(blocks), sum(blocks)), dtype=np.int32)
    rows, back, pieces, first = [], [], [], 0
    for sequence, number in zip(sequences, blocks, strict=True):
        own = counts[:, first : first + number, first : first + number]
        if sequence.is_dense:
            own[:] = 1
        else:
            table = plan.key_blocks(sequence)
            own[:, list(table.global_queries)] = 1
            head, query, place = np.nonzero(table.blocks != MISSING)
            np.add.at(own, (head, query + 1, table.blocks[head, query, place]), 1)
        places = np.arange(number * size)
        rows.append(sequence.start + np.minimum(places, sequence.rows - 1))
        back.append(first * size + places[: sequence.rows])
        pieces.append(np.clip(sequence.length - places[::size], 0, size))
        first += number
    return np.concatenate(rows), np.concatenate(back), counts, np.concatenate(pieces)
