"""Sequences of different lengths packed into one tensor, with no padding except to complete a sequence's last block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .config import BigBirdConfig

SMALLEST_SPARSE = 5


@dataclass(frozen=True)
class Packing:
    """The layout of sequences in a packed tensor, and the attention that each of them gets.

    lengths (tuple[int, ...]): number of pieces of each sequence.
    pattern_blocks (tuple[int, ...]): number of blocks that determines a sequence's sparse pattern; 0 for dense
        attention.
    block_size (int): number of pieces in a block. A sequence with sparse attention is padded to a multiple of it.
    """

    lengths: tuple[int, ...]
    pattern_blocks: tuple[int, ...]
    block_size: int

    @cached_property
    def row_counts(self) -> list[int]:
        """Number of rows of each sequence, including padding."""
        size = self.block_size
        return [
            -(-length // size) * size if blocks else length
            for length, blocks in zip(self.lengths, self.pattern_blocks, strict=True)
        ]

    @cached_property
    def has_padding(self) -> bool:
        """Whether there are rows without a piece."""
        return sum(self.row_counts) != sum(self.lengths)

    @cached_property
    def piece_rows(self) -> np.ndarray:
        """Row of each piece, in ascending order. Shape: (pieces,)."""
        first_row = np.cumsum([0, *self.row_counts[:-1]])
        first_piece = np.cumsum([0, *self.lengths[:-1]])
        return np.arange(sum(self.lengths)) + np.repeat(first_row - first_piece, self.lengths)


def plan_packing(lengths: Sequence[int], config: BigBirdConfig, padded_length: int | None = None) -> Packing:
    """Choose dense or sparse attention for every sequence, depending only on the configuration and the length.

    lengths (Sequence[int]): number of pieces of each sequence, including special pieces.
    config (BigBirdConfig): the hyper-parameters.
    padded_length (int | None): number of columns of the padded batch, on which the choice depends with
        `random_pattern = "huggingface"`; None to treat every sequence as a separate batch.
    RETURNS (Packing): the packing.
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
    # With up to four blocks, the global blocks and the window cover everything.
    return num_blocks if length > full_up_to and num_blocks >= SMALLEST_SPARSE else 0
