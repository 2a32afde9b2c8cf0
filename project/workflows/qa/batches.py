"""Training examples for question answering: extracts of long documents, drawn anew for every batch."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_bigbird.annotations.questions import install_question_extensions, read_questions, without_gold

from ..library.budget import CLOCK, read_beginnings
from ..library.parts import plain


@spacy.registry.readers("project.questions.v1")
def make_questions(
    path: str,
    tokenizer: str | None = None,
    first_pieces: int | None = None,
    limit: int = 0,
    is_dev: bool = False,
) -> Callable[[Language], Iterator[Example]]:
    """Create a reader of documents with questions, or of their beginnings, for `[corpora.train]` and `[corpora.dev]`.

    path (str): a .spacy file.
    tokenizer (str | None): spiece.model or checkpoint, needed for `first_pieces`.
    first_pieces (int | None): yield only the beginning of each document. With `is_dev`, answers after it remain, so
        that they count as missed. Unit: pieces.
    limit (int): maximum number of documents; 0 for all.
    is_dev (bool): whether the clock of the budget is paused from when this corpus is read until the next batch.
    """

    def make_example(doc: Doc, end: int) -> Example:
        questions = read_questions(doc)
        example = as_example(doc if end == len(doc) else doc_part(doc, 0, end))
        if is_dev:
            example.reference._.questions = questions
        return example

    return read_beginnings(path, tokenizer, first_pieces, limit, is_dev, make_example)


@spacy.registry.batchers("project.extracts.v1")
def make_extract_batcher(
    pieces: int, phases: Sequence[dict[str, float]], negatives: float = 1.0
) -> Callable[[Iterable[Example]], Iterator[list[Example]]]:
    """Create a batcher of extracts with one question each, for `[training.batcher.batcher]`.

    Nearly all of a contract answers no question, so a system that is trained on whole contracts learns to give no
    answers. An answer may be anywhere in its extract, so that its position gives nothing away.

    pieces (int): approximate number of pieces per batch.
    phases (Sequence[dict[str, float]]): for each phase `until`, the share of the budget at which it ends (default 1),
        and `tokens`, the length of its extracts. A shorter document is used whole.
    negatives (float): number of extracts without an answer for each extract with one.
    """

    def batches(examples: Iterable[Example]) -> Iterator[list[Example]]:
        if not CLOCK.seconds:
            # `spacy bigbird check` needs the documents themselves.
            yield from ([example] for example in examples)
            return
        batch: list[Example] = []
        for reference, question in _asked(examples):
            size = int(next(phase for phase in phases if CLOCK.share <= phase.get("until", 1.0))["tokens"])
            for part in extracts(reference, question, size, negatives):
                batch.append(as_example(part))
                if sum(len(one.reference) for one in batch) * PIECES_PER_TOKEN >= pieces:
                    yield batch
                    batch = []

    return batches


# Slightly more than in English prose, for which batches may therefore be slightly smaller.
PIECES_PER_TOKEN = 1.2


def _asked(examples: Iterable[Example]) -> Iterator[tuple[Doc, dict[str, Any]]]:
    """Iterate over all questions of all documents, such that those of a document are not adjacent."""
    docs = [example.reference for example in examples]
    numbers = [(place, number) for place, doc in enumerate(docs) for number in range(len(read_questions(doc)))]
    for place, number in random.sample(numbers, len(numbers)):
        yield docs[place], read_questions(docs[place])[number]


def extracts(doc: Doc, question: dict[str, Any], size: int, negatives: float = 1.0) -> Iterator[Doc]:
    """Draw parts of a document for a question: one that answers it, if there is any, and some that do not.

    doc (Doc): the document.
    question (dict[str, Any]): one of its questions.
    size (int): length of a part. Unit: tokens.
    negatives (float): number of parts without an answer to draw.
    YIELDS (Doc): parts with the question in `doc._.questions`.
    """
    spans = [doc.char_span(*place, alignment_mode="expand") for place in answer_places(question)]
    if spans:
        span = random.choice(spans)
        latest = min(span.start, max(0, len(doc) - size))
        start = random.randint(min(latest, max(0, span.end - size)), latest)
        yield doc_part(doc, start, max(start + size, span.end), [question])
    # If the whole document is one extract, there is no other part to draw.
    if len(doc) > size or not spans:
        for _ in range(int(negatives) + (random.random() < negatives % 1)):
            start = random.randint(0, max(0, len(doc) - size))
            if not any(span.start < start + size and start < span.end for span in spans):
                yield doc_part(doc, start, start + size, [question])


def doc_part(doc: Doc, start: int, end: int, questions: Sequence[dict[str, Any]] | None = None) -> Doc:
    """Extract a range of a document's tokens, with the answers that are completely inside.

    doc (Doc): the document.
    start, end (int): first token, and last token (exclusive).
    questions (Sequence[dict] | None): the questions of the part; None for all questions of the document.
    RETURNS (Doc): the part. Questions that are not answered there have no answer.
    """
    install_question_extensions()
    span = doc[start : min(end, len(doc))]
    part = plain(span)
    first, last = span.start_char, span.end_char
    part._.questions = []
    for question in read_questions(doc) if questions is None else questions:
        answers = [
            {**answer, "answer_start": start - first}
            for answer, (start, end) in zip(question["answers"], answer_places(question), strict=True)
            if first <= start and end <= last
        ]
        part._.questions.append({**question, "answers": answers, "is_impossible": not answers})
    return part


def answer_places(question: dict[str, Any]) -> list[tuple[int, int]]:
    """RETURNS (list[tuple[int, int]]): start and end (exclusive) character of each answer."""
    return [(one["answer_start"], one["answer_start"] + len(one["text"])) for one in question["answers"]]


def as_example(doc: Doc) -> Example:
    """RETURNS (Example): an example with the questions on both documents, and the answers on the reference only."""
    predicted = plain(doc)
    predicted._.questions = without_gold(doc._.questions)
    return Example(predicted, doc)
