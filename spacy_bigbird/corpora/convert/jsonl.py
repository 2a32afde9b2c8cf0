"""This package's own JSON lines, as read by `spacy-bigbird.JsonlCorpus.v1`."""

from collections.abc import Iterator
from pathlib import Path

from ..broken_records import Problems
from ..jsonl import SPANS_KEY
from .record import Format, Record, Sample, json_objects, text_of


def recognises(sample: Sample) -> bool:
    """Whether it is the own format: a text with `entities` in lists, `cats`, `questions` or `spans` by key."""
    if not (isinstance(sample.first, dict) and isinstance(sample.first.get("text"), str)):
        return False
    entities = sample.first.get("entities")
    has_lists = isinstance(entities, list) and not any(isinstance(entity, dict) for entity in entities)
    spans = sample.first.get("spans")
    is_grouped = isinstance(spans, dict) or (isinstance(spans, list) and not any(isinstance(s, dict) for s in spans))
    return has_lists or is_grouped or bool({"cats", "questions"} & set(sample.first))


def read(path: Path, problems: Problems) -> Iterator[Record]:
    """Read JSON lines. Arguments and result as in `Format.read`."""
    for where, found in json_objects(path, problems):
        text = text_of(found, where, problems)
        if text is not None:
            cats, spans = found.get("cats"), found.get("spans")
            yield Record(
                text,
                where,
                marks=found.get("entities"),
                cats=cats if isinstance(cats, dict) else {},
                questions=found.get("questions") or [],
                spans=spans if isinstance(spans, dict) else {SPANS_KEY: spans} if spans else {},
                source=str(found.get("source") or ""),
            )


FORMAT = Format("jsonl", recognises, read)
