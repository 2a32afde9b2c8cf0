"""One annotated text in a form that all formats share, and reading of JSON and JSON lines."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..broken_records import Problems

# Problems of things that a format can say and spaCy's annotation cannot, or that were not accepted.
LEFT_OUT = "are of a kind that is not converted"


@dataclass
class Record:
    """An annotated text.

    text (str): the text.
    where (str): its place in the input, for reports.
    marks (list[list[Any]] | None): spans as [start, end, label], in characters; None if they were not annotated.
    cats (dict[str, float]): labels of the whole text.
    questions (list[dict[str, Any]]): questions as in `doc._.questions`, with answers.
    spans (dict[str, list[list[Any]]]): further groups of spans, which may overlap.
    words (list[str] | None): the tokens, if the format has them; `text` is then the words with spaces between them.
    source (str): records with the same source, such as paragraphs of an article, are not separated by splits; the text
        itself if empty.
    """

    text: str
    where: str
    marks: list[list[Any]] | None = None
    cats: dict[str, float] = field(default_factory=dict)
    questions: list[dict[str, Any]] = field(default_factory=list)
    spans: dict[str, list[list[Any]]] = field(default_factory=dict)
    words: list[str] | None = None
    source: str = ""


class Sample(NamedTuple):
    """What a format is recognised by.

    path (Path): the input.
    beginning (str): the first characters of a file, or of the first file in a folder.
    first (Any): the first value in it, if it is JSON or JSON lines; None otherwise.
    """

    path: Path
    beginning: str
    first: Any


class Format(NamedTuple):
    """A format of annotations.

    name (str): its name on the command line.
    recognises (Callable[[Sample], bool]): whether a sample is in it.
    read (Callable[[Path, Problems], Iterator[Record]]): reads a file or folder; counts what cannot be used.
    """

    name: str
    recognises: Callable[[Sample], bool]
    read: Callable[[Path, Problems], Iterator[Record]]


def files_of(path: Path, *endings: str) -> list[Path]:
    """Find the files of an input.

    path (Path): a file, or a folder, which is searched recursively.
    *endings (str): endings of the files in a folder.
    RETURNS (list[Path]): the files, sorted.
    """
    return sorted(file for file in path.rglob("*") if file.suffix in endings) if path.is_dir() else [path]


def json_objects(path: Path, problems: Problems) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read objects from JSON (one, or a list) and from JSON lines. Whatever is no object is counted and left out.

    path (Path): a file, or a folder of .json and .jsonl files.
    problems (Problems): collects what is wrong.
    YIELDS (tuple[str, dict[str, Any]]): the place of an object, and the object.
    """
    for file in files_of(path, ".json", ".jsonl"):
        for where, value in _json_values(file):
            problems.seen("records")
            if isinstance(value, dict):
                yield where, value
            else:
                problems.add("records", "are not JSON objects", where, value)


def _json_values(file: Path) -> Iterator[tuple[str, Any]]:
    content = file.read_bytes().decode("utf-8-sig", "replace")
    try:
        values = json.loads(content)
        listed = values if isinstance(values, list) else [values]
        yield from ((f"{file.name}, item {number}", value) for number, value in enumerate(listed, start=1))
    except ValueError:
        for number, line in enumerate(content.splitlines(), start=1):
            if line.strip():
                try:
                    value = json.loads(line)
                except ValueError:
                    value = line
                yield f"{file.name}, line {number}", value


def text_of(record: dict[str, Any], where: str, problems: Problems, key: str = "text") -> str | None:
    """Get the text of an object; None, and counted, if it has none.

    record (dict[str, Any]): the object.
    where (str): its place.
    problems (Problems): collects what is wrong.
    key (str): name of its text.
    RETURNS (str | None): the text.
    """
    text = record.get(key)
    if isinstance(text, str):
        return text
    problems.add("records", f"have no text under {key!r}", where, record)
    return None
