"""The engine of plain PyTorch operators: all heads and sequences at once, on any device.

Blocks are gathered for every query block, then PyTorch's attention operator does the rest. What was gathered is not
kept for the backward pass but gathered again, so that memory grows linearly in training too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ....plan.attention import AttentionPlan, block_table
from ....plan.pattern import MISSING
from ...cpu.first_order import first_order_only

# Entries of the key blocks gathered at a time: 128 MB in half precision, which keeps a large GPU busy.
GATHERED_AT_ONCE = 2**26


def attend(query_key_value: Tensor, plan: AttentionPlan, dropout: float) -> Tensor:
    """Compute the attention. Arguments as in `attention.api.attend`."""
    if not len(query_key_value):
        return query_key_value.new_empty(0, query_key_value.shape[1] // 3)
    return attend_with(F.scaled_dot_product_attention, query_key_value, plan, dropout, GATHERED_AT_ONCE).flatten(1)


def attend_with(
    operator: Callable[..., Tensor],
    query_key_value: Tensor,
    plan: AttentionPlan,
    dropout: float,
    at_once: int,
) -> Tensor:
    """Compute the attention with another operator than PyTorch's.

    operator (Callable[..., Tensor]): takes what `scaled_dot_product_attention` takes. Shape: (..., queries, any width).
    query_key_value, plan, dropout: as in `attention.api.attend`, with at least one row.
    at_once (int): entries of the key blocks that may be gathered at a time.
    RETURNS (Tensor): what the operator returns for each row and head. Shape: (rows, heads, any width).
    """
    jobs = _jobs(plan, query_key_value.device)
    by_head = query_key_value.unflatten(1, (3, plan.config.num_attention_heads, -1))
    outputs = [
        _attend_to_everything(operator, by_head, group, dropout if group.is_dense else 0.0) for group in jobs.groups
    ]
    if jobs.sparse is not None:
        outputs.append(_attend_to_blocks(operator, by_head, jobs.sparse, plan.config.block_size, at_once))
    return torch.cat(outputs).index_select(0, jobs.order)


def refusal(query_key_value: Tensor, plan: AttentionPlan, dropout: float) -> str | None:
    """Say what the engine cannot do: nothing."""
    return None


@dataclass(frozen=True, eq=False)
class _Group:
    """Queries of similarly long sequences that attend to all of their sequence.

    query_rows (Tensor): rows of the queries, padded with any row. Shape: (sequences, queries).
    key_rows (Tensor): rows of the pieces, likewise. Shape: (sequences, keys).
    is_key (Tensor | None): False for padding; None if there is none. Shape: (sequences, 1, 1, keys).
    is_query (Tensor | None): likewise. Shape: (sequences, queries).
    is_dense (bool): whether these are sequences with dense attention, rather than the global blocks of others.
    """

    query_rows: Tensor
    key_rows: Tensor
    is_key: Tensor | None
    is_query: Tensor | None
    is_dense: bool


@dataclass(frozen=True, eq=False)
class _Sparse:
    """Query blocks that attend to some blocks.

    rows (Tensor): rows of the blocks of all sparse sequences. Shape: (blocks * block_size,).
    queries (Tensor): the query blocks that are not global. Shape: (queries,).
    keys (Tensor): their key blocks, 0 for missing ones. Shape: (heads, queries, key blocks).
    penalty (Tensor): -inf for rows that are not to be read. Shape: (heads, queries, 1, key blocks * block_size).
    """

    rows: Tensor
    queries: Tensor
    keys: Tensor
    penalty: Tensor


@dataclass(frozen=True, eq=False)
class _Jobs:
    """All products of a batch, and the position of each row among their concatenated results. Shape: (rows,)."""

    groups: list[_Group]
    sparse: _Sparse | None
    order: Tensor


@lru_cache(maxsize=64)
def _jobs(plan: AttentionPlan, device: torch.device) -> _Jobs:
    """Plan the products of a batch, with all indices on the device."""
    size = plan.config.block_size
    whole: dict[tuple[bool, int, int], list[tuple[np.ndarray, np.ndarray]]] = defaultdict(list)
    sparse_rows = [np.zeros(0, np.int64)]
    for sequence in plan.sequences():
        rows = np.arange(sequence.start, sequence.start + sequence.rows)
        queries = rows
        if not sequence.is_dense:
            sparse_rows.append(rows)
            queries = rows.reshape(-1, size)[list(plan.key_blocks(sequence).global_queries)].ravel()
        key = (sequence.is_dense, _rounded(len(queries)), _rounded(sequence.length))
        whole[key].append((queries, rows[: sequence.length]))
    groups = [_group(jobs, is_dense, device) for (is_dense, _, _), jobs in whole.items()]
    done = [queries for jobs in whole.values() for queries, _ in jobs]
    sparse, blocks = None, np.concatenate(sparse_rows).reshape(-1, size)
    table = block_table(plan)
    if len(table.queries):
        done.append(blocks[table.queries].ravel())
        allowed = np.arange(size) < table.pieces[table.keys][..., None]
        allowed &= (table.keys != MISSING)[..., None]
        penalty = torch.zeros(allowed.shape, device=device)
        penalty = penalty.masked_fill_(~torch.from_numpy(allowed).to(device), -torch.inf).flatten(2)[:, :, None]
        keys = torch.from_numpy(np.maximum(table.keys, 0)).to(device)
        sparse = _Sparse(_on(blocks.ravel(), device), _on(table.queries, device), keys, penalty)
    order = np.argsort(np.concatenate([np.zeros(0, np.int64), *done]), kind="stable")
    return _Jobs(groups, sparse, _on(order, device))


def _group(jobs: list[tuple[np.ndarray, np.ndarray]], is_dense: bool, device: torch.device) -> _Group:
    padded, present = [], []
    for rows in zip(*jobs, strict=True):
        longest = max(map(len, rows))
        padded.append(_on(np.stack([np.pad(one, (0, longest - len(one)), "edge") for one in rows]), device))
        is_there = np.stack([np.arange(longest) < len(one) for one in rows])
        present.append(None if is_there.all() else _on(is_there, device))
    is_query, is_key = present
    query_rows, key_rows = padded
    return _Group(query_rows, key_rows, None if is_key is None else is_key[:, None, None], is_query, is_dense)


def _on(array: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def _rounded(count: int) -> int:
    """Round up to one of few sizes, by at most an eighth, so that sequences of similar lengths form a group."""
    step = 1 << max(count.bit_length() - 4, 0)
    return -(-count // step) * step


def _attend_to_everything(operator: Callable[..., Tensor], by_head: Tensor, group: _Group, dropout: float) -> Tensor:
    """Compute the attention of a group. Shape: (queries of all its sequences, heads, any width)."""
    query = by_head[group.query_rows, 0].transpose(1, 2)
    key, value = (by_head[group.key_rows, which].transpose(1, 2) for which in (1, 2))
    output = operator(query, key, value, attn_mask=group.is_key, dropout_p=dropout)
    output = output.transpose(1, 2)
    return output.flatten(0, 1) if group.is_query is None else output[group.is_query]


def _attend_to_blocks(
    operator: Callable[..., Tensor], by_head: Tensor, sparse: _Sparse, block_size: int, at_once: int
) -> Tensor:
    """Compute the attention of query blocks that are not global. Shape: (queries * block_size, heads, any width)."""
    # (3, heads, blocks, block_size, head_size)
    query, key, value = by_head[sparse.rows].unflatten(0, (-1, block_size)).permute(2, 3, 0, 1, 4)
    query = query.index_select(1, sparse.queries)
    penalty = sparse.penalty.to(query.dtype)

    def attend_some(query: Tensor, key: Tensor, value: Tensor, which: slice) -> Tensor:
        keys, values = (_Gather.apply(part, sparse.keys[:, which]) for part in (key, value))
        mask = penalty[:, which].expand(-1, -1, block_size, -1)
        return operator(query[:, which], keys, values, attn_mask=mask)

    outputs = []
    for which in _chunks(sparse.keys, block_size * query.shape[-1], at_once):
        if torch.is_grad_enabled() and by_head.requires_grad:
            arguments = (attend_some, query, key, value, which)
            outputs.append(checkpoint(*arguments, use_reentrant=False, preserve_rng_state=False))
        else:
            outputs.append(attend_some(query, key, value, which))
    return torch.cat(outputs, dim=1).permute(1, 2, 0, 3).flatten(0, 1)


def _chunks(keys: Tensor, entries_per_block: int, at_once: int) -> Iterator[slice]:
    heads, queries, width = keys.shape
    step = max(1, at_once // (heads * width * entries_per_block))
    return (slice(start, min(start + step, queries)) for start in range(0, queries, step))


class _Gather(torch.autograd.Function):
    """Gather key blocks for each query block. Shape: (heads, queries, key blocks * block_size, head_size)."""

    @staticmethod
    def forward(ctx: Any, blocks: Tensor, wanted: Tensor) -> Tensor:
        ctx.save_for_backward(wanted)
        ctx.shape = blocks.shape
        heads = torch.arange(len(blocks), device=blocks.device)[:, None, None]
        return blocks[heads, wanted].flatten(2, 3)

    @staticmethod
    @first_order_only
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (wanted,) = ctx.saved_tensors
        heads, count, size, width = ctx.shape
        # In at least fp32, because a global block's gradient is a sum over all blocks that read it.
        dtype = torch.promote_types(gradient.dtype, torch.float32)
        total = torch.zeros(heads * count, size * width, dtype=dtype, device=gradient.device)
        first = torch.arange(heads, device=wanted.device)[:, None, None] * count
        total.index_add_(0, (wanted + first).flatten(), gradient.to(dtype).reshape(-1, size * width))
        return total.view(ctx.shape).to(gradient.dtype), None
