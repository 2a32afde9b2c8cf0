"""What every piece of a packed batch attends to: the question that each attention engine answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .config import BigBirdConfig
from .packing import Packing
from .pattern import MISSING, KeyBlocks, key_blocks


class Sequence(NamedTuple):
    """One sequence of a packed batch.

    start (int): its first row.
    rows (int): number of its rows, including padding after the last piece.
    length (int): number of its pieces.
    pattern_blocks (int): number of blocks that determines its sparse pattern; 0 for dense attention.
    """

    start: int
    rows: int
    length: int
    pattern_blocks: int

    @property
    def is_dense(self) -> bool:
        """Whether every piece attends to every piece."""
        return self.pattern_blocks == 0


@dataclass(frozen=True)
class AttentionPlan:
    """Which pieces attend to which, in one layer.

    config (BigBirdConfig): the hyper-parameters.
    layer (int): index of the layer, which determines the random blocks.
    packing (Packing): where each sequence is, and whether it has dense or sparse attention.
    """

    config: BigBirdConfig
    layer: int
    packing: Packing

    def sequences(self) -> Iterator[Sequence]:
        """Go through the sequences of the batch.

        YIELDS (Sequence): the next one.
        """
        start = 0
        packing = self.packing
        for rows, length, blocks in zip(packing.row_counts, packing.lengths, packing.pattern_blocks, strict=True):
            yield Sequence(start, rows, length, blocks)
            start += rows

    def key_blocks(self, sequence: Sequence) -> KeyBlocks:
        """Make the table of key blocks of a sequence with sparse attention.

        sequence (Sequence): the sequence.
        RETURNS (KeyBlocks): the table, which later calls share.
        """
        present = sequence.rows // self.config.block_size
        return key_blocks(self.config, self.layer, sequence.pattern_blocks, present)


@dataclass(frozen=True, eq=False)
class BlockTable:
    """Which blocks of a batch read which. The blocks of all sequences with sparse attention are numbered in order.

    queries (ndarray): the query blocks that are not global. Shape: (queries,).
    keys (ndarray): the key blocks of each, or MISSING. Shape: (heads, queries, key blocks).
    pieces (ndarray): number of pieces in each block, below the block's size only at the end of a sequence.
        Shape: (blocks,).
    """

    queries: np.ndarray
    keys: np.ndarray
    pieces: np.ndarray


@lru_cache(maxsize=64)
def block_table(plan: AttentionPlan) -> BlockTable:
    """Put the key blocks of all sequences with sparse attention into one table.

    plan (AttentionPlan): the plan.
    RETURNS (BlockTable): the table, which later calls share.
    """
    size, heads = plan.config.block_size, plan.config.num_attention_heads
    queries, keys, pieces, first = [], [], [np.zeros(0, np.int64)], 0
    for sequence in plan.sequences():
        if sequence.is_dense:
            continue
        blocks = plan.key_blocks(sequence).blocks
        queries.append(np.arange(1, blocks.shape[1] + 1) + first)
        keys.append(np.where(blocks == MISSING, MISSING, blocks + first))
        starts = np.arange(0, sequence.rows, size)
        pieces.append(np.minimum(sequence.length - starts, size))
        first += len(starts)
    width = max((part.shape[2] for part in keys), default=0)
    table = [np.pad(part, ((0, 0), (0, 0), (0, width - part.shape[2])), constant_values=MISSING) for part in keys]
    return BlockTable(
        np.concatenate([np.zeros(0, np.int64), *queries]),
        np.concatenate([np.zeros((heads, 0, width), np.int64), *table], axis=1),
        np.concatenate(pieces),
    )
