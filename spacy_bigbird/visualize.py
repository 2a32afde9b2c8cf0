"""displaCy for what the components annotate: entities and spans with their probabilities, answers, and evidence."""

from collections.abc import Iterable
from html import escape
from typing import Any

from spacy import displacy
from spacy.tokens import Doc, Span

from .annotations.extensions import score_attribute
from .annotations.questions import install_question_extensions
from .errors import Errors

ANSWER_COLOR = "#ffe08a"
SPAN_COLOR = "#a7d8de"
EVIDENCE_COLOR = "255, 160, 90"
EVIDENCE_PREFIX = "evidence:"
# Types of entities for which displaCy has no color, and would use gray: those of LitBank and others.
ENTITY_COLORS = {"PER": "#f7c8a0", "VEH": "#f0b3b3", "LOCATION": "#ff9561", "MISC": "#d6c9f0"}
GAP = " … "

__all__ = ["render"]


def render(
    docs: Doc | Iterable[Doc],
    style: str = "entities",
    *,
    spans_key: str = "sc",
    surroundings: int | None = None,
    page: bool = False,
    minify: bool = False,
    jupyter: bool | None = None,
    colors: dict[str, str] | None = None,
) -> str | None:
    """Render documents as HTML.

    docs (Doc | Iterable[Doc]): one document or several.
    style (str): "entities" (`doc.ents` with `span._.score`), "spans" (`doc.spans[spans_key]`, one figure per label,
        since spans may overlap), "answers" (`doc._.answers`, one figure per question) or "evidence"
        (`doc.spans["evidence:LABEL"]`, one figure per label; the higher its weight, the darker a stretch).
    spans_key (str): key in `doc.spans` of the spans to show.
    surroundings (int | None): number of characters to show on either side of each mark; None for the whole text.
    page (bool): whether to return a complete HTML page.
    minify (bool): whether to remove line breaks and spaces from the markup.
    jupyter (bool | None): whether to display the result in a notebook; None to detect a running one.
    colors (dict[str, str] | None): CSS colors of entity types.
    RETURNS (str | None): the HTML; None if it is displayed in a notebook.
    RAISES TypeError: something else than documents is given.
    RAISES ValueError: unknown style, there is no such group of spans, or nothing has answered questions about a text.
    """
    if style not in STYLES:
        raise ValueError(Errors.BB200.format(name="style", value=style, expected=" or ".join(STYLES)))
    # If a process only reads saved documents, no component has registered these attributes.
    install_question_extensions()
    if not Span.has_extension("score"):
        Span.set_extension("score", default=None)
    given = [docs] if isinstance(docs, Doc) else list(docs)
    if not all(isinstance(doc, Doc) for doc in given):
        raise TypeError(Errors.BB671.format(given=docs))
    if style == "answers" and given and all(doc._.answers is None for doc in given):
        raise ValueError(Errors.BB672)
    if style == "spans":
        figures = [figure for doc in given for figure in span_figures(doc, spans_key)]
    else:
        figures = [figure for doc in given for figure in FIGURES[style](doc)]
    if surroundings is not None:
        figures = [shortened(figure, surroundings) for figure in figures]
    options = {"colors": {**ENTITY_COLORS, **(colors or {})}}
    return displacy.render(
        figures, style="ent", manual=True, page=page, minify=minify, jupyter=jupyter, options=options
    )


def _mark(start: int, end: int, label: str, number: float | None, color: str | None = None) -> dict[str, Any]:
    """Make a mark in displaCy's format. displaCy escapes the text, but neither labels nor titles."""
    shown = escape(label) if number is None else f"{escape(label)} {number:.2f}"
    params = {"label": shown, **({} if color is None else {"bg": color})}
    return {"start": start, "end": end, "label": label, "params": params}


def entity_figures(doc: Doc) -> list[dict[str, Any]]:
    """Make a figure of a document's entities, for displaCy's manual mode.

    doc (Doc): the document.
    RETURNS (list[dict[str, Any]]): a single figure.
    """
    marks = [_mark(ent.start_char, ent.end_char, ent.label_, ent._.get(score_attribute())) for ent in doc.ents]
    return [{"text": doc.text, "ents": marks, "title": _title(doc)}]


def answer_figures(doc: Doc) -> list[dict[str, Any]]:
    """Make a figure for each question, with the answer marked and the question as the title.

    doc (Doc): the document.
    RETURNS (list[dict[str, Any]]): the figures, for displaCy's manual mode.
    """
    figures = []
    for answer in doc._.answers or []:
        is_given = answer.end_char > answer.start_char
        marks = [_mark(answer.start_char, answer.end_char, "ANSWER", answer.score, ANSWER_COLOR)] if is_given else []
        title = escape(answer.question) + ("" if is_given else f" — no answer {answer.score:.2f}")
        figures.append({"text": doc.text, "ents": marks, "title": title})
    return figures


def span_figures(doc: Doc, key: str) -> list[dict[str, Any]]:
    """Make a figure for each label of a group of spans, with the spans and their probabilities marked.

    Of spans of one label that overlap, only the first is marked: displaCy's marks are not nested.

    doc (Doc): the document.
    key (str): key in `doc.spans`.
    RETURNS (list[dict[str, Any]]): the figures, for displaCy's manual mode, in the order of the text.
    RAISES ValueError: the document has no such group.
    """
    if key not in doc.spans:
        raise ValueError(Errors.BB673.format(key=key, known=", ".join(map(repr, doc.spans)) or "none"))
    scores = doc.spans[key].attrs.get("scores", [None] * len(doc.spans[key]))
    marks: dict[str, list[dict[str, Any]]] = {}
    for span, score in sorted(zip(doc.spans[key], scores, strict=True), key=lambda pair: pair[0].start):
        there = marks.setdefault(span.label_, [])
        if not there or there[-1]["end"] <= span.start_char:
            there.append(_mark(span.start_char, span.end_char, span.label_, score, SPAN_COLOR))
    return [{"text": doc.text, "ents": ents, "title": escape(label)} for label, ents in marks.items()]


def evidence_figures(doc: Doc) -> list[dict[str, Any]]:
    """Make a figure for each label with evidence, with the stretches marked and label and score as the title.

    doc (Doc): the document.
    RETURNS (list[dict[str, Any]]): the figures, for displaCy's manual mode.
    """
    figures = []
    for key, group in doc.spans.items():
        if key.startswith(EVIDENCE_PREFIX):
            label = key.removeprefix(EVIDENCE_PREFIX)
            weights = [float(weight) for weight in group.attrs.get("weights", [1.0] * len(group))]
            marks = [
                _mark(
                    span.start_char, span.end_char, label, weight, f"rgba({EVIDENCE_COLOR}, {0.25 + 0.75 * weight:.2f})"
                )
                for span, weight in zip(group, weights, strict=True)
            ]
            score = f" {doc.cats[label]:.2f}" if label in doc.cats else ""
            figures.append({"text": doc.text, "ents": marks, "title": escape(label) + score})
    return figures


FIGURES = {"entities": entity_figures, "answers": answer_figures, "evidence": evidence_figures}
STYLES = (*FIGURES, "spans")


def _title(doc: Doc) -> str | None:
    title = doc.user_data.get("title")
    return None if title is None else escape(str(title))


def shortened(figure: dict[str, Any], surroundings: int) -> dict[str, Any]:
    """Reduce a figure to its marks and the text around them.

    figure (dict[str, Any]): a figure for displaCy's manual mode.
    surroundings (int): number of characters to keep on either side of each mark, or at the start if there are no marks.
    RETURNS (dict[str, Any]): a new figure, with ellipses in place of omitted text.
    """
    text, marks = figure["text"], sorted(figure["ents"], key=lambda mark: (mark["start"], mark["end"]))
    kept: list[list[int]] = []
    for mark in marks or [{"start": 0, "end": 0}]:
        start, end = max(0, mark["start"] - surroundings), min(len(text), mark["end"] + surroundings)
        if kept and start <= kept[-1][1]:
            kept[-1][1] = max(end, kept[-1][1])
        else:
            kept.append([start, end])
    parts: list[str] = []
    moved = []
    length = 0
    for start, end in kept:
        if start > 0:
            parts.append(GAP)
            length += len(GAP)
        inside = [mark for mark in marks if start <= mark["start"] and mark["end"] <= end]
        moved += [{**m, "start": m["start"] - start + length, "end": m["end"] - start + length} for m in inside]
        parts.append(text[start:end])
        length += end - start
    if kept[-1][1] < len(text):
        parts.append(GAP)
    return {**figure, "text": "".join(parts), "ents": moved}
