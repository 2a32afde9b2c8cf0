"""States on disk: a folder of arrays in half precision that any number of processes read and write at a time."""

import os
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import Errors
from ..warnings import Warnings

# The tag by which backup programs recognize a cache (https://bford.info/cachedir/), and we a folder that is ours.
TAG_NAME = "CACHEDIR.TAG"
TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# States of frozen layers, written by spacy-bigbird.\n"
ENDING, UNFINISHED = ".npy", ".part"
# What a killed process left unfinished is deleted after this time. Unit: seconds.
ABANDONED_AFTER = 3600.0
# Making room goes on to this share of the limit, so that it is not needed again for the next array.
FREED_TO = 0.9
# The folder is measured again after writing this share of the limit, because other processes write to it too.
MEASURED_EVERY = 0.05


class Entry(NamedTuple):
    """A file of the cache: when it was last used (seconds since 1970), its size in bytes, and its path."""

    used: float
    size: int
    path: Path


class StateStore:
    """A folder of arrays, each under two names: that of the model and settings, and that of its text.

    A file appears under its name only when it is complete. What cannot be read counts as missing. If the disk is full
    or the folder cannot be written, nothing more is stored, and a warning says so once.

    folder (Path): the folder.
    limit (int): maximum size of all files. Beyond it, the longest unused are deleted, but none that were used since
        this store was opened: in a training whose states do not fit, most of them would be deleted just before they are
        read. Instead, the rest is not stored. Unit: bytes.
    create (bool): whether to create the folder if it does not exist. If not, nothing is stored.
    """

    def __init__(self, folder: Path, limit: int, *, create: bool = True) -> None:
        self.folder = Path(folder)
        self.limit = limit
        self.create = create
        self.opened = time.time()
        self._is_full = False
        self._size: int | None = None
        self._written = 0

    def read(self, model: str, text: str) -> np.ndarray | None:
        """Look up an array.

        model (str): name of the model and settings.
        text (str): name of the text.
        RETURNS (ndarray | None): the array, mapped into memory, or None.
        """
        path = self._path(model, text)
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            os.utime(path)
        except (OSError, ValueError, EOFError):
            return None
        return array

    def write(self, model: str, text: str, array: np.ndarray) -> None:
        """Store an array, if there is room.

        model (str): name of the model and settings.
        text (str): name of the text.
        array (ndarray): the array.
        """
        if self._is_full or not (self.create or self.folder.is_dir()):
            return
        path = self._path(model, text)
        temporary = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}{UNFINISHED}")
        try:
            if not self._has_room(array.nbytes):
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                np.save(file, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            self._give_up(error.strerror or str(error))
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def entries(self) -> Iterator[Entry]:
        """YIELDS (Entry): the files, in no order. Files that other processes delete meanwhile are left out."""
        for path in self.folder.glob(f"*/*{ENDING}"):
            with suppress(OSError):
                status = path.stat()
                yield Entry(status.st_mtime, status.st_size, path)

    def size(self) -> int:
        """RETURNS (int): size of all files. Unit: bytes."""
        return sum(entry.size for entry in self.entries())

    def clear(self) -> int:
        """Delete all files of the cache, and the folder if nothing else is in it.

        RETURNS (int): size of what was deleted. Unit: bytes.
        RAISES ValueError: the folder is not a cache.
        """
        if not (self.folder / TAG_NAME).is_file():
            raise ValueError(Errors.BB465.format(path=self.folder))
        size = sum(_delete(entry) for entry in list(self.entries()))
        for path in self.folder.glob(f"*/*{UNFINISHED}"):
            path.unlink(missing_ok=True)
        (self.folder / TAG_NAME).unlink()
        for folder in (*self.folder.glob("*/"), self.folder):
            with suppress(OSError):
                folder.rmdir()
        return size

    def _path(self, model: str, text: str) -> Path:
        return self.folder / model / f"{text}{ENDING}"

    def _has_room(self, size: int) -> bool:
        """Make room for an array where there is none. Also create the folder on first use."""
        if self._size is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / TAG_NAME).write_text(TAG, encoding="utf8")
            self._delete_abandoned()
        if self._size is None or self._written > self.limit * MEASURED_EVERY:
            self._size, self._written = self.size(), 0
        if self._size + size > self.limit:
            self._size = self._make_room(int(self.limit * FREED_TO) - size)
            if self._size + size > self.limit:
                self._give_up(f"its limit of {self.limit / 1e9:.3g} GB is reached")
                return False
        self._size += size
        self._written += size
        return True

    def _make_room(self, wanted: int) -> int:
        """Delete the longest unused files down to a size. RETURNS (int): the size that is left. Unit: bytes."""
        entries = sorted(self.entries())
        size = sum(entry.size for entry in entries)
        for entry in entries:
            if size <= wanted or entry.used >= self.opened:
                break
            size -= _delete(entry)
        return size

    def _delete_abandoned(self) -> None:
        for path in self.folder.glob(f"*/*{UNFINISHED}"):
            with suppress(OSError):
                if path.stat().st_mtime < time.time() - ABANDONED_AFTER:
                    path.unlink()

    def _give_up(self, reason: str) -> None:
        self._is_full = True
        warnings.warn(Warnings.BW460.format(path=self.folder, reason=reason), stacklevel=2)


def open_store(folder: str | Path | None, gigabytes: float) -> StateStore | None:
    """Open the cache that a config names.

    folder (str | Path | None): the folder; None for no cache.
    gigabytes (float): maximum size of all files. Unit: 10^9 bytes.
    RETURNS (StateStore | None): the cache.
    RAISES ValueError: a setting is not allowed.
    """
    if isinstance(gigabytes, bool) or not isinstance(gigabytes, int | float) or not gigabytes > 0:
        raise ValueError(Errors.BB467.format(name="cache_gb", value=gigabytes, expected="a number above 0"))
    if folder is not None and not (isinstance(folder, str | Path) and str(folder)):
        raise ValueError(Errors.BB467.format(name="cache_dir", value=folder, expected="the path of a folder, or null"))
    return None if folder is None else StateStore(Path(folder), int(gigabytes * 1e9))


def only_existing(store: StateStore | None) -> None:
    """Do not create the cache's folder: a trained pipeline must not fill disks wherever it is loaded.

    store (StateStore | None): the cache, if there is one.
    """
    if store is not None:
        store.create = False


def _delete(entry: Entry) -> int:
    """RETURNS (int): size of the file, or 0 if it could not be deleted, as on Windows while a process reads it."""
    try:
        entry.path.unlink()
    except OSError:
        return 0
    return entry.size
