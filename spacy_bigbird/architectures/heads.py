"""Architectures of the components that read pairs of texts or masked texts with an encoder of their own."""

from typing import Any, cast

from thinc.api import Model
from thinc.types import Floats2d

from ..thinc_layers.encoder_wrapper import build_encoder
from ..thinc_layers.head_wrapper import FillMaskShim, MultipleChoiceShim, QuestionAnsweringShim
from ..thinc_layers.settings import EncoderSettings
from ..thinc_layers.types import JoinedPieces, PackedPieces
from .encoder import NO_OVERRIDES


def build_span_qa_v1(
    name: str | None = None,
    revision: str | None = None,
    vocab_file: str | None = None,
    transformer_config: dict[str, Any] = NO_OVERRIDES,
    overlap: int | None = None,
    max_batch_pieces: int = 16384,
    precision: str = "fp32",
    mixed_precision: bool = False,
    gradient_checkpointing: bool = False,
    attention_engine: str = "auto",
    join_layer: int | None = None,
    freeze_layers: int = 0,
    learning_rate_factor: float = 1.0,
    layer_learning_rate_decay: float = 1.0,
    map_whitespace: bool = True,
    save_as: str = "float32",
) -> Model[PackedPieces | JoinedPieces, Floats2d]:
    """Build `spacy-bigbird.SpanQA.v1` for the block `[components.bigbird_span_qa.model]`.

    The settings are those of `spacy-bigbird.BigBirdModel.v1`; documents of any length are read in windows.

    name (str | None): directory or hub name of a checkpoint, read once, by `initialize`: a BigBirdForQuestionAnswering,
        or an encoder only, with a new head.
    revision (str | None): branch, tag or commit of `name` on the hub; None for the newest of the main branch.
    vocab_file (str | None): without `name`, a SentencePiece model to train from scratch with.
    transformer_config (dict[str, Any]): fields of BigBirdConfig; with `name`, only those that the weights do not depend
        on.
    overlap (int | None): pieces of the document shared by neighbouring windows; None for an eighth of a window.
    max_batch_pieces (int): maximum number of pieces, questions included, in the model at a time.
    precision (str): "fp32" or "bf16", in prediction.
    mixed_precision (bool): whether to use bf16 autocast in training.
    gradient_checkpointing (bool): whether to keep only the layers' inputs and recompute the rest in the backward pass.
    attention_engine (str): what computes the attention: "auto" for the fastest on the device, or "cpu", "torch",
        "flex" or "reference".
    join_layer (int | None): number of the lowest layers in which question and document are encoded apart, so that a
        document is encoded once for all its questions; from 1 to one less than there are layers. None to read every
        question together with the document.
    freeze_layers (int): how many of the lowest layers to freeze, along with the embeddings; 0 to train everything.
    learning_rate_factor (float): factor on the encoder's learning rate; that of the head is the optimizer's.
    layer_learning_rate_decay (float): factor on the learning rate from each layer to the one below it.
    map_whitespace (bool): whether every run of whitespace counts as one space, as in pre-training; offsets are kept.
    save_as (str): type of the saved weights, "float32" or "float16".
    RETURNS (Model[PackedPieces | JoinedPieces, Floats2d]): a model from pairs of texts to the start and end logit of
        every piece.
    RAISES ValueError: a setting is not allowed.
    """
    return cast(Any, build_encoder(EncoderSettings(**locals()), QuestionAnsweringShim))


def build_multiple_choice_v1(
    name: str | None = None,
    revision: str | None = None,
    vocab_file: str | None = None,
    transformer_config: dict[str, Any] = NO_OVERRIDES,
    overlap: int | None = None,
    max_batch_pieces: int = 16384,
    precision: str = "fp32",
    mixed_precision: bool = False,
    gradient_checkpointing: bool = False,
    attention_engine: str = "auto",
    freeze_layers: int = 0,
    learning_rate_factor: float = 1.0,
    layer_learning_rate_decay: float = 1.0,
    map_whitespace: bool = True,
    save_as: str = "float32",
) -> Model[PackedPieces, Floats2d]:
    """Build `spacy-bigbird.MultipleChoice.v1` for the block `[components.bigbird_multiple_choice.model]`.

    The settings are those of `spacy-bigbird.SpanQA.v1` without `join_layer`, with a checkpoint of
    BigBirdForMultipleChoice or an encoder.

    RETURNS (Model[PackedPieces, Floats2d]): a model from pairs of texts to one logit per pair.
    RAISES ValueError: a setting is not allowed.
    """
    return build_encoder(EncoderSettings(**locals()), MultipleChoiceShim)


def build_fill_mask_v1(
    name: str | None = None,
    revision: str | None = None,
    vocab_file: str | None = None,
    transformer_config: dict[str, Any] = NO_OVERRIDES,
    overlap: int | None = None,
    max_batch_pieces: int = 16384,
    precision: str = "fp32",
    mixed_precision: bool = False,
    gradient_checkpointing: bool = False,
    attention_engine: str = "auto",
    freeze_layers: int = 0,
    learning_rate_factor: float = 1.0,
    layer_learning_rate_decay: float = 1.0,
    map_whitespace: bool = True,
    save_as: str = "float32",
) -> Model[PackedPieces, Floats2d]:
    """Build `spacy-bigbird.FillMask.v1` for the block `[components.bigbird_fill_mask.model]`.

    The settings are those of `spacy-bigbird.SpanQA.v1` without `join_layer`, with a checkpoint of BigBirdForMaskedLM
    or of pre-training.

    RETURNS (Model[PackedPieces, Floats2d]): a model from masked texts to the logits of the vocabulary at each mask.
    RAISES ValueError: a setting is not allowed.
    """
    return build_encoder(EncoderSettings(**locals()), FillMaskShim)
