"""How well a checkpoint fits a model."""

from __future__ import annotations

from dataclasses import dataclass

from ..checkpoint.key_map import HUGGINGFACE_PREFIX, is_base_name

_NAMES_SHOWN = 12


@dataclass(frozen=True)
class LoadReport:
    """How well a checkpoint fits a model. Names are Hugging Face's, without the prefix "bert.".

    source (str): the file.
    missing (tuple[str, ...]): weights that the file lacks, which keep their initial values.
    mismatched (tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]): name, shape in the file and shape in the
        model, where these differ. In a head, such weights keep their initial values; elsewhere, they are an error.
    unexpected (tuple[str, ...]): weights in the file that the model does not have.
    untied (bool): whether the file has separate weights for the LM decoder, which the tied word embeddings replaced.
    """

    source: str
    missing: tuple[str, ...] = ()
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...] = ()
    unexpected: tuple[str, ...] = ()
    untied: bool = False

    def __str__(self) -> str:
        shapes = [f"{name} (file: {file}, model: {model})" for name, file, model in self.mismatched]
        groups = {"missing": self.missing, "of another shape": shapes, "unexpected": self.unexpected}
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
