"""Prodigy's JSON lines (`prodigy db-out`): spans, choices and yes/no decisions on labels."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..broken_records import Problems
from .record import LEFT_OUT, Format, Record, Sample, json_objects, text_of

HASHES = {"_input_hash", "_task_hash"}


def recognises(sample: Sample) -> bool:
    """Whether it is Prodigy's: an answer or a hash beside the text, or spans as objects."""
    first = sample.first
    if not (isinstance(first, dict) and "text" in first):
        return False
    spans = first.get("spans")
    is_annotated = isinstance(spans, list) and all(isinstance(span, dict) for span in spans)
    return bool(HASHES & set(first)) or first.get("answer") in ("accept", "reject", "ignore") or is_annotated


def read(path: Path, problems: Problems) -> Iterator[Record]:
    """Read Prodigy's tasks. Arguments and result as in `Format.read`.

    Ignored tasks are left out. Of rejected ones, only a label of the whole text counts: as false.
    """
    for where, task in json_objects(path, problems):
        text = text_of(task, where, problems)
        if text is None:
            continue
        answer = task.get("answer", "accept")
        label = task.get("label")
        is_decision = isinstance(label, str) and not task.get("spans")
        if answer == "ignore" or (answer == "reject" and not is_decision):
            problems.add("records", f"were answered with {answer!r}", where, text)
            continue
        if task.get("relations"):
            problems.seen("relations", len(task["relations"]))
            problems.add("relations", LEFT_OUT, where, task["relations"])
        cats = {str(option["id"]): 0.0 for option in task.get("options") or ()}
        cats |= {str(chosen): 1.0 for chosen in task.get("accept") or ()}
        if is_decision:
            cats[str(label)] = float(answer == "accept")
        spans: list[dict[str, Any]] | None = task.get("spans")
        marks = (
            None if spans is None or is_decision else [[s.get("start"), s.get("end"), s.get("label")] for s in spans]
        )
        yield Record(text, where, marks=marks, cats=cats)


FORMAT = Format("prodigy", recognises, read)
