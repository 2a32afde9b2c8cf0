"""The layers of a decoder, whose attention is dense and causal whatever the `attention_type`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...errors import Errors
from ...plan.config import BigBirdConfig
from ..outputs import BaseModelOutput
from ..padded import head_factors
from .cache import KeyValueCache
from .layer import DecoderLayer
from .masked import causal_mask


class BigBirdDecoder(nn.Module):
    """A stack of decoder layers over a padded batch.

    config (BigBirdConfig): the hyper-parameters.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.num_hidden_layers))

    def forward(
        self,
        hidden: Tensor,
        attention_mask: Tensor | None = None,
        head_mask: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        past: KeyValueCache | None = None,
        use_cache: bool = False,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        gradient_checkpointing: bool = False,
    ) -> BaseModelOutput:
        """Apply the layers.

        hidden (Tensor): embeddings. Shape: (batch, seq, hidden_size).
        attention_mask (Tensor | None): 1 for pieces, 0 for padding on either side, including the pieces in the cache.
            Shape: (batch, past + seq).
        head_mask (Tensor | None): factors for the heads' outputs. Shape: (heads,) or (layers, heads).
        encoder_hidden_states (Tensor | None): output of the encoder. Shape: (batch, encoder_seq, hidden_size).
        encoder_attention_mask (Tensor | None): 1 for the encoder's pieces, 0 for padding. Shape: (batch, encoder_seq).
        past (KeyValueCache | None): keys and values of the previous pieces.
        use_cache (bool): whether to return keys and values.
        output_attentions (bool): whether to return attention probabilities.
        output_hidden_states (bool): whether to return every layer's states.
        gradient_checkpointing (bool): whether to keep only each layer's input for the backward pass, and recompute the
            rest.
        RETURNS (BaseModelOutput): everything except `pooler_output`. Padding is zero.
        RAISES ValueError: the inputs do not fit together or do not fit the model.
        """
        batch, columns = hidden.shape[:2]
        if past is not None and len(past[0].key) != batch:
            raise _wrong("past_key_values", f"{len(past[0].key)} sequences", batch)
        keys = columns + (0 if past is None else past.length)
        pieces = _pieces("attention_mask", attention_mask, (batch, keys))
        mask = causal_mask(pieces, columns, keys, hidden.device)
        encoder_mask = self._check_encoder(batch, encoder_hidden_states, encoder_attention_mask, past)
        # Padding is computed like everything else and zeroed at the end, because no piece attends to it.
        is_piece = None if pieces is None else pieces[:, -columns:]
        all_states, caches, attentions, cross_attentions = [wipe(hidden, is_piece)], [], [], []
        all_factors = head_factors(head_mask, self.config, hidden)
        for number, (layer, factors) in enumerate(zip(self.layers, all_factors, strict=True)):
            layer_past = None if past is None else past[number]
            arguments = (hidden, mask, layer_past, encoder_hidden_states, encoder_mask, factors, output_attentions)
            if gradient_checkpointing and torch.is_grad_enabled():
                result = checkpoint(layer, *arguments, use_reentrant=False)
            else:
                result = layer(*arguments)
            hidden = result.hidden
            if output_hidden_states:
                all_states.append(wipe(hidden, is_piece))
            if use_cache:
                caches.append(result.cache)
            if output_attentions:
                attentions.append(wipe(result.attentions, is_piece))
                if result.cross_attentions is not None:
                    cross_attentions.append(wipe(result.cross_attentions, is_piece))
        return BaseModelOutput(
            last_hidden_state=all_states[-1] if output_hidden_states else wipe(hidden, is_piece),
            hidden_states=tuple(all_states) if output_hidden_states else None,
            attentions=tuple(attentions) if output_attentions else None,
            cross_attentions=tuple(cross_attentions) if cross_attentions else None,
            past_key_values=KeyValueCache(tuple(caches)) if use_cache else None,
        )

    def _check_encoder(
        self, batch: int, states: Tensor | None, attention_mask: Tensor | None, past: KeyValueCache | None
    ) -> Tensor | None:
        """Check the encoder's states and mask.

        RETURNS (Tensor | None): True for the encoder's pieces, or None for all. Shape: (batch, 1, 1, encoder_seq).
        """
        cached = None if past is None else past[0].cross_key
        known = states if cached is None else cached
        if known is None:
            if attention_mask is not None:
                raise _wrong("encoder_attention_mask", "it alone", "encoder_hidden_states with it")
            return None
        if not self.config.add_cross_attention:
            raise ValueError(Errors.BB104.format(given="encoder_hidden_states", needed="add_cross_attention=True"))
        if states is not None and (
            states.dim() != 3 or (len(states), states.shape[2]) != (batch, self.config.hidden_size)
        ):
            expected = f"({batch}, encoder_seq, {self.config.hidden_size})"
            raise _wrong("encoder_hidden_states", tuple(states.shape), expected)
        pieces = _pieces("encoder_attention_mask", attention_mask, (batch, known.shape[-2]))
        return None if pieces is None else pieces[:, None, None]


def wipe(values: Tensor, is_piece: Tensor | None) -> Tensor:
    """Set padding to zero.

    values (Tensor): states or attention probabilities. Shape: (batch, seq, width) or (batch, heads, seq, keys).
    is_piece (Tensor | None): True for pieces; None if there is no padding. Shape: (batch, seq).
    RETURNS (Tensor): the values, with zeros for padding. Shape: that of the values.
    """
    if is_piece is None:
        return values
    rows = is_piece[..., None] if values.dim() == 3 else is_piece[:, None, :, None]
    return values.masked_fill(~rows, 0.0)


def _pieces(name: str, mask: Tensor | None, shape: tuple[int, int]) -> Tensor | None:
    """Check a mask's shape and convert it to booleans, or to None if there is no padding."""
    if mask is None:
        return None
    if mask.shape != shape:
        raise _wrong(name, tuple(mask.shape), shape)
    return None if bool(mask.all()) else mask.bool()


def _wrong(name: str, given: object, expected: object) -> ValueError:
    return ValueError(Errors.BB103.format(name=name, given=given, expected=expected))
