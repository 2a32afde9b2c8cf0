"""Data sets of Hugging Face: saved ones, Parquet files and JSON lines, by the names of their columns."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy.tokens import Doc
from spacy.training.iob_utils import iob_to_biluo, tags_to_entities
from spacy.vocab import Vocab

from ...errors import Errors
from ..broken_records import Problems
from ..usable_questions import usable_questions
from .record import Format, Record, Sample, files_of, json_objects, text_of

TAGS = ("ner_tags", "tags", "labels")
SAVED = ("dataset_info.json", "dataset_dict.json")


def recognises(sample: Sample) -> bool:
    """Whether it is a saved data set, a Parquet file, or lines with its usual columns."""
    path = sample.path
    if path.suffix == ".parquet" or (path.is_dir() and any((path / name).is_file() for name in SAVED)):
        return True
    first = sample.first
    if not isinstance(first, dict):
        return False
    is_tagged = isinstance(first.get("tokens"), list) and any(isinstance(first.get(name), list) for name in TAGS)
    is_asked = {"context", "question", "answers"} <= set(first)
    return is_tagged or is_asked or ("text" in first and isinstance(first.get("label"), str | int))


def read(path: Path, problems: Problems) -> Iterator[Record]:
    """Read rows. Arguments and result as in `Format.read`."""
    rows: Iterator[tuple[str, dict[str, Any], dict[str, list[str]]]]
    if path.suffix == ".parquet" or path.is_dir():
        rows = _rows(path, problems)
    else:
        rows = ((where, row, {}) for where, row in json_objects(path, problems))
    for where, row, names in rows:
        record = _record(row, where, names, problems, path)
        if record is not None:
            yield record


def _rows(path: Path, problems: Problems) -> Iterator[tuple[str, dict[str, Any], dict[str, list[str]]]]:
    try:
        import datasets
    except ImportError as error:
        raise ImportError(Errors.BB509.format(path=path)) from error
    if path.is_dir() and any((path / name).is_file() for name in SAVED):
        found = datasets.load_from_disk(str(path))
    else:
        found = datasets.Dataset.from_parquet([str(file) for file in files_of(path, ".parquet")])
    parts = found if isinstance(found, dict) else {path.name: found}
    for part, rows in parts.items():
        features = {key: getattr(feature, "feature", feature) for key, feature in rows.features.items()}
        names = {key: feature.names for key, feature in features.items() if isinstance(feature, datasets.ClassLabel)}
        for number, row in enumerate(rows, start=1):
            problems.seen("records")
            yield f"{part}, row {number}", row, names


def _record(
    row: dict[str, Any], where: str, names: dict[str, list[str]], problems: Problems, path: Path
) -> Record | None:
    def named(key: str, value: Any) -> str:
        if isinstance(value, str):
            return value
        if key not in names:
            raise ValueError(Errors.BB508.format(path=path, column=key, value=value))
        return names[key][value]

    if isinstance(row.get("tokens"), list):
        words = [str(word) for word in row["tokens"]]
        column = next((name for name in TAGS if isinstance(row.get(name), list)), None)
        tags = [named(column, tag) for tag in row[column]] if column else []
        if len(tags) != len(words):
            problems.add("records", "have not one tag for each token", where, row)
            return None
        doc = Doc(Vocab(), words=words)
        entities = [(doc[first : last + 1], label) for label, first, last in tags_to_entities(iob_to_biluo(tags))]
        marks = [[span.start_char, span.end_char, label] for span, label in entities]
        return Record(doc.text, where, marks=marks, words=words)
    if isinstance(row.get("context"), str):
        questions = usable_questions([{k: row[k] for k in ("id", "question", "answers") if k in row}], where, problems)
        return Record(row["context"], where, questions=questions, source=str(row.get("title") or ""))
    text = text_of(row, where, problems)
    if text is None:
        return None
    label = row.get("label")
    return Record(text, where, cats={} if label is None else {named("label", label): 1.0})


FORMAT = Format("hf", recognises, read)
