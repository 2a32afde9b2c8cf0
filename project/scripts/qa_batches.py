"""Training examples for questions: extracts of long documents, drawn anew for every batch."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_bigbird.training.questions import install_question_extensions, read_questions, without_gold

from .budget import CLOCK, read_beginnings
from .parts import plain


@spacy.registry.readers("project.questions.v1")
def make_questions(
    path: str,
    tokenizer: str | None = None,
    first_pieces: int | None = None,
    limit: int = 0,
    is_dev: bool = False,
) -> Callable[[Language], Iterator[Example]]:
    """Documents with questions, whole or their beginnings. For `[corpora.train]` and `[corpora.dev]`.

    path (str): a .spacy file. tokenizer (str | None): spiece.model or checkpoint, for `first_pieces`.
    first_pieces (int | None): give only the beginning of each document. limit (int): most documents; 0 for all.
    is_dev (bool): the budget's clock stands still from the moment this is read to the next batch.
    """
    return read_beginnings(
        path,
        tokenizer,
        first_pieces,
        limit,
        is_dev,
        lambda doc, end: as_example(doc if end == len(doc) else doc_part(doc, 0, end)),
    )


@spacy.registry.batchers("project.extracts.v1")
def make_extract_batcher(
    pieces: int, phases: Sequence[dict[str, float]], negatives: float = 1.0
) -> Callable[[Iterable[Example]], Iterator[list[Example]]]:
    """Batches of extracts with a question each, for `[training.batcher.batcher]`.

    Nearly all of a contract answers no question: who learns from whole ones learns to be silent. An answer lies
    anywhere in its extract, so that the place says nothing.

    pieces (int): of a batch, about. phases (Sequence[dict]): of each `until`, the share of the budget at which it ends
        (1 if not given), and `tokens`, the length of its extracts; a document that is shorter is taken whole.
    negatives (float): how many extracts without an answer there are for one with an answer.
    """

    def batches(examples: Iterable[Example]) -> Iterator[list[Example]]:
        if not CLOCK.seconds:
            # `spacy bigbird check` wants the documents themselves.
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


# A little more than there are in English prose, where a batch may be a little smaller.
PIECES_PER_TOKEN = 1.2


def _asked(examples: Iterable[Example]) -> Iterator[tuple[Doc, dict[str, Any]]]:
    """All questions of all documents; those of a document do not follow each other."""
    docs = [example.reference for example in examples]
    numbers = [(place, number) for place, doc in enumerate(docs) for number in range(len(read_questions(doc)))]
    for place, number in random.sample(numbers, len(numbers)):
        yield docs[place], read_questions(docs[place])[number]


def extracts(doc: Doc, question: dict[str, Any], size: int, negatives: float = 1.0) -> Iterator[Doc]:
    """Draw parts of a document with one question each: one that answers it, if there is any, and some that do not.

    doc (Doc): the document. question (dict[str, Any]): one of its questions. size (int): length of a part, in tokens.
    negatives (float): how many parts without an answer to draw.
    YIELDS (Doc): parts with `doc._.questions`.
    """
    spans = [doc.char_span(*place, alignment_mode="expand") for place in answer_places(question)]
    if spans:
        span = random.choice(spans)
        latest = min(span.start, max(0, len(doc) - size))
        start = random.randint(min(latest, max(0, span.end - size)), latest)
        yield doc_part(doc, start, max(start + size, span.end), [question])
    # Where a document is one extract, there is no other part.
    if len(doc) > size or not spans:
        for _ in range(int(negatives) + (random.random() < negatives % 1)):
            start = random.randint(0, max(0, len(doc) - size))
            if not any(span.start < start + size and start < span.end for span in spans):
                yield doc_part(doc, start, start + size, [question])


def doc_part(doc: Doc, start: int, end: int, questions: Sequence[dict[str, Any]] | None = None) -> Doc:
    """Some tokens of a document, with those answers that lie among them as a whole.

    doc (Doc): the document. start, end (int): first token, and the one behind the last.
    questions (Sequence[dict] | None): the questions of the part; None for all of the document.
    RETURNS (Doc): the part. A question without an answer there has none.
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
    """RETURNS (list[tuple[int, int]]): first character of each answer, and the one behind its last."""
    return [(one["answer_start"], one["answer_start"] + len(one["text"])) for one in question["answers"]]


def as_example(doc: Doc) -> Example:
    """RETURNS (Example): with the questions on both sides and the answers on the reference."""
    predicted = plain(doc)
    predicted._.questions = without_gold(doc._.questions)
    return Example(predicted, doc)
