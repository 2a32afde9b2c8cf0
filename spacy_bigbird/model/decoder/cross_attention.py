"""The decoder's attention to an encoder."""

from torch import Tensor, nn

from ...plan.config import BigBirdConfig
from ..cpu.dropout import Dropout
from ..cpu.linear import Linear
from .masked import masked_attention, split_heads


class CrossAttention(nn.Module):
    """Dense multi-head attention from the decoder's pieces to the encoder's.

    config (BigBirdConfig): the hyper-parameters.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.query = Linear(config.hidden_size, config.hidden_size, bias=config.use_bias)
        self.key_value = Linear(config.hidden_size, 2 * config.hidden_size, bias=config.use_bias)
        self.output = Linear(config.hidden_size, config.hidden_size)
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.attention_dropout = config.attention_probs_dropout_prob

    def project(self, encoder_states: Tensor) -> tuple[Tensor, ...]:
        """Compute the keys and values of the encoder's pieces.

        encoder_states (Tensor): output of the encoder. Shape: (batch, encoder_seq, hidden_size).
        RETURNS (tuple[Tensor, ...]): keys and values. Shape: (batch, heads, encoder_seq, head_size) each.
        """
        return split_heads(self.key_value(encoder_states), 2, self.heads)

    def forward(
        self,
        hidden: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Let the decoder's pieces attend to the encoder's.

        hidden (Tensor): the decoder's states. Shape: (batch, seq, hidden_size).
        key, value (Tensor): keys and values from `project`. Shape: (batch, heads, encoder_seq, head_size).
        mask (Tensor | None): True for the encoder's pieces, False for padding. Shape: (batch, 1, 1, encoder_seq).
        head_mask (Tensor | None): factors for the heads' outputs. Shape: (heads,).
        output_attentions (bool): whether to return the attention probabilities.
        RETURNS (tuple[Tensor, Tensor | None]): the output, shape (batch, seq, hidden_size), and the probabilities,
            shape (batch, heads, seq, encoder_seq).
        """
        (query,) = split_heads(self.query(hidden), 1, self.heads)
        dropout = self.attention_dropout if self.training else 0.0
        context, probabilities = masked_attention(query, key, value, mask, dropout, head_mask, output_attentions)
        return self.dropout(self.output(context)), probabilities
