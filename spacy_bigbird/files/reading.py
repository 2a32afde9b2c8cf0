"""Reads a file by the ending of its name, and says in a message what is wrong with one that cannot be read."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from ..errors import Errors
from .document import Document, UnreadableError

# The module in this folder that reads files with an ending. Any other ending is taken for plain text.
READERS = {
    ".txt": "text",
    ".md": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
    ".docx": "docx",
    ".epub": "epub",
}
ENDINGS = tuple(READERS)
# Modules of the extra's packages, and the names under which the packages are installed.
PACKAGES = {"lxml": "lxml", "pypdf": "pypdf", "docx": "python-docx"}


def find(path: Path | str) -> list[Path]:
    """Find the files to read.

    path (Path | str): a file with any ending, or a folder, which is searched recursively for files with ENDINGS.
    RETURNS (list[Path]): the file, or the files of the folder, sorted.
    RAISES UnreadableError: there are none.
    """
    path = Path(path)
    if path.is_dir():
        # Names beginning with a dot or ~$ are hidden, or locks of files that are open in Word.
        found = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in READERS and not file.name.startswith((".", "~$")) and file.is_file()
        )
    else:
        found = [path] if path.is_file() else []
    if not found:
        raise UnreadableError(Errors.BB494.format(path=path, endings=", ".join(ENDINGS)))
    return found


def read(path: Path | str, content: bytes | None = None) -> Document:
    """Read the text of a file.

    path (Path | str): the file, whose ending determines its format: .txt, .md, .html, .pdf, .docx or .epub. Files with
        any other ending are read as plain text.
    content (bytes | None): what the file contains, if it is not on this disk; `path` is then only its name.
    RETURNS (Document): text, pages and headings.
    RAISES UnreadableError: the file cannot be read, is damaged or encrypted, or has pages without any text (scans).
    RAISES ImportError: a package of the extra `files` is not installed.
    """
    path = Path(path)
    name = str(path)
    try:
        data = path.read_bytes() if content is None else content
    except OSError as error:
        raise UnreadableError(Errors.BB492.format(name=name, reason=error.strerror or error)) from error
    try:
        reader: Callable[[bytes, str], Document]
        reader = import_module(f".{READERS.get(path.suffix.lower(), 'text')}", __package__).read
        return reader(data, name)
    except ModuleNotFoundError as error:
        package = PACKAGES.get((error.name or "").split(".")[0], error.name)
        raise ImportError(Errors.BB493.format(name=name, package=package)) from error
    except UnreadableError:
        raise
    except Exception as error:
        # The libraries raise whatever a damaged file happens to run into.
        raise UnreadableError(Errors.BB492.format(name=name, reason=f"{type(error).__name__}: {error}")) from error
