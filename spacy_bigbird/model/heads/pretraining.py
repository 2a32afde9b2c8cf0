"""The two tasks of pre-training: predict masked pieces, and whether the second text follows the first."""

from torch import Tensor

from ...plan.config import BigBirdConfig
from ..cpu.linear import Linear
from ..initialization import initialize_weights
from ..outputs import PreTrainingOutput
from .lm_head import LanguageModel
from .losses import cross_entropy
from .pieces import on_pieces, without_padding


class BigBirdForPreTraining(LanguageModel):
    """BigBird with the heads for pre-training.

    For packed sequences, use `lm_head(bigbird.forward_packed(...)[rows])`, with the rows to score, and
    `next_sentence(bigbird.pool(bigbird.forward_packed(...)[first_rows]))`.

    config (BigBirdConfig): the hyper-parameters.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__(config)
        self.next_sentence = Linear(config.hidden_size, 2)
        initialize_weights(self.next_sentence, config)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        next_sentence_label: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
    ) -> PreTrainingOutput:
        """Score all pieces of the vocabulary at every position, and whether the second text follows the first.

        The other arguments are those of BigBirdModel.

        labels (Tensor | None): ids of the correct pieces. -100 and padding are ignored. Shape: (batch, seq).
        next_sentence_label (Tensor | None): 0 if the second text follows the first, 1 if it is random. -100 is ignored.
            Shape: (batch,).
        RETURNS (PreTrainingOutput): the scores, and the sum of the losses for the labels that are given.
        RAISES ValueError: labels have another shape or do not exist, or the inputs do not fit.
        """
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
        prediction_logits = on_pieces(self.lm_head, outputs.last_hidden_state, attention_mask)
        seq_relationship_logits = self.next_sentence(outputs.pooler_output)
        losses = []
        if labels is not None:
            losses.append(cross_entropy(prediction_logits, without_padding(labels, attention_mask)))
        if next_sentence_label is not None:
            losses.append(cross_entropy(seq_relationship_logits, next_sentence_label.reshape(-1)))
        return PreTrainingOutput(
            loss=sum(losses[1:], losses[0]) if losses else None,
            prediction_logits=prediction_logits,
            seq_relationship_logits=seq_relationship_logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
