"""Block-sparse attention of one sequence (BigBird, Zaheer et al. 2020, section 2).

Each head is processed in chunks of query blocks. For each chunk, the key and value blocks are gathered, followed by a
matrix product, the softmax and another matrix product, in workspaces that stay in the CPU's caches. Only the input is
kept for the backward pass, which recomputes the probabilities, so that memory grows linearly in training too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...plan.pattern import MISSING, KeyBlocks
from .first_order import first_order_only
from .softmax import softmax, softmax_backward
from .workspace import few_sizes, workspace

# Query blocks in a chunk: as many per core as a CPU's caches hold.
CHUNK_PER_CORE = 16


def block_sparse_attention(query_key_value: Tensor, keys: KeyBlocks, length: int, num_heads: int) -> Tensor:
    """Attend from every block to its global, window and random blocks.

    query_key_value (Tensor): concatenated projections of one sequence. The number of rows is a multiple of the block
        size, and rows from `length` on are padding. Shape: (rows, 3 * num_heads * head_size).
    keys (KeyBlocks): the key blocks of each query block, from `pattern.key_blocks`.
    length (int): number of rows that are pieces. Padding is never attended to, and its output is meaningless.
    num_heads (int): number of attention heads.
    RETURNS (Tensor): the concatenated outputs of the heads. Shape: (rows, num_heads * head_size).
    """
    return _BlockSparseAttention.apply(query_key_value, keys, length, num_heads)


class _BlockSparseAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query_key_value: Tensor, keys: KeyBlocks, length: int, num_heads: int) -> Tensor:
        ctx.save_for_backward(query_key_value)
        ctx.arguments = keys, length, num_heads
        rows, width = query_key_value.shape
        output = query_key_value.new_empty(rows, width // 3)
        by_head = output.view(rows, num_heads, -1)
        for head in _Sequence(query_key_value, keys, length, num_heads).heads():
            head.forward(by_head[:, head.number])
        return output

    @staticmethod
    @first_order_only
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None, None, None]:
        (query_key_value,) = ctx.saved_tensors
        keys, length, num_heads = ctx.arguments
        gradient = torch.empty_like(query_key_value)
        by_head = gradient.view(len(gradient), 3, num_heads, -1)
        grad_by_head = grad_output.view(len(gradient), num_heads, -1)
        for head in _Sequence(query_key_value, keys, length, num_heads).heads():
            head.backward(grad_by_head[:, head.number], by_head[:, :, head.number])
        return gradient, None, None, None


class _Sequence:
    """Views of one sequence's projections by head, and what all heads share."""

    def __init__(self, query_key_value: Tensor, keys: KeyBlocks, length: int, num_heads: int) -> None:
        rows, width = query_key_value.shape
        self.by_head = query_key_value.view(rows, 3, num_heads, width // (3 * num_heads))
        self.length = length
        self.keys = keys
        self.num_blocks = _num_blocks(keys)
        self.block_size = rows // self.num_blocks
        self.scale = self.by_head.shape[-1] ** -0.5
        # -inf for what must not be attended to, by key block. The additional last entry is for missing blocks.
        self.penalty = self.by_head.new_zeros((self.num_blocks + 1) * self.block_size)
        self.penalty[length:] = -torch.inf
        self.penalty = self.penalty.view(self.num_blocks + 1, self.block_size)
        blocks = torch.from_numpy(keys.blocks).to(query_key_value.device)
        self.gathered = blocks.clamp(min=0)
        self.penalised = torch.where(blocks == MISSING, self.num_blocks, blocks)
        self.global_rows = (
            torch.arange(rows, device=query_key_value.device)
            .view(self.num_blocks, self.block_size)[list(keys.global_queries)]
            .flatten()
        )
        self.chunk = CHUNK_PER_CORE * torch.get_num_threads()
        # A penalty is needed for missing blocks, and for the last block if part of it is padding.
        first_penalised = self.num_blocks - 1 if length < rows else self.num_blocks
        self.to_penalise = _penalised_ranges(self.penalised >= first_penalised, self.chunk)

    def heads(self) -> Iterator[_Head]:
        for number in range(self.by_head.shape[2]):
            query = self.by_head[:, 0, number]
            key, value = (
                self._copy(name, self.by_head[:, which, number]) for which, name in ((1, "key"), (2, "value"))
            )
            yield _Head(self, number, query, key, value)

    def _copy(self, name: str, rows: Tensor) -> Tensor:
        """Copy the rows of one head to contiguous memory, followed by zeros."""
        copied = workspace.get(name, (few_sizes(len(rows)), rows.shape[1]), rows)
        copied[: len(rows)] = rows
        copied[len(rows) :] = 0
        return copied


class _PenalisedRange(NamedTuple):
    """A range of query blocks, some of which must not read all of the key block at an index.

    Usually, this is a single query block at one end of the sequence.

    place (int): index of the key block among those of a query block.
    start (int): first query block, within the chunk.
    stop (int): one past the last query block, within the chunk.
    """

    place: int
    start: int
    stop: int


def _penalised_ranges(needs_penalty: Tensor, chunk: int) -> list[list[list[_PenalisedRange]]]:
    """Find the query blocks that need a penalty, so that the addition can be skipped for all others.

    needs_penalty (Tensor): whether a query block must not read all of a key block.
        Shape: (heads, query blocks, key blocks).
    chunk (int): number of query blocks in a chunk.
    RETURNS (list[list[list[_PenalisedRange]]]): the ranges by head and chunk.
    """
    bounds = []
    for needs in needs_penalty.split(chunk, dim=1):
        before, after = (side.cumsum(1).eq(0).sum(1) for side in (needs, needs.flip(1)))
        bounds.append(torch.stack([before, needs.shape[1] - after], dim=2))
    ranges = [
        [[_PenalisedRange(place, *bound) for place, bound in enumerate(places)] for places in head]
        for head in torch.stack(bounds, dim=1).tolist()
    ]
    return [[[one for one in places if one.start < one.stop] for places in head] for head in ranges]


def _num_blocks(keys: KeyBlocks) -> int:
    return keys.blocks.shape[1] + len(keys.global_queries)


@dataclass
class _Head:
    """One head of one sequence.

    sequence (_Sequence): the sequence.
    number (int): index of the head.
    query (Tensor): the queries. Shape: (rows, head_size).
    key, value (Tensor): workspaces, valid until the next head. Shape: (rows and some of zeros, head_size).
    """

    sequence: _Sequence
    number: int
    query: Tensor
    key: Tensor
    value: Tensor

    def forward(self, output: Tensor) -> None:
        """Write the head's output.

        output (Tensor): is overwritten. Shape: (rows, head_size).
        """
        by_block = self._by_block(output)
        for chunk in self._chunks():
            by_block[chunk.first : chunk.end] = torch.bmm(chunk.probabilities(), chunk.value)
        output[self.sequence.global_rows] = self._global_probabilities() @ self.value

    def backward(self, grad_output: Tensor, gradient: Tensor) -> None:
        """Write the gradients of query, key and value.

        grad_output (Tensor): gradient of the head's output. Shape: (rows, head_size).
        gradient (Tensor): is overwritten. Shape: (rows, 3, head_size).
        """
        grad_query = self._by_block(gradient[:, 0])
        grad_blocks = self._by_block(grad_output)
        # In at least fp32, because a block's gradient is a sum over all blocks that read it.
        dtype = torch.promote_types(self.query.dtype, torch.float32)
        sums = [workspace.get(name, self.key.shape, self.key, dtype).zero_() for name in ("key sum", "value sum")]
        key_sums, value_sums = (self._by_block(total) for total in sums)
        scale = self.sequence.scale
        for chunk in self._chunks():
            probabilities = chunk.probabilities()
            grad = grad_blocks[chunk.first : chunk.end]
            grad_scores = workspace.get("gradient of scores", probabilities.shape, probabilities)
            torch.bmm(grad, chunk.value.transpose(1, 2), out=grad_scores)
            grad_scores = softmax_backward(probabilities, grad_scores)
            grad_query[chunk.first : chunk.end] = torch.bmm(grad_scores, chunk.key).mul_(scale)
            chunk.add_product_to(key_sums, grad_scores, chunk.query)
            chunk.add_product_to(value_sums, probabilities, grad)
        global_rows = self.sequence.global_rows
        probabilities = self._global_probabilities()
        grad = grad_output[global_rows]
        grad_scores = softmax_backward(probabilities, grad @ self.value.T)
        gradient[global_rows, 0] = (grad_scores @ self.key).mul_(scale)
        sums[0] += grad_scores.T @ self.query[global_rows]
        sums[1] += probabilities.T @ grad
        torch.mul(sums[0][: len(gradient)], scale, out=gradient[:, 1])
        gradient[:, 2] = sums[1][: len(gradient)]

    def _by_block(self, rows: Tensor) -> Tensor:
        num_blocks, block_size = self.sequence.num_blocks, self.sequence.block_size
        return rows[: num_blocks * block_size].unflatten(0, (num_blocks, block_size))

    def _chunks(self) -> Iterator[_Chunk]:
        step = self.sequence.chunk
        query, key, value = (self._by_block(rows) for rows in (self.query, self.key, self.value))
        num_sparse = self.sequence.keys.blocks.shape[1]
        for start in range(0, num_sparse, step):
            yield _Chunk.gather(self, start, min(start + step, num_sparse), query, key, value)

    def _global_probabilities(self) -> Tensor:
        """Attention probabilities of the global blocks, which read everything. Shape: (global rows, rows of `key`)."""
        query = self.query[self.sequence.global_rows] * self.sequence.scale
        scores = workspace.get("global scores", (len(query), len(self.key)), self.key)
        torch.mm(query, self.key.T, out=scores)
        scores[:, self.sequence.length :] = -torch.inf
        return softmax(scores)


@dataclass
class _Chunk:
    """Some query blocks of one head, with the key and value blocks that they read.

    head (_Head): the head.
    index (slice): the chunk's query blocks, by their index among those that are not global.
    query (Tensor): the queries. Shape: (blocks, block_size, head_size).
    key, value (Tensor): gathered for each query block. Shape: (blocks, keys * block_size, head_size).
    """

    head: _Head
    index: slice
    query: Tensor
    key: Tensor
    value: Tensor

    @classmethod
    def gather(cls, head: _Head, start: int, end: int, query: Tensor, key: Tensor, value: Tensor) -> _Chunk:
        wanted = head.sequence.gathered[head.number, start:end].flatten()
        shape = (len(wanted), *key.shape[1:])
        per_query = (end - start, -1, key.shape[2])
        gathered = [
            torch.index_select(source, 0, wanted, out=workspace.get(name, shape, source)).view(per_query)
            for name, source in (("gathered key", key), ("gathered value", value))
        ]
        return cls(head, slice(start, end), query[start + 1 : end + 1], *gathered)

    @property
    def first(self) -> int:
        """The first query block. Block 0 is global, so query block i is at index i - 1."""
        return self.index.start + 1

    @property
    def end(self) -> int:
        return self.index.stop + 1

    def probabilities(self) -> Tensor:
        """Attention probabilities. Shape: (blocks, block_size, keys * block_size)."""
        sequence, number = self.head.sequence, self.head.number
        shape = (len(self.query), self.query.shape[1], self.key.shape[1])
        scores = workspace.get("scores", shape, self.query)
        torch.baddbmm(scores, self.query, self.key.transpose(1, 2), beta=0, alpha=sequence.scale, out=scores)
        by_place = scores.unflatten(2, (-1, sequence.block_size))
        for place, start, stop in sequence.to_penalise[number][self.index.start // sequence.chunk]:
            wanted = sequence.penalised[number, self.index, place][start:stop]
            by_place[start:stop, :, place] += sequence.penalty.index_select(0, wanted)[:, None]
        return softmax(scores)

    def add_product_to(self, total: Tensor, by_key: Tensor, by_row: Tensor) -> None:
        """Add the gradients of gathered blocks to those of the blocks that they were gathered from.

        The gradients are the product of `by_key`, transposed, and `by_row`.

        total (Tensor): sums by block, changed in place. Shape: (all blocks, block_size, head_size).
        by_key (Tensor): probabilities, or gradients of the scores. Shape: (blocks, block_size, keys * block_size).
        by_row (Tensor): gradients of the output, or queries. Shape: (blocks, block_size, head_size).
        """
        gathered = workspace.get("gathered gradient", self.key.shape, by_row)
        torch.bmm(by_key.transpose(1, 2), by_row, out=gathered)
        summed = gathered
        if total.dtype != gathered.dtype:
            summed = workspace.get("gathered gradient", self.key.shape, total).copy_(gathered)
        wanted = self.head.sequence.gathered[self.head.number, self.index].flatten()
        total.index_add_(0, wanted, summed.view(-1, *total.shape[1:]))
