"""Merges records of the same text, and makes documents of them."""

from collections.abc import Iterable
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ...annotations.questions import install_question_extensions, question_key
from ..broken_records import Problems
from ..jsonl import is_finite, set_entities, set_spans
from ..usable_questions import check_answers
from .record import Record


def merged(records: Iterable[Record]) -> tuple[list[Record], int]:
    """Merge records of the same text: annotated by several people, or asked one thing at a time.

    records (Iterable[Record]): the records.
    RETURNS (tuple[list[Record], int]): one record for each text, in order, and the number of records that were added
        to an earlier one. Equal annotation is kept once; of different values for a label, the mean.
    """
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.text, []).append(record)
    return [_merge(group) for group in found.values()], sum(len(group) - 1 for group in found.values())


def _merge(group: list[Record]) -> Record:
    first = group[0]
    if len(group) == 1:
        return first
    values: dict[str, list[Any]] = {}
    for record in group:
        for label, value in record.cats.items():
            values.setdefault(label, []).append(value)
    annotated = [record.marks for record in group if record.marks is not None]
    questions = {question_key(question): question for record in reversed(group) for question in record.questions[::-1]}
    keys = dict.fromkeys(key for record in group for key in record.spans)
    return Record(
        first.text,
        first.where,
        marks=_distinct(annotated) if annotated else None,
        cats={label: sum(map(float, each)) / len(each) for label, each in values.items()},
        questions=list(reversed(questions.values())),
        spans={key: _distinct([record.spans.get(key, []) for record in group]) for key in keys},
        words=first.words,
        source=first.source,
    )


def _distinct(lists: list[list[Any]]) -> list[Any]:
    return list({repr(mark): mark for marks in lists for mark in marks}.values())


def make_doc(nlp: Language, record: Record, spans_key: str | None, problems: Problems) -> Doc:
    """Make a document with the annotation of a record. What does not fit is left out and counted.

    nlp (Language): tokenizes the text, unless the record has its tokens.
    record (Record): the record.
    spans_key (str | None): key in `doc.spans` for its spans, overlapping ones too; None to set `doc.ents`, in which
        the longest of overlapping spans is kept.
    problems (Problems): collects what is left out.
    RETURNS (Doc): the document.
    """
    doc = Doc(nlp.vocab, words=record.words) if record.words else nlp.tokenizer(record.text)
    groups = dict(record.spans)
    if record.marks is not None and spans_key is None:
        set_entities(doc, record.marks, record.where, None, problems)
    elif record.marks is not None and spans_key is not None:
        groups[spans_key] = [*record.marks, *groups.get(spans_key, [])]
    set_spans(doc, groups, record.where, None, problems)
    problems.seen("cats", len(record.cats))
    doc.cats = {label: float(value) for label, value in record.cats.items() if is_finite(value)}
    if len(doc.cats) < len(record.cats):
        problems.add("cats", "are not finite numbers", record.where, record.cats)
    if record.questions:
        install_question_extensions()
        problems.seen("questions", len(record.questions))
        doc._.questions = check_answers(record.questions, doc.text, record.where, problems)
    return doc
