"""Which of the encoder's layers a listener reads: "last", some by number, or "mix" for a learned mean of all."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from ..errors import Errors

LayerChoice: TypeAlias = str | tuple[int, ...]
NAMED = ("last", "mix")


def checked_choice(layers: str | Sequence[int]) -> LayerChoice:
    """Check the setting `layers` of a listener.

    layers (str | Sequence[int]): "last", "mix", or numbers of layers, 0 for the embeddings.
    RETURNS (LayerChoice): the choice, in a form that can be part of a set.
    RAISES ValueError: it is none of these.
    """
    if layers in NAMED:
        return str(layers)
    if isinstance(layers, str) or not layers or not all(_is_number(layer) for layer in layers):
        raise ValueError(Errors.BB460.format(layers=layers))
    return tuple(layers)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def layers_of(choice: LayerChoice, count: int) -> tuple[int, ...]:
    """Get the numbers of the layers that a listener reads.

    choice (LayerChoice): the listener's choice.
    count (int): number of the encoder's layers.
    RETURNS (tuple[int, ...]): the numbers, 0 for the embeddings.
    RAISES ValueError: the encoder has fewer layers.
    """
    if isinstance(choice, str):
        return (count,) if choice == "last" else tuple(range(count + 1))
    if max(choice) > count:
        raise ValueError(Errors.BB461.format(layer=max(choice), count=count))
    return choice


def all_layers(choices: Iterable[LayerChoice], count: int) -> tuple[int, ...]:
    """Get the numbers of all layers that are read.

    choices (Iterable[LayerChoice]): what the listeners read.
    count (int): number of the encoder's layers.
    RETURNS (tuple[int, ...]): the numbers, from low to high.
    RAISES ValueError: the encoder has fewer layers.
    """
    return tuple(sorted({layer for choice in choices for layer in layers_of(choice, count)}))


def layer_of(weight: str) -> int | None:
    """Find out which layer of the encoder a weight belongs to.

    weight (str): canonical name of the weight, in a model with or without a head.
    RETURNS (int | None): number of the layer, 0 for the first above the embeddings; None if it is in no layer.
    """
    found = re.match(r"(?:bigbird\.)?encoder\.layers\.(\d+)\.", weight)
    return int(found.group(1)) if found else None
