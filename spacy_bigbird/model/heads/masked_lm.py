"""Predict masked pieces."""

from torch import Tensor

from ..outputs import MaskedLMOutput
from .lm_head import LanguageModel
from .losses import IGNORED, check_labels, cross_entropy
from .pieces import on_pieces, without_padding


class BigBirdForMaskedLM(LanguageModel):
    """BigBird with a head that predicts masked pieces.

    For packed sequences, use `lm_head(bigbird.forward_packed(...)[rows])`, with the rows to score.

    config (BigBirdConfig): the hyper-parameters.
    """

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        *,
        logits_at_labels_only: bool = False,
    ) -> MaskedLMOutput:
        """Score all pieces of the vocabulary at every position. The other arguments are those of BigBirdModel.

        labels (Tensor | None): ids of the correct pieces. -100 and padding are ignored. Shape: (batch, seq).
        logits_at_labels_only (bool): whether to score only the positions with labels that count, row after row. The
            logits then have shape (labels, vocab_size). Training needs no others, and the scores at 4,096 positions
            take nearly a gigabyte.
        RETURNS (MaskedLMOutput): the scores, and the loss if labels are given.
        RAISES ValueError: the labels have another shape or are not in the vocabulary, or the inputs do not fit.
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
        states = outputs.last_hidden_state
        if labels is None:
            logits, loss = on_pieces(self.lm_head, states, attention_mask), None
        else:
            check_labels(labels, states.shape[:2], self.config.vocab_size)
            labels = without_padding(labels, attention_mask)
            counted = labels != IGNORED
            if logits_at_labels_only:
                logits = at_labels = self.lm_head(states[counted])
            else:
                logits = on_pieces(self.lm_head, states, attention_mask)
                at_labels = logits[counted]
            loss = cross_entropy(at_labels, labels[counted])
        return MaskedLMOutput(
            loss=loss, logits=logits, hidden_states=outputs.hidden_states, attentions=outputs.attentions
        )
