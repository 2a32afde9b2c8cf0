"""One layer of the encoder."""

import torch
from torch import Tensor, nn

from ..attention.packing import Packing
from ..config import BigBirdConfig
from .feed_forward import FeedForward
from .rows import USUAL_PART, map_rows
from .self_attention import SelfAttention


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each with a residual connection and layer normalisation behind it.

    config (BigBirdConfig): gives the sizes and the attention.
    layer (int): number of the layer, from 0.
    """

    def __init__(self, config: BigBirdConfig, layer: int) -> None:
        super().__init__()
        self.attention = SelfAttention(config, layer)
        self.attention_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.feed_forward = FeedForward(config)
        self.feed_forward_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(
        self, hidden: Tensor, packing: Packing, head_mask: Tensor | None = None, output_attentions: bool = False
    ) -> tuple[Tensor, list[Tensor] | None]:
        """Arguments and results are those of `SelfAttention.forward`."""
        attended, attentions = self.attention(hidden, packing, head_mask, output_attentions)
        if self.training or torch.is_grad_enabled() or hidden.device.type != "cpu":
            # In training a pass without gradients must drop out what the pass that repeats it drops out.
            return self._behind_attention(attended, hidden), attentions
        # Part by part, so that what lies between the first sum and the last stays in the CPU's caches.
        width, dtype = hidden.shape[1], hidden.dtype
        output = map_rows(self._behind_attention, attended, hidden, width=width, dtype=dtype, largest=USUAL_PART)
        return output, attentions

    def _behind_attention(self, attended: Tensor, hidden: Tensor) -> Tensor:
        """The rest of the layer, in which each row is on its own. Shape of all: (rows, hidden_size)."""
        hidden = self.attention_norm(attended + hidden)
        return self.feed_forward_norm(self.feed_forward(hidden) + hidden)
