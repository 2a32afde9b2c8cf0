"""Labels, or a value, for a whole text."""

from torch import Tensor, nn

from ..config import BigBirdConfig
from ..encoder import BigBirdModel
from ..initialization import initialize_weights
from ..layers.linear import Linear
from ..outputs import SequenceClassifierOutput
from ..pretrained import PretrainedModel
from .losses import sequence_loss


class ClassificationHead(nn.Module):
    """Two layers on the states of [CLS].

    config (BigBirdConfig): gives the sizes, the activation, the dropout and the number of labels.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.head_dropout)
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.out_proj = Linear(config.hidden_size, config.num_labels)
        self.activation = config.hidden_act

    def forward(self, cls_states: Tensor) -> Tensor:
        """cls_states (Tensor): states of [CLS]. Shape: (..., hidden_size).
        RETURNS (Tensor): scores of the labels. Shape: (..., num_labels).
        """
        hidden = self.dense(self.dropout(cls_states), self.activation)
        return self.out_proj(self.dropout(hidden))


class BigBirdForSequenceClassification(PretrainedModel):
    """BigBird with a head that classifies whole texts: one label, several, or a value (`problem_type`).

    config (BigBirdConfig): the hyper-parameters; `num_labels` labels.

    On packed sequences: `classifier(bigbird.forward_packed(...)[first_rows])`.
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
        """Score the labels of every text. Arguments not named here are BigBirdModel's.

        labels (Tensor | None): the right label's number, shape (batch,); or 0 and 1 for each label, shape
            (batch, num_labels); or values, shape (batch,) or (batch, num_labels). `problem_type` says which; without
            one, a single label means regression, whole numbers one label and other numbers several.
        RETURNS (SequenceClassifierOutput): the scores, and the loss where labels were given.
        RAISES ValueError: for labels of another shape or that do not exist.
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
