"""Settings of components: the config says what they are, not what was saved with the component."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from math import isclose
from pathlib import Path
from typing import Any, ClassVar

import srsly
from spacy.training import Example

from ..errors import Errors
from ..rules import Arguments


class Configured:
    """Mixin for a component whose settings are in the config, and whose `cfg` has labels and fitted values only.

    It must be listed before the component's spaCy class, which defines the attributes that need `type: ignore` below.

    unfitted (dict[str, Any]): what `cfg` holds at first: labels and fitted values that say nothing yet.
    settings (Arguments): the settings in use: those of the config, and what was set since with `set`.
    """

    settings_type: ClassVar[type[Arguments]]
    unfitted: ClassVar[dict[str, Any]] = {}
    settings: Any
    _configured: Any
    cfg: dict[str, Any]

    def _configure(self, settings: dict[str, Any]) -> None:
        """Begin with the settings of the config.

        RAISES ValueError: a setting is not allowed.
        """
        self.settings = self._configured = self.settings_type(**settings)
        self.cfg = {**deepcopy(self.unfitted), "set": {}}

    def set(self, **settings: Any) -> None:
        """Use other settings than those of the config. They are saved, and hold until the config says something else.

        **settings (Any): settings and their values.
        RAISES ValueError: a setting is unknown or not allowed.
        """
        self.settings = self._with(settings)
        said = dict(self._configured)
        self.cfg["set"].update({name: {"config": said[name], "value": value} for name, value in settings.items()})

    def _with(self, settings: dict[str, Any]) -> Any:
        return self.settings_type(**{**dict(self.settings), **settings})

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Score examples, with the settings as arguments of the scorer. Arguments as in spaCy's `Pipe.score`."""
        return super().score(examples, **{**dict(self.settings), **kwargs})  # type: ignore[misc]

    def from_disk(self, path: Path | str, *, exclude: Any = ()) -> Any:
        """Read a folder written by `to_disk`. Arguments as in spaCy's `TrainablePipe.from_disk`.

        RAISES ValueError: a file cannot be read.
        """
        if "cfg" not in exclude:
            with naming(Path(path) / "cfg"):
                srsly.read_json(Path(path) / "cfg")
        with naming(Path(path) / "model"):
            super().from_disk(path, exclude=exclude)  # type: ignore[misc]
        self._set_again()
        return self

    def from_bytes(self, bytes_data: bytes, *, exclude: Any = ()) -> Any:
        """Restore the result of `to_bytes`. Arguments as in spaCy's `TrainablePipe.from_bytes`."""
        super().from_bytes(bytes_data, exclude=exclude)  # type: ignore[misc]
        self._set_again()
        return self

    def _set_again(self) -> None:
        """Use what had been set when `cfg` was saved, where the config says what it said then."""
        # Version 0.2 and earlier saved all settings in `cfg`, and under "configured" what the config said.
        former = self.cfg.pop("configured", {})
        saved = {name: {"config": said, "value": self.cfg.pop(name, said)} for name, said in former.items()}
        said_now = dict(self._configured)
        holds = {
            name: one["value"]
            for name, one in (saved or self.cfg["set"]).items()
            if name in said_now and _is_same(one["config"], said_now[name]) and not _is_same(*one.values())
        }
        self.settings, self.cfg["set"] = self._configured, {}
        self.set(**holds)


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


def _is_same(one: Any, other: Any) -> bool:
    """Compare settings of which one may have been read from a file: spaCy's JSON rounds the last digits of floats."""
    if isinstance(one, float) and isinstance(other, int | float):
        return isclose(one, other, rel_tol=1e-12)
    return one == other
