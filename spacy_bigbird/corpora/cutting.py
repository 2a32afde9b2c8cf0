"""Cut annotated documents into stretches, with everything that is annotated in them."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example

# Keys of extension attributes in `doc.user_data`: of the document, or of the token or span that starts at a character.
QUESTIONS: Any = ("._.", "questions", None, None)
MASKS: Any = ("._.", "masks", None, None)
ANSWER_KEYS = ("answers", "plausible_answers")
# A cut may be moved by this share of a stretch to the beginning of a paragraph.
MOVED = 0.25

Array: TypeAlias = np.ndarray


def cut(example: Example, length: int) -> list[Example]:
    """Cut an example into stretches of about the same length, which together are the document.

    Entities, spans and answers are never split. Cuts are between sentences if these are annotated, so that every token
    keeps its head, and between paragraphs if possible. A stretch has the document's categories, options and questions;
    of their answers, it has those that it contains.

    example (Example): the predicted document and the reference.
    length (int): length of a stretch; more only where the document cannot be cut. Unit: spaCy tokens.
    RETURNS (list[Example]): the stretches in order, or only the example itself.
    """
    predicted, reference = example.predicted, example.reference
    if len(reference) <= length or predicted.text != reference.text:
        return [example]
    cuts = _cuts(example, length)
    if not cuts:
        return [example]
    starts = {token.idx: token.i for token in predicted}
    own_cuts = [starts[reference[number].idx] for number in cuts]
    parts = (
        _slices(predicted, [0, *own_cuts, len(predicted)]),
        _slices(reference, [0, *cuts, len(reference)]),
    )
    return [Example(own, gold) for own, gold in zip(*parts, strict=True)]


def _cuts(example: Example, length: int) -> list[int]:
    """RETURNS (list[int]): the tokens of the reference that begin a stretch, other than the first."""
    reference = example.reference
    allowed = np.flatnonzero(_can_be_cut(example))
    if not len(allowed):
        return []
    begins_paragraph = np.array([number > 0 and "\n" in reference[number - 1].text for number in allowed.tolist()])
    count = -(-len(reference) // length)
    found = set()
    for number in range(1, count):
        distance = np.abs(allowed - len(reference) * number / count)
        # Whatever begins a paragraph comes first, as far as cuts may be moved.
        near = begins_paragraph & (distance <= MOVED * length)
        found.add(int(allowed[np.argmin(np.where(near, distance - len(reference), distance))]))
    return sorted(found)


def _can_be_cut(example: Example) -> Array:
    """Find the tokens of the reference that may begin a stretch. RETURNS (ndarray): a boolean for each token."""
    predicted, reference = example.predicted, example.reference
    starts = reference.to_array("IDX").astype(np.int64).reshape(-1)
    allowed = np.isin(starts, predicted.to_array("IDX").astype(np.int64).reshape(-1))
    allowed[0] = False
    if reference.has_annotation("SENT_START"):
        allowed &= np.array([bool(token.is_sent_start) for token in reference])
    for first, end in (*_character_spans(predicted), *_character_spans(reference)):
        allowed[np.searchsorted(starts, first, side="right") : np.searchsorted(starts, end, side="left")] = False
    return allowed


def _character_spans(doc: Doc) -> Iterator[tuple[int, int]]:
    """YIELDS (tuple[int, int]): first and last character (exclusive) of everything that must not be split."""
    for span in (*doc.ents, *(span for group in doc.spans.values() for span in group)):
        yield span.start_char, span.end_char
    for question in doc.user_data.get(QUESTIONS) or ():
        for answer in _answers(question):
            yield answer["answer_start"], answer["answer_start"] + len(answer["text"])
    yield from doc.user_data.get(MASKS) or ()


def _answers(question: Any) -> Iterator[dict[str, Any]]:
    if isinstance(question, dict):
        for key in ANSWER_KEYS:
            yield from question.get(key) or ()


def _slices(doc: Doc, ends: Sequence[int]) -> Iterator[Doc]:
    """YIELDS (Doc): the document between two ends at a time. Unit of the ends: tokens."""
    names: Any = doc._get_array_attrs()
    array = doc.to_array(names)
    for first, end in pairwise(ends):
        yield _slice(doc[first:end], names, array)


def _slice(span: Span, names: Any, array: Array) -> Doc:
    doc = span.doc
    # spaCy's type stubs lack these two arguments, which spare it to find the array anew for every part.
    as_doc: Any = span.as_doc
    part = as_doc(array_head=names, array=array.copy())
    part.cats = dict(doc.cats)
    for key, group in doc.spans.items():
        inside = [
            Span(part, one.start - span.start, one.end - span.start, one.label, kb_id=one.kb_id, span_id=one.id)
            for one in group
            if span.start <= one.start and one.end <= span.end
        ]
        part.spans[key] = SpanGroup(part, name=group.name, attrs=dict(group.attrs), spans=inside)
    for key, value in doc.user_data.items():
        moved = _moved(key, span)
        if moved is not None:
            part.user_data[moved] = value
    first, last = span.start_char, span.end_char
    if QUESTIONS in part.user_data:
        questions = part.user_data[QUESTIONS] or ()
        part.user_data[QUESTIONS] = [_question_within(question, first, last) for question in questions]
    if MASKS in part.user_data:
        masks = part.user_data[MASKS] or ()
        part.user_data[MASKS] = [(a - first, b - first) for a, b in masks if first <= a and b <= last]
    return part


def _moved(key: Any, span: Span) -> Any:
    """Find the key of an attribute in a stretch. RETURNS (Any): the key, or None for an attribute of something else."""
    if not (isinstance(key, tuple) and len(key) == 4 and key[0] == "._." and key[2] is not None):
        return key
    first, last = key[2], key[2] if key[3] is None else key[3]
    if not (span.start_char <= first and last <= span.end_char and first < span.end_char):
        return None
    return (*key[:2], first - span.start_char, None if key[3] is None else last - span.start_char)


def _question_within(question: Any, first: int, last: int) -> Any:
    """Give a question the answers that are in a stretch, with their places there; without any, it has no answer."""
    if not isinstance(question, dict):
        return question
    copied = dict(question)
    for key in ANSWER_KEYS:
        if question.get(key):
            copied[key] = [
                {**answer, "answer_start": answer["answer_start"] - first}
                for answer in question[key]
                if first <= answer["answer_start"] and answer["answer_start"] + len(answer["text"]) <= last
            ]
    if question.get("answers") and not copied["answers"] and "is_impossible" in question:
        copied["is_impossible"] = True
    return copied
