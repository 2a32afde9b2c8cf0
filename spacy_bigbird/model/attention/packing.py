"""Sequences of different length back to back in one tensor, without padding between them but the rest of a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..config import BigBirdConfig

SMALLEST_SPARSE = 5


@dataclass(frozen=True)
class Packing:
    """How sequences lie in a packed tensor, and which attention each of them gets.

    lengths (tuple[int, ...]): pieces of each sequence.
    pattern_blocks (tuple[int, ...]): number of blocks that decides a sequence's sparse pattern; 0 for dense attention.
    block_size (int): pieces in a block. A sparse sequence's rows are padded to a multiple of it, a dense one's are not.
    """

    lengths: tuple[int, ...]
    pattern_blocks: tuple[int, ...]
    block_size: int

    @cached_property
    def row_counts(self) -> list[int]:
        """Rows of each sequence, padding included."""
        size = self.block_size
        return [
            -(-length // size) * size if blocks else length
            for length, blocks in zip(self.lengths, self.pattern_blocks, strict=True)
        ]

    @cached_property
    def has_padding(self) -> bool:
        """Whether there are rows that belong to no piece."""
        return sum(self.row_counts) != sum(self.lengths)

    @cached_property
    def piece_rows(self) -> Tensor:
        """The row of every piece, in order. Shape: (pieces,)."""
        first_row = torch.tensor([0, *self.row_counts[:-1]]).cumsum(0)
        first_piece = torch.tensor([0, *self.lengths[:-1]]).cumsum(0)
        shift = torch.repeat_interleave(first_row - first_piece, torch.tensor(self.lengths))
        return torch.arange(sum(self.lengths)) + shift

    def pack(self, pieces: Tensor) -> Tensor:
        """Move pieces to their rows; padding rows become zeros.

        pieces (Tensor): one entry per piece. Shape: (pieces, ...).
        RETURNS (Tensor): one entry per row. Shape: (rows, ...).
        """
        if not self.has_padding:
            return pieces
        rows = pieces.new_zeros((sum(self.row_counts), *pieces.shape[1:]))
        return rows.index_copy(0, self.piece_rows.to(pieces.device), pieces)

    def unpack(self, rows: Tensor) -> Tensor:
        """Undo `pack`.

        rows (Tensor): one entry per row. Shape: (rows, ...).
        RETURNS (Tensor): one entry per piece. Shape: (pieces, ...).
        """
        return rows.index_select(0, self.piece_rows.to(rows.device)) if self.has_padding else rows


def plan_packing(lengths: Sequence[int], config: BigBirdConfig, padded_length: int | None = None) -> Packing:
    """Choose dense or sparse attention for every sequence, as a pure function of the configuration and its length.

    lengths (Sequence[int]): pieces of each sequence, special pieces included.
    config (BigBirdConfig): gives the rule.
    padded_length (int | None): columns of the padded batch, which the rule of `random_pattern = "huggingface"`
        follows. None means that every sequence is a batch of its own.
    RETURNS (Packing): the plan.
    """
    blocks = tuple(_pattern_blocks(length, config, padded_length) for length in lengths)
    return Packing(tuple(lengths), blocks, config.block_size)


def _pattern_blocks(length: int, config: BigBirdConfig, padded_length: int | None) -> int:
    if config.attention_type == "original_full":
        return 0
    full_up_to = config.full_attention_up_to
    if config.random_pattern == "huggingface":
        length = padded_length or length
        full_up_to = (5 + 2 * config.num_random_blocks) * config.block_size
    num_blocks = -(-length // config.block_size)
    # Up to four blocks, the global blocks and the window cover everything.
    return num_blocks if length > full_up_to and num_blocks >= SMALLEST_SPARSE else 0
