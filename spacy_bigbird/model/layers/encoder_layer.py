"""One layer of the encoder."""

from torch import Tensor, nn

from ..attention.packing import Packing
from ..config import BigBirdConfig
from .feed_forward import FeedForward
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
        hidden = self.attention_norm(attended + hidden)
        return self.feed_forward_norm(self.feed_forward(hidden) + hidden), attentions
