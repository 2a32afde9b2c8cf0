"""Keys and values that a decoder has already computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from ...errors import Errors
from ...plan.config import BigBirdConfig


class LayerCache(NamedTuple):
    """Keys and values of one layer.

    key, value (Tensor): those of the decoder's own pieces. Shape: (batch, heads, length, head_size).
    cross_key, cross_value (Tensor | None): those of the encoder's pieces, if there is cross-attention.
        Shape: (batch, heads, encoder_seq, head_size).
    """

    key: Tensor
    value: Tensor
    cross_key: Tensor | None = None
    cross_value: Tensor | None = None


@dataclass(frozen=True)
class KeyValueCache:
    """Keys and values of all layers. A cache is immutable: models take one and return another.

    layers (tuple[LayerCache, ...]): keys and values of each layer.
    """

    layers: tuple[LayerCache, ...]

    @classmethod
    def of(cls, past_key_values: KeyValueCache | Sequence[Sequence[Tensor]], config: BigBirdConfig) -> KeyValueCache:
        """Check a cache, and convert it from transformers' format if needed.

        past_key_values (KeyValueCache | Sequence[Sequence[Tensor]]): a cache, or a tuple for each layer with key and
            value, followed by those of the cross-attention if there is one.
        config (BigBirdConfig): configuration of the model that will use the cache.
        RETURNS (KeyValueCache): the cache.
        RAISES ValueError: the cache belongs to another model.
        """
        layers = tuple(LayerCache(*layer) for layer in past_key_values)
        heads = (config.num_attention_heads, config.head_size)
        shapes = [(t.shape[1], t.shape[-1]) for layer in layers for t in layer if t is not None]
        if len(layers) != config.num_hidden_layers or any(shape != heads for shape in shapes):
            raise ValueError(
                Errors.BB105.format(
                    layers=len(layers), shapes=sorted(set(shapes)), expected=config.num_hidden_layers, shape=heads
                )
            )
        return cls(layers)

    @property
    def length(self) -> int:
        """Number of the decoder's pieces in the cache."""
        return self.layers[0].key.shape[2]

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[LayerCache]:
        return iter(self.layers)

    def __getitem__(self, layer: int) -> LayerCache:
        return self.layers[layer]

    def to_tuple(self) -> tuple[tuple[Tensor, ...], ...]:
        """Convert to transformers' format.

        RETURNS (tuple[tuple[Tensor, ...], ...]): for each layer key and value, followed by those of the cross-attention
            if there is one.
        """
        return tuple(tuple(tensor for tensor in layer if tensor is not None) for layer in self.layers)
