"""Choose the best of several continuations or answers."""

from torch import Tensor, nn

from ...errors import Errors
from ...plan.config import BigBirdConfig
from ..cpu.linear import Linear
from ..encoder import BigBirdModel
from ..initialization import initialize_weights
from ..outputs import MultipleChoiceOutput
from ..pretrained import PretrainedModel
from .losses import cross_entropy


class BigBirdForMultipleChoice(PretrainedModel):
    """BigBird with a linear layer that scores choices by their pooled [CLS].

    For packed sequences, one for each choice, use `score(bigbird.pool(bigbird.forward_packed(...)[first_rows]))`.

    config (BigBirdConfig): the hyper-parameters.
    """

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__(config)
        self.bigbird = BigBirdModel(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = Linear(config.hidden_size, 1)
        initialize_weights(self.classifier, config)

    def score(self, pooled: Tensor) -> Tensor:
        """Apply the head.

        pooled (Tensor): output of the pooling layer for each choice. Shape: (..., hidden_size).
        RETURNS (Tensor): scores of the choices. Shape: (...).
        """
        return self.classifier(self.dropout(pooled)).squeeze(-1)

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
    ) -> MultipleChoiceOutput:
        """Score choices.

        The other arguments are those of BigBirdModel, with inputs of shape (batch, choices, seq) instead of
        (batch, seq). Hidden states and attentions in the output have batch * choices rows.

        labels (Tensor | None): indices of the correct choices. -100 is ignored. Shape: (batch,).
        RETURNS (MultipleChoiceOutput): the scores, and the loss if labels are given.
        RAISES ValueError: the inputs have no axis for the choices or do not fit, or there is no such choice.
        """
        given = inputs_embeds if input_ids is None else input_ids
        if given is None or given.dim() != (3 if input_ids is not None else 4):
            raise ValueError(Errors.BB102.format(given=None if given is None else tuple(given.shape)))
        outputs = self.bigbird(
            _each_choice(input_ids),
            _each_choice(attention_mask),
            _each_choice(token_type_ids),
            _each_choice(position_ids),
            head_mask,
            _each_choice(inputs_embeds),
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
        )
        logits = self.score(outputs.pooler_output).view(given.shape[:2])
        loss = None if labels is None else cross_entropy(logits, labels.reshape(-1))
        return MultipleChoiceOutput(
            loss=loss, logits=logits, hidden_states=outputs.hidden_states, attentions=outputs.attentions
        )


def _each_choice(values: Tensor | None) -> Tensor | None:
    """Flatten choices into rows of the batch. Values without an axis for the choices apply to all of them."""
    return values.flatten(0, 1) if values is not None and values.dim() >= 3 else values
