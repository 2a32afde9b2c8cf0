"""The encoder's self-attention, over packed sequences."""

import torch
from torch import Tensor, nn

from ...plan.config import BigBirdConfig
from ...plan.packing import Packing
from ...plan.pattern import key_blocks
from ..attention.engines.reference import key_counts, reference_attention
from ..cpu.block_sparse import block_sparse_attention
from ..cpu.dense import dense_attention
from ..cpu.dropout import Dropout
from ..cpu.linear import Linear


class SelfAttention(nn.Module):
    """Multi-head self-attention, which is dense or block-sparse for each sequence, depending on the packing.

    config (BigBirdConfig): the hyper-parameters.
    layer (int): index of the layer, which determines the random blocks.
    """

    def __init__(self, config: BigBirdConfig, layer: int) -> None:
        super().__init__()
        self.config = config
        self.layer = layer
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
        return self.dropout(self.output(context)), attentions

    def _context(
        self, hidden: Tensor, packing: Packing, head_mask: Tensor | None, output_attentions: bool
    ) -> tuple[Tensor, list[Tensor] | None]:
        """Compute everything before the last projection.

        This is a separate method so that, in inference, the query, key and value projections are freed before the last
        projection.
        """
        attentions: list[Tensor] | None = [] if output_attentions else None
        outputs = []
        sequences = self.query_key_value(hidden).split(packing.row_counts)
        for sequence, length, num_blocks in zip(sequences, packing.lengths, packing.pattern_blocks, strict=True):
            if attentions is not None:
                output, probabilities = self._with_probabilities(sequence, length, num_blocks)
                attentions.append(probabilities if head_mask is None else probabilities * head_mask[:, None, None])
            else:
                output = self._attend(sequence, length, num_blocks)
            outputs.append(output)
        context = outputs[0] if len(outputs) == 1 else torch.cat(outputs or [hidden])
        if head_mask is not None:
            context = (context.unflatten(1, (len(head_mask), -1)) * head_mask[:, None]).flatten(1)
        return context, attentions

    def _attend(self, query_key_value: Tensor, length: int, num_blocks: int) -> Tensor:
        heads = self.config.num_attention_heads
        if num_blocks == 0:
            return dense_attention(query_key_value, heads, self._attention_dropout)
        present_blocks = len(query_key_value) // self.config.block_size
        keys = key_blocks(self.config, self.layer, num_blocks, present_blocks)
        return block_sparse_attention(query_key_value, keys, length, heads)

    def _with_probabilities(self, query_key_value: Tensor, length: int, num_blocks: int) -> tuple[Tensor, Tensor]:
        heads = self.config.num_attention_heads
        by_head = query_key_value[:length].unflatten(1, (3, heads, -1))
        query, key, value = by_head.permute(1, 2, 0, 3)
        counts = key_counts(self.config, self.layer, length, num_blocks)
        dropout = self._attention_dropout if num_blocks == 0 else 0.0
        context, probabilities = reference_attention(query, key, value, counts, dropout)
        padding = (0, 0, 0, len(query_key_value) - length)
        return nn.functional.pad(context.transpose(0, 1).flatten(1), padding), probabilities

    @property
    def _attention_dropout(self) -> float:
        return self.config.attention_probs_dropout_prob if self.training else 0.0
