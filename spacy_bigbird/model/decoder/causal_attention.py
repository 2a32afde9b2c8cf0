"""The decoder's self-attention."""

import torch
from torch import Tensor, nn

from ...plan.config import BigBirdConfig
from ..cpu.dropout import Dropout
from ..cpu.linear import Linear
from .cache import LayerCache
from .masked import masked_attention, split_heads


class CausalSelfAttention(nn.Module):
    """Dense multi-head self-attention of a padded batch. Its parameters are those of the encoder's self-attention.

    config (BigBirdConfig): the hyper-parameters.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.query_key_value = Linear(config.hidden_size, 3 * config.hidden_size, bias=config.use_bias)
        self.output = Linear(config.hidden_size, config.hidden_size)
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.attention_dropout = config.attention_probs_dropout_prob

    def forward(
        self,
        hidden: Tensor,
        mask: Tensor | None,
        past: LayerCache | None = None,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
    ) -> tuple[Tensor, LayerCache, Tensor | None]:
        """Let each piece attend to itself and the pieces before it.

        hidden (Tensor): states. Shape: (batch, seq, hidden_size).
        mask (Tensor | None): mask from `causal_mask`. Shape: (batch or 1, 1, seq, past + seq).
        past (LayerCache | None): keys and values of the previous pieces.
        head_mask (Tensor | None): factors for the heads' outputs. Shape: (heads,).
        output_attentions (bool): whether to return the attention probabilities.
        RETURNS (tuple[Tensor, LayerCache, Tensor | None]): the output, shape (batch, seq, hidden_size), the keys and
            values of all pieces so far, and the probabilities, shape (batch, heads, seq, past + seq).
        """
        query, key, value = split_heads(self.query_key_value(hidden), 3, self.heads)
        if past is not None:
            key, value = torch.cat([past.key, key], dim=2), torch.cat([past.value, value], dim=2)
        dropout = self.attention_dropout if self.training else 0.0
        context, probabilities = masked_attention(query, key, value, mask, dropout, head_mask, output_attentions)
        return self.dropout(self.output(context)), LayerCache(key, value), probabilities
