"""Checks a corpus against an encoder before training: lengths, unknown pieces, and everything that would be lost."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from spacy.training import Example

from ..annotations.questions import gold_spans, has_gold, read_questions
from .encoders import PlannedEncoder


@dataclass
class LostSpan:
    """A gold span that does not match any token boundaries, or an answer that is not at its offset.

    document (int): index of the document in the corpus.
    kind (str): "ents", "spans/KEY" or "answers".
    start, end (int): start and end (exclusive) of the span in the gold document. Unit: characters.
    label (str): its label, or the question.
    text (str): its text.
    tokens (list[str]): the pipeline's tokens that it touches; for an answer, the text found at its offset.
    """

    document: int
    kind: str
    start: int
    end: int
    label: str
    text: str
    tokens: list[str]


@dataclass
class CorpusReport:
    """How a corpus looks to an encoder.

    lengths (list[int]): number of pieces in each document, special ones excluded.
    windows (list[int]): number of sequences that the encoder sees of each document.
    encoded (list[int]): number of pieces in these sequences, special ones and overlaps included.
    unknown_pieces (int): number of pieces that are not in the vocabulary.
    unknown_characters (Counter[str]): the characters they stand for.
    oversize (list[int]): indices of the documents that are longer than one window.
    spans (int): number of gold spans and answers.
    lost_spans (list[LostSpan]): those that cannot be learned from.
    sample (list[ndarray]): piece ids of some sequences. Shape: (pieces,) each.
    """

    lengths: list[int] = field(default_factory=list)
    windows: list[int] = field(default_factory=list)
    encoded: list[int] = field(default_factory=list)
    unknown_pieces: int = 0
    unknown_characters: Counter[str] = field(default_factory=Counter)
    oversize: list[int] = field(default_factory=list)
    spans: int = 0
    lost_spans: list[LostSpan] = field(default_factory=list)
    sample: list[np.ndarray] = field(default_factory=list)

    @property
    def unknown_rate(self) -> float:
        return self.unknown_pieces / max(1, sum(self.lengths))

    @property
    def truncated_pieces(self) -> int:
        """Number of pieces after the first window, if `on_oversize = "truncate"` cuts them off."""
        return sum(length - encoded + 2 for length, encoded in zip(self.lengths, self.encoded, strict=True) if encoded)


def check_corpus(examples: list[Example], encoder: PlannedEncoder, sample_pieces: int = 4096) -> CorpusReport:
    """Check every document of a corpus.

    examples (list[Example]): the corpus.
    encoder (PlannedEncoder): the encoder to train.
    sample_pieces (int): number of pieces to keep, at least, as a sample of real sequences if the corpus has as many.
    RETURNS (CorpusReport): the findings.
    """
    report = CorpusReport()
    tokenizer, capacity = encoder.tokenizer, encoder.capacity
    for number, example in enumerate(examples):
        doc = example.predicted
        (pieces,) = tokenizer.text_pieces([doc.text], num_threads=1)
        sizes = encoder.window_sizes(doc, pieces)
        report.lengths.append(len(pieces))
        report.windows.append(len(sizes))
        report.encoded.append(sum(sizes))
        if len(pieces) > capacity:
            report.oversize.append(number)
        for start, end in pieces.offsets[pieces.ids == tokenizer.unk_token_id].tolist():
            report.unknown_pieces += 1
            report.unknown_characters.update(doc.text[start:end])
        if len(pieces) and sum(map(len, report.sample)) < sample_pieces:
            inner = pieces.ids[: min(capacity, sample_pieces)]
            report.sample.append(np.concatenate([[tokenizer.cls_token_id], inner, [tokenizer.sep_token_id]]))
        report.spans += _count_spans(example)
        report.lost_spans += find_lost_spans(example, number)
    return report


def make_batches(
    examples: list[Example], batcher: Callable[[Iterable[Example]], Iterable[list[Example]]]
) -> tuple[list[list[int]], list[int]]:
    """Create the batches of an epoch with a batcher, and find the documents that it leaves out.

    examples (list[Example]): the corpus.
    batcher (Callable): the batcher of the config.
    RETURNS (tuple[list[list[int]], list[int]]): indices of the documents in each batch, and of those in no batch.
    """
    numbers = {id(example): number for number, example in enumerate(examples)}
    batches = [[numbers[id(example)] for example in batch] for batch in batcher(examples)]
    seen = {id(examples[number]) for batch in batches for number in batch}
    return batches, [number for number, example in enumerate(examples) if id(example) not in seen]


def _gold_groups(example: Example) -> Iterator[tuple[str, Any]]:
    yield "ents", example.reference.ents
    for key, group in example.reference.spans.items():
        yield f"spans/{key}", group


def _count_spans(example: Example) -> int:
    answers = sum(len(question.get("answers") or ()) for question in read_questions(example.reference))
    return answers + sum(len(group) for _, group in _gold_groups(example))


def find_lost_spans(example: Example, number: int) -> list[LostSpan]:
    """Find gold annotation that training would silently ignore.

    example (Example): the predicted document as tokenized by the pipeline, the reference with gold annotation.
    number (int): index of the document in the corpus.
    RETURNS (list[LostSpan]): entities and spans that do not match any tokens, and answers with a wrong offset.
    """
    lost = []
    for kind, group in _gold_groups(example):
        for span in group:
            if not example.get_aligned_spans_y2x([span], allow_overlap=True):
                touched = example.alignment.y2x[span.start : span.end].data
                tokens = [example.predicted[int(index)].text for index in dict.fromkeys(touched.tolist())]
                where = (span.start_char, span.end_char)
                lost.append(LostSpan(number, kind, *where, span.label_, span.text, tokens))
    text = example.reference.text
    for question in read_questions(example.reference):
        for answer in (question.get("answers") or ()) if has_gold(question) else ():
            if gold_spans({**question, "answers": [answer]}, text)[1]:
                start = answer.get("answer_start")
                start = start if isinstance(start, int) else -1
                end = start + len(answer["text"])
                there = [text[max(0, start) : max(0, end)]]
                lost.append(LostSpan(number, "answers", start, end, question["question"], answer["text"], there))
    return lost


def name_of_character(character: str) -> str:
    """Describe a character in readable form.

    character (str): a single character.
    RETURNS (str): the description, such as 'é U+00E9 LATIN SMALL LETTER E WITH ACUTE'.
    """
    shown = character if character.isprintable() and not character.isspace() else " "
    return f"{shown} U+{ord(character):04X} {unicodedata.name(character, '(no name)')}"
