"""Find the span of a text that answers a question."""

import torch
from torch import Tensor, nn

from ...errors import Errors
from ...plan.config import BigBirdConfig
from ..cpu.linear import Linear
from ..encoder import BigBirdModel
from ..initialization import initialize_weights
from ..outputs import QuestionAnsweringOutput
from ..pretrained import PretrainedModel
from .losses import exact, span_loss
from .pieces import on_pieces

# Subtracted from logits that must never win.
OUT_OF_THE_RUNNING = 1e6


class QuestionAnsweringHead(nn.Module):
    """A head that scores pieces as the first and last of the answer, after a feed-forward part as in BigBird's layers.

    Rows are independent of each other.

    config (BigBirdConfig): the hyper-parameters.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.intermediate = Linear(config.hidden_size, config.intermediate_size)
        self.output = Linear(config.intermediate_size, config.hidden_size)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.qa_outputs = Linear(config.hidden_size, 2)
        self.activation = config.hidden_act

    def forward(self, rows: Tensor) -> Tensor:
        """Score pieces.

        rows (Tensor): states. Shape: (..., hidden_size).
        RETURNS (Tensor): scores as the first and as the last piece. Shape: (..., 2).
        """
        inner = self.dropout(self.output(self.intermediate(self.dropout(rows), self.activation)))
        return self.score(inner + rows)

    def score(self, rows: Tensor) -> Tensor:
        """Score pieces by the last projection alone, without the feed-forward part.

        rows (Tensor): states. Shape: (..., hidden_size).
        RETURNS (Tensor): scores as the first and as the last piece. Shape: (..., 2).
        """
        return self.qa_outputs(self.layer_norm(rows))


class BigBirdForQuestionAnswering(PretrainedModel):
    """BigBird with a head that finds the answer to a question in a text, given as [CLS] question [SEP] text [SEP].

    For packed sequences, use `qa_head(bigbird.forward_packed(...))`, which does not exclude the question.

    config (BigBirdConfig): the hyper-parameters. The model always has two labels, whatever the value of `num_labels`.
    add_pooling_layer (bool): whether there is a `pooler_output`, which has no effect on the answer.
    """

    def __init__(self, config: BigBirdConfig, add_pooling_layer: bool = False) -> None:
        super().__init__(config.replace(num_labels=2))
        self.bigbird = BigBirdModel(self.config, add_pooling_layer)
        self.qa_head = QuestionAnsweringHead(config)
        initialize_weights(self.qa_head, config)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        question_lengths: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
    ) -> QuestionAnsweringOutput:
        """Score each piece as the first and last of the answer.

        The scores of the question's pieces and of padding are lowered by 1e6, except for [CLS] in the first column,
        which stands for "no answer". The other arguments are those of BigBirdModel.

        question_lengths (Tensor | None): number of pieces of each question, including [CLS] and [SEP]. None for those
            up to the first [SEP], or for no question if there are no `input_ids` or the configuration has no
            `sep_token_id`. Shape: (batch,) or (batch, 1), or with 1 instead of batch.
        token_type_ids (Tensor | None): token types; None for 0 in the question and 1 in the text, or 0 everywhere if
            the question's length is unknown. Shape: (batch, seq).
        start_positions, end_positions (Tensor | None): positions of the correct answers' first and last pieces. Those
            outside the sequence or in padding are ignored. Shape: (batch,) or (batch, 1).
        RETURNS (QuestionAnsweringOutput): the scores, and the loss if both positions are given.
        RAISES ValueError: lengths or positions have another shape, or the inputs do not fit.
        """
        if question_lengths is None and input_ids is not None and self.config.sep_token_id is not None:
            question_lengths = (input_ids == self.config.sep_token_id).int().argmax(-1) + 1
        in_question = None
        given = inputs_embeds if input_ids is None else input_ids
        if question_lengths is not None and given is not None:
            lengths = torch.as_tensor(question_lengths, device=given.device).reshape(-1, 1)
            if len(lengths) not in (1, len(given)):
                expected = f"one number for each of {len(given)} rows"
                raise ValueError(Errors.BB103.format(name="question_lengths", given=len(lengths), expected=expected))
            in_question = torch.arange(given.shape[1], device=given.device) < lengths
            in_question = in_question.expand(len(given), -1)
            if token_type_ids is None:
                token_type_ids = (~in_question).long().clamp(max=self.config.type_vocab_size - 1)
        outputs = self.bigbird(
            input_ids,
            attention_mask,
            token_type_ids,
            position_ids,
            head_mask,
            inputs_embeds,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
        )
        pieces = None if attention_mask is None else attention_mask.bool()
        logits = exact(on_pieces(self.qa_head, outputs.last_hidden_state, attention_mask))
        logits = logits - _penalty(in_question, pieces, logits)
        start_logits, end_logits = (side.contiguous() for side in logits.unbind(-1))
        loss = None
        if start_positions is not None and end_positions is not None:
            loss = span_loss(start_logits, end_logits, start_positions, end_positions, pieces)
        return QuestionAnsweringOutput(
            loss=loss,
            start_logits=start_logits,
            end_logits=end_logits,
            pooler_output=outputs.pooler_output,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )


def _penalty(in_question: Tensor | None, pieces: Tensor | None, logits: Tensor) -> Tensor:
    """Compute what to subtract from the logits. Shape: (batch, seq, 1)."""
    out = torch.zeros(logits.shape[:2], dtype=torch.bool, device=logits.device)
    if in_question is not None:
        out[:, 1:] |= in_question[:, 1:]
    if pieces is not None:
        out |= ~pieces
    return out.unsqueeze(-1).to(logits.dtype) * OUT_OF_THE_RUNNING
