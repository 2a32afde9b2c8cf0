"""The settings of an encoder in a pipeline, checked when the config is read and before anything is loaded."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import Errors
from ..errors.closest import did_you_mean
from ..model.attention.api import ENGINE_NAMES
from ..plan.config import BigBirdConfig
from ..plan.windows import usual_overlap
from ..tokenizer.sentencepiece import BigBirdTokenizer

# The weights depend on these fields; the others can be changed for an existing checkpoint. The lowest of its layers can
# be used alone.
SHAPE_FIELDS = (
    "vocab_size",
    "hidden_size",
    "num_attention_heads",
    "intermediate_size",
    "hidden_act",
    "max_position_embeddings",
    "type_vocab_size",
    "use_bias",
    "rescale_embeddings",
    "add_cross_attention",
)


@dataclass(frozen=True)
class EncoderSettings:
    """The arguments of the architectures. They are not saved with the weights: on loading, the config determines them.

    name (str | None): directory or hub name of a checkpoint, read once, by `initialize`.
    revision (str | None): branch, tag or commit of `name` on the hub; None for the newest of the main branch.
    vocab_file (str | None): without `name`, a SentencePiece model to train from scratch with.
    transformer_config (dict): fields of BigBirdConfig; with `name`, only those that the weights do not depend on, and a
        lower `num_hidden_layers`.
    overlap (int | None): pieces shared by neighbouring windows, less than half of a window; None for an eighth.
    on_oversize (str): what to do with a document longer than one window: "window", "error" or "truncate".
    max_batch_pieces (int): maximum number of pieces in the encoder at a time; one window is always allowed.
    precision (str): "fp32" or "bf16", in prediction.
    mixed_precision (bool): whether to use bf16 autocast in training.
    gradient_checkpointing (bool): whether to keep only the layers' inputs and recompute the rest in the backward pass.
    attention_engine (str): what computes the attention; "auto" for the fastest on the device.
    freeze_layers (int): how many of the lowest layers to freeze, along with the embeddings; 0 to train everything.
    layer_learning_rate_decay (float): factor on the learning rate from each layer to the one below; 1.0 for none.
    map_whitespace (bool): whether every run of whitespace counts as one space, as in pre-training; offsets are kept.
    save_as (str): type of the saved weights, "float32" or "float16".
    """

    name: str | None = None
    revision: str | None = None
    vocab_file: str | None = None
    transformer_config: dict[str, Any] = field(default_factory=dict)
    overlap: int | None = None
    on_oversize: str = "window"
    max_batch_pieces: int = 16384
    precision: str = "fp32"
    mixed_precision: bool = False
    gradient_checkpointing: bool = False
    attention_engine: str = "auto"
    freeze_layers: int = 0
    layer_learning_rate_decay: float = 1.0
    map_whitespace: bool = True
    save_as: str = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "transformer_config", dict(self.transformer_config))
        for name in ("name", "vocab_file"):
            if isinstance(getattr(self, name), Path):
                object.__setattr__(self, name, str(getattr(self, name)))
        for name, (allows, expected) in _RULES.items():
            value = getattr(self, name)
            if not allows(value):
                raise ValueError(Errors.BB135.format(name=name, value=value, expected=expected))
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
            if key in SHAPE_FIELDS or (key == "num_hidden_layers" and value > found):
                raise ValueError(Errors.BB136.format(field=key, value=value, found=found))
        changed = config.replace(**wanted) if wanted else config
        if self.freeze_layers > changed.num_hidden_layers:
            expected = f"at most {changed.num_hidden_layers}, the number of layers"
            raise ValueError(Errors.BB135.format(name="freeze_layers", value=self.freeze_layers, expected=expected))
        self.window_capacity(config)
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


def _is_count(value: Any, at_least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= at_least


def _one_of(*names: str) -> tuple[Callable[[Any], bool], str]:
    return lambda value: value in names, " or ".join(f'"{name}"' for name in names)


_TEXT_OR_NONE = (lambda value: value is None or (isinstance(value, str) and bool(value)), "a path or name, or null")
_YES_OR_NO = (lambda value: isinstance(value, bool), "true or false")
_COUNT_OR_ZERO = (lambda value: _is_count(value, 0), "a whole number of at least 0")
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": _TEXT_OR_NONE,
    "revision": _TEXT_OR_NONE,
    "vocab_file": _TEXT_OR_NONE,
    "overlap": (lambda value: value is None or _is_count(value, 0), "a whole number of at least 0, or null"),
    "on_oversize": _one_of("window", "error", "truncate"),
    "max_batch_pieces": (lambda value: _is_count(value, 1), "a whole number of at least 1"),
    "precision": _one_of("fp32", "bf16"),
    "mixed_precision": _YES_OR_NO,
    "gradient_checkpointing": _YES_OR_NO,
    "attention_engine": _one_of(*ENGINE_NAMES),
    "freeze_layers": _COUNT_OR_ZERO,
    "layer_learning_rate_decay": (
        lambda value: isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1,
        "a number above 0 and at most 1",
    ),
    "map_whitespace": _YES_OR_NO,
    "save_as": _one_of("float32", "float16"),
}
