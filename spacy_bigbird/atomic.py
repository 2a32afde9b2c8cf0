"""Write files so that nobody ever finds half of one: neither another process nor the next start of the machine."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any


def replace_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file under a temporary name in the same directory, then move it into place in one step.

    path (Path): the final path. An existing file is replaced only once the new one is complete and on the disk.
    write (Callable[[Path], Any]): writes the content to the path that it is given.
    """
    # A name of its own, because two processes may write the same file.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        temporary.touch()
        usual_mode = temporary.stat().st_mode
        write(temporary)
        temporary.chmod(usual_mode)  # safetensors creates files that only their owner can read
        flush_to_disk(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Wait until a file's content is on the disk: a rename may survive a power cut that the content does not.

    path (Path): the file.
    """
    with path.open("rb+") as file:
        os.fsync(file.fileno())
