"""Label Studio's exports: JSON and JSON-MIN, with labels of stretches and choices for whole texts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..broken_records import Problems
from .record import LEFT_OUT, Format, Record, Sample, json_objects


def recognises(sample: Sample) -> bool:
    """Whether it is Label Studio's: tasks with `data` and `annotations`, or the flat form with its book-keeping."""
    first = sample.first
    if not isinstance(first, dict):
        return False
    is_full = isinstance(first.get("data"), dict) and ("annotations" in first or "completions" in first)
    return is_full or {"annotation_id", "annotator"} <= set(first)


def read(path: Path, problems: Problems) -> Iterator[Record]:
    """Read Label Studio's tasks. Arguments and result as in `Format.read`.

    Each annotation of a task is a record, so that those of several annotators are merged later. Predictions of models
    and cancelled annotations are left out.
    """
    for where, task in json_objects(path, problems):
        if "data" not in task:
            yield from _flat(task, where, problems)
            continue
        text = _text(task["data"], where, problems)
        for annotation in task.get("annotations", task.get("completions")) or () if text is not None else ():
            if annotation.get("was_cancelled"):
                problems.add("records", "were cancelled by their annotators", where, text)
            else:
                yield _record(text or "", where, annotation.get("result") or (), problems)


def _record(text: str, where: str, results: Any, problems: Problems) -> Record:
    record = Record(text, where)
    for result in results:
        kind, value = result.get("type"), result.get("value") or {}
        problems.seen("annotations")
        if kind in ("labels", "hypertextlabels"):
            record.marks = [*(record.marks or ()), *_marks(text, [value])]
        elif kind == "choices":
            record.cats |= {str(choice): 1.0 for choice in value.get("choices") or ()}
        elif kind == "taxonomy":
            record.cats |= {" / ".join(map(str, choice)): 1.0 for choice in value.get("taxonomy") or ()}
        else:
            problems.add("annotations", LEFT_OUT, where, result)
    return record


def _flat(task: dict[str, Any], where: str, problems: Problems) -> Iterator[Record]:
    text = _text(task, where, problems)
    if text is None:
        return
    record = Record(text, where)
    for value in task.values():
        if isinstance(value, list) and value and all(isinstance(one, dict) and "start" in one for one in value):
            record.marks = [*(record.marks or ()), *_marks(text, value)]
        elif isinstance(value, dict) and isinstance(value.get("choices"), list):
            record.cats |= {str(choice): 1.0 for choice in value["choices"]}
    # A single choice is written as its bare name, under the name that the project gave to the question.
    choices = {key: value for key, value in task.items() if isinstance(value, str) and key in ("choice", "sentiment")}
    record.cats |= dict.fromkeys(choices.values(), 1.0)
    yield record


def _text(data: dict[str, Any], where: str, problems: Problems) -> str | None:
    """The text of a task: under "text", or else the only string that its data holds."""
    strings = {key: value for key, value in data.items() if isinstance(value, str)}
    if "text" in strings or len(strings) == 1:
        return strings.get("text", next(iter(strings.values())))
    problems.add("records", "have no text under 'text'", where, data)
    return None


def _marks(text: str, values: list[dict[str, Any]]) -> Iterator[list[Any]]:
    for value in values:
        start, end = value.get("start"), value.get("end")
        marked = value.get("text")
        if isinstance(marked, str) and isinstance(start, int) and isinstance(end, int) and text[start:end] != marked:
            # Browsers count characters beyond the basic plane, such as emoji, twice.
            units = text.encode("utf-16-le")
            first = len(units[: 2 * start].decode("utf-16-le", "ignore"))
            if text[first : first + len(marked)] == marked:
                start, end = first, first + len(marked)
        for label in value.get("labels") or value.get("hypertextlabels") or (None,):
            yield [start, end, label]


FORMAT = Format("label-studio", recognises, read)
