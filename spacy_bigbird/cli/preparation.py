"""What commands check before they start: the places for their results, and the GPU."""

from pathlib import Path

from ..errors import Errors


def check_place(path: Path) -> None:
    """Create the folder of a file, and check that the file can be written.

    path (Path): the file.
    RAISES ValueError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_there = path.exists()
        path.open("a").close()
        if not is_there:
            path.unlink()
    except OSError as error:
        raise ValueError(Errors.BB319.format(path=path, reason=error.strerror or error)) from error


def check_folder(path: Path) -> None:
    """Check that a path is a folder, or can become one.

    path (Path): the folder.
    RAISES ValueError: there is a file in its place.
    """
    place = next((part for part in (path, *path.parents) if part.exists()), Path())
    if not place.is_dir():
        raise ValueError(Errors.BB319.format(path=path, reason=f"{place} is a file"))


def set_up_gpu(number: int, silent: bool = True) -> None:
    """Activate a GPU for spaCy.

    number (int): id of the GPU, or -1 for the CPU.
    silent (bool): whether to print nothing about it.
    RAISES ValueError: the GPU cannot be used.
    """
    from spacy.cli._util import setup_gpu

    try:
        setup_gpu(number, silent=silent)
    except (ValueError, RuntimeError) as error:
        raise ValueError(Errors.BB321.format(number=number, reason=error)) from error
