"""Reads texts of any size, one document at a time: plain text, JSON lines and .spacy, also with gzip, xz and zst."""

import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, cast

import spacy
from spacy.tokens import DocBin

from ..errors import Errors

SUFFIXES = (".txt", ".jsonl", ".spacy")
COMPRESSED = (".gz", ".xz", ".zst")


def text_files(paths: Iterable[str | Path]) -> list[Path]:
    """Expand a list of files and folders to files.

    paths (Iterable[str | Path]): files, or folders, which are searched recursively.
    RETURNS (list[Path]): the files in the order given, those of a folder sorted by name.
    RAISES FileNotFoundError: a path does not exist, or a folder contains no text files.
    RAISES ValueError: a file is of an unsupported kind.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.is_file() and file_kind(file) in SUFFIXES)
            if not inside:
                raise FileNotFoundError(Errors.BB300.format(path=path, found="a folder without text files"))
            found.extend(inside)
        elif not path.is_file():
            raise FileNotFoundError(Errors.BB300.format(path=path, found="no such file or folder"))
        elif file_kind(path) not in SUFFIXES:
            raise ValueError(Errors.BB300.format(path=path, found=f"a file of kind {file_kind(path) or 'unknown'}"))
        else:
            found.append(path)
    return found


def read_texts(
    paths: Iterable[str | Path], *, one_per_line: bool = False, on_bytes: Callable[[int], object] | None = None
) -> Iterator[str]:
    """Read documents one at a time. Only one document is held in memory, except for .spacy files, which are unpacked as
    a whole.

    paths (Iterable[str | Path]): .txt, .jsonl (a JSON object with `text` on each line) or .spacy files, optionally
        compressed (.gz, .xz or .zst), or folders of them.
    one_per_line (bool): whether each line of a .txt file is a document, rather than the whole file.
    on_bytes (Callable[[int], object] | None): called with the number of bytes read since the last call, to show
        progress.
    YIELDS (str): texts that contain more than white space.
    RAISES FileNotFoundError: a path does not exist, or a folder contains no text files.
    RAISES ValueError: a file is broken or of an unsupported kind, or a line has no `text`.
    """
    for path in text_files(paths):
        with path.open("rb") as raw:
            told = 0
            try:
                for text in _texts_of_file(path, raw, one_per_line):
                    if on_bytes is not None:
                        # Data that was buffered ahead counts as read.
                        told, before = raw.tell(), told
                        on_bytes(told - before)
                    if text.strip():
                        yield text
            except Exception as error:  # each way of compression has errors of its own
                is_message = isinstance(error, ValueError) and not isinstance(error, UnicodeDecodeError)
                if is_message or isinstance(error, ImportError | MemoryError):
                    raise
                raise ValueError(Errors.BB301.format(path=path, reason=error)) from error
            if on_bytes is not None:
                on_bytes(raw.tell() - told)


def file_kind(path: Path) -> str:
    """Get the ending that says what a file contains, apart from its compression.

    path (Path): the file.
    RETURNS (str): the ending, such as ".jsonl" for "texts.jsonl.gz".
    """
    return Path(path.stem).suffix if path.suffix in COMPRESSED else path.suffix


def decompressed(path: Path, raw: IO[bytes]) -> IO[bytes]:
    """Decompress a file while it is read.

    path (Path): the file, whose ending says how it is compressed.
    raw (IO[bytes]): the open file.
    RETURNS (IO[bytes]): its content; `raw` itself if it is not compressed.
    RAISES ImportError: it needs a package that is not installed.
    """
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(raw))
    if path.suffix == ".xz":
        return cast(IO[bytes], lzma.open(raw))
    if path.suffix == ".zst":
        try:
            from backports import zstd
        except ImportError as error:
            raise ImportError(Errors.BB304.format(path=path)) from error
        return cast(IO[bytes], zstd.open(raw))
    return raw


def _texts_of_file(path: Path, raw: IO[bytes], one_per_line: bool) -> Iterator[str]:
    content = decompressed(path, raw)
    kind = file_kind(path)
    if kind == ".spacy":
        yield from _texts_of_docs(path, content.read())
    elif kind == ".txt" and not one_per_line:
        yield _decoded(content.read(), first=True)
    else:
        for number, line in enumerate(content, start=1):
            text = _decoded(line, first=number == 1).rstrip("\r\n")
            if kind == ".jsonl" and text.strip():
                text = _text_of_object(text, path, number)
            yield text


def _decoded(content: bytes, first: bool) -> str:
    # A byte order mark is accepted only at the start of a file.
    return content.decode("utf-8-sig" if first else "utf8")


def _text_of_object(line: str, path: Path, number: int) -> str:
    try:
        text = json.loads(line)["text"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(Errors.BB302.format(path=path, number=number, found=line[:80])) from error
    if not isinstance(text, str):
        raise ValueError(Errors.BB302.format(path=path, number=number, found=line[:80]))
    return text


def _texts_of_docs(path: Path, content: bytes) -> Iterator[str]:
    try:
        docs = DocBin().from_bytes(content)
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise ValueError(Errors.BB301.format(path=path, reason=error)) from error
    for doc in docs.get_docs(spacy.blank("xx").vocab):
        yield doc.text
