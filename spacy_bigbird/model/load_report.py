"""Which weights of a checkpoint fit a model, and which do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..checkpoint.key_map import (
    HUGGINGFACE_PREFIX,
    LM_DECODER,
    WORD_EMBEDDINGS,
    from_huggingface,
    is_base_name,
    theirs_of,
)
from ..errors import Errors

_NAMES_SHOWN = 12


@dataclass(frozen=True)
class LoadReport:
    """How well a checkpoint fits a model. Names are Hugging Face's, without the prefix "bert.".

    source (str): the file.
    missing (tuple[str, ...]): weights that the file lacks, which keep their initial values.
    mismatched (tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]): name, shape in the file and shape in the
        model, where these differ. In a head, such weights keep their initial values; elsewhere, they are an error.
    unexpected (tuple[str, ...]): weights in the file that the model does not have.
    stripped (tuple[str, ...]): what training tools had put into the names in the file, such as "_orig_mod.".
    untied (bool): whether the file has separate weights for the LM decoder, which the tied word embeddings replaced.
    """

    source: str
    missing: tuple[str, ...] = ()
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...] = ()
    unexpected: tuple[str, ...] = ()
    untied: bool = False
    stripped: tuple[str, ...] = ()

    def __str__(self) -> str:
        shapes = [f"{name} (file: {file}, model: {model})" for name, file, model in self.mismatched]
        groups = {
            "stripped from the names": self.stripped,
            "missing": self.missing,
            "of another shape": shapes,
            "unexpected": self.unexpected,
        }
        lines = [f"{self.source}:"]
        for group, names in groups.items():
            if names:
                more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
                lines.append(f"  {group}: {', '.join(names[:_NAMES_SHOWN])}{more}")
        if self.untied:
            lines.append(
                "  not tied in the file: cls.predictions.decoder.weight; the word embeddings took its place "
                "(tie_word_embeddings = False keeps both)"
            )
        return "\n".join(lines if len(lines) > 1 else [f"{self.source}: every weight found its place"])

    @property
    def fits(self) -> bool:
        """Whether no weight of the base model is missing or has another shape.

        Weights of the pooler and of cross-attention may be missing.
        """
        new_parts = ("pooler.", "crossattention.")
        return not any(is_base_name(name) for name, _, _ in self.mismatched) and not any(
            is_base_name(name) and not any(part in name for part in new_parts) for name in self.missing
        )

    @property
    def is_worth_a_warning(self) -> bool:
        """Whether weights are new or were replaced, or unexpected ones belong to no other head of BigBird."""
        usual = ("pooler.", "cls.predictions.", "cls.seq_relationship.", "classifier.", "qa_classifier.")
        dropped = [name for name in self.unexpected if not name.removeprefix(HUGGINGFACE_PREFIX).startswith(usual)]
        return bool(self.missing or self.mismatched or dropped or self.untied)


def match_tensors(
    wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor], source: str, *, is_tied: bool
) -> tuple[dict[str, Tensor], LoadReport]:
    """Match the tensors of a file with the weights of a model.

    wanted (Mapping[str, Tensor]): the model's weights by canonical name.
    tensors (Mapping[str, Tensor]): tensors with Hugging Face's names.
    source (str): where they come from, for messages.
    is_tied (bool): whether the model has an LM decoder that shares the word embeddings.
    RETURNS (tuple[dict[str, Tensor], LoadReport]): new values by canonical name, and what did not match.
    RAISES ValueError: a tensor that matches by name and shape is not floating-point.
    """
    translation = from_huggingface(tensors)
    given = translation.tensors
    untied = False
    if LM_DECODER in wanted and WORD_EMBEDDINGS in given:
        given.setdefault(LM_DECODER, given[WORD_EMBEDDINGS])
    elif is_tied:
        decoder, words = given.pop(LM_DECODER, None), given.get(WORD_EMBEDDINGS)
        untied = decoder is not None and words is not None and not torch.equal(decoder, words)
    missing: list[str] = []
    mismatched = []
    for name, weight in wanted.items():
        if name in translation.uneven:
            parts = translation.uneven[name]
            shape = (len(weight) // len(parts), *weight.shape[1:])
            mismatched += [(their, found, shape) for their, found in parts.items() if found != shape]
        elif name not in given:
            missing += translation.incomplete.get(name) or theirs_of(name)
        elif given[name].shape != weight.shape:
            mismatched.append((" + ".join(theirs_of(name)), tuple(given[name].shape), tuple(weight.shape)))
        elif not given[name].is_floating_point():
            dtype = str(given[name].dtype).removeprefix("torch.")
            raise ValueError(Errors.BB062.format(path=source, name=" + ".join(theirs_of(name)), found=dtype))
    useless = {*given, *translation.incomplete, *translation.uneven} - wanted.keys()
    unexpected = [
        their
        for name in sorted(useless)
        for their in theirs_of(name)
        if their not in translation.incomplete.get(name, ())
    ]
    report = LoadReport(
        source,
        tuple(missing),
        tuple(mismatched),
        tuple(unexpected + translation.unknown),
        untied,
        translation.stripped,
    )
    fitting = {name for name, weight in wanted.items() if name in given and given[name].shape == weight.shape}
    return {name: given[name] for name in fitting}, report
