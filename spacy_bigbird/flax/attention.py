"""Dense and block-sparse attention of a padded batch, for `jit`: shapes depend on the number of columns alone.

Which pieces a row has, whether its attention is dense, and which block is its last are values, not shapes. So one
compiled program serves all batches of a bucket of lengths, and a row's result does not depend on the other rows.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from ..plan.config import BigBirdConfig
from ..plan.packing import SMALLEST_SPARSE
from ..plan.pattern import random_blocks

# Finite, so that the softmax of a query without any key is a number. Such queries are padding.
MASKED = -1e30
Array = jax.Array
Dropout = Callable[[Array], Array]


def no_dropout(probabilities: Array) -> Array:
    """Keep all probabilities."""
    return probabilities


@struct.dataclass
class Rows:
    """What attention must know about the rows of a padded batch.

    mask (Array): True for pieces. Shape: (batch, columns).
    blocks (Array): number of blocks that determines a row's sparse pattern; 0 for dense attention. Shape: (batch,).
    """

    mask: Array
    blocks: Array


def dense_limit(config: BigBirdConfig) -> int:
    """Up to this number of pieces, attention is dense at any rate. Unit: pieces."""
    up_to = config.full_attention_up_to
    if config.random_pattern == "huggingface":
        up_to = (5 + 2 * config.num_random_blocks) * config.block_size
    return max(up_to, (SMALLEST_SPARSE - 1) * config.block_size)


def describe_rows(mask: Array, columns: Array | int, config: BigBirdConfig) -> Rows:
    """Choose dense or sparse attention for every row, by the rule of `plan.packing`.

    mask (Array): True for pieces. Shape: (batch, columns).
    columns (Array | int): number of columns that the caller's batch has, before it was filled up to a bucket.
    config (BigBirdConfig): the hyper-parameters.
    RETURNS (Rows): the description.
    """
    lengths = mask.sum(axis=1)
    if config.attention_type == "original_full":
        return Rows(mask, jnp.zeros_like(lengths))
    decisive = jnp.broadcast_to(columns, lengths.shape) if config.random_pattern == "huggingface" else lengths
    num_blocks = -(-decisive // config.block_size)
    return Rows(mask, jnp.where(decisive > dense_limit(config), num_blocks, 0))


def attend(
    query: Array,
    key: Array,
    value: Array,
    rows: Rows,
    config: BigBirdConfig,
    layer: int,
    dropout: Dropout = no_dropout,
) -> Array:
    """Compute the self-attention of an encoder's layer.

    query, key, value (Array): projections. Shape: (batch, columns, heads, head_size).
    rows (Rows): the rows' pieces and patterns. The number of columns is a multiple of the block size if it is above
        the dense limit.
    config (BigBirdConfig): the hyper-parameters.
    layer (int): index of the layer.
    dropout (Dropout): changes the probabilities of dense attention. The sparse one has none, as in the original code.
    RETURNS (Array): the heads' outputs; those of padding mean nothing. Shape: that of the query.
    """
    columns, limit = query.shape[1], dense_limit(config)
    if config.attention_type == "original_full" or columns <= limit:
        return dense_attention(query, key, value, rows.mask[:, None, None, :], dropout=dropout)[0]
    sparse = sparse_attention(query, key, value, rows, config, layer)
    is_dense = rows.blocks == 0

    def dense_rows() -> Array:
        cut = slice(limit)
        allowed = rows.mask[:, None, None, cut]
        dense, _ = dense_attention(query[:, cut], key[:, cut], value[:, cut], allowed, dropout=dropout)
        padded = jnp.pad(dense, ((0, 0), (0, columns - limit), (0, 0), (0, 0)))
        return jnp.where(is_dense[:, None, None, None], padded, sparse)

    return jax.lax.cond(is_dense.any(), dense_rows, lambda: sparse)


def dense_attention(
    query: Array,
    key: Array,
    value: Array,
    allowed: Array,
    counts: Array | None = None,
    dropout: Dropout = no_dropout,
) -> tuple[Array, Array]:
    """Compute softmax attention, with the softmax in fp32.

    query (Array): projection. Shape: (batch, queries, heads, head_size).
    key, value (Array): projections. Shape: (batch, keys, heads, head_size).
    allowed (Array): True where a query may attend to a key. Shape: can be broadcast to (batch, heads, queries, keys).
    counts (Array | None): how often each key counts; None for once. Shape: (batch, heads, queries, keys).
    dropout (Dropout): changes the probabilities.
    RETURNS (tuple[Array, Array]): the heads' outputs and the probabilities. Shapes: that of the query, and
        (batch, heads, queries, keys).
    """
    scores = jnp.einsum("bqhd,bkhd->bhqk", query, key).astype(jnp.float32) * query.shape[-1] ** -0.5
    if counts is not None:
        scores = scores + jnp.log(jnp.maximum(counts, 1))
        allowed = allowed & (counts > 0)
    probabilities = dropout(jax.nn.softmax(jnp.where(allowed, scores, MASKED), axis=-1))
    return jnp.einsum("bhqk,bkhd->bqhd", probabilities.astype(value.dtype), value), probabilities


def key_slots(rows: Rows, config: BigBirdConfig, layer: int, num_blocks: int) -> tuple[Array, Array]:
    """List the key blocks of every query block between the first and the last.

    rows (Rows): the rows' patterns.
    config (BigBirdConfig): the hyper-parameters.
    layer (int): index of the layer.
    num_blocks (int): number of blocks in the columns.
    RETURNS (tuple[Array, Array]): indices of key blocks, and whether each counts. A block may be listed several times
        and then counts several times. Shape: (batch, heads, num_blocks - 1, 5 + num_random_blocks) each, for query
        blocks from 1 on.
    """
    query = np.arange(1, num_blocks)
    # One block more than there is, so that which drawn blocks are past a row's last one is decided here, row by row.
    drawn = random_blocks(config, layer, num_blocks + 1)
    heads, last = drawn.shape[0], rows.blocks[:, None, None] - 1
    shape = (*last.shape[:1], num_blocks - 1, 1)
    window = jnp.broadcast_to(query[:, None] + np.array([-1, 0, 1]), (*shape[:2], 3))
    both_global = jnp.concatenate((jnp.zeros(shape, int), jnp.broadcast_to(last, shape)), axis=-1)
    fixed = jnp.concatenate((both_global, window), axis=-1)
    counts = jnp.concatenate((jnp.ones_like(both_global, bool), (window != 0) & (window < last)), axis=-1)
    fixed, counts = (jnp.broadcast_to(part[:, None], (len(part), heads, *part.shape[1:])) for part in (fixed, counts))
    random = jnp.broadcast_to(drawn, (*fixed.shape[:3], drawn.shape[-1]))
    # Block 0 is drawn only by the pattern in which it counts once more every time.
    slots = jnp.concatenate((fixed, random), axis=-1)
    return jnp.clip(slots, 0, num_blocks - 1), jnp.concatenate(
        (counts, (random >= 0) & (random < last[:, None])), axis=-1
    )


def sparse_attention(query: Array, key: Array, value: Array, rows: Rows, config: BigBirdConfig, layer: int) -> Array:
    """Compute block-sparse attention: middle blocks gather their key blocks, the two global blocks read everything.

    Arguments and result are those of `attend`. Results of rows with dense attention mean nothing.
    """
    batch, columns, heads, size = query.shape
    block = config.block_size
    num_blocks = columns // block
    slots, slot_counts = key_slots(rows, config, layer, num_blocks)
    by_block = [array.reshape(batch, num_blocks, block, heads, size).transpose(0, 3, 1, 2, 4) for array in (key, value)]
    flat = slots.reshape(batch, heads, -1, 1, 1)
    keys, values = (
        jnp.take_along_axis(array, flat, axis=2).reshape(batch, heads, num_blocks - 1, -1, size) for array in by_block
    )
    # Sparse rows are padded on the right only, so a key's position says whether it is a piece.
    lengths = rows.mask.sum(axis=1)[:, None, None, None, None]
    allowed = slot_counts[..., None] & (slots[..., None] * block + np.arange(block) < lengths)
    allowed = allowed.reshape(batch, heads, num_blocks - 1, 1, -1)
    queries = query.reshape(batch, num_blocks, block, heads, size)
    scores = jnp.einsum("bmqhd,bhmkd->bhmqk", queries[:, 1:], keys).astype(jnp.float32) * size**-0.5
    probabilities = jax.nn.softmax(jnp.where(allowed, scores, MASKED), axis=-1).astype(value.dtype)
    middle = jnp.einsum("bhmqk,bhmkd->bmqhd", probabilities, values)

    last = jnp.maximum(rows.blocks - 1, 0)
    last_queries = jnp.take_along_axis(queries, last[:, None, None, None, None], axis=1)
    both = jnp.concatenate((queries[:, :1], last_queries), axis=1).reshape(batch, 2 * block, heads, size)
    of_global, _ = dense_attention(both, key, value, rows.mask[:, None, None, :])
    of_global = of_global.reshape(batch, 2, block, heads, size)
    is_last = (np.arange(num_blocks) == last[:, None])[:, :, None, None, None]
    blocks = jnp.concatenate((of_global[:, :1], middle), axis=1)
    return jnp.where(is_last, of_global[:, 1:], blocks).reshape(query.shape)


def key_counts(rows: Rows, config: BigBirdConfig, layer: int, columns: int) -> Array:
    """Count how often each key is in the softmax of each query: the pattern as a dense table.

    rows (Rows): the rows' patterns.
    config (BigBirdConfig): the hyper-parameters.
    layer (int): index of the layer.
    columns (int): number of columns, a multiple of the block size.
    RETURNS (Array): counts. Shape: (batch, heads, columns, columns).
    """
    num_blocks = columns // config.block_size
    slots, slot_counts = key_slots(rows, config, layer, num_blocks)
    middle = (jax.nn.one_hot(slots, num_blocks, dtype=jnp.int32) * slot_counts[..., None]).sum(axis=-2)
    blocks = jnp.pad(middle, ((0, 0), (0, 0), (1, 0), (0, 0)))
    query = np.arange(num_blocks)
    reads_all = (query == 0) | (query == rows.blocks[:, None] - 1) | (rows.blocks[:, None] == 0)
    blocks = jnp.where(reads_all[:, None, :, None], 1, blocks)
    return blocks.repeat(config.block_size, axis=2).repeat(config.block_size, axis=3)
