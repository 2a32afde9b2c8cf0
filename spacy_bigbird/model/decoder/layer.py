"""A layer of the decoder."""

from typing import NamedTuple

from torch import Tensor, nn

from ...plan.config import BigBirdConfig
from ..cpu.feed_forward import FeedForward
from .cache import LayerCache
from .causal_attention import CausalSelfAttention
from .cross_attention import CrossAttention


class DecoderLayerOutput(NamedTuple):
    """Output of a decoder layer.

    hidden (Tensor): states. Shape: (batch, seq, hidden_size).
    cache (LayerCache): keys and values of all pieces so far.
    attentions (Tensor | None): probabilities of the self-attention. Shape: (batch, heads, seq, past + seq).
    cross_attentions (Tensor | None): probabilities of the cross-attention. Shape: (batch, heads, seq, encoder_seq).
    """

    hidden: Tensor
    cache: LayerCache
    attentions: Tensor | None
    cross_attentions: Tensor | None


class DecoderLayer(nn.Module):
    """Causal self-attention, cross-attention if the configuration has it, and a feed-forward part.

    Each of them is followed by a residual connection and layer normalisation.

    config (BigBirdConfig): the hyper-parameters.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__()
        self.attention = CausalSelfAttention(config)
        self.attention_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        if config.add_cross_attention:
            self.cross_attention = CrossAttention(config)
            self.cross_attention_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.feed_forward = FeedForward(config)
        self.feed_forward_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(
        self,
        hidden: Tensor,
        mask: Tensor | None,
        past: LayerCache | None = None,
        encoder_states: Tensor | None = None,
        encoder_mask: Tensor | None = None,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
    ) -> DecoderLayerOutput:
        """Apply the layer.

        hidden (Tensor): states. Shape: (batch, seq, hidden_size).
        mask (Tensor | None): mask from `causal_mask`. Shape: (batch or 1, 1, seq, past + seq).
        past (LayerCache | None): keys and values of the previous pieces, and of the encoder's pieces.
        encoder_states (Tensor | None): output of the encoder, which is not used if `past` has keys and values for it.
            Shape: (batch, encoder_seq, hidden_size).
        encoder_mask (Tensor | None): True for the encoder's pieces, False for padding.
            Shape: (batch, 1, 1, encoder_seq).
        head_mask (Tensor | None): factors for the heads' outputs. Shape: (heads,).
        output_attentions (bool): whether to return the attention probabilities.
        RETURNS (DecoderLayerOutput): states, cache and probabilities.
        """
        attended, cache, attentions = self.attention(hidden, mask, past, head_mask, output_attentions)
        hidden = self.attention_norm(attended + hidden)
        cross_attentions = None
        if past is not None and past.cross_key is not None:
            cache = cache._replace(cross_key=past.cross_key, cross_value=past.cross_value)
        elif encoder_states is not None:
            key, value = self.cross_attention.project(encoder_states)
            cache = cache._replace(cross_key=key, cross_value=value)
        if cache.cross_key is not None:
            attended, cross_attentions = self.cross_attention(
                hidden, cache.cross_key, cache.cross_value, encoder_mask, head_mask, output_attentions
            )
            hidden = self.cross_attention_norm(attended + hidden)
        hidden = self.feed_forward_norm(self.feed_forward(hidden) + hidden)
        return DecoderLayerOutput(hidden, cache, attentions, cross_attentions)
