"""The configuration of a BigBird model."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..checkpoint.config_json import MODEL_TYPE, read_config, write_config
from ..checkpoint.hub import resolve_directory
from ..errors import Errors

ACTIVATIONS = ("gelu", "gelu_new", "relu", "selu")
ATTENTION_TYPES = ("block_sparse", "original_full")
RANDOM_PATTERNS = ("paper", "huggingface", "none")
PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")


@dataclass(frozen=True, kw_only=True)
class BigBirdConfig:
    """Hyper-parameters of a BigBird model.

    They have the names and defaults of transformers' BigBirdConfig; `random_pattern` and `full_attention_up_to` are
    additions. A configuration is immutable: use `replace` to get a changed copy.

    vocab_size (int): number of pieces in the vocabulary.
    hidden_size (int): width of the hidden states, a multiple of `num_attention_heads`.
    num_hidden_layers (int): number of layers of the encoder or decoder.
    num_attention_heads (int): number of attention heads of each layer.
    intermediate_size (int): width inside the feed-forward layers.
    hidden_act (str): activation of the feed-forward layers and heads: gelu, relu, selu or gelu_new.
    hidden_dropout_prob (float): dropout of embeddings, layer outputs and heads.
    attention_probs_dropout_prob (float): dropout of dense attention's probabilities. Sparse attention has none.
    max_position_embeddings (int): longest sequence, including [CLS] and [SEP]. Unit: pieces.
    type_vocab_size (int): number of token types.
    initializer_range (float): standard deviation of random weights.
    layer_norm_eps (float): added to the variance in layer normalisation.
    is_decoder (bool): whether the model is a decoder, with dense, causal attention whatever the `attention_type`.
    add_cross_attention (bool): whether a decoder's layers also attend to an encoder.
    use_cache (bool): whether a decoder returns its keys and values.
    pad_token_id, bos_token_id, eos_token_id, sep_token_id (int | None): ids of the special pieces.
    attention_type (str): block_sparse, or original_full for dense attention at every length.
    use_bias (bool): whether the query, key and value projections have a bias.
    rescale_embeddings (bool): whether word embeddings are multiplied by sqrt(hidden_size).
    block_size (int): size of a block of sparse attention. Unit: pieces.
    num_random_blocks (int): number of random key blocks of each query block and head, which may be 0.
    classifier_dropout (float | None): dropout of the sequence and token classification heads; None for
        `hidden_dropout_prob`.
    num_labels (int): number of labels of a classification head; 0 for as many as in `id2label`, or else 2.
    id2label (dict[int, str]): names of the labels, by id.
    label2id (dict[str, int]): ids of the labels, by name.
    problem_type (str | None): regression, single_label_classification or multi_label_classification; None to choose by
        the labels given.
    tie_word_embeddings (bool): whether the language modelling head shares the word embeddings.
    output_attentions, output_hidden_states (bool): defaults for the arguments of the same name.
    random_pattern (str): source of the random blocks: "paper" (Google's plan, which the released checkpoints were
        trained with), "huggingface" (what transformers computes in eval mode) or "none".
    full_attention_up_to (int): longest sequence with dense attention, except with `random_pattern = "huggingface"`,
        which follows the rule of transformers. Sequences of fewer than five blocks are always dense. Unit: pieces.
    extra (dict[str, Any]): other keys of a config.json, which have no effect and are written back. Only
        `position_embedding_type` is checked: it must be "absolute".

    RAISES ValueError: a value is not allowed.
    """

    vocab_size: int = 50358
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu_new"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 4096
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    is_decoder: bool = False
    add_cross_attention: bool = False
    use_cache: bool = True
    pad_token_id: int = 0
    bos_token_id: int = 1
    eos_token_id: int = 2
    sep_token_id: int = 66
    attention_type: str = "block_sparse"
    use_bias: bool = True
    rescale_embeddings: bool = False
    block_size: int = 64
    num_random_blocks: int = 3
    classifier_dropout: float | None = None
    num_labels: int = field(default=0, compare=False)
    id2label: dict[int, str] = field(default_factory=dict, hash=False)
    label2id: dict[str, int] = field(default_factory=dict, hash=False)
    problem_type: str | None = None
    tie_word_embeddings: bool = True
    output_attentions: bool = False
    output_hidden_states: bool = False
    random_pattern: str = "paper"
    full_attention_up_to: int = 1024
    extra: dict[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name, rule in _RULES.items():
            self._require(name, rule)
        self._complete_labels()
        if self.hidden_size % self.num_attention_heads:
            raise _not_allowed("hidden_size", self.hidden_size, f"a multiple of {self.num_attention_heads} heads")
        if self.add_cross_attention and not self.is_decoder:
            raise _not_allowed("add_cross_attention", True, "False, or is_decoder = True along with it")
        if self.pad_token_id is not None and self.pad_token_id >= self.vocab_size:
            raise _not_allowed("pad_token_id", self.pad_token_id, f"an id below vocab_size = {self.vocab_size}")
        position_type = self.extra.get("position_embedding_type", "absolute")
        if position_type != "absolute":
            raise _not_allowed("position_embedding_type", position_type, "'absolute', the only one that BigBird has")

    def _require(self, name: str, rule: _Rule) -> None:
        value = getattr(self, name)
        if not rule.allows(value):
            raise _not_allowed(name, value, rule.expected)

    def _complete_labels(self) -> None:
        try:
            id2label = {int(number): str(label) for number, label in self.id2label.items()}
            label2id = {str(label): int(number) for label, number in self.label2id.items()}
        except (TypeError, ValueError):
            given = {"id2label": self.id2label, "label2id": self.label2id}
            raise _not_allowed("id2label or label2id", given, "whole numbers for ids") from None
        if not id2label:
            id2label = {number: f"LABEL_{number}" for number in range(self.num_labels or 2)}
        if self.num_labels not in (0, len(id2label)):
            raise _not_allowed("num_labels", self.num_labels, f"{len(id2label)}, the number of labels in id2label")
        if sorted(id2label) != list(range(len(id2label))):
            raise _not_allowed("id2label", self.id2label, "ids 0, 1, 2 ... without a gap")
        if any(not 0 <= number < len(id2label) for number in label2id.values()):
            raise _not_allowed("label2id", self.label2id, f"ids below {len(id2label)}, as in id2label")
        object.__setattr__(self, "id2label", id2label)
        object.__setattr__(self, "label2id", label2id or {label: number for number, label in id2label.items()})
        object.__setattr__(self, "num_labels", len(id2label))

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def head_dropout(self) -> float:
        """Dropout of the classification heads."""
        return self.hidden_dropout_prob if self.classifier_dropout is None else self.classifier_dropout

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> BigBirdConfig:
        """Build a configuration from the content of a config.json.

        values (Mapping[str, Any]): keys and values of a config.json. Unknown ones are kept in `extra`.
        RETURNS (BigBirdConfig): the configuration.
        RAISES ValueError: a value is not allowed.
        """
        known = {f.name for f in dataclasses.fields(cls)} - {"extra"}
        # transformers writes null for either of these two if only the other was given.
        ignored = {"model_type", *(key for key in ("id2label", "label2id") if values.get(key) is None)}
        extra = {key: value for key, value in values.items() if key not in known | ignored}
        return cls(**{key: value for key, value in values.items() if key in known - ignored}, extra=extra)

    @classmethod
    def from_pretrained(
        cls, path_or_hub_name: str | Path, *, revision: str | None = None, **changes: Any
    ) -> BigBirdConfig:
        """Read a checkpoint's config.json. The weights are not downloaded.

        path_or_hub_name (str | Path): a directory with config.json, or a name on the Hugging Face hub.
        revision (str | None): branch, tag or commit on the hub; None for the newest of the main branch.
        **changes (Any): fields and their new values, as for `replace`.
        RETURNS (BigBirdConfig): the configuration.
        RAISES FileNotFoundError: there is no such checkpoint, or no config.json in it.
        RAISES ValueError: the file is corrupt or of another type of model, or a value is not allowed.
        RAISES TypeError: there is no such field.
        """
        directory = resolve_directory(path_or_hub_name, revision=revision, weights=False)
        return cls.from_dict(read_config(directory)).replace(**changes)

    def save_pretrained(self, directory: str | Path) -> None:
        """Write only config.json. A model's `save_pretrained` writes it along with the weights.

        directory (str | Path): directory to write to, created if it does not exist.
        """
        Path(directory).mkdir(parents=True, exist_ok=True)
        write_config(Path(directory), self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Convert to the content of a config.json.

        RETURNS (dict[str, Any]): keys and values, including those in `extra`.
        """
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        extra = values.pop("extra")
        values.pop("num_labels")
        return {"model_type": MODEL_TYPE, **extra, **values}

    def replace(self, **changes: Any) -> BigBirdConfig:
        """Make a copy with some fields changed.

        **changes (Any): fields and their new values. A new `num_labels` or `id2label` resets the other label fields.
        RETURNS (BigBirdConfig): the copy.
        RAISES TypeError: there is no such field.
        RAISES ValueError: a value is not allowed.
        """
        if "id2label" in changes:
            changes = {"num_labels": 0, "label2id": {}, **changes}
        elif "num_labels" in changes and changes["num_labels"] != self.num_labels:
            changes = {"id2label": {}, "label2id": {}, **changes}
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True)
class _Rule:
    """The values that a field may have, as a predicate and in words."""

    allows: Callable[[Any], bool]
    expected: str


def _not_allowed(name: str, value: Any, expected: str) -> ValueError:
    return ValueError(Errors.BB001.format(field=name, value=value, expected=expected))


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _one_of(names: tuple[str, ...], or_none: bool = False) -> _Rule:
    words = " or ".join(map(repr, names)) + (", or None" if or_none else "")
    return _Rule(lambda value: (value is None and or_none) or (isinstance(value, str) and value in names), words)


_COUNT = _Rule(lambda value: _is_int(value) and value >= 1, "a whole number of at least 1")
_COUNT_OR_ZERO = _Rule(lambda value: _is_int(value) and value >= 0, "a whole number of at least 0")
_ID = _Rule(lambda value: value is None or (_is_int(value) and value >= 0), "the id of a piece, or None")
_YES_OR_NO = _Rule(lambda value: isinstance(value, bool), "True or False")
_PROBABILITY = _Rule(lambda value: _is_number(value) and 0 <= value < 1, "a number from 0 to below 1")
_POSITIVE = _Rule(lambda value: _is_number(value) and value > 0, "a number above 0")
_MAPPING = _Rule(lambda value: isinstance(value, dict), "a dictionary")

_RULES: dict[str, _Rule] = {
    "vocab_size": _COUNT,
    "hidden_size": _COUNT,
    "num_hidden_layers": _COUNT,
    "num_attention_heads": _COUNT,
    "intermediate_size": _COUNT,
    "hidden_act": _one_of(ACTIVATIONS),
    "hidden_dropout_prob": _PROBABILITY,
    "attention_probs_dropout_prob": _PROBABILITY,
    "max_position_embeddings": _COUNT,
    "type_vocab_size": _COUNT,
    "initializer_range": _POSITIVE,
    "layer_norm_eps": _POSITIVE,
    "is_decoder": _YES_OR_NO,
    "add_cross_attention": _YES_OR_NO,
    "use_cache": _YES_OR_NO,
    "pad_token_id": _ID,
    "bos_token_id": _ID,
    "eos_token_id": _ID,
    "sep_token_id": _ID,
    "attention_type": _one_of(ATTENTION_TYPES),
    "use_bias": _YES_OR_NO,
    "rescale_embeddings": _YES_OR_NO,
    "block_size": _COUNT,
    "num_random_blocks": _COUNT_OR_ZERO,
    "classifier_dropout": _Rule(lambda value: value is None or _PROBABILITY.allows(value), "None or 0 to below 1"),
    "num_labels": _COUNT_OR_ZERO,
    "id2label": _MAPPING,
    "label2id": _MAPPING,
    "problem_type": _one_of(PROBLEM_TYPES, or_none=True),
    "tie_word_embeddings": _YES_OR_NO,
    "output_attentions": _YES_OR_NO,
    "output_hidden_states": _YES_OR_NO,
    "random_pattern": _one_of(RANDOM_PATTERNS),
    "full_attention_up_to": _COUNT_OR_ZERO,
    "extra": _MAPPING,
}
