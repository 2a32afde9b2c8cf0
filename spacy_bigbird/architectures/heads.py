"""Architectures of the components that read pairs of texts or masked texts with an encoder of their own."""

from typing import Any

from thinc.api import Model
from thinc.types import Floats2d

from ..thinc_layers.encoder_wrapper import build_encoder
from ..thinc_layers.head_wrapper import FillMaskShim, MultipleChoiceShim, QuestionAnsweringShim
from ..thinc_layers.settings import EncoderSettings
from ..thinc_layers.types import PackedPieces
from .encoder import NO_OVERRIDES


def build_span_qa_v1(
    name: str | None = None,
    vocab_file: str | None = None,
    transformer_config: dict[str, Any] = NO_OVERRIDES,
    overlap: int | None = None,
    max_batch_pieces: int = 16384,
    precision: str = "fp32",
    mixed_precision: bool = False,
    gradient_checkpointing: bool = False,
    freeze_layers: int = 0,
    layer_learning_rate_decay: float = 1.0,
    map_whitespace: bool = True,
    save_as: str = "float32",
) -> Model[PackedPieces, Floats2d]:
    """Build `spacy-bigbird.SpanQA.v1` for the block `[components.bigbird_span_qa.model]`.

    The settings are those of `spacy-bigbird.BigBirdModel.v1`; a document of any length is read in windows.

    name (str | None): checkpoint of BigBirdForQuestionAnswering or of an encoder alone, whose head is then new: a
        directory or hub name, read once, at `initialize`.
    vocab_file (str | None): SentencePiece model to train from scratch with, where there is no `name`.
    transformer_config (dict[str, Any]): fields of BigBirdConfig; beside `name` only such that leave the shapes alone.
    overlap (int | None): pieces of the document that neighbouring windows share; None for an eighth of a window.
    max_batch_pieces (int): pieces of questions and windows that are in the model at one time.
    precision (str): "fp32" or "bf16", in prediction.
    mixed_precision (bool): bf16 where it is safe, in training.
    gradient_checkpointing (bool): keep the inputs of the layers only, and compute the rest again backwards.
    freeze_layers (int): the embeddings and this many of the lowest layers are not trained; 0 trains everything.
    layer_learning_rate_decay (float): factor on the learning rate from each layer to the one below it.
    map_whitespace (bool): every run of white space is one space, as in pre-training; offsets stay.
    save_as (str): the weights' type on disk: "float32" or "float16".
    RETURNS (Model[PackedPieces, Floats2d]): from pairs of texts to the start and end logit of every piece.
    RAISES ValueError: a setting is not allowed.
    """
    return build_encoder(EncoderSettings(**locals()), QuestionAnsweringShim)


def build_multiple_choice_v1(
    name: str | None = None,
    vocab_file: str | None = None,
    transformer_config: dict[str, Any] = NO_OVERRIDES,
    overlap: int | None = None,
    max_batch_pieces: int = 16384,
    precision: str = "fp32",
    mixed_precision: bool = False,
    gradient_checkpointing: bool = False,
    freeze_layers: int = 0,
    layer_learning_rate_decay: float = 1.0,
    map_whitespace: bool = True,
    save_as: str = "float32",
) -> Model[PackedPieces, Floats2d]:
    """Build `spacy-bigbird.MultipleChoice.v1` for the block `[components.bigbird_multiple_choice.model]`.

    The settings are those of `spacy-bigbird.SpanQA.v1`; a checkpoint is one of BigBirdForMultipleChoice or an encoder.
    RETURNS (Model[PackedPieces, Floats2d]): from pairs of texts to one logit each.
    RAISES ValueError: a setting is not allowed.
    """
    return build_encoder(EncoderSettings(**locals()), MultipleChoiceShim)


def build_fill_mask_v1(
    name: str | None = None,
    vocab_file: str | None = None,
    transformer_config: dict[str, Any] = NO_OVERRIDES,
    overlap: int | None = None,
    max_batch_pieces: int = 16384,
    precision: str = "fp32",
    mixed_precision: bool = False,
    gradient_checkpointing: bool = False,
    freeze_layers: int = 0,
    layer_learning_rate_decay: float = 1.0,
    map_whitespace: bool = True,
    save_as: str = "float32",
) -> Model[PackedPieces, Floats2d]:
    """Build `spacy-bigbird.FillMask.v1` for the block `[components.bigbird_fill_mask.model]`.

    The settings are those of `spacy-bigbird.SpanQA.v1`; a checkpoint is one of BigBirdForMaskedLM or of pre-training.
    RETURNS (Model[PackedPieces, Floats2d]): from masked texts to a logit per piece of the vocabulary at each mask.
    RAISES ValueError: a setting is not allowed.
    """
    return build_encoder(EncoderSettings(**locals()), FillMaskShim)
