"""What the models return: dataclasses with the field names of transformers' outputs. Fields not computed are None."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass
class ModelOutput:
    """What every output has in common.

    loss (Tensor | None): present when labels were given. Shape: scalar.
    hidden_states (tuple[Tensor, ...] | None): of the embeddings and each layer. Shape: (batch, seq, hidden_size) each.
    attentions (tuple[Tensor, ...] | None): probabilities of each layer. Shape: (batch, heads, seq, seq) each.
    """

    loss: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class DecoderOutput(ModelOutput):
    """What the outputs of models that may be decoders have beside that.

    cross_attentions (tuple[Tensor, ...] | None): probabilities over the encoder's pieces, of each layer.
        Shape: (batch, heads, seq, encoder_seq) each.
    past_key_values (KeyValueCache | None): keys and values to go on from.
    """

    cross_attentions: tuple[Tensor, ...] | None = None
    past_key_values: Any = None


@dataclass
class BaseModelOutput(DecoderOutput):
    """Output of BigBirdModel.

    last_hidden_state (Tensor): Shape: (batch, seq, hidden_size).
    pooler_output (Tensor | None): [CLS] through the pooling layer. Shape: (batch, hidden_size).
    """

    last_hidden_state: Tensor | None = None
    pooler_output: Tensor | None = None


@dataclass
class MaskedLMOutput(ModelOutput):
    """Output of BigBirdForMaskedLM.

    logits (Tensor): scores of every piece of the vocabulary. Shape: (batch, seq, vocab_size).
    """

    logits: Tensor | None = None


@dataclass
class CausalLMOutput(DecoderOutput):
    """Output of BigBirdForCausalLM.

    logits (Tensor): scores of the next piece. Shape: (batch, seq, vocab_size).
    """

    logits: Tensor | None = None


@dataclass
class PreTrainingOutput(ModelOutput):
    """Output of BigBirdForPreTraining.

    prediction_logits (Tensor): scores of every piece of the vocabulary. Shape: (batch, seq, vocab_size).
    seq_relationship_logits (Tensor): scores of "B follows A" and "B is random". Shape: (batch, 2).
    """

    prediction_logits: Tensor | None = None
    seq_relationship_logits: Tensor | None = None


@dataclass
class SequenceClassifierOutput(ModelOutput):
    """Output of BigBirdForSequenceClassification.

    logits (Tensor): scores of the labels, or the predicted values in regression. Shape: (batch, num_labels).
    """

    logits: Tensor | None = None


@dataclass
class MultipleChoiceOutput(ModelOutput):
    """Output of BigBirdForMultipleChoice.

    logits (Tensor): scores of the choices. Shape: (batch, choices).
    """

    logits: Tensor | None = None


@dataclass
class TokenClassifierOutput(ModelOutput):
    """Output of BigBirdForTokenClassification.

    logits (Tensor): scores of the labels of every piece. Shape: (batch, seq, num_labels).
    """

    logits: Tensor | None = None


@dataclass
class QuestionAnsweringOutput(ModelOutput):
    """Output of BigBirdForQuestionAnswering.

    start_logits, end_logits (Tensor): scores of each piece as first and last of the answer. Shape: (batch, seq).
    pooler_output (Tensor | None): [CLS] through the pooling layer, where there is one. Shape: (batch, hidden_size).
    """

    start_logits: Tensor | None = None
    end_logits: Tensor | None = None
    pooler_output: Tensor | None = None
