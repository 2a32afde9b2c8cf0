"""Outputs of the models: dataclasses with the field names of transformers. Fields that are not computed are None."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass
class ModelOutput:
    """Fields of every output.

    loss (Tensor | None): the loss, if labels were given. Shape: scalar.
    hidden_states (tuple[Tensor, ...] | None): the embeddings, then each layer's states.
        Shape: (batch, seq, hidden_size) each.
    attentions (tuple[Tensor, ...] | None): each layer's attention probabilities. Shape: (batch, heads, seq, seq) each,
        or (batch, heads, seq, past + seq) in a decoder with a cache.
    """

    loss: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class DecoderOutput(ModelOutput):
    """Additional fields of models that may be decoders.

    cross_attentions (tuple[Tensor, ...] | None): each layer's attention probabilities over the encoder's pieces.
        Shape: (batch, heads, seq, encoder_seq) each.
    past_key_values (KeyValueCache | None): keys and values to continue from.
    """

    cross_attentions: tuple[Tensor, ...] | None = None
    past_key_values: Any = None


@dataclass
class BaseModelOutput(DecoderOutput):
    """Output of BigBirdModel.

    last_hidden_state (Tensor): states of the last layer. Shape: (batch, seq, hidden_size).
    pooler_output (Tensor | None): output of the pooling layer for [CLS], if there is one. Shape: (batch, hidden_size).
    """

    last_hidden_state: Tensor | None = None
    pooler_output: Tensor | None = None


@dataclass
class MaskedLMOutput(ModelOutput):
    """Output of BigBirdForMaskedLM.

    logits (Tensor): scores of all pieces of the vocabulary. Shape: (batch, seq, vocab_size), or (labels, vocab_size)
        with `logits_at_labels_only`.
    """

    logits: Tensor | None = None


@dataclass
class CausalLMOutput(DecoderOutput):
    """Output of BigBirdForCausalLM.

    logits (Tensor): scores of all pieces of the vocabulary as the next one. Shape: (batch, seq, vocab_size).
    """

    logits: Tensor | None = None


@dataclass
class PreTrainingOutput(ModelOutput):
    """Output of BigBirdForPreTraining.

    prediction_logits (Tensor): scores of all pieces of the vocabulary. Shape: (batch, seq, vocab_size).
    seq_relationship_logits (Tensor): scores of "the second text follows the first" and "the second text is random".
        Shape: (batch, 2).
    """

    prediction_logits: Tensor | None = None
    seq_relationship_logits: Tensor | None = None


@dataclass
class SequenceClassifierOutput(ModelOutput):
    """Output of BigBirdForSequenceClassification.

    logits (Tensor): scores of the labels, or predicted values in regression. Shape: (batch, num_labels).
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

    logits (Tensor): scores of the labels for every piece. Shape: (batch, seq, num_labels).
    """

    logits: Tensor | None = None


@dataclass
class QuestionAnsweringOutput(ModelOutput):
    """Output of BigBirdForQuestionAnswering.

    start_logits, end_logits (Tensor): scores of each piece as the first and last of the answer. Shape: (batch, seq).
    pooler_output (Tensor | None): output of the pooling layer for [CLS], if there is one. Shape: (batch, hidden_size).
    """

    start_logits: Tensor | None = None
    end_logits: Tensor | None = None
    pooler_output: Tensor | None = None
