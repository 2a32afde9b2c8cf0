"""Predict a label for every piece."""

from torch import Tensor, nn

from ...plan.config import BigBirdConfig
from ..cpu.linear import Linear
from ..encoder import BigBirdModel
from ..initialization import initialize_weights
from ..outputs import TokenClassifierOutput
from ..pretrained import PretrainedModel
from .losses import cross_entropy
from .pieces import on_pieces, without_padding


class BigBirdForTokenClassification(PretrainedModel):
    """BigBird with a linear layer that scores labels for every piece.

    For packed sequences, use `score(bigbird.forward_packed(...))`.

    config (BigBirdConfig): the hyper-parameters. The model has `num_labels` labels.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__(config)
        self.bigbird = BigBirdModel(config)
        self.dropout = nn.Dropout(config.head_dropout)
        self.classifier = Linear(config.hidden_size, config.num_labels)
        initialize_weights(self.classifier, config)

    def score(self, rows: Tensor) -> Tensor:
        """Apply the head.

        rows (Tensor): states. Shape: (..., hidden_size).
        RETURNS (Tensor): scores of the labels. Shape: (..., num_labels).
        """
        return self.classifier(self.dropout(rows))

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
    ) -> TokenClassifierOutput:
        """Score the labels for every piece. The other arguments are those of BigBirdModel.

        labels (Tensor | None): indices of the correct labels. -100 and padding are ignored. Shape: (batch, seq).
        RETURNS (TokenClassifierOutput): the scores, and the loss if labels are given.
        RAISES ValueError: the labels have another shape or do not exist, or the inputs do not fit.
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
        logits = on_pieces(self.score, outputs.last_hidden_state, attention_mask)
        loss = None if labels is None else cross_entropy(logits, without_padding(labels, attention_mask))
        return TokenClassifierOutput(
            loss=loss, logits=logits, hidden_states=outputs.hidden_states, attentions=outputs.attentions
        )
