"""The encoder's self-attention, over packed sequences."""

from torch import Tensor, nn

from ...plan.attention import AttentionPlan
from ...plan.config import BigBirdConfig
from ...plan.packing import Packing
from ..attention.api import AUTO, attend, attend_and_show
from ..cpu.dropout import Dropout
from ..cpu.linear import Linear


class SelfAttention(nn.Module):
    """Multi-head self-attention, which is dense or block-sparse for each sequence, depending on the packing.

    config (BigBirdConfig): the hyper-parameters.
    layer (int): index of the layer, which determines the random blocks.

    engine (str): name of the attention engine, as in `attention.api.attend`.
    """

    def __init__(self, config: BigBirdConfig, layer: int) -> None:
        super().__init__()
        self.config = config
        self.layer = layer
        self.engine = AUTO
        self.query_key_value = Linear(config.hidden_size, 3 * config.hidden_size, bias=config.use_bias)
        self.output = Linear(config.hidden_size, config.hidden_size)
        self.dropout = Dropout(config.hidden_dropout_prob)

    def forward(
        self, hidden: Tensor, packing: Packing, head_mask: Tensor | None = None, output_attentions: bool = False
    ) -> tuple[Tensor, list[Tensor] | None]:
        """Let pieces attend to pieces of their own sequence.

        hidden (Tensor): packed sequences. Shape: (rows, hidden_size).
        packing (Packing): where each sequence is.
        head_mask (Tensor | None): factors for the heads' outputs. Shape: (heads,).
        output_attentions (bool): whether to return the attention probabilities, which take quadratic memory.
        RETURNS (tuple[Tensor, list[Tensor] | None]): the output, shape (rows, hidden_size), and for each sequence the
            probabilities, shape (heads, length, length).
        """
        context, attentions = self._context(hidden, packing, head_mask, output_attentions)
        return self.project(context), attentions

    def project(self, context: Tensor) -> Tensor:
        """Apply what follows on attending.

        context (Tensor): the concatenated outputs of the heads. Shape: (rows, hidden_size).
        RETURNS (Tensor): the output. Shape: (rows, hidden_size).
        """
        return self.dropout(self.output(context))

    def _context(
        self, hidden: Tensor, packing: Packing, head_mask: Tensor | None, output_attentions: bool
    ) -> tuple[Tensor, list[Tensor] | None]:
        """Compute everything before the last projection.

        This is a separate method so that, in inference, the query, key and value projections are freed before the last
        projection.
        """
        plan = AttentionPlan(self.config, self.layer, packing)
        projections, dropout = self.query_key_value(hidden), self.attention_dropout
        attentions = None
        if output_attentions:
            context, attentions = attend_and_show(projections, plan, self.engine, dropout)
        else:
            context = attend(projections, plan, self.engine, dropout)
        if head_mask is not None:
            context = (context.unflatten(1, (len(head_mask), -1)) * head_mask[:, None]).flatten(1)
            attentions = attentions and [probabilities * head_mask[:, None, None] for probabilities in attentions]
        return context, attentions

    @property
    def attention_dropout(self) -> float:
        """Dropout of attention probabilities, which is 0 in prediction."""
        return self.config.attention_probs_dropout_prob if self.training else 0.0
