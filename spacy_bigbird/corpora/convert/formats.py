"""The formats that can be read, and how an input's format is recognised."""

import json
from pathlib import Path
from typing import Any

from ...errors import Errors
from . import brat, conll, docbin, doccano, hugging_face, jsonl, label_studio, prodigy, squad
from .record import Format, Sample

# The order matters for recognition: forms that say more about themselves come first.
FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT
    for module in (docbin, brat, squad, label_studio, prodigy, jsonl, doccano, hugging_face, conll)
}
BEGINNING = 20_000
READABLE = (".json", ".jsonl", ".parquet", *conll.ENDINGS)


def recognise(path: Path) -> Format:
    """Recognise the format of an input.

    path (Path): a file or folder.
    RETURNS (Format): the format.
    RAISES ValueError: there is nothing at the path, or it is in none of the formats.
    """
    files = sorted(file for file in path.rglob("*") if file.suffix in READABLE) if path.is_dir() else [path]
    if not path.exists():
        raise ValueError(Errors.BB505.format(path=path, names=", ".join(FORMATS)))
    beginning = ""
    if files and files[0].suffix not in (".parquet", ".spacy"):
        with files[0].open("rb") as file:
            beginning = file.read(BEGINNING).decode("utf-8-sig", "ignore")
    sample = Sample(path, beginning, _first(files[0], beginning) if files else None)
    found = next((one for one in FORMATS.values() if one.recognises(sample)), None)
    if found is None:
        raise ValueError(Errors.BB506.format(path=path, names=", ".join(FORMATS)))
    return found


def _first(file: Path, beginning: str) -> Any:
    """The first value of JSON lines, or of a file of JSON."""
    if beginning.lstrip()[:1] not in ("{", "["):
        return None
    decoder = json.JSONDecoder()
    try:
        value, _ = decoder.raw_decode(beginning.lstrip())
    except ValueError:
        try:
            value, _ = decoder.raw_decode(file.read_bytes().decode("utf-8-sig", "replace").lstrip())
        except ValueError:
            return None
    return value[0] if isinstance(value, list) and value else value
