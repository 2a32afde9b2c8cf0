"""The whole networks: BigBird alone, and with each head. `models` completes their inputs."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from .attention import Array, describe_rows
from .modules import ACTIVATIONS, Decoding, Embeddings, Encoder, Flags, Intermediate, Module, Residual
from .outputs import BaseOutput, LogitsOutput, PreTrainingOutput, QuestionAnsweringOutput

# Subtracted from logits that must never win.
OUT_OF_THE_RUNNING = 1e6


class Network(Module):
    """Base class of the networks.

    gradient_checkpointing (bool): whether the backward pass recomputes each layer instead of keeping its activations.
    add_pooling_layer (bool): whether there is a layer that computes a vector of the whole text from [CLS].
    """

    gradient_checkpointing: bool = False
    add_pooling_layer: bool = True

    def bert(self, *inputs: Any, **flags: Any) -> BaseOutput:
        """Apply BigBird under the name that checkpoints give it."""
        network = BigBirdModule(
            self.config, self.dtype, self.gradient_checkpointing, self.add_pooling_layer, name="bert"
        )
        return network(*inputs, **flags)

    @property
    def head_dropout(self) -> float:
        given = self.config.classifier_dropout
        return self.config.hidden_dropout_prob if given is None else given


class BigBirdModule(Network):
    """BigBird without a head."""

    @nn.compact
    def __call__(
        self,
        input_ids: Array,
        mask: Array,
        columns: Array,
        token_type_ids: Array,
        position_ids: Array,
        head_mask: Array,
        decoding: Decoding,
        deterministic: bool = True,
        output_attentions: bool = False,
        init_cache: bool = False,
    ) -> BaseOutput:
        """Encode a padded batch.

        input_ids, token_type_ids, position_ids (Array): ids, token types and positions. Shape: (batch, seq).
        mask (Array): True for pieces. Shape: (batch, seq), or (batch, past + seq) with a cache.
        columns (Array): number of columns of the caller's batch. Shape: scalar.
        head_mask (Array): factors for the heads' outputs. Shape: (layers, heads).
        decoding (Decoding): an encoder's output, for a decoder with cross-attention.
        deterministic (bool): whether there is no dropout.
        output_attentions (bool): whether to return attention probabilities.
        init_cache (bool): whether to create a cache for keys and values.
        RETURNS (BaseOutput): the states. Padding is zero in all of them.
        """
        config, dtype = self.config, self.dtype
        rows = describe_rows(mask, columns, config)
        # With a cache, the mask also covers previous pieces.
        pieces = mask[:, -input_ids.shape[1] :, None] if mask.shape[1] == input_ids.shape[1] else 1
        hidden = Embeddings(config, dtype, name="embeddings")(input_ids, token_type_ids, position_ids, deterministic)
        encoder = Encoder(config, dtype, self.gradient_checkpointing, name="encoder")
        flags = Flags(deterministic, output_attentions, init_cache)
        states, attentions, crossed = encoder(hidden, rows, decoding, head_mask, flags)
        states = [state * pieces for state in states]
        pooled = None
        if self.add_pooling_layer:
            pooled = jnp.tanh(self.dense(config.hidden_size, "pooler")(states[-1][:, 0]))
        return BaseOutput(
            last_hidden_state=states[-1],
            pooler_output=pooled,
            hidden_states=tuple(states),
            attentions=_padded_with_zeros(attentions, pieces) if output_attentions else None,
            cross_attentions=_padded_with_zeros(crossed, pieces)
            if output_attentions and crossed[0] is not None
            else None,
        )


def _padded_with_zeros(probabilities: list[Array], pieces: Array | int) -> tuple[Array, ...]:
    queries = pieces if isinstance(pieces, int) else pieces[:, None]
    return tuple(values * queries for values in probabilities)


class LMHead(Module):
    """Scores for all pieces of the vocabulary."""

    @nn.compact
    def __call__(self, states: Array, shared: Array | None) -> Array:
        hidden = Transform(self.config, self.dtype, name="transform")(states)
        if shared is None:
            scores = self.dense(self.config.vocab_size, "decoder", use_bias=False)(hidden)
        else:
            scores = hidden @ shared.T.astype(hidden.dtype)
        return scores + self.param("bias", nn.initializers.zeros, (self.config.vocab_size,)).astype(scores.dtype)


class Transform(Module):
    """The layer before the scores of pieces."""

    @nn.compact
    def __call__(self, states: Array) -> Array:
        hidden = self.dense(self.config.hidden_size, "dense")(states)
        return self.norm()(ACTIVATIONS[self.config.hidden_act](hidden))


class PredictionHeads(Module):
    """Scores for pieces and, with a pooled vector, for the relation of two texts: what checkpoints call `cls`."""

    @nn.compact
    def __call__(self, states: Array, pooled: Array | None, shared: Array | None) -> tuple[Array, Array | None]:
        scores = LMHead(self.config, self.dtype, name="predictions")(states, shared)
        return scores, None if pooled is None else self.dense(2, "seq_relationship")(pooled)


class LanguageModule(Network):
    """BigBird with scores for pieces: masked ones, or the next one in a decoder."""

    @nn.compact
    def __call__(self, *inputs: Any, **flags: Any) -> LogitsOutput:
        outputs, logits, _ = self.predict(*inputs, **flags)
        return LogitsOutput(logits, None, outputs.hidden_states, outputs.attentions, outputs.cross_attentions)

    def predict(self, *inputs: Any, with_pooled: bool = False, **flags: Any) -> tuple[BaseOutput, Array, Array | None]:
        outputs = self.bert(*inputs, **flags)
        shared = None
        if self.config.tie_word_embeddings:
            shared = self.variables["params"]["bert"]["embeddings"]["word_embeddings"]["embedding"]
        heads = PredictionHeads(self.config, self.dtype, name="cls")
        logits, relation = heads(outputs.last_hidden_state, outputs.pooler_output if with_pooled else None, shared)
        return outputs, _without_padding(logits, inputs[1]), relation


class PreTrainingModule(LanguageModule):
    """BigBird with both heads of pre-training."""

    @nn.compact
    def __call__(self, *inputs: Any, **flags: Any) -> PreTrainingOutput:  # type: ignore[override]
        outputs, logits, relation = self.predict(*inputs, with_pooled=True, **flags)
        return PreTrainingOutput(logits, relation, outputs.hidden_states, outputs.attentions)


class SequenceClassificationModule(Network):
    """BigBird with scores for the labels of a text."""

    @nn.compact
    def __call__(self, *inputs: Any, **flags: Any) -> LogitsOutput:
        outputs = self.bert(*inputs, **flags)
        head = ClassificationHead(self.config, self.dtype, name="classifier")
        logits = head(outputs.last_hidden_state[:, 0], self.head_dropout, flags["deterministic"])
        return LogitsOutput(logits, None, outputs.hidden_states, outputs.attentions)


class ClassificationHead(Module):
    """Two layers on [CLS]."""

    @nn.compact
    def __call__(self, states: Array, rate: float, deterministic: bool) -> Array:
        hidden = self.dense(self.config.hidden_size, "dense")(self.dropout(states, deterministic, rate))
        hidden = self.dropout(ACTIVATIONS[self.config.hidden_act](hidden), deterministic, rate)
        return self.dense(self.config.num_labels, "out_proj")(hidden)


class TokenClassificationModule(Network):
    """BigBird with scores for the labels of every piece."""

    @nn.compact
    def __call__(self, *inputs: Any, **flags: Any) -> LogitsOutput:
        outputs = self.bert(*inputs, **flags)
        states = self.dropout(outputs.last_hidden_state, flags["deterministic"], self.head_dropout)
        logits = _without_padding(self.dense(self.config.num_labels, "classifier")(states), inputs[1])
        return LogitsOutput(logits, None, outputs.hidden_states, outputs.attentions)


class MultipleChoiceModule(Network):
    """BigBird with a score for every row, which is one of several choices."""

    @nn.compact
    def __call__(self, *inputs: Any, **flags: Any) -> LogitsOutput:
        outputs = self.bert(*inputs, **flags)
        pooled = self.dropout(outputs.pooler_output, flags["deterministic"])
        return LogitsOutput(self.dense(1, "classifier")(pooled), None, outputs.hidden_states, outputs.attentions)


class QuestionAnsweringModule(Network):
    """BigBird with scores for each piece as the first and the last of the answer."""

    add_pooling_layer: bool = False

    @nn.compact
    def __call__(self, *inputs: Any, in_question: Array, **flags: Any) -> QuestionAnsweringOutput:
        outputs = self.bert(*inputs, **flags)
        head = QuestionAnsweringHead(self.config, self.dtype, name="qa_classifier")
        logits = head(outputs.last_hidden_state, flags["deterministic"]).astype(jnp.float32)
        logits = _without_padding(logits, inputs[1])
        logits = logits - OUT_OF_THE_RUNNING * (in_question | ~inputs[1])[..., None]
        sides = (logits[..., 0], logits[..., 1])
        return QuestionAnsweringOutput(*sides, outputs.pooler_output, outputs.hidden_states, outputs.attentions)


class QuestionAnsweringHead(Module):
    """A feed-forward part as in BigBird's layers, and a linear layer."""

    @nn.compact
    def __call__(self, states: Array, deterministic: bool) -> Array:
        wide = Intermediate(self.config, self.dtype, name="intermediate")(self.dropout(states, deterministic))
        hidden = Residual(self.config, self.dtype, name="output")(wide, states, deterministic)
        return self.dense(2, "qa_outputs")(hidden)


def _without_padding(scores: Array, mask: Array) -> Array:
    return scores * mask[..., None] if mask.shape[1] == scores.shape[1] else scores
