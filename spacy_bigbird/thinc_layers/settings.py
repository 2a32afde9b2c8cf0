"""The settings of an encoder in a pipeline, checked when the config is read and before anything is loaded."""

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from ..errors import Errors
from ..errors.closest import did_you_mean
from ..model.attention.api import ENGINE_NAMES
from ..plan.config import BigBirdConfig
from ..plan.windows import usual_overlap
from ..rules import Arguments, Count, CountOrZero, Text, YesOrNo, one_of
from ..tokenizer.sentencepiece import BigBirdTokenizer

# The weights depend on these fields; the others can be changed for an existing checkpoint. The lowest of its layers
# and the first of its positions can be used alone.
SHAPE_FIELDS = (
    "vocab_size",
    "hidden_size",
    "num_attention_heads",
    "intermediate_size",
    "hidden_act",
    "type_vocab_size",
    "use_bias",
    "rescale_embeddings",
    "add_cross_attention",
)
MAY_BE_LOWER = ("num_hidden_layers", "max_position_embeddings")


PathOrName = Annotated[
    Text | None,
    BeforeValidator(lambda value: str(value) if isinstance(value, Path) else value),
    Field(description="a path or name, or null"),
]


class EncoderSettings(Arguments):
    """The arguments of the architectures. They are not saved with the weights: on loading, the config determines them.

    name (str | None): directory or hub name of a checkpoint, read once, by `initialize`.
    revision (str | None): branch, tag or commit of `name` on the hub; None for the newest of the main branch.
    vocab_file (str | None): without `name`, a SentencePiece model to train from scratch with.
    transformer_config (dict): fields of BigBirdConfig; with `name`, only those that the weights do not depend on, and a
        lower `num_hidden_layers` or `max_position_embeddings`.
    overlap (int | None): pieces shared by neighbouring windows, less than half of a window; None for an eighth.
    on_oversize (str): what to do with a document longer than one window: "window", "error" or "truncate".
    max_batch_pieces (int): maximum number of pieces in the encoder at a time; one window is always allowed.
    precision (str): "fp32" or "bf16", in prediction.
    mixed_precision (bool): whether to use bf16 autocast in training.
    gradient_checkpointing (bool): whether to keep only the layers' inputs and recompute the rest in the backward pass.
    attention_engine (str): what computes the attention; "auto" for the fastest on the device.
    join_layer (int | None): for answers to questions, number of layers in which question and document are encoded
        apart, so that a document is encoded once for all its questions; None for every question with the document.
    freeze_layers (int): how many of the lowest layers to freeze, along with the embeddings; 0 to train everything.
    learning_rate_factor (float): factor on the learning rate of the highest layer; that of heads is the optimizer's.
    layer_learning_rate_decay (float): factor on the learning rate from each layer to the one below; 1.0 for none.
    map_whitespace (bool): whether every run of whitespace counts as one space, as in pre-training; offsets are kept.
    save_as (str): type of the saved weights, "float32" or "float16".
    """

    name: PathOrName = None
    revision: PathOrName = None
    vocab_file: PathOrName = None
    transformer_config: dict[str, Any] = Field(default_factory=dict)
    overlap: Annotated[int | None, Field(ge=0, description="a whole number of at least 0, or null")] = None
    on_oversize: Literal["window", "error", "truncate"] = "window"
    max_batch_pieces: Count = 16384
    precision: Literal["fp32", "bf16"] = "fp32"
    mixed_precision: YesOrNo = False
    gradient_checkpointing: YesOrNo = False
    attention_engine: Annotated[str, one_of(ENGINE_NAMES)] = "auto"
    join_layer: Annotated[int | None, Field(ge=1, description="a whole number of at least 1, or null")] = None
    freeze_layers: CountOrZero = 0
    learning_rate_factor: Annotated[
        float, Field(gt=0, description="a number above 0 (freeze_layers keeps weights)")
    ] = 1.0
    layer_learning_rate_decay: Annotated[float, Field(gt=0, le=1, description="a number above 0 and at most 1")] = 1.0
    map_whitespace: YesOrNo = True
    save_as: Literal["float32", "float16"] = "float32"

    message: ClassVar[str] = Errors.BB135

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        if self.revision is not None and self.name is None:
            expected = "null without `name`: only a name on the Hugging Face hub has revisions"
            raise ValueError(Errors.BB135.format(name="revision", value=self.revision, expected=expected))
        if self.name is not None and self.vocab_file is not None:
            expected = f"null along with name = {self.name!r}: the checkpoint brings its own vocabulary"
            raise ValueError(Errors.BB135.format(name="vocab_file", value=self.vocab_file, expected=expected))
        known = {f.name for f in fields(BigBirdConfig)} - {"extra"}
        unknown = sorted(set(self.transformer_config) - known)
        if unknown:
            expected = f"fields of spacy_bigbird.model.BigBirdConfig.{did_you_mean(unknown, known)}".removesuffix(".")
            raise ValueError(Errors.BB135.format(name="transformer_config", value=unknown, expected=expected))
        if self.name is None:
            self.window_capacity(BigBirdConfig.from_dict(self.transformer_config))

    def scratch_config(self, tokenizer: BigBirdTokenizer) -> BigBirdConfig:
        """Make the configuration of an encoder with random weights.

        tokenizer (BigBirdTokenizer): its tokenizer.
        RETURNS (BigBirdConfig): the fields in `transformer_config`, with the vocabulary's size and ids as defaults.
        """
        return BigBirdConfig.from_dict({**tokenizer.config_fields, **self.transformer_config})

    def apply_to(self, config: BigBirdConfig) -> BigBirdConfig:
        """Change a checkpoint's configuration according to `transformer_config`.

        config (BigBirdConfig): the checkpoint's own configuration.
        RETURNS (BigBirdConfig): the changed configuration; the same object if nothing changes.
        RAISES ValueError: a field that the weights depend on would change, a setting does not fit the configuration, or
            the result is a decoder.
        """
        wanted = {key: value for key, value in self.transformer_config.items() if value != getattr(config, key)}
        for key, value in wanted.items():
            found = getattr(config, key)
            if key in SHAPE_FIELDS or (key in MAY_BE_LOWER and value > found):
                raise ValueError(Errors.BB136.format(field=key, value=value, found=found))
        changed = config.replace(**wanted) if wanted else config
        if self.freeze_layers > changed.num_hidden_layers:
            expected = f"at most {changed.num_hidden_layers}, the number of layers"
            raise ValueError(Errors.BB135.format(name="freeze_layers", value=self.freeze_layers, expected=expected))
        if self.join_layer is not None and self.join_layer >= changed.num_hidden_layers:
            expected = f"below {changed.num_hidden_layers}, the number of layers, or null"
            raise ValueError(Errors.BB135.format(name="join_layer", value=self.join_layer, expected=expected))
        self.window_capacity(changed)
        if changed.is_decoder:
            raise ValueError(Errors.BB143)
        return changed

    def window_capacity(self, config: BigBirdConfig) -> tuple[int, int]:
        """Compute how many pieces a window holds, without [CLS] and [SEP], and how many it shares with the next one.

        config (BigBirdConfig): the encoder's configuration.
        RETURNS (tuple[int, int]): capacity and overlap. Unit: pieces.
        RAISES ValueError: the overlap is half of a window or more, or a window has no room for a piece.
        """
        capacity = config.max_position_embeddings - 2
        if capacity < 1:
            raise ValueError(Errors.BB001.format(field="max_position_embeddings", value=capacity + 2, expected=">= 3"))
        if self.overlap is None:
            return capacity, usual_overlap(capacity)
        if self.overlap >= max(1, capacity // 2):
            expected = f"below {max(1, capacity // 2)}, half of the {capacity} pieces in a window"
            raise ValueError(Errors.BB135.format(name="overlap", value=self.overlap, expected=expected))
        return capacity, self.overlap
