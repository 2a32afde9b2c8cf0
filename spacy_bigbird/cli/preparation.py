"""What commands look at before they begin to work: places for their results, and the GPU."""

from pathlib import Path

from ..errors import Errors


def check_place(path: Path) -> None:
    """Make the folder of a file, and see that the file can be written.

    path (Path): the file.
    RAISES ValueError: it cannot.
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
    """See that a folder is there or can be made.

    path (Path): the folder.
    RAISES ValueError: a file stands in its place.
    """
    place = next((part for part in (path, *path.parents) if part.exists()), Path())
    if not place.is_dir():
        raise ValueError(Errors.BB319.format(path=path, reason=f"{place} is a file"))


def set_up_gpu(number: int, silent: bool = True) -> None:
    """Let spaCy compute on a GPU.

    number (int): of the GPU; -1 for the CPU.
    silent (bool): whether to say nothing about it.
    RAISES ValueError: it cannot be used.
    """
    from spacy.cli._util import setup_gpu

    try:
        setup_gpu(number, silent=silent)
    except (ValueError, RuntimeError) as error:
        raise ValueError(Errors.BB321.format(number=number, reason=error)) from error
