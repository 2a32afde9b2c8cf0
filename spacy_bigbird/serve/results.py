"""What a pipeline found in a document, as JSON. Offsets are in characters (Unicode code points)."""

import math
from typing import Any

from spacy.tokens import Doc, Span

from ..files import Document, outline
from ..visualize import EVIDENCE_PREFIX

ALTERNATIVES = 3


def annotations(doc: Doc) -> dict[str, Any]:
    """Collect what the components of a pipeline annotated.

    doc (Doc): the document.
    RETURNS (dict[str, Any]): entities, spans by key, categories, evidence by label, answers, and the number of pieces
        and windows of the encoder.
    """
    stats = doc._.bigbird_stats or {}
    spans, evidence = {}, {}
    for key, group in doc.spans.items():
        if key.startswith(EVIDENCE_PREFIX):
            weights = group.attrs.get("weights")
            evidence[key.removeprefix(EVIDENCE_PREFIX)] = _marks(group, weights)
        # The answers are given with their questions.
        elif "questions" not in group.attrs:
            spans[key] = _marks(group, group.attrs.get("scores"))
    return {
        "entities": _marks(doc.ents, [ent._.score for ent in doc.ents]),
        "spans": spans,
        "categories": {label: _number(score) for label, score in doc.cats.items()},
        "evidence": evidence,
        "answers": [dict(answer) for answer in doc._.answers or ()],
        "pieces": stats.get("pieces", 0),
        "windows": stats.get("windows", 0),
    }


def _marks(spans: Any, scores: Any) -> list[dict[str, Any]]:
    numbers = [None] * len(spans) if scores is None else list(scores)
    return [_mark(span, number) for span, number in zip(spans, numbers, strict=True)]


def _mark(span: Span, score: Any) -> dict[str, Any]:
    return {
        "start": span.start_char,
        "end": span.end_char,
        "label": span.label_,
        "text": span.text,
        "score": _number(score),
    }


def _number(score: Any) -> float | None:
    """A score that JSON can hold."""
    return None if score is None or not math.isfinite(score) else round(float(score), 4)


def answer(found: dict[str, Any], document: Document) -> dict[str, Any]:
    """Describe an answer.

    found (dict[str, Any]): an answer of the component.
    document (Document): the document that was asked about.
    RETURNS (dict[str, Any]): question, text, start, end, score, page, and the best alternatives.
    """
    alternatives = [_place(row, document) for row in found["alternatives"][:ALTERNATIVES]]
    return {"question": found["question"], **_place(found, document), "alternatives": alternatives}


def _place(row: dict[str, Any], document: Document) -> dict[str, Any]:
    return {
        "text": row["text"],
        "start": row["start_char"],
        "end": row["end_char"],
        "score": _number(row["score"]),
        "page": document.page_of(row["start_char"]) if row["text"] else None,
    }


def structure(document: Document) -> dict[str, Any]:
    """Describe pages and headings of a document.

    document (Document): the document.
    RETURNS (dict[str, Any]): where pages begin, and the outline.
    """
    headings = [{**heading._asdict(), "page": document.page_of(heading.start)} for heading in outline(document)]
    return {"characters": len(document.text), "pages": list(document.pages), "outline": headings}
