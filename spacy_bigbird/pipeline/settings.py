"""Settings that are saved with a component, checks of settings, and held-out documents to fit on."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import takewhile
from math import inf, isclose
from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch

from ..errors import Errors
from ..warnings import Warnings

WHOLE_NUMBER = "a whole number of at least 1"


class SavedSettings:
    """Mixin for a component whose `cfg` holds settings along with labels and fitted values.

    It must be listed before the component's spaCy class, which defines the attributes that need `type: ignore` below.

    `cfg["configured"]` remembers the settings in the config. A setting that is changed in `cfg` later is kept when the
    component is saved and loaded, unless the config it is loaded with differs from the one it was saved with.
    """

    cfg: dict[str, Any]
    _has_reported_unknown = False

    def from_disk(self, path: Path | str, *, exclude: Any = ()) -> Any:
        """Read a folder written by `to_disk`. Arguments as in spaCy's `TrainablePipe.from_disk`.

        RAISES ValueError: a file cannot be read.
        """
        settings = dict(self.cfg["configured"])
        if "cfg" not in exclude:
            with naming(Path(path) / "cfg"):
                srsly.read_json(Path(path) / "cfg")
        with naming(Path(path) / "model"):
            super().from_disk(path, exclude=exclude)  # type: ignore[misc]
        return self._with_settings(settings)

    def from_bytes(self, bytes_data: bytes, *, exclude: Any = ()) -> Any:
        """Restore the result of `to_bytes`. Arguments as in spaCy's `TrainablePipe.from_bytes`."""
        settings = dict(self.cfg["configured"])
        super().from_bytes(bytes_data, exclude=exclude)  # type: ignore[misc]
        return self._with_settings(settings)

    def _report_unknown(self, given: Iterable[str]) -> None:
        """Warn, only once, of labels in the annotation that the component does not have and cannot learn."""
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
    """Check settings and name the first one that is wrong.

    settings (Mapping[str, Any]): values by name.
    allowed (Mapping[str, tuple[bool, str]]): for each setting to check, whether its value is allowed, and the expected
        values.
    RAISES ValueError: a value is not allowed.
    """
    for name, (is_allowed, expected) in allowed.items():
        if not is_allowed:
            raise ValueError(Errors.BB200.format(name=name, value=settings[name], expected=expected))


def is_number(value: Any, lowest: float = -inf) -> bool:
    """Check for a number.

    value (Any): the value.
    lowest (float): minimum of the number.
    RETURNS (bool): whether the value is a number of at least `lowest`.
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= lowest


def is_count(value: Any) -> bool:
    """Check for a positive whole number.

    value (Any): the value.
    RETURNS (bool): whether the value is a whole number of at least 1.
    """
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Make errors that occur while a file is read name the file.

    path (Path): the file.
    RAISES ValueError: the file cannot be read. Errors that already name its folder are raised unchanged.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # with a damaged file, the libraries below raise almost anything
        if str(path.parent) in str(error):
            raise
        raise ValueError(Errors.BB055.format(path=path, reason=error)) from error


def is_same(saved: Any, value: Any) -> bool:
    """Compare a saved setting with another value. spaCy's JSON does not keep the last digit of a float.

    saved (Any): the saved value.
    value (Any): the other value.
    RETURNS (bool): whether they are the same.
    """
    if isinstance(saved, float) and isinstance(value, int | float):
        return isclose(saved, value, rel_tol=1e-12)
    return saved == value


def encoded_batches(
    examples: Iterable[Example], name: str, nlp: Language | None
) -> Iterator[tuple[list[Example], list[Doc]]]:
    """Run the components before the given one on copies of the predicted documents, a few at a time.

    The vectors of a batch are released with its copies, so that memory does not grow with the number of examples.

    examples (Iterable[Example]): the examples.
    name (str): name of the component.
    nlp (Language | None): the pipeline; None if the predicted documents have already been processed.
    YIELDS (tuple[list[Example], list[Doc]]): some of the examples, in order, and their processed documents.
    """
    before = list(takewhile(lambda named: named[0] != name, nlp.pipeline)) if nlp is not None else []
    for batch in minibatch(examples, 16):
        docs: Iterable[Doc] = [example.predicted.copy() if before else example.predicted for example in batch]
        for _, pipe in before:
            docs = pipe.pipe(docs, batch_size=16) if hasattr(pipe, "pipe") else map(pipe, docs)
        yield batch, list(docs)
