"""The eight models, with the arguments and outputs that Hugging Face documents for its Flax classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp

from ..errors import Errors
from .attention import Array
from .generation import Generates
from .heads import (
    BigBirdModule,
    LanguageModule,
    MultipleChoiceModule,
    PreTrainingModule,
    QuestionAnsweringModule,
    SequenceClassificationModule,
    TokenClassificationModule,
)
from .outputs import LogitsOutput
from .text_model import TextModel


class FlaxBigBirdModel(TextModel):
    """BigBird without a head: an encoder, or with `is_decoder` a decoder, whose attention is dense and causal.

    The arguments are those of FlaxPretrainedModel.
    """

    module_class = BigBirdModule
    is_base_model = True


class FlaxBigBirdForPreTraining(TextModel):
    """BigBird with scores for masked pieces, and for whether the second text follows the first."""

    module_class = PreTrainingModule


class FlaxBigBirdForMaskedLM(TextModel):
    """BigBird with scores for masked pieces."""

    module_class = LanguageModule
    has_pooling_layer = False


class FlaxBigBirdForCausalLM(Generates):
    """BigBird as a decoder that predicts the next piece. With `add_cross_attention`, it also attends to an encoder.

    config (BigBirdConfig): the hyper-parameters. The model is always a decoder, whatever the value of `is_decoder`.
    Other arguments are those of FlaxPretrainedModel.
    """

    module_class = LanguageModule
    has_pooling_layer = False
    fixed_settings: ClassVar[dict[str, Any]] = {"is_decoder": True}


class FlaxBigBirdForSequenceClassification(TextModel):
    """BigBird with scores for the labels of a text, from [CLS]."""

    module_class = SequenceClassificationModule


class FlaxBigBirdForTokenClassification(TextModel):
    """BigBird with scores for the labels of every piece."""

    module_class = TokenClassificationModule
    has_pooling_layer = False


class FlaxBigBirdForMultipleChoice(TextModel):
    """BigBird with a score for each of several choices. Inputs have shape (batch, choices, seq)."""

    module_class = MultipleChoiceModule

    def encode(self, input_ids: Any, *arguments: Any, **extra: Any) -> LogitsOutput:
        ids = jnp.asarray(input_ids)
        if ids.ndim != 3:
            raise ValueError(Errors.BB102.format(given=ids.shape))
        in_rows: list[Any] = [
            None if part is None else jnp.asarray(part).reshape(-1, ids.shape[-1]) for part in arguments[:3]
        ]
        outputs = super().encode(ids.reshape(-1, ids.shape[-1]), *in_rows, *arguments[3:], **extra)
        return outputs.replace(logits=outputs.logits.reshape(ids.shape[:2]))


class FlaxBigBirdForQuestionAnswering(TextModel):
    """BigBird with scores for each piece as the first and last of the answer, given as [CLS] question [SEP] text [SEP].

    config (BigBirdConfig): the hyper-parameters. The model always has two labels, whatever the value of `num_labels`.
    Other arguments are those of FlaxPretrainedModel.
    """

    module_class = QuestionAnsweringModule
    has_pooling_layer = False
    fixed_settings: ClassVar[dict[str, Any]] = {"num_labels": 2}

    def __call__(  # type: ignore[override]
        self,
        input_ids: Any,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        head_mask: Any = None,
        question_lengths: Any = None,
        params: Mapping[str, Any] | None = None,
        dropout_rng: Array | None = None,
        indices_rng: Array | None = None,
        train: bool = False,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> Any:
        """Score each piece as the first and last of the answer.

        The scores of the question's pieces and of padding are lowered by 1e6, except for [CLS] in the first column,
        which stands for "no answer". The other arguments are those of FlaxBigBirdModel.

        token_type_ids (Any): token types; None for 0 in the question and 1 in the text. Shape: (batch, seq).
        question_lengths (Any): number of pieces of each question, including [CLS] and [SEP]; None for those up to the
            first [SEP], or for no question if the configuration has no `sep_token_id`. Shape: (batch,) or (batch, 1).
        RETURNS (Any): the output, or a tuple.
        RAISES ValueError: the inputs do not fit together or do not fit the model.
        """
        ids = jnp.asarray(input_ids)
        in_question = jnp.zeros(ids.shape, bool)
        if question_lengths is None and self.config.sep_token_id is not None:
            question_lengths = (ids == self.config.sep_token_id).argmax(axis=-1) + 1
        if question_lengths is not None:
            lengths = jnp.asarray(question_lengths).reshape(-1, 1)
            if len(lengths) not in (1, len(ids)):
                expected = f"one number for each of {len(ids)} rows"
                raise ValueError(Errors.BB103.format(name="question_lengths", given=len(lengths), expected=expected))
            in_question = jnp.broadcast_to(jnp.arange(ids.shape[1]) < lengths, ids.shape)
            if token_type_ids is None:
                token_type_ids = jnp.minimum(~in_question, self.config.type_vocab_size - 1).astype(jnp.int32)
        outputs = self.encode(
            ids,
            attention_mask,
            token_type_ids,
            position_ids,
            head_mask,
            params,
            dropout_rng,
            train,
            output_attentions,
            in_question=in_question.at[:, 0].set(False),
        )
        return self.finished(outputs, output_hidden_states, return_dict)

    def _extra(self, input_ids: Array) -> dict[str, Any]:
        return {"in_question": jnp.zeros(input_ids.shape, bool)}
