"""The table that maps our names of BigBird's weights to Hugging Face's, in both directions.

Names in the base model are in canonical form, without the prefix "bert." (theirs) or "bigbird." (ours), so that a file
of the encoder alone and a file of a model with a head look alike.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .wrappings import without_wrappers

WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"
LM_DECODER = "lm_head.decoder.weight"
HUGGINGFACE_PREFIX = "bert."

_LAYER = "encoder.layers.{n}"
_THEIR_LAYER = "encoder.layer.{n}"

# Ours -> theirs, without the final ".weight" or ".bias". Where there are several of theirs, they are concatenated along
# the first axis.
TABLE: dict[str, tuple[str, ...]] = {
    "embeddings.word_embeddings": ("embeddings.word_embeddings",),
    "embeddings.position_embeddings": ("embeddings.position_embeddings",),
    "embeddings.token_type_embeddings": ("embeddings.token_type_embeddings",),
    "embeddings.layer_norm": ("embeddings.LayerNorm",),
    f"{_LAYER}.attention.query_key_value": tuple(
        f"{_THEIR_LAYER}.attention.self.{part}" for part in ("query", "key", "value")
    ),
    f"{_LAYER}.attention.output": (f"{_THEIR_LAYER}.attention.output.dense",),
    f"{_LAYER}.attention_norm": (f"{_THEIR_LAYER}.attention.output.LayerNorm",),
    f"{_LAYER}.cross_attention.query": (f"{_THEIR_LAYER}.crossattention.self.query",),
    f"{_LAYER}.cross_attention.key_value": tuple(
        f"{_THEIR_LAYER}.crossattention.self.{part}" for part in ("key", "value")
    ),
    f"{_LAYER}.cross_attention.output": (f"{_THEIR_LAYER}.crossattention.output.dense",),
    f"{_LAYER}.cross_attention_norm": (f"{_THEIR_LAYER}.crossattention.output.LayerNorm",),
    f"{_LAYER}.feed_forward.intermediate": (f"{_THEIR_LAYER}.intermediate.dense",),
    f"{_LAYER}.feed_forward.output": (f"{_THEIR_LAYER}.output.dense",),
    f"{_LAYER}.feed_forward_norm": (f"{_THEIR_LAYER}.output.LayerNorm",),
    "pooler": ("pooler",),
    "lm_head": ("cls.predictions",),
    "lm_head.dense": ("cls.predictions.transform.dense",),
    "lm_head.layer_norm": ("cls.predictions.transform.LayerNorm",),
    "lm_head.decoder": ("cls.predictions.decoder",),
    "next_sentence": ("cls.seq_relationship",),
    "classifier": ("classifier",),
    "classifier.dense": ("classifier.dense",),
    "classifier.out_proj": ("classifier.out_proj",),
    "qa_head.intermediate": ("qa_classifier.intermediate.dense",),
    "qa_head.output": ("qa_classifier.output.dense",),
    "qa_head.layer_norm": ("qa_classifier.output.LayerNorm",),
    "qa_head.qa_outputs": ("qa_classifier.qa_outputs",),
}
_FROM_THEIRS = {their: (ours, part) for ours, theirs in TABLE.items() for part, their in enumerate(theirs)}

_BASE = re.compile(r"(embeddings|encoder|pooler)\.")
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")
# Buffers that older versions of transformers stored, and the second name of the LM head's bias.
_IGNORED = re.compile(r"embeddings\.(position_ids|token_type_ids)|cls\.predictions\.decoder\.bias")
_OLD_LEAVES = {"gamma": "weight", "beta": "bias"}
_OF_BERT = re.compile(r"^(bert|roberta)\.")
# Differences between the names in BERT and RoBERTa and those in transformers' BigBird.
_BERT_TO_BIGBIRD = (
    (_OF_BERT, ""),
    (re.compile(r"^pooler\.dense\."), "pooler."),
    (re.compile(r"^lm_head\.dense\."), "cls.predictions.transform.dense."),
    (re.compile(r"^lm_head\.layer_norm\."), "cls.predictions.transform.LayerNorm."),
    (re.compile(r"^lm_head\."), "cls.predictions."),
)


@dataclass
class Translation:
    """Tensors under our canonical names, and what could not be translated.

    tensors (dict[str, Tensor]): tensors by our name.
    incomplete (dict[str, list[str]]): for each fused tensor with missing parts, their Hugging Face names.
    uneven (dict[str, dict[str, tuple[int, ...]]]): for each fused tensor whose parts cannot be concatenated, the
        Hugging Face name and shape of each part.
    unknown (list[str]): names in the file that BigBird does not have.
    stripped (tuple[str, ...]): what training tools had put into the names.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    incomplete: dict[str, list[str]] = field(default_factory=dict)
    uneven: dict[str, dict[str, tuple[int, ...]]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    stripped: tuple[str, ...] = ()


def is_base_name(name: str) -> bool:
    """Check whether a weight belongs to the base model rather than to a head.

    name (str): a canonical name, theirs or ours.
    RETURNS (bool): whether it belongs to the base model.
    """
    return _BASE.match(name) is not None


def theirs_of(ours: str) -> list[str]:
    """Look up Hugging Face's canonical names of one of our tensors.

    ours (str): our canonical name, such as "encoder.layers.0.attention.query_key_value.weight".
    RETURNS (list[str]): one name, or several for a fused tensor, in the order in which they are concatenated. Empty for
        a name that is not in the table.
    """
    template, leaf, number = _split(ours)
    return [f"{their.replace('{n}', number)}.{leaf}" for their in TABLE.get(template, ())]


def from_huggingface(tensors: Mapping[str, Tensor]) -> Translation:
    """Translate a checkpoint's tensors into our names, and concatenate the parts of fused tensors.

    tensors (Mapping[str, Tensor]): tensors by Hugging Face's name, with or without "bert." before the base model's, and
        with or without what training tools put into names.
    RETURNS (Translation): tensors under our canonical names, and what could not be translated.
    """
    tensors, stripped = unwrapped(tensors)
    result = Translation(stripped=stripped)
    parts: dict[str, dict[int, Tensor]] = {}
    for name, tensor in tensors.items():
        canonical = name.removeprefix(HUGGINGFACE_PREFIX)
        template, leaf, number = _split(canonical)
        if _IGNORED.fullmatch(canonical):
            continue
        if template in _FROM_THEIRS:
            ours, part = _FROM_THEIRS[template]
            parts.setdefault(f"{ours.replace('{n}', number)}.{leaf}", {})[part] = tensor
        else:
            result.unknown.append(name)
    # An old file may have the LM head's bias only under its second name.
    second_name = tensors.get("cls.predictions.decoder.bias")
    if second_name is not None:
        parts.setdefault("lm_head.bias", {0: second_name})
    for ours, found in parts.items():
        names = theirs_of(ours)
        missing = [name for part, name in enumerate(names) if part not in found]
        if missing:
            result.incomplete[ours] = missing
            continue
        ordered = [found[part] for part in range(len(names))]
        shapes = {name: tuple(tensor.shape) for name, tensor in zip(names, ordered, strict=True)}
        if len(set(shapes.values())) > 1 or (len(names) > 1 and not ordered[0].dim()):
            result.uneven[ours] = shapes
        else:
            result.tensors[ours] = ordered[0] if len(ordered) == 1 else torch.cat(ordered)
    return result


def unwrapped(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Strip what training tools put into the names of a checkpoint of BigBird, BERT or RoBERTa.

    tensors (Mapping[str, Tensor]): tensors by name.
    RETURNS (tuple[dict[str, Tensor], tuple[str, ...]]): tensors by bare name, and what was stripped.
    """

    def is_known(name: str) -> bool:
        canonical = _OF_BERT.sub("", name)
        return _split(canonical)[0] in _FROM_THEIRS or _IGNORED.fullmatch(canonical) is not None

    names, stripped = without_wrappers(tensors, is_known, lambda name: is_base_name(_OF_BERT.sub("", name)))
    return {names[name]: tensor for name, tensor in tensors.items()}, stripped


def from_bert(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of a BERT or RoBERTa checkpoint as in a BigBird checkpoint.

    tensors (Mapping[str, Tensor]): tensors of a BERT, RoBERTa or BigBird checkpoint, by name.
    RETURNS (dict[str, Tensor]): tensors by Hugging Face's canonical name in BigBird. Tensors that BigBird does not have
        are included.
    """
    result = {}
    for name, tensor in tensors.items():
        for pattern, replacement in _BERT_TO_BIGBIRD:
            name = pattern.sub(replacement, name)
        result[name] = tensor
    bias = result.pop("cls.predictions.decoder.bias", None)
    return result if bias is None else {"cls.predictions.bias": bias, **result}


def to_huggingface(tensors: Mapping[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """Translate our tensors into Hugging Face's names, and split fused tensors into their parts.

    tensors (Mapping[str, Tensor]): tensors by our canonical name.
    prefix (str): prefix of the base model's names: "bert." in a model with a head, "" in the base model alone.
    RETURNS (dict[str, Tensor]): tensors by Hugging Face's name. The parts of fused tensors are copies.
    RAISES KeyError: a name is not in the table.
    """
    result: dict[str, Tensor] = {}
    for ours, tensor in tensors.items():
        names = theirs_of(ours)
        if not names:
            raise KeyError(ours)
        chunks: Iterable[Tensor] = [tensor] if len(names) == 1 else (part.clone() for part in tensor.chunk(len(names)))
        for name, chunk in zip(names, chunks, strict=True):
            result[prefix + name if is_base_name(name) else name] = chunk
    return result


def _split(name: str) -> tuple[str, str, str]:
    """Split a canonical name into the table's template, the leaf and the number of the layer ("" outside layers)."""
    module, _, leaf = name.rpartition(".")
    found = _NUMBER.search(module + ".")
    number = found.group() if found and module.startswith("encoder.") else ""
    template = _NUMBER.sub("{n}", module + ".", count=1)[:-1] if number else module
    return template, _OLD_LEAVES.get(leaf, leaf), number
