"""Initialize a BigBird from a BERT or RoBERTa checkpoint, as in the paper, or extend a BigBird to longer texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..checkpoint.config_json import MODEL_TYPE, read_config
from ..checkpoint.files import find_weights, read_weights
from ..checkpoint.hub import resolve_directory
from ..checkpoint.key_map import from_bert, unwrapped
from ..checkpoint.vocabulary import Match, read_vocabulary, sentencepiece_vocabulary
from ..errors import Errors
from ..plan.config import BigBirdConfig
from ..tokenizer import BigBirdTokenizer
from .encoder import BigBirdModel
from .load_report import LoadReport
from .pretrained import PretrainedModel, split_overrides

Model = TypeVar("Model", bound=PretrainedModel)

# Model types whose layers compute the same as BigBird's with dense attention.
_ROBERTA_TYPES = ("roberta", "xlm-roberta", "camembert")
SOURCE_TYPES = (MODEL_TYPE, "bert", *_ROBERTA_TYPES)
_SHARED_FIELDS = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "hidden_act",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "initializer_range",
    "layer_norm_eps",
    "position_embedding_type",
)
_PER_PIECE = ("embeddings.word_embeddings.weight", "cls.predictions.decoder.weight", "cls.predictions.bias")


@dataclass(frozen=True)
class WarmStartReport:
    """What was copied to the new model's vocabulary and weights.

    pieces (int): number of pieces in the new vocabulary.
    copied (int): number of these that the source also has.
    averaged (int): number of these that got the mean of the source's pieces that spell them. The rest got the source's
        unknown piece, or zeros if it has none.
    weights (LoadReport): which weights are new, and which of the source's are not used.
    """

    pieces: int
    copied: int
    averaged: int
    weights: LoadReport

    @property
    def share_copied(self) -> float:
        """Share of the pieces that the source also has, from 0 to 1."""
        return self.copied / self.pieces

    def __str__(self) -> str:
        unknown = self.pieces - self.copied - self.averaged
        return (
            f"{self.copied} of {self.pieces} pieces ({self.share_copied:.1%}) copied, {self.averaged} the mean of "
            f"their parts, {unknown} unknown to the source. {self.weights}"
        )


def warm_start(
    path_or_hub_name: str | Path,
    vocab_file: str | Path | None = None,
    max_position_embeddings: int = 4096,
    *,
    revision: str | None = None,
    model_class: type[Model] = BigBirdModel,  # type: ignore[assignment]  # a default cannot narrow a type variable
    **overrides: Any,
) -> tuple[Model, WarmStartReport]:
    """Initialize a BigBird from a checkpoint of BERT, RoBERTa or BigBird (Zaheer et al. 2020, section 4).

    Layers are copied. Position embeddings (without the rows that RoBERTa does not use) and token types are repeated
    until there are enough. Word embeddings, and the language modelling head if the model has one, are copied for pieces
    with the same text. A piece that the source does not have gets the mean of the source's pieces that spell it.

    path_or_hub_name (str | Path): the source: a name on the Hugging Face hub, or a directory with config.json, weights
        and a vocabulary, which is not needed if `vocab_file` is None.
    vocab_file (str | Path | None): the new model's spiece.model; None to keep a BigBird checkpoint's vocabulary.
    max_position_embeddings (int): longest sequence of the new model. Unit: pieces.
    revision (str | None): branch, tag or commit of the source on the hub; None for the newest of the main branch.
    model_class (type[PretrainedModel]): class of the new model, such as BigBirdForMaskedLM.
    **overrides (Any): further fields of the new configuration, such as `block_size`, and arguments of the constructor.
    RETURNS (tuple[PretrainedModel, WarmStartReport]): the model in eval mode, and what was copied.
    RAISES FileNotFoundError: a file is missing.
    RAISES ValueError: a file is corrupt, the source is of another type, or needs a `vocab_file`, or a setting is not
        allowed.
    RAISES TypeError: an override is neither a field of the configuration nor an argument of the constructor.
    """
    directory = resolve_directory(path_or_hub_name, revision=revision)
    values = read_config(directory, SOURCE_TYPES)
    path = find_weights(directory)
    bare, stripped = unwrapped(read_weights(path))
    tensors = {name: tensor.float() for name, tensor in from_bert(bare).items()}
    vocabulary: dict[str, Any] = {}
    if vocab_file is not None:
        tokenizer = BigBirdTokenizer(vocab_file)
        matches = _match_pieces(tokenizer, directory, values["model_type"])
        _replace_rows_of_pieces(tensors, [ids for ids, _ in matches], path)
        found = [how for _, how in matches]
        vocabulary = dict(tokenizer.config_fields)
    elif values["model_type"] == MODEL_TYPE:
        found = ["copied"] * BigBirdConfig.from_dict(values).vocab_size
    else:
        raise ValueError(Errors.BB060.format(directory=directory, found=values["model_type"]))
    changes, arguments = split_overrides(model_class, overrides)
    changes = {**vocabulary, **changes, "max_position_embeddings": max_position_embeddings}
    config = _config(values).replace(**changes)
    # RoBERTa's first position is the one after its padding id.
    padding = values.get("pad_token_id")
    first_position = 0
    if values["model_type"] in _ROBERTA_TYPES:
        first_position = 2 if padding is None else padding + 1
    positions, types = (f"embeddings.{name}_embeddings.weight" for name in ("position", "token_type"))
    for name, first, size in ((positions, first_position, max_position_embeddings), (types, 0, config.type_vocab_size)):
        if name in tensors:
            tensors[name] = _tile(tensors[name][first:], size)
    model, weights = model_class.from_huggingface_tensors(config, tensors, str(path), **arguments)
    weights = model.load_report = replace(weights, stripped=stripped)
    return model, WarmStartReport(len(found), found.count("copied"), found.count("averaged"), weights)


def _config(values: Mapping[str, Any]) -> BigBirdConfig:
    if values["model_type"] == MODEL_TYPE:
        return BigBirdConfig.from_dict(values)
    shared = {name: values[name] for name in _SHARED_FIELDS if name in values}
    return BigBirdConfig.from_dict({"hidden_act": "gelu", **shared})


def _match_pieces(tokenizer: BigBirdTokenizer, directory: Path, model_type: str) -> list[tuple[list[int], Match]]:
    if model_type == MODEL_TYPE:
        source = sentencepiece_vocabulary(BigBirdTokenizer.from_pretrained(directory).get_vocab())
    else:
        source = read_vocabulary(directory)
    return [source.ids_of(piece) for piece in tokenizer.get_vocab()]


def _replace_rows_of_pieces(tensors: dict[str, Tensor], rows: Sequence[Sequence[int]], path: Path) -> None:
    """Replace the rows of every table with one row per piece. A new row is the mean of the given rows of the table."""
    ids = torch.tensor([number for numbers in rows for number in numbers], dtype=torch.long, device="cpu")
    largest = max(ids.tolist(), default=-1)
    starts = torch.tensor([0, *(len(numbers) for numbers in rows)], device="cpu").cumsum(0)[:-1]
    for name in _PER_PIECE:
        if name in tensors:
            table = tensors[name]
            if largest >= len(table):
                raise ValueError(Errors.BB061.format(path=path, name=name, rows=len(table), largest=largest))
            mean = nn.functional.embedding_bag(ids, table.reshape(len(table), -1), starts, mode="mean")
            tensors[name] = mean.reshape(-1, *table.shape[1:])


def _tile(table: Tensor, size: int) -> Tensor:
    """Repeat the rows of a table, or cut them, to get `size` rows."""
    return table[torch.arange(size, device="cpu") % len(table)]
