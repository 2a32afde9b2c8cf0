"""Write files so that nobody ever finds half of one: neither another process nor the next start of the machine."""

import glob
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

# What a killed process left behind is deleted after this time. Unit: seconds.
ABANDONED_AFTER = 24 * 60 * 60


def replace_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file under a temporary name in the same directory, then move it into place in one step.

    Several processes may write the same file: the last one to finish wins.

    path (Path): the final path. An existing file is replaced only once the new one is complete and on the disk.
    write (Callable[[Path], Any]): writes the content to the path that it is given.
    """
    for left_behind in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with suppress(OSError):
            if time.time() - left_behind.stat().st_mtime > ABANDONED_AFTER:
                left_behind.unlink()
    # A name of its own, because two processes may write the same file.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        temporary.touch(exist_ok=False)
        usual_mode = temporary.stat().st_mode
        write(temporary)
        temporary.chmod(usual_mode)  # safetensors creates files that only their owner can read
        flush_to_disk(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    with suppress(OSError):  # not every system can do this with a directory
        flush_to_disk(path.parent)


def remove_unfinished(directory: Path) -> None:
    """Delete what killed processes left behind in a directory into which nobody else writes.

    directory (Path): the directory.
    """
    for left_behind in directory.glob(".*.part"):
        left_behind.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Wait until a file's content, or the names in a directory, are on the disk.

    path (Path): the file or directory.
    """
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
