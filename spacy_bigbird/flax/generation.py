"""Continue texts piece by piece, with a cache of keys and values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ..errors import Errors
from .attention import MASKED, Array
from .inputs import bucket, filled_up
from .text_model import TextModel


class Generates(TextModel):
    """A model that continues texts."""

    def generate(
        self,
        input_ids: Any,
        attention_mask: Any = None,
        max_new_tokens: int = 20,
        *,
        do_sample: bool = False,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        eos_token_id: int | Sequence[int] | None = None,
        pad_token_id: int | None = None,
        prng_key: Array | None = None,
        encoder_hidden_states: Any = None,
        encoder_attention_mask: Any = None,
        params: Mapping[str, Any] | None = None,
    ) -> Array:
        """Continue prompts with the most probable next pieces, or with pieces drawn at random.

        input_ids (Any): ids of the prompts, padded on the left. Shape: (batch, prompt).
        attention_mask (Any): 1 for pieces, 0 for padding; None for no padding. Shape: (batch, prompt).
        max_new_tokens (int): maximum number of new pieces.
        do_sample (bool): whether to draw pieces at random instead of taking the best ones.
        temperature (float): divisor of the scores before drawing. Below 1, probable pieces become more probable.
        top_k (int | None): draw only from this number of best pieces.
        top_p (float | None): draw only from the smallest number of best pieces whose probabilities add up to this.
        eos_token_id (int | Sequence[int] | None): id of the piece that ends a row, or several; None for the
            configuration's.
        pad_token_id (int | None): id that fills up a row that has ended; None for the configuration's.
        prng_key (Array | None): key of `jax.random` for drawing; None for the key of 0.
        encoder_hidden_states (Any): output of an encoder. Shape: (batch, encoder_seq, hidden_size).
        encoder_attention_mask (Any): 1 for pieces, 0 for padding. Shape: (batch, encoder_seq).
        params (Mapping[str, Any] | None): parameters; None for the model's own.
        RETURNS (Array): ids of the prompts and their continuations, with up to `max_new_tokens` new pieces.
            Shape: (batch, prompt + new).
        RAISES ValueError: a setting is not allowed, a prompt is empty or padded on the right, or there would be more
            pieces than positions.
        """
        ids = jnp.asarray(input_ids)
        mask = jnp.ones(ids.shape, bool) if attention_mask is None else jnp.asarray(attention_mask).astype(bool)
        _check(ids, mask, max_new_tokens, temperature, top_k, top_p, self.config.max_position_embeddings)
        ends = jnp.asarray(_or_default(eos_token_id, self.config.eos_token_id, -1)).reshape(-1)
        filler = _or_default(pad_token_id, self.config.pad_token_id, 0)
        key = jax.random.key(0) if prng_key is None else prng_key
        choose = partial(_draw, temperature=temperature, top_k=top_k, top_p=top_p) if do_sample else _best
        choose = jax.jit(choose)
        length = bucket(ids.shape[1] + max_new_tokens, self.config)
        # Columns of pieces to come are allowed from the start: causality hides them until they are there.
        allowed = filled_up(mask, length) | (jnp.arange(length) >= ids.shape[1])
        cache = self.init_cache(len(ids), length)
        positions = jnp.maximum(mask.cumsum(axis=1) - 1, 0)
        has_ended = jnp.zeros(len(ids), bool)
        new_ids = ids
        for _ in range(max_new_tokens):
            outputs = self(
                new_ids,
                allowed,
                position_ids=positions,
                encoder_hidden_states=encoder_hidden_states,
                encoder_attention_mask=encoder_attention_mask,
                params=params,
                past_key_values=cache,
            )
            cache = outputs.past_key_values
            key, drawing = jax.random.split(key)
            chosen = jnp.where(has_ended, filler, choose(outputs.logits[:, -1].astype(jnp.float32), drawing))
            new_ids, positions = chosen[:, None], positions[:, -1:] + 1
            ids = jnp.concatenate((ids, new_ids), axis=1)
            has_ended = has_ended | jnp.isin(chosen, ends)
            if bool(has_ended.all()):
                break
        return ids


def _or_default(given: Any, default: Any, otherwise: int) -> Any:
    chosen = default if given is None else given
    return otherwise if chosen is None else chosen


def _best(logits: Array, key: Array) -> Array:
    return logits.argmax(axis=-1)


def _draw(logits: Array, key: Array, temperature: float, top_k: int | None, top_p: float | None) -> Array:
    """Draw one piece for each row. Shape of the logits: (batch, vocab_size)."""
    logits = (logits - logits.max(axis=-1, keepdims=True)) / temperature
    if top_k is not None:
        lowest = jax.lax.top_k(logits, min(top_k, logits.shape[-1]))[0][:, -1:]
        logits = jnp.where(logits < lowest, MASKED, logits)
    if top_p is not None:
        order = jnp.argsort(-logits, axis=-1)
        ordered = jnp.take_along_axis(jax.nn.softmax(logits), order, axis=-1)
        # A piece is kept if the better ones do not reach top_p together; the best one always is.
        superfluous = (ordered.cumsum(axis=-1) - ordered >= top_p).at[:, 0].set(False)
        rows = jnp.arange(len(logits))[:, None]
        logits = jnp.where(jnp.zeros_like(superfluous).at[rows, order].set(superfluous), MASKED, logits)
    return jax.random.categorical(key, logits)


def _check(
    ids: Array, mask: Array, new: int, temperature: float, top_k: int | None, top_p: float | None, limit: int
) -> None:
    wanted = {
        "max_new_tokens": (new, isinstance(new, int) and new >= 1, "a whole number of at least 1"),
        "temperature": (temperature, temperature > 0, "a number above 0 (do_sample=False takes the best)"),
        "top_k": (top_k, top_k is None or top_k >= 1, "a whole number of at least 1, or None"),
        "top_p": (top_p, top_p is None or 0 < top_p <= 1, "above 0 and up to 1, or None"),
        "input_ids and attention_mask": (
            f"{ids.shape} and {mask.shape}",
            ids.ndim == 2 and mask.shape == ids.shape,
            "the same shape (batch, prompt)",
        ),
    }
    for name, (given, is_allowed, expected) in wanted.items():
        if not is_allowed:
            raise ValueError(Errors.BB103.format(name=f"generate: {name}", given=given, expected=expected))
    if ids.shape[1] == 0 or not bool(mask[:, -1].all()):
        raise ValueError(Errors.BB106.format(columns=ids.shape[1]))
    if ids.shape[1] + new > limit:
        raise ValueError(Errors.BB107.format(prompt=ids.shape[1], new=new, limit=limit))
