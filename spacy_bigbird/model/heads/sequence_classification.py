"""Predict labels, or a value, for a whole text."""

from torch import Tensor, nn

from ...plan.config import BigBirdConfig
from ..cpu.linear import Linear
from ..encoder import BigBirdModel
from ..initialization import initialize_weights
from ..outputs import SequenceClassifierOutput
from ..pretrained import PretrainedModel
from .losses import sequence_loss


class ClassificationHead(nn.Module):
    """A head with two linear layers that scores labels from the states of [CLS].

    config (BigBirdConfig): the hyper-parameters.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.head_dropout)
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.out_proj = Linear(config.hidden_size, config.num_labels)
        self.activation = config.hidden_act

    def forward(self, cls_states: Tensor) -> Tensor:
        """Score the labels.

        cls_states (Tensor): states of [CLS]. Shape: (..., hidden_size).
        RETURNS (Tensor): scores of the labels. Shape: (..., num_labels).
        """
        hidden = self.dense(self.dropout(cls_states), self.activation)
        return self.out_proj(self.dropout(hidden))


class BigBirdForSequenceClassification(PretrainedModel):
    """BigBird with a head that predicts one label, several labels or a value for a whole text (see `problem_type`).

    For packed sequences, use `classifier(bigbird.forward_packed(...)[first_rows])`.

    config (BigBirdConfig): the hyper-parameters. The model has `num_labels` labels.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__(config)
        self.bigbird = BigBirdModel(config)
        self.classifier = ClassificationHead(config)
        initialize_weights(self.classifier, config)

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
    ) -> SequenceClassifierOutput:
        """Score the labels for every text. The other arguments are those of BigBirdModel.

        labels (Tensor | None): for one label, its index, shape (batch,); for several, 0 or 1 for each of them, shape
            (batch, num_labels); for regression, values, shape (batch,) or (batch, num_labels). Without a
            `problem_type`, a model with one label does regression; with several labels, integers mean one label for
            each text, and floating-point numbers mean several. -100 is ignored, except in regression.
        RETURNS (SequenceClassifierOutput): the scores, and the loss if labels are given.
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
        logits = self.classifier(outputs.last_hidden_state[:, 0])
        loss = None if labels is None else sequence_loss(logits, labels, self.config)
        return SequenceClassifierOutput(
            loss=loss, logits=logits, hidden_states=outputs.hidden_states, attentions=outputs.attentions
        )
