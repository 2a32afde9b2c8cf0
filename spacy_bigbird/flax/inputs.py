"""The inputs of a padded batch: completed, checked, and filled up to lengths for which there are compiled programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import Errors
from ..plan.config import BigBirdConfig
from .attention import Array, dense_limit

# Lengths that are compiled, in blocks: powers of two and one and a half times those.
BUCKETS = sorted({*(1 << power for power in range(24)), *(3 << power for power in range(22))})


def bucket(columns: int, config: BigBirdConfig) -> int:
    """The number of columns to which a batch is filled up, so that few different programs are compiled.

    columns (int): number of columns of the batch.
    config (BigBirdConfig): the hyper-parameters.
    RETURNS (int): a multiple of the block size, at most half as much again as needed.
    """
    blocks = -(-columns // config.block_size)
    return next(size for size in BUCKETS if size >= blocks) * config.block_size


def filled_up(values: Array, columns: int) -> Array:
    """Append columns of zeros (False).

    values (Array): one entry for each position. Shape: (batch, seq).
    columns (int): number of columns afterwards.
    RETURNS (Array): the entries. Shape: (batch, columns).
    """
    return jnp.pad(values, ((0, 0), (0, columns - values.shape[1])))


@dataclass(frozen=True)
class Inputs:
    """The inputs of a network.

    ids, types, positions (Array): ids, token types and positions. Shape: (batch, seq).
    mask (Array): True for pieces. Shape: (batch, seq), or (batch, past + seq) with a cache.
    """

    ids: Array
    mask: Array
    types: Array
    positions: Array

    @classmethod
    def of(
        cls,
        input_ids: Any,
        attention_mask: Any,
        token_type_ids: Any,
        position_ids: Any,
        config: BigBirdConfig,
        has_cache: bool,
    ) -> Inputs:
        """Complete and check the inputs that a caller gives.

        input_ids (Any): ids of the pieces. Shape: (batch, seq).
        attention_mask (Any): 1 for pieces, 0 for padding, on the right of rows with sparse attention; None for no
            padding. Shape: (batch, seq), or that of the cache.
        token_type_ids (Any): token types; None for 0. Shape: (batch, seq).
        position_ids (Any): positions; None for 0, 1, 2 ... Shape: (batch, seq).
        config (BigBirdConfig): the hyper-parameters.
        has_cache (bool): whether there are previous pieces in a cache.
        RETURNS (Inputs): the inputs.
        RAISES ValueError: they do not fit together or do not fit the model. Values are checked only outside of `jit`.
        """
        ids = jnp.asarray(input_ids)
        if ids.ndim != 2 or not ids.size:
            raise ValueError(Errors.BB091.format(shape=ids.shape))
        batch, columns = ids.shape
        if columns > config.max_position_embeddings:
            raise ValueError(Errors.BB092.format(length=columns, limit=config.max_position_embeddings))
        mask = jnp.ones(ids.shape, bool) if attention_mask is None else jnp.asarray(attention_mask).astype(bool)
        if not has_cache and mask.shape != ids.shape:
            raise ValueError(Errors.BB093.format(mask=mask.shape, batch=batch, columns=columns))
        types = jnp.zeros_like(ids) if token_type_ids is None else jnp.asarray(token_type_ids)
        positions = jnp.arange(columns)[None] if position_ids is None else jnp.asarray(position_ids)
        # One type of integers, so that no other type compiles another program.
        types, positions = (jnp.broadcast_to(part, ids.shape).astype(jnp.int32) for part in (types, positions))
        inputs = cls(ids.astype(jnp.int32), mask, types, positions)
        inputs._check_values(config)
        return inputs

    def filled(self, columns: int) -> Inputs:
        """Append padding.

        columns (int): number of columns afterwards.
        RETURNS (Inputs): the inputs with padding on the right.
        """
        return Inputs(*(filled_up(part, columns) for part in (self.ids, self.mask, self.types, self.positions)))

    def _check_values(self, config: BigBirdConfig) -> None:
        limits = {
            "ids": config.vocab_size,
            "types": config.type_vocab_size,
            "positions": config.max_position_embeddings,
        }
        for name, count in limits.items():
            values = getattr(self, name)
            if isinstance(values, jax.core.Tracer):
                continue
            wrong = [int(value) for value in (values.min(), values.max()) if not 0 <= value < count]
            if wrong and name == "ids":
                raise ValueError(Errors.BB095.format(id=wrong[0], vocab_size=count))
            if wrong:
                argument = {"types": "token_type_ids", "positions": "position_ids"}[name]
                raise ValueError(Errors.BB103.format(name=argument, given=wrong[0], expected=f"0 to {count - 1}"))
        if not isinstance(self.mask, jax.core.Tracer) and not config.is_decoder:
            self._check_padding(np.asarray(self.mask), config)

    def _check_padding(self, mask: np.ndarray, config: BigBirdConfig) -> None:
        """Sparse attention supports padding on the right only."""
        if config.attention_type == "original_full":
            return
        lengths = mask.sum(axis=1)
        decisive = np.full_like(lengths, mask.shape[1]) if config.random_pattern == "huggingface" else lengths
        holes = (mask != (np.arange(mask.shape[1]) < lengths[:, None])).any(axis=1)
        for row in np.flatnonzero(holes & (decisive > dense_limit(config))):
            raise ValueError(Errors.BB094.format(row=row, length=lengths[row]))
