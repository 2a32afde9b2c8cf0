"""Outputs of the models, with the field names of transformers' Flax classes. Fields that are not computed are None."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
from flax import struct

Array = jax.Array


# Axes that have one entry for each column of the batch.
_COLUMNS = {
    "last_hidden_state": (1,),
    "hidden_states": (1,),
    "attentions": (2, 3),
    "cross_attentions": (2,),
    "prediction_logits": (1,),
    "start_logits": (1,),
    "end_logits": (1,),
}


class Output:
    """Access by name or number to the fields that were computed."""

    def cut(self, columns: int) -> Any:
        """Drop the columns with which a batch was filled up.

        columns (int): number of columns that remain.
        RETURNS (Output): the output of the caller's batch.
        """

        def cut_one(name: str, value: Array) -> Array:
            # Scores of every piece have three axes, scores of a text have two.
            axes = (1,) if name == "logits" and value.ndim == 3 else _COLUMNS.get(name, ())
            return value[tuple(slice(columns if axis in axes else None) for axis in range(value.ndim))]

        changed = {}
        for name in self.keys():
            value = getattr(self, name)
            parts = tuple(cut_one(name, part) for part in value) if isinstance(value, tuple) else cut_one(name, value)
            changed[name] = parts
        return dataclasses.replace(self, **changed)  # type: ignore[type-var]

    def keys(self) -> list[str]:
        """Names of the fields that were computed."""
        return [field.name for field in dataclasses.fields(self) if getattr(self, field.name) is not None]  # type: ignore[arg-type]

    def to_tuple(self) -> tuple[Any, ...]:
        """The fields that were computed."""
        return tuple(getattr(self, name) for name in self.keys())

    def __getitem__(self, key: str | int | slice) -> Any:
        return getattr(self, key) if isinstance(key, str) else self.to_tuple()[key]

    def __iter__(self) -> Any:
        return iter(self.keys())


@struct.dataclass
class BaseOutput(Output):
    """Output of FlaxBigBirdModel.

    last_hidden_state (Array): states of the last layer. Shape: (batch, seq, hidden_size).
    pooler_output (Array | None): output of the pooling layer for [CLS]. Shape: (batch, hidden_size).
    past_key_values (Any): cache to continue from, if one was given.
    hidden_states (tuple[Array, ...] | None): the embeddings, then each layer's states.
        Shape: (batch, seq, hidden_size) each.
    attentions (tuple[Array, ...] | None): attention probabilities. Shape: (batch, heads, seq, seq) each.
    cross_attentions (tuple[Array, ...] | None): those over the encoder's pieces.
        Shape: (batch, heads, seq, encoder_seq) each.
    """

    last_hidden_state: Array
    pooler_output: Any = None
    past_key_values: Any = None
    hidden_states: tuple[Array, ...] | None = None
    attentions: tuple[Array, ...] | None = None
    cross_attentions: tuple[Array, ...] | None = None


@struct.dataclass
class PreTrainingOutput(Output):
    """Output of FlaxBigBirdForPreTraining.

    prediction_logits (Array): scores of all pieces of the vocabulary. Shape: (batch, seq, vocab_size).
    seq_relationship_logits (Array): scores of "the second text follows the first" and "it is random".
        Shape: (batch, 2).
    hidden_states, attentions (tuple[Array, ...] | None): as in BaseOutput.
    """

    prediction_logits: Array
    seq_relationship_logits: Any = None
    hidden_states: tuple[Array, ...] | None = None
    attentions: tuple[Array, ...] | None = None


@struct.dataclass
class LogitsOutput(Output):
    """Output of the models with one kind of scores.

    logits (Array): scores. Shape: (batch, seq, vocab_size) of language models, (batch, num_labels) for sequences,
        (batch, seq, num_labels) for tokens, (batch, choices) for multiple choice.
    past_key_values (Any), hidden_states, attentions, cross_attentions (tuple[Array, ...] | None): as in BaseOutput.
    """

    logits: Array
    past_key_values: Any = None
    hidden_states: tuple[Array, ...] | None = None
    attentions: tuple[Array, ...] | None = None
    cross_attentions: tuple[Array, ...] | None = None


@struct.dataclass
class QuestionAnsweringOutput(Output):
    """Output of FlaxBigBirdForQuestionAnswering.

    start_logits, end_logits (Array): scores of each piece as the first and last of the answer. Shape: (batch, seq).
    pooled_output (Array | None): output of the pooling layer for [CLS]. Shape: (batch, hidden_size).
    hidden_states, attentions (tuple[Array, ...] | None): as in BaseOutput.
    """

    start_logits: Array
    end_logits: Array
    pooled_output: Any = None
    hidden_states: tuple[Array, ...] | None = None
    attentions: tuple[Array, ...] | None = None
