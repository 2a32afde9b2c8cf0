"""The span of a text that answers a question."""

import torch
from torch import Tensor, nn

from ...errors import Errors
from ..config import BigBirdConfig
from ..encoder import BigBirdModel
from ..initialization import initialize_weights
from ..layers.linear import Linear
from ..outputs import QuestionAnsweringOutput
from ..pretrained import PretrainedModel
from .losses import exact, span_loss
from .pieces import on_pieces

# Subtracted from logits that shall never win.
OUT_OF_THE_RUNNING = 1e6


class QuestionAnsweringHead(nn.Module):
    """A feed-forward part as in a layer of BigBird, and a score for the first and for the last piece of the answer.
    Works on rows of any number of sequences.

    config (BigBirdConfig): gives the sizes, the activation and the dropout.
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
        """rows (Tensor): states. Shape: (..., hidden_size).
        RETURNS (Tensor): scores as first and as last piece. Shape: (..., 2).
        """
        inner = self.dropout(self.output(self.intermediate(self.dropout(rows), self.activation)))
        return self.qa_outputs(self.layer_norm(inner + rows))


class BigBirdForQuestionAnswering(PretrainedModel):
    """BigBird with a head that finds the answer of a question in a text, given as [CLS] question [SEP] text [SEP].

    config (BigBirdConfig): the hyper-parameters. The model has two labels, whatever `num_labels` says.
    add_pooling_layer (bool): whether there is a `pooler_output`. It plays no part in the answer.

    On packed sequences: `qa_head(bigbird.forward_packed(...))`; keeping the question out is the caller's part then.
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
        """Score every piece as first and last of the answer. Pieces of the question and padding get 1e6 less; [CLS],
        which stands for "no answer", does not. Arguments not named here are BigBirdModel's.

        question_lengths (Tensor | None): pieces of each question, [CLS] and [SEP] included. None means up to the first
            [SEP] where ids are given and the configuration knows it, and no question otherwise. Shape: (batch, 1) or
            (batch,).
        token_type_ids (Tensor | None): None means 0 for the question and 1 for the text, where the question's length is
            known. Shape: (batch, seq).
        start_positions, end_positions (Tensor | None): first and last pieces of the right answers. Those outside of the
            sequence and in padding do not count. Shape: (batch,) or (batch, 1).
        RETURNS (QuestionAnsweringOutput): the scores, and the loss where both positions were given.
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
    """What to subtract from the logits. Shape: (batch, seq, 1)."""
    out = torch.zeros(logits.shape[:2], dtype=torch.bool, device=logits.device)
    if in_question is not None:
        out[:, 1:] |= in_question[:, 1:]
    if pieces is not None:
        out |= ~pieces
    return out.unsqueeze(-1) * OUT_OF_THE_RUNNING
