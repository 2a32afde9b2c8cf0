"""The stack of encoder layers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..plan.config import BigBirdConfig
from ..plan.packing import Packing
from .cpu.linear import compute_dtype
from .layers.encoder_layer import EncoderLayer
from .padded import head_factors


@dataclass
class EncoderStates:
    """The layers' outputs for packed sequences.

    last (Tensor): output of the last layer. Shape: (rows, hidden_size).
    hidden_states (list[Tensor] | None): input of the first layer, then the output of each layer.
        Shape: (rows, hidden_size) each.
    attentions (list[list[Tensor]] | None): attention probabilities by layer and sequence.
        Shape: (heads, length, length) each.
    """

    last: Tensor
    hidden_states: list[Tensor] | None = None
    attentions: list[list[Tensor]] | None = None


class BigBirdEncoder(nn.Module):
    """A stack of encoder layers over packed sequences.

    config (BigBirdConfig): the hyper-parameters.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(EncoderLayer(config, number) for number in range(config.num_hidden_layers))

    def forward(
        self,
        hidden: Tensor,
        packing: Packing,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        gradient_checkpointing: bool = False,
        first: int = 0,
        last: int | None = None,
    ) -> EncoderStates:
        """Apply the layers.

        hidden (Tensor): packed embeddings, or the output of layer `first`. Shape: (rows, hidden_size).
        packing (Packing): where each sequence is.
        head_mask (Tensor | None): factors for the heads' outputs. Shape: (heads,) or (layers, heads).
        output_attentions (bool): whether to return attention probabilities.
        output_hidden_states (bool): whether to return every layer's states.
        gradient_checkpointing (bool): whether to keep only each layer's input for the backward pass, and recompute the
            rest.
        first (int): number of layers that have been applied already.
        last (int | None): number of layers to stop after; None for all.
        RETURNS (EncoderStates): the states.
        RAISES ValueError: `head_mask` has another shape.
        """
        if not torch.is_grad_enabled():
            # Under autocast, states between layers have its dtype too: half the memory traffic, and no larger an error.
            hidden = hidden.to(compute_dtype(hidden))
        states = EncoderStates(hidden, [hidden] if output_hidden_states else None, [] if output_attentions else None)
        all_factors = head_factors(head_mask, self.config, hidden)
        for layer, factors in zip(self.layers[first:last], all_factors[first:last], strict=True):
            arguments = (states.last, packing, factors, output_attentions)
            if gradient_checkpointing and torch.is_grad_enabled():
                states.last, attentions = checkpoint(layer, *arguments, use_reentrant=False)
            else:
                states.last, attentions = layer(*arguments)
            if states.hidden_states is not None:
                states.hidden_states.append(states.last)
            if states.attentions is not None:
                states.attentions.append(attentions)
        return states
