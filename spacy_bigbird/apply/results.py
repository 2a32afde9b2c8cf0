"""What is kept of a processed document, as values for JSON lines, Parquet, Ray and Spark."""

import json
from typing import Any

import numpy as np
from spacy.tokens import Doc

from ..files import Document
from .inputs import Record

# Vectors of a document in a batch may differ in the sixth digit with the number of threads; what is written does not.
DIGITS = 5
ANSWER_KEYS = ("question", "text", "start_char", "end_char", "score")

# The same columns, in the words of Spark.
SPARK_SCHEMA = (
    "entities array<struct<start:int,end:int,label:string,text:string,score:double>>, "
    "spans array<struct<key:string,start:int,end:int,label:string,text:string,score:double>>, "
    "cats map<string,double>, "
    "answers array<struct<question:string,text:string,start:int,end:int,score:double,page:int>>, "
    "choice_answers string, mask_predictions string, stats map<string,bigint>, vector array<double>, failure string"
)


def describe(doc: Doc, has_vector: bool = False) -> dict[str, Any]:
    """Get the predictions of a document. Positions are in characters, ends are exclusive.

    doc (Doc): the processed document.
    has_vector (bool): whether to compute a vector of the document.
    RETURNS (dict[str, Any]): entities, spans, cats, answers, choice_answers, mask_predictions, stats and vector, which
        are empty if no component predicts them.
    """
    vector = document_vector(doc) if has_vector else None
    return {
        "entities": [_span(span, _entity_score(span)) for span in doc.ents],
        "spans": [row for key in sorted(doc.spans) for row in _group(key, doc.spans[key])],
        "cats": {label: _rounded(score) for label, score in doc.cats.items()},
        "answers": [_answer(answer) for answer in _attribute(doc, "answers") or ()],
        "choice_answers": _plain(_attribute(doc, "choice_answers") or []),
        "mask_predictions": _plain(_attribute(doc, "mask_predictions") or []),
        "stats": {key: int(value) for key, value in (_attribute(doc, "bigbird_stats") or {}).items()},
        "vector": None if vector is None else [_rounded(value) for value in vector],
    }


def row_of(record: Record, doc: Doc, *, has_vector: bool, has_text: bool) -> dict[str, Any]:
    """Get the row of a document in the output: where it comes from, and its predictions that are not empty."""
    row: dict[str, Any] = {"id": record.id, "source": record.source, "number": record.number}
    if has_text:
        row["text"] = doc.text
    if record.meta is not None:
        row["meta"] = record.meta
    found = describe(doc, has_vector)
    for answer in found["answers"]:
        answer["page"] = Document(doc.text, record.pages).page_of(answer["start"]) if answer["text"] else None
    return {**row, **{key: value for key, value in found.items() if value or key == "entities"}}


def document_vector(doc: Doc) -> np.ndarray | None:
    """Get a vector of a document: the mean of its pieces' vectors, or else spaCy's `doc.vector`.

    doc (Doc): the processed document.
    RETURNS (ndarray | None): the vector. None if there is none. Shape: (width,).
    """
    data = _attribute(doc, "trf_data")
    if data is None or getattr(data, "model_output", None) is None:
        return np.asarray(doc.vector) if doc.has_vector else None
    rows = np.asarray(data.model_output["last_hidden_state"])[0]
    return rows[1:-1].mean(axis=0, dtype="float64") if len(rows) > 2 else np.zeros(rows.shape[-1])


def arrow_columns() -> list[Any]:
    """Get the Arrow fields of the predictions, the same for every batch. RETURNS (list[Field]): the fields."""
    import pyarrow as pa

    place = [pa.field(name, pa.int32()) for name in ("start", "end")]
    label = [pa.field(name, pa.string()) for name in ("label", "text")]
    score, page = pa.field("score", pa.float64()), pa.field("page", pa.int32())
    span, text = [*place, *label, score], pa.field("text", pa.string())
    return [
        pa.field("entities", pa.list_(pa.struct(span))),
        pa.field("spans", pa.list_(pa.struct([pa.field("key", pa.string()), *span]))),
        pa.field("cats", pa.map_(pa.string(), pa.float64())),
        pa.field("answers", pa.list_(pa.struct([pa.field("question", pa.string()), text, *place, score, page]))),
        pa.field("choice_answers", pa.string()),
        pa.field("mask_predictions", pa.string()),
        pa.field("stats", pa.map_(pa.string(), pa.int64())),
        pa.field("vector", pa.list_(pa.float64())),
    ]


def typed(row: dict[str, Any]) -> dict[str, Any]:
    """Convert a row so that all rows have the same types: what differs in structure becomes JSON."""
    changed = {name: json.dumps(row[name]) for name in ("choice_answers", "mask_predictions", "meta") if row.get(name)}
    return {**row, **dict.fromkeys(("choice_answers", "mask_predictions", "meta")), **changed}


def _attribute(doc: Doc, name: str) -> Any:
    return doc._.get(name) if Doc.has_extension(name) else None


def _span(span: Any, score: Any) -> dict[str, Any]:
    row = {"start": span.start_char, "end": span.end_char, "label": span.label_, "text": span.text}
    return row if score is None else {**row, "score": _rounded(score)}


def _entity_score(span: Any) -> Any:
    return span._.get("score") if span.has_extension("score") else None


def _group(key: str, group: Any) -> list[dict[str, Any]]:
    scores = group.attrs.get("scores")
    scores = [None] * len(group) if scores is None or len(scores) != len(group) else scores
    return [{"key": key, **_span(span, score)} for span, score in zip(group, scores, strict=True)]


def _answer(answer: dict[str, Any]) -> dict[str, Any]:
    question, text, start, end, score = (answer[key] for key in ANSWER_KEYS)
    return {"question": question, "text": text, "start": start, "end": end, "score": _rounded(score), "page": None}


def _rounded(value: Any) -> float:
    # Adding 0 turns -0.0 into 0.0.
    return round(float(value), DIGITS) + 0.0


def _plain(value: Any) -> Any:
    """Convert nested values to what JSON has, with rounded numbers."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    return _rounded(value) if isinstance(value, float) else value
