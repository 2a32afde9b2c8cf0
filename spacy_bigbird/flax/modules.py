"""The layers as flax.linen modules. Parameters have the names of transformers' Flax classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct

from ..plan.config import BigBirdConfig
from .attention import Array, Dropout, Rows, attend, dense_attention, key_counts, no_dropout

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_new": lambda x: jax.nn.gelu(x, approximate=True),
    "relu": jax.nn.relu,
    "selu": jax.nn.selu,
}


@struct.dataclass
class Decoding:
    """What a decoder attends to besides its own pieces.

    encoder_states (Array | None): output of an encoder. Shape: (batch, encoder_seq, hidden_size).
    encoder_mask (Any): True for its pieces. Shape: (batch, encoder_seq).
    """

    encoder_states: Array | None = None
    encoder_mask: Any = None


class Flags(NamedTuple):
    """What a pass through the layers does besides computing states.

    deterministic (bool): whether there is no dropout.
    with_probabilities (bool): whether to return attention probabilities.
    init_cache (bool): whether to create a cache for keys and values.
    """

    deterministic: bool
    with_probabilities: bool
    init_cache: bool


class Module(nn.Module):
    """Base class of the modules.

    config (BigBirdConfig): the hyper-parameters.
    dtype (Any): type of the computation. Parameters are kept in fp32.
    """

    config: BigBirdConfig
    dtype: Any = jnp.float32

    def dense(self, features: int, name: str, use_bias: bool = True) -> nn.Dense:
        init = nn.initializers.normal(self.config.initializer_range)
        return nn.Dense(features, use_bias=use_bias, dtype=self.dtype, kernel_init=init, name=name)

    def norm(self) -> nn.LayerNorm:
        return nn.LayerNorm(epsilon=self.config.layer_norm_eps, dtype=self.dtype, name="LayerNorm")

    def dropout(self, x: Array, deterministic: bool, rate: float | None = None) -> Array:
        rate = self.config.hidden_dropout_prob if rate is None else rate
        return nn.Dropout(rate)(x, deterministic=deterministic)


class Embeddings(Module):
    """The sum of word, position and token type embeddings, followed by dropout and layer normalisation."""

    @nn.compact
    def __call__(
        self, input_ids: Array, token_type_ids: Array, position_ids: Array, deterministic: bool = True
    ) -> Array:
        config = self.config
        random = nn.initializers.normal(config.initializer_range)

        def table(rows: int, name: str, init: Any = random) -> nn.Embed:
            return nn.Embed(rows, config.hidden_size, embedding_init=init, dtype=self.dtype, name=name)

        def without_padding(key: Array, shape: Any, dtype: Any) -> Array:
            padding = config.pad_token_id
            return random(key, shape, dtype) if padding is None else random(key, shape, dtype).at[padding].set(0)

        words = table(config.vocab_size, "word_embeddings", without_padding)(input_ids)
        if config.rescale_embeddings:
            words = words * config.hidden_size**0.5
        types = table(config.type_vocab_size, "token_type_embeddings")(token_type_ids)
        positions = table(config.max_position_embeddings, "position_embeddings")(position_ids)
        return self.norm()(self.dropout(words + types + positions, deterministic))


class Projections(Module):
    """Query, key and value projections with the attention itself: what checkpoints call `self`."""

    layer: int = 0
    is_cross_attention: bool = False

    @nn.compact
    def __call__(
        self, hidden: Array, rows: Rows, memory: Array | None, factors: Array, flags: Flags
    ) -> tuple[Array, Array | None]:
        config = self.config
        heads = config.num_attention_heads
        size = config.hidden_size // heads

        def project(states: Array, name: str) -> Array:
            return self.dense(config.hidden_size, name, config.use_bias)(states).reshape(*states.shape[:2], heads, size)

        source = hidden if memory is None else memory
        query, key, value = project(hidden, "query"), project(source, "key"), project(source, "value")
        allowed, probabilities = rows.mask[:, None, None, :], None
        dropout = self._attention_dropout(flags.deterministic)
        if self.is_cross_attention or config.is_decoder:
            if not self.is_cross_attention:
                key, value, allowed = self._after_past(query, key, value, allowed, flags.init_cache)
            output, probabilities = dense_attention(query, key, value, allowed, dropout=dropout)
        elif flags.with_probabilities:
            counts = key_counts(rows, config, self.layer, query.shape[1])
            output, probabilities = dense_attention(query, key, value, allowed, counts)
        else:
            output = attend(query, key, value, rows, config, self.layer, dropout)
        output = output * factors[:, None].astype(output.dtype)
        probabilities = None if probabilities is None else probabilities * factors[:, None, None]
        return output.reshape(hidden.shape), probabilities

    def _attention_dropout(self, deterministic: bool) -> Dropout:
        rate = self.config.attention_probs_dropout_prob
        if deterministic or not rate:
            return no_dropout
        key = self.make_rng("dropout")
        return lambda p: jnp.where(jax.random.bernoulli(key, 1 - rate, p.shape), p / (1 - rate), 0)

    def _after_past(
        self, query: Array, key: Array, value: Array, allowed: Array, init_cache: bool
    ) -> tuple[Array, Array, Array]:
        """Append keys and values to those in the cache, if there is one, and allow no look into the future."""
        first = jnp.zeros((), jnp.int32)
        has_cache = self.has_variable("cache", "cached_key")
        if has_cache or init_cache:
            keys = self.variable("cache", "cached_key", jnp.zeros, key.shape, key.dtype)
            values = self.variable("cache", "cached_value", jnp.zeros, value.shape, value.dtype)
            index = self.variable("cache", "cache_index", lambda: first)
            if has_cache:
                first = index.value
                key = keys.value = jax.lax.dynamic_update_slice(keys.value, key, (0, first, 0, 0))
                value = values.value = jax.lax.dynamic_update_slice(values.value, value, (0, first, 0, 0))
                index.value = first + query.shape[1]
        past = jnp.arange(key.shape[1]) <= first + jnp.arange(query.shape[1])[:, None]
        return key, value, allowed & past


class Attention(Module):
    """Attention with its output layer, residual connection and layer normalisation."""

    layer: int = 0
    is_cross_attention: bool = False

    @nn.compact
    def __call__(
        self, hidden: Array, rows: Rows, memory: Array | None, factors: Array, flags: Flags
    ) -> tuple[Array, Array | None]:
        projections = Projections(self.config, self.dtype, self.layer, self.is_cross_attention, name="self")
        output, probabilities = projections(hidden, rows, memory, factors, flags)
        return Residual(self.config, self.dtype, name="output")(output, hidden, flags.deterministic), probabilities


class Residual(Module):
    """A linear layer, dropout, the residual connection and layer normalisation: what checkpoints call `output`."""

    @nn.compact
    def __call__(self, x: Array, residual: Array, deterministic: bool) -> Array:
        x = self.dropout(self.dense(self.config.hidden_size, "dense")(x), deterministic)
        return self.norm()(x + residual)


class Intermediate(Module):
    """The wide layer of the feed-forward part."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return ACTIVATIONS[self.config.hidden_act](self.dense(self.config.intermediate_size, "dense")(x))


class Layer(Module):
    """Self-attention, cross-attention in a decoder that has an encoder, and feed-forward part."""

    layer: int = 0

    @nn.compact
    def __call__(
        self, hidden: Array, rows: Rows, decoding: Decoding, factors: Array, flags: Flags
    ) -> tuple[Array, Array | None, Array | None]:
        config, dtype = self.config, self.dtype
        hidden, attention = Attention(config, dtype, self.layer, name="attention")(hidden, rows, None, factors, flags)
        crossed = None
        if decoding.encoder_states is not None:
            cross = Attention(config, dtype, self.layer, is_cross_attention=True, name="crossattention")
            memory = Rows(decoding.encoder_mask, rows.blocks)
            without_cache = flags._replace(init_cache=False)
            hidden, crossed = cross(hidden, memory, decoding.encoder_states, factors, without_cache)
        wide = Intermediate(config, dtype, name="intermediate")(hidden)
        return Residual(config, dtype, name="output")(wide, hidden, flags.deterministic), attention, crossed


class Layers(Module):
    """All layers, by their number."""

    gradient_checkpointing: bool = False

    @nn.compact
    def __call__(
        self, hidden: Array, rows: Rows, decoding: Decoding, head_mask: Array, flags: Flags
    ) -> tuple[list[Array], list[Array | None], list[Array | None]]:
        kind = nn.remat(Layer, static_argnums=(5,)) if self.gradient_checkpointing else Layer
        states, attentions, crossed = [hidden], [], []
        for number in range(self.config.num_hidden_layers):
            layer = kind(self.config, self.dtype, number, name=str(number))
            hidden, probabilities, cross = layer(hidden, rows, decoding, head_mask[number], flags)
            states.append(hidden)
            attentions.append(probabilities)
            crossed.append(cross)
        return states, attentions, crossed


class Encoder(Module):
    """The layers, under the name that checkpoints have for them."""

    gradient_checkpointing: bool = False

    @nn.compact
    def __call__(self, *arguments: Any) -> Any:
        return Layers(self.config, self.dtype, self.gradient_checkpointing, name="layer")(*arguments)
