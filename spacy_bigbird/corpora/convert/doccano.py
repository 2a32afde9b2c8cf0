"""doccano's JSON lines: labels of stretches, of whole texts, and entities with relations."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..broken_records import Problems
from .record import LEFT_OUT, Format, Record, Sample, json_objects, text_of

NAMES = ("label", "labels")


def recognises(sample: Sample) -> bool:
    """Whether it is doccano's: lists under `label` beside the text, or entities with `start_offset`."""
    first = sample.first
    if not isinstance(first, dict) or not ({"text", "data"} & set(first)):
        return False
    entities = first.get("entities")
    has_offsets = isinstance(entities, list) and all(isinstance(e, dict) and "start_offset" in e for e in entities)
    return any(isinstance(first.get(name), list) for name in NAMES) or (has_offsets and entities != [])


def read(path: Path, problems: Problems) -> Iterator[Record]:
    """Read doccano's documents. Arguments and result as in `Format.read`."""
    for where, found in json_objects(path, problems):
        text = text_of(found, where, problems, "data" if "text" not in found and "data" in found else "text")
        if text is None:
            continue
        record = Record(text, where)
        labels: list[Any] = next((found[name] for name in NAMES if isinstance(found.get(name), list)), [])
        if any(isinstance(label, list) for label in labels):
            record.marks = [label for label in labels if isinstance(label, list)]
        elif isinstance(found.get("entities"), list):
            record.marks = [[e.get("start_offset"), e.get("end_offset"), e.get("label")] for e in found["entities"]]
        record.cats = {label: 1.0 for label in labels if isinstance(label, str)}
        if not labels and record.marks is None:
            # A project for stretches exports an empty list for a text without any.
            record.marks = []
        if found.get("relations"):
            problems.seen("relations", len(found["relations"]))
            for relation in found["relations"]:
                problems.add("relations", LEFT_OUT, where, relation)
        yield record


FORMAT = Format("doccano", recognises, read)
