"""What the components behind a shared encoder have in common: saved settings, and held-out documents to fit on."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import inf, isclose
from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ..errors import Errors
from ..warnings import Warnings

WHOLE_NUMBER = "a whole number of at least 1"


class SavedSettings:
    """Mixed into a component before its spaCy class, whose `cfg` holds the settings beside labels and fitted values.
    What is ignored of the types below comes from that class, which the mixin cannot name.

    `cfg["configured"]` remembers what the config said: a setting that was changed in `cfg` afterwards is kept through
    saving and loading, unless the config that loads it says something else than the one it was saved under.
    """

    cfg: dict[str, Any]
    _has_reported_unknown = False

    def from_disk(self, path: Path | str, *, exclude: Any = ()) -> Any:
        """Read what `to_disk` wrote. Arguments as in spaCy's `TrainablePipe.from_disk`."""
        settings = dict(self.cfg["configured"])
        if "cfg" not in exclude:
            with naming(Path(path) / "cfg"):
                srsly.read_json(Path(path) / "cfg")
        with naming(Path(path) / "model"):
            super().from_disk(path, exclude=exclude)  # type: ignore[misc]
        return self._with_settings(settings)

    def from_bytes(self, bytes_data: bytes, *, exclude: Any = ()) -> Any:
        """Read what `to_bytes` gave. Arguments as in spaCy's `TrainablePipe.from_bytes`."""
        settings = dict(self.cfg["configured"])
        super().from_bytes(bytes_data, exclude=exclude)  # type: ignore[misc]
        return self._with_settings(settings)

    def _report_unknown(self, given: Iterable[str]) -> None:
        """Warn once of annotation with labels that the component does not have, and cannot learn."""
        known, given = set(self.labels), list(given)  # type: ignore[attr-defined]
        unknown = [label for label in given if label not in known]
        if unknown and not self._has_reported_unknown:
            self._has_reported_unknown = True
            name, labels = self.name, ", ".join(sorted(set(unknown)))  # type: ignore[attr-defined]
            message = Warnings.BW202.format(name=name, lost=len(unknown), total=len(given), labels=labels)
            warnings.warn(message, stacklevel=4)

    def _with_settings(self, settings: dict[str, Any]) -> Any:
        saved = self.cfg["configured"]
        self.cfg.update({key: value for key, value in settings.items() if not is_same(saved.get(key), value)})
        self.cfg["configured"] = settings
        return self


def check_settings(settings: Mapping[str, Any], allowed: Mapping[str, tuple[bool, str]]) -> None:
    """Say which setting is wrong.

    settings (Mapping[str, Any]): values by name.
    allowed (Mapping[str, tuple[bool, str]]): of the settings that are checked, whether the value is right, and what is.
    RAISES ValueError: a value is not right.
    """
    for name, (is_allowed, expected) in allowed.items():
        if not is_allowed:
            raise ValueError(Errors.BB200.format(name=name, value=settings[name], expected=expected))


def is_number(value: Any, lowest: float = -inf) -> bool:
    """RETURNS (bool): whether it is a number of at least `lowest`."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= lowest


def is_count(value: Any) -> bool:
    """RETURNS (bool): whether it is a whole number of at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let what goes wrong while a file is read name the file.

    path (Path): the file.
    RAISES ValueError: it cannot be read.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # a damaged file makes the libraries below raise nearly anything
        if str(path.parent) in str(error):
            raise
        raise ValueError(Errors.BB055.format(path=path, reason=error)) from error


def is_same(saved: Any, value: Any) -> bool:
    """RETURNS (bool): whether a setting is the saved one. spaCy's JSON does not keep the last digit of a float."""
    if isinstance(saved, float) and isinstance(value, int | float):
        return isclose(saved, value, rel_tol=1e-12)
    return saved == value


def encoded_documents(examples: Iterable[Example], name: str, nlp: Language | None) -> list[Doc]:
    """The predicted documents of examples, after what comes before a component has run on them.

    examples (Iterable[Example]): the examples. Their `predicted` documents are changed.
    name (str): the component.
    nlp (Language | None): the pipeline; None where all of it has run already.
    RETURNS (list[Doc]): the documents, in order.
    """
    docs: Iterable[Doc] = [example.predicted for example in examples]
    for before, pipe in nlp.pipeline if nlp is not None else ():
        if before == name:
            break
        docs = pipe.pipe(docs, batch_size=16) if hasattr(pipe, "pipe") else map(pipe, docs)
    return list(docs)
