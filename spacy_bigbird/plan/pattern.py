"""The key blocks that a query block reads: two global blocks, a window of three, and some random ones.

Random blocks come from a private legacy NumPy generator for each layer, so that a pattern depends only on the
configuration, and no global random state is read or changed. The plan is the one in Google's original code (BigBird,
Zaheer et al. 2020, section 2 and appendix D), which the released checkpoints were trained with.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .bounded_cache import BoundedCache
from .config import BigBirdConfig

PLAN_LENGTH = 4096
RANDOM_BLOCKS_WITHIN = 1024
MISSING = -1
# What the tables of key blocks may take together. Unit: bytes.
LARGEST_TABLES = 64 * 2**20
# The number of rows drawn is rounded up to a multiple of this, so that the cache has entries for few lengths.
EXTENSION_STEP = 64


@dataclass(frozen=True)
class KeyBlocks:
    """The key blocks of all query blocks of a sequence that are not global themselves.

    blocks (ndarray): indices of the key blocks of query block i at index i - 1, or MISSING. A block that is listed
        twice counts twice in the softmax. Shape: (heads, sparse query blocks, key blocks).
    global_queries (tuple[int, ...]): query blocks that attend to every piece.
    """

    blocks: np.ndarray
    global_queries: tuple[int, ...]


_tables: BoundedCache[KeyBlocks] = BoundedCache(LARGEST_TABLES, lambda keys: keys.blocks.nbytes)


def random_blocks(config: BigBirdConfig, layer: int, num_blocks: int) -> np.ndarray:
    """Choose the random key blocks of each head and query block.

    config (BigBirdConfig): the hyper-parameters.
    layer (int): index of the layer.
    num_blocks (int): number of blocks of the sequence.
    RETURNS (ndarray): indices of the key blocks of query block i in row i - 1. With the "paper" pattern, an entry is
        MISSING if it is past the last block, is a global or window block, or repeats a previous one.
        Shape: (heads, num_blocks - 2, num_random_blocks).
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
    """Draw random blocks for at least `rows` query blocks, from block 1 on. Shape: (heads, rows or more, count)."""
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
    """The blocks from which Google's code draws those of a query block in the plan.

    As in that code, the last two rows of the plan may include blocks of their own window.
    """
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


def key_blocks(config: BigBirdConfig, layer: int, num_blocks: int, present_blocks: int) -> KeyBlocks:
    """Make the table of key blocks for block-sparse attention of one sequence.

    config (BigBirdConfig): the hyper-parameters.
    layer (int): index of the layer.
    num_blocks (int): number of blocks that determines the pattern. The last of them is the second global block.
    present_blocks (int): number of blocks that the sequence has. It is below `num_blocks` only if the pattern depends
        on the padded length of a batch.
    RETURNS (KeyBlocks): the table, which later calls share.
    """
    key = (config, layer, num_blocks, present_blocks)
    return _tables.get(key, lambda: _key_blocks(config, layer, num_blocks, present_blocks))


def _key_blocks(config: BigBirdConfig, layer: int, num_blocks: int, present_blocks: int) -> KeyBlocks:
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
    return KeyBlocks(np.ascontiguousarray(table), (0, last) if present_blocks == num_blocks else (0,))
