"""A layer of the encoder."""

import torch
from torch import Tensor, nn

from ...plan.config import BigBirdConfig
from ...plan.packing import Packing
from ..cpu.device import on_cpu
from ..cpu.feed_forward import FeedForward
from ..cpu.linear import weights_cast_once
from ..cpu.rows import USUAL_PART, map_rows
from .self_attention import SelfAttention


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward part, each followed by a residual connection and layer normalisation.

    config (BigBirdConfig): the hyper-parameters.
    layer (int): index of the layer.
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
        """Apply the layer.

        hidden (Tensor): packed sequences. Shape: (rows, hidden_size).
        packing (Packing): where each sequence is.
        head_mask (Tensor | None): factors for the heads' outputs. Shape: (heads,).
        output_attentions (bool): whether to return the attention probabilities.
        RETURNS (tuple[Tensor, list[Tensor] | None]): the output, shape (rows, hidden_size), and for each sequence the
            probabilities, shape (heads, length, length).
        """
        attended, attentions = self.attention(hidden, packing, head_mask, output_attentions)
        return self.behind_attention(attended, hidden), attentions

    def behind_attention(self, attended: Tensor, hidden: Tensor) -> Tensor:
        """Apply the rest of the layer, in which rows are independent.

        attended (Tensor): output of the attention. Shape: (rows, hidden_size).
        hidden (Tensor): input of the layer. Shape: (rows, hidden_size).
        RETURNS (Tensor): output of the layer. Shape: (rows, hidden_size).
        """
        if self.training or torch.is_grad_enabled() or not on_cpu(hidden):
            # In training, a pass without gradients must draw the same dropout as the pass with gradients repeating it.
            return self._behind_attention(attended, hidden)
        # In parts, so that everything between the first sum and the last stays in the CPU's caches.
        width, dtype = hidden.shape[1], hidden.dtype
        with weights_cast_once():
            return map_rows(self._behind_attention, attended, hidden, width=width, dtype=dtype, largest=USUAL_PART)

    def _behind_attention(self, attended: Tensor, hidden: Tensor) -> Tensor:
        hidden = self.attention_norm(attended + hidden)
        return self.feed_forward_norm(self.feed_forward(hidden) + hidden)
