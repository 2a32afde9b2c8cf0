"""Block-sparse attention of one sequence: BigBird, Zaheer et al. 2020, section 2.

Work goes head by head in chunks of query blocks. Of each chunk the key and value blocks are gathered, then it is
matrix product, softmax, matrix product, in workspaces that stay in the CPU's caches. The backward pass keeps nothing
but the input and computes the probabilities again, so memory grows linearly in training too.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .pattern import MISSING, KeyBlocks
from .precision import fast_float32_products

# Query blocks at once: on a CPU what the caches of its cores hold, on other devices as much as keeps them busy.
CHUNK_PER_CORE = 8
CHUNK_ELSEWHERE = 1024


def block_sparse_attention(query_key_value: Tensor, keys: KeyBlocks, length: int, num_heads: int) -> Tensor:
    """Attend from every block to its global, window and random blocks.

    query_key_value (Tensor): projections of one sequence, side by side. Its rows are a multiple of the block size,
        those from `length` on are padding. Shape: (rows, 3 * num_heads * head_size).
    keys (KeyBlocks): which blocks each block reads, by `pattern.key_blocks`.
    length (int): rows that are pieces; the others are never attended to, and their output has no meaning.
    num_heads (int): attention heads.
    RETURNS (Tensor): the heads' outputs side by side. Shape: (rows, num_heads * head_size).
    """
    return _BlockSparseAttention.apply(query_key_value, keys, length, num_heads)


class _BlockSparseAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query_key_value: Tensor, keys: KeyBlocks, length: int, num_heads: int) -> Tensor:
        ctx.save_for_backward(query_key_value)
        ctx.arguments = keys, length, num_heads
        rows, width = query_key_value.shape
        output = query_key_value.new_empty(rows, width // 3)
        sequence = _Sequence(query_key_value, keys, length, num_heads)
        by_head = output.view(rows, num_heads, -1)
        for head in sequence.heads():
            head.forward(by_head[:, head.number])
        sequence.attend_globally(by_head)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None, None, None]:
        (query_key_value,) = ctx.saved_tensors
        keys, length, num_heads = ctx.arguments
        gradient = torch.zeros_like(query_key_value)
        by_head = gradient.view(len(gradient), 3, num_heads, -1)
        grad_by_head = grad_output.view(len(gradient), num_heads, -1)
        for head in _Sequence(query_key_value, keys, length, num_heads).heads():
            head.backward(grad_by_head[:, head.number], by_head[:, :, head.number])
        return gradient, None, None, None


class _Workspace(threading.local):
    """Buffers that are used again from chunk to chunk and call to call, so that no chunk waits for fresh memory."""

    def __init__(self) -> None:
        self.buffers: dict[tuple[str, torch.dtype, torch.device], Tensor] = {}

    def get(self, name: str, shape: tuple[int, ...], like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        key = (name, dtype or like.dtype, like.device)
        size = torch.Size(shape).numel()
        buffer = self.buffers.get(key)
        if buffer is None or buffer.numel() < size:
            # Not an inference tensor, whatever mode the first caller is in: the next one may need gradients.
            with torch.inference_mode(False):
                buffer = self.buffers[key] = torch.empty(size, dtype=key[1], device=key[2])
        return buffer[:size].view(shape)


_workspace = _Workspace()


class _Sequence:
    """Views of one sequence's projections by head, and what every head shares."""

    def __init__(self, query_key_value: Tensor, keys: KeyBlocks, length: int, num_heads: int) -> None:
        rows, width = query_key_value.shape
        self.by_head = query_key_value.view(rows, 3, num_heads, width // (3 * num_heads))
        self.length = length
        self.keys = keys
        self.num_blocks = _num_blocks(keys, rows)
        self.block_size = rows // self.num_blocks
        self.scale = self.by_head.shape[-1] ** -0.5
        # What must not be attended to, by key block; one more entry stands for blocks that are missing.
        self.penalty = self.by_head.new_zeros((self.num_blocks + 1) * self.block_size)
        self.penalty[length:] = -torch.inf
        self.penalty = self.penalty.view(self.num_blocks + 1, self.block_size)
        self.gathered = keys.blocks.clamp(min=0)
        self.penalised = torch.where(keys.blocks == MISSING, self.num_blocks, keys.blocks)
        self.global_rows = (
            torch.arange(rows, device=query_key_value.device)
            .view(self.num_blocks, self.block_size)[list(keys.global_queries)]
            .flatten()
        )
        has_tail = length < rows
        self.needs_penalty = (self.penalised >= self.num_blocks - has_tail).any(dim=2).tolist()

    def heads(self) -> Iterator[_Head]:
        for number in range(self.by_head.shape[2]):
            query, key, value = (self.by_head[:, which, number] for which in range(3))
            yield _Head(self, number, query, key, value)

    def attend_globally(self, output: Tensor) -> None:
        """Write what the global blocks read, which is everything. Shape: (rows, heads, head_size)."""
        query = self.by_head[self.global_rows, 0].transpose(0, 1)[None]
        key, value = (self.by_head[: self.length, which].transpose(0, 1)[None] for which in (1, 2))
        output[self.global_rows] = F.scaled_dot_product_attention(query, key, value)[0].transpose(0, 1)


def _num_blocks(keys: KeyBlocks, rows: int) -> int:
    return keys.blocks.shape[1] + len(keys.global_queries)


@dataclass
class _Head:
    """One head of one sequence. Queries, keys and values have shape (rows, head_size)."""

    sequence: _Sequence
    number: int
    query: Tensor
    key: Tensor
    value: Tensor

    def forward(self, output: Tensor) -> None:
        """Write the head's output. Shape: (rows, head_size)."""
        by_block = self._by_block(output)
        with fast_float32_products(output):
            for chunk in self._chunks():
                by_block[chunk.first : chunk.end] = torch.bmm(chunk.probabilities(), chunk.value)

    def backward(self, grad_output: Tensor, gradient: Tensor) -> None:
        """Write the gradients of query, key and value, side by side in (rows, 3, head_size)."""
        grad_query = self._by_block(gradient[:, 0])
        grad_blocks = self._by_block(grad_output)
        query, key, value = self._precise()
        # In at least fp32: a block's gradient is a sum over every block that reads it.
        grad_key, grad_value = torch.zeros_like(key), torch.zeros_like(value)
        key_sums, value_sums = self._by_block(grad_key), self._by_block(grad_value)
        scale = self.sequence.scale
        with fast_float32_products(grad_output):
            for chunk in self._chunks():
                probabilities = chunk.probabilities()
                grad = grad_blocks[chunk.first : chunk.end]
                grad_scores = _softmax_backward(probabilities, torch.bmm(grad, chunk.value.transpose(1, 2)))
                grad_query[chunk.first : chunk.end] = torch.bmm(grad_scores, chunk.key).mul_(scale)
                chunk.add_to(key_sums, torch.bmm(grad_scores.transpose(1, 2), chunk.query).mul_(scale))
                chunk.add_to(value_sums, torch.bmm(probabilities.transpose(1, 2), grad))
        rows = self.sequence.global_rows
        probabilities = self._global_probabilities(query[rows], key)
        grad = grad_output[rows].to(key.dtype)
        grad_scores = _softmax_backward(probabilities, grad @ value.T).mul_(scale)
        gradient[rows, 0] = (grad_scores @ key).to(gradient.dtype)
        grad_key.addmm_(grad_scores.T, query[rows])
        grad_value.addmm_(probabilities.T, grad)
        gradient[:, 1] = grad_key
        gradient[:, 2] = grad_value

    def _precise(self) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value in at least fp32, for the few global blocks. Their products have the document's length
        in their shape, and PyTorch's fp32 products are the ones that keep no code for each shape."""
        dtype = torch.promote_types(self.query.dtype, torch.float32)
        return self.query.to(dtype), self.key.to(dtype), self.value.to(dtype)

    def _by_block(self, rows: Tensor) -> Tensor:
        return rows.unflatten(0, (self.sequence.num_blocks, self.sequence.block_size))

    def _chunks(self) -> Iterator[_Chunk]:
        step = CHUNK_PER_CORE * torch.get_num_threads() if self.query.device.type == "cpu" else CHUNK_ELSEWHERE
        key, value = self._by_block(self.key.contiguous()), self._by_block(self.value.contiguous())
        query = self._by_block(self.query)
        num_sparse = self.sequence.keys.blocks.shape[1]
        for start in range(0, num_sparse, step):
            yield _Chunk.gather(self, start, min(start + step, num_sparse), query, key, value)

    def _global_probabilities(self, query: Tensor, key: Tensor) -> Tensor:
        scores = (query @ key.T).mul_(self.sequence.scale)
        scores[:, self.sequence.length :] = -torch.inf
        return _softmax(scores)


@dataclass
class _Chunk:
    """Some query blocks of one head with the key and value blocks that they read.

    query (Tensor): Shape: (blocks, block_size, head_size).
    key, value (Tensor): what is gathered for each query block. Shape: (blocks, keys * block_size, head_size).
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
            torch.index_select(source, 0, wanted, out=_workspace.get(name, shape, source)).view(per_query)
            for name, source in (("key", key), ("value", value))
        ]
        return cls(head, slice(start, end), query[start + 1 : end + 1], *gathered)

    @property
    def first(self) -> int:
        """The first query block. Block 0 is global, so query block i stands at index i - 1."""
        return self.index.start + 1

    @property
    def end(self) -> int:
        return self.index.stop + 1

    def probabilities(self) -> Tensor:
        """Softmax of the scores. Shape: (blocks, block_size, keys * block_size)."""
        sequence, number = self.head.sequence, self.head.number
        shape = (len(self.query), self.query.shape[1], self.key.shape[1])
        scores = _workspace.get("scores", shape, self.query)
        torch.baddbmm(scores, self.query, self.key.transpose(1, 2), beta=0, alpha=sequence.scale, out=scores)
        if any(sequence.needs_penalty[number][self.index]):
            wanted = sequence.penalised[number, self.index]
            scores += sequence.penalty.index_select(0, wanted.flatten()).view(len(wanted), 1, -1)
        return _softmax(scores)

    def add_to(self, total: Tensor, gathered_gradient: Tensor) -> None:
        """Add what came back for the gathered blocks to the blocks that they were gathered from."""
        wanted = self.head.sequence.gathered[self.head.number, self.index].flatten()
        total.index_add_(0, wanted, gathered_gradient.reshape(-1, *total.shape[1:]).to(total.dtype))


def _softmax(scores: Tensor) -> Tensor:
    """Softmax over the last dimension, computed in at least fp32, in the memory of the scores."""
    # Half floats go through fp32 inside of the operator; only its result is rounded.
    return torch.softmax(scores, dim=-1, out=scores)


def _softmax_backward(probabilities: Tensor, grad: Tensor) -> Tensor:
    """Gradient of the scores from the gradient of their softmax, written over the latter."""
    return torch.ops.aten._softmax_backward_data(grad, probabilities, -1, probabilities.dtype)
