"""Which key blocks a query block reads: two global blocks, a window of three, and some random ones.

Random blocks come from private legacy NumPy streams, one per layer, so a pattern is a function of the configuration
alone: nothing reads or moves a global random state. The plan is that of Google's original code (BigBird, Zaheer et
al. 2020, section 2 and appendix D), with which the released checkpoints were trained.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..config import BigBirdConfig

PLAN_LENGTH = 4096
RANDOM_BLOCKS_WITHIN = 1024
MISSING = -1
# Rows past the plan are drawn in steps of this many, so that the cache holds few different lengths.
EXTENSION_STEP = 64


@dataclass(frozen=True)
class KeyBlocks:
    """The key blocks of every query block of a sequence that is not global itself.

    blocks (Tensor): numbers of the key blocks of query block i at index i - 1; MISSING where there is none. A block
        that stands twice counts twice in the softmax. Shape: (heads, sparse query blocks, key blocks).
    global_queries (tuple[int, ...]): query blocks that attend to every piece.
    """

    blocks: Tensor
    global_queries: tuple[int, ...]


def random_blocks(config: BigBirdConfig, layer: int, num_blocks: int) -> np.ndarray:
    """The random key blocks of each head and query block.

    config (BigBirdConfig): gives `random_pattern`, `num_random_blocks`, `block_size` and `num_attention_heads`.
    layer (int): number of the layer, from 0.
    num_blocks (int): blocks of the sequence.
    RETURNS (ndarray): row i - 1 is for query block i; MISSING where an entry lies past the last block, equals one of
        the row's global or window blocks, or repeats an earlier one. Shape: (heads, num_blocks - 2, num_random_blocks).
    """
    shape = (config.num_attention_heads, max(num_blocks - 2, 0), config.num_random_blocks)
    if config.random_pattern == "huggingface":
        return np.zeros(shape, dtype=np.int64)
    if config.random_pattern == "none" or 0 in shape:
        return np.full(shape, MISSING, dtype=np.int64)
    rows_drawn = -(-shape[1] // EXTENSION_STEP) * EXTENSION_STEP
    drawn = _draw_plan(layer, shape[0], config.block_size, shape[2], rows_drawn)[:, : shape[1]].copy()
    query = np.arange(1, num_blocks - 1)[None, :, None]
    drawn[(np.abs(drawn - query) <= 1) | (drawn == 0) | (drawn >= num_blocks - 1)] = MISSING
    for column in range(1, shape[2]):
        repeated = (drawn[..., :column] == drawn[..., column : column + 1]).any(axis=-1)
        drawn[..., column][repeated] = MISSING
    return drawn


@lru_cache(maxsize=256)
def _draw_plan(layer: int, heads: int, block_size: int, count: int, rows: int) -> np.ndarray:
    """Draw random blocks for at least `rows` query blocks. Shape: (heads, rows or more, count)."""
    stream = np.random.RandomState(layer)
    plan_blocks = PLAN_LENGTH // block_size
    limited = 2 * block_size < RANDOM_BLOCKS_WITHIN
    last = RANDOM_BLOCKS_WITHIN // block_size - 1 if limited else plan_blocks - 1
    planned = max(plan_blocks - 2, 0)
    drawn = np.full((heads, max(rows, planned), count), MISSING, dtype=np.int64)
    for head in range(heads):
        for query in range(1, planned + 1):
            chosen = stream.permutation(_candidates(query, plan_blocks, last))[:count]
            drawn[head, query - 1, : len(chosen)] = chosen
    for query in range(planned + 1, rows + 1):
        for head in range(heads):
            chosen = stream.permutation(np.arange(1, last + 1))[:count]
            drawn[head, query - 1, : len(chosen)] = chosen
    return drawn


def _candidates(query: int, plan_blocks: int, last: int) -> np.ndarray:
    """The blocks that the published algorithm lets a query block of the plan choose from, its slips included: near
    the end of the plan it forgets to leave out the window, and one row loses the blocks behind its window."""
    middle = np.arange(1, plan_blocks - 1)
    if query == 1:
        return middle[2:last]
    if query == 2:
        return middle[3:last]
    if query >= plan_blocks - 3 or query - 2 > last:
        return middle[:last]
    if query + 1 == last:
        return middle[: query - 2]
    return np.concatenate((middle[: query - 2], middle[query + 1 : last]))


@lru_cache(maxsize=512)
def key_blocks(
    config: BigBirdConfig, layer: int, num_blocks: int, present_blocks: int, device: torch.device
) -> KeyBlocks:
    """The table that the block-sparse attention of one sequence reads.

    config (BigBirdConfig): gives the pattern.
    layer (int): number of the layer, from 0.
    num_blocks (int): blocks that decide the pattern; the last of them is the second global block.
    present_blocks (int): blocks that the sequence really has. Fewer than `num_blocks` only where the pattern follows
        the padded length of a batch.
    device (torch.device): where the table is wanted.
    RETURNS (KeyBlocks): the table.
    """
    last = num_blocks - 1
    num_sparse = min(present_blocks, last) - 1
    query = np.arange(1, num_sparse + 1)
    window = query[:, None] + np.array([-1, 0, 1])
    window[(window == 0) | (window == last)] = MISSING
    both_global = np.broadcast_to([0, last], (num_sparse, 2))
    fixed = np.concatenate((both_global, window), axis=1)
    heads = config.num_attention_heads
    drawn = random_blocks(config, layer, num_blocks)[:, :num_sparse]
    table = np.concatenate((np.broadcast_to(fixed, (heads, *fixed.shape)), drawn), axis=2)
    table[table >= present_blocks] = MISSING
    table = table[:, :, (table != MISSING).any(axis=(0, 1))]
    blocks = torch.from_numpy(np.ascontiguousarray(table)).to(device)
    return KeyBlocks(blocks, (0, last) if present_blocks == num_blocks else (0,))
