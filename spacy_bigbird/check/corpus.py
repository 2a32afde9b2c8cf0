"""Checks a corpus against an encoder before training: lengths, unknown pieces, and everything that would be lost."""

import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus, Example
from spacy.training.augment import dont_augment

from ..annotations.choices import choices_with_gold, read_masks
from ..annotations.questions import gold_spans, gold_texts, has_gold, read_questions
from ..corpora.readers import QuestionCorpus
from ..errors import Errors
from ..warnings import Warnings
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


def find_gold_problems(
    nlp: Language, corpus: str, examples: Collection[Example], frozen: Container[str]
) -> tuple[dict[str, int], list[str]]:
    """Count the gold annotation that each component of a known kind learns from or is evaluated on.

    nlp (Language): the pipeline; it does not need to be initialized.
    corpus (str): "train", "dev" or "test".
    examples (Collection[Example]): the documents of the corpus.
    frozen (Container[str]): components that are not trained.
    RETURNS (tuple[dict[str, int], list[str]]): number of usable gold annotations by component, and a message for each
        component that has none, or has some that would make training fail. Having none is only a warning, but
            in "train".
    """
    counts, problems = {}, []
    for name, component in nlp.pipeline:
        factory = nlp.get_pipe_meta(name).factory
        if name in frozen or factory not in _GOLD_OF_FACTORY or not examples:
            continue
        gold, count = _GOLD_OF_FACTORY[factory]
        counts[name], number = 0, 0
        try:
            for example in examples:
                counts[name] += count(example, component)
                number += 1
        except (ValueError, TypeError) as error:
            problems.append(f"{corpus}, document {number}, component {name!r}: {error}")
            continue
        if not counts[name]:
            advice = _STORED if gold.startswith("doc._.") else _WITHOUT_LABELS
            message = Errors.BB386 if corpus == "train" else Warnings.BW380
            filled = {"name": name, "number": len(examples), "gold": gold, "advice": advice, "corpus": corpus}
            problems.append(message.format(**filled))
    return counts, problems


_STORED = (
    "A .spacy file keeps them only if it was stored with DocBin(store_user_data=True); read it with "
    "spacy-bigbird.QuestionCorpus.v1."
)
_WITHOUT_LABELS = "Annotate them, or leave the component out of the pipeline."


def _aligned(example: Example, spans: Iterable[Any]) -> int:
    return sum(bool(example.get_aligned_spans_y2x([span], allow_overlap=True)) for span in spans)


def _answered(example: Example) -> int:
    text, questions = example.reference.text, filter(has_gold, read_questions(example.reference))
    # Without gold answers, "no answer" is learned. If every answer is at a wrong offset, nothing is.
    return sum(not gold_texts(question) or bool(gold_spans(question, text)[0]) for question in questions)


def _annotated(*attributes: str) -> Callable[[Example, Any], int]:
    return lambda example, _: any(map(example.reference.has_annotation, attributes))


_ENTITIES = ("entities on token boundaries", lambda example, _: _aligned(example, example.reference.ents))
_CATS = ("categories", lambda example, _: any(value is not None for value in example.reference.cats.values()))
_SPANS = (
    "spans on token boundaries under the component's spans_key",
    lambda example, component: _aligned(example, example.reference.spans.get(component.key, ())),
)
_DEPENDENCIES = ("dependencies", _annotated("DEP"))
_GOLD_OF_FACTORY: dict[str, tuple[str, Callable[[Example, Any], int]]] = {
    **dict.fromkeys(("bigbird_ner", "ner", "beam_ner"), _ENTITIES),
    **dict.fromkeys(("bigbird_textcat", "bigbird_textcat_multilabel", "textcat", "textcat_multilabel"), _CATS),
    **dict.fromkeys(("bigbird_spancat", "spancat", "spancat_singlelabel"), _SPANS),
    **dict.fromkeys(("parser", "beam_parser"), _DEPENDENCIES),
    "tagger": ("tags", _annotated("TAG")),
    "morphologizer": ("parts of speech or morphology", _annotated("POS", "MORPH")),
    "senter": ("beginnings of sentences", _annotated("SENT_START")),
    "trainable_lemmatizer": ("lemmas", _annotated("LEMMA")),
    "bigbird_span_qa": ("doc._.questions with answers at their offset", lambda example, _: _answered(example)),
    "bigbird_multiple_choice": (
        "doc._.choices with an answer",
        lambda example, _: len(choices_with_gold(example.reference)),
    ),
    "bigbird_fill_mask": ("doc._.masks", lambda example, _: len(read_masks(example.reference))),
}


def name_of_character(character: str) -> str:
    """Describe a character in readable form.

    character (str): a single character.
    RETURNS (str): the description, such as 'é U+00E9 LATIN SMALL LETTER E WITH ACUTE'.
    """
    shown = character if character.isprintable() and not character.isspace() else " "
    return f"{shown} U+{ord(character):04X} {unicodedata.name(character, '(no name)')}"


@dataclass
class ReaderLoss:
    """What a corpus reader withholds because of its `max_length`.

    max_length (int): the setting. Unit: tokens.
    documents (int): number of documents with at least that many tokens.
    split (int): how many of these are split into sentences.
    lost_tokens (int): number of tokens that are not in any example.
    """

    max_length: int
    documents: int = 0
    split: int = 0
    lost_tokens: int = 0


def find_reader_loss(reader: Any, nlp: Language, limit: int = 0) -> ReaderLoss | None:
    """Find what spaCy's reader silently splits or leaves out.

    reader (Callable[[Language], Iterable[Example]]): a corpus reader.
    nlp (Language): the pipeline.
    limit (int): maximum number of documents to check; 0 for all.
    RETURNS (ReaderLoss | None): the findings; None if the reader is of another kind or has no `max_length`.
    """
    if not isinstance(reader, Corpus) or not reader.max_length:
        return None
    loss, whole = ReaderLoss(reader.max_length), copy(reader)
    whole.max_length, whole.augmenter = 0, dont_augment
    with long_texts_allowed(reader, nlp):
        for example in islice(whole(nlp), limit or None):
            doc: Doc = example.reference
            if len(doc) >= reader.max_length:
                loss.documents += 1
                is_split = doc.has_annotation("SENT_START")
                loss.split += is_split
                parts = [len(sentence) for sentence in doc.sents] if is_split else [len(doc)]
                loss.lost_tokens += sum(length for length in parts if length >= reader.max_length)
    return loss


@contextmanager
def long_texts_allowed(reader: Any, nlp: Language) -> Iterator[None]:
    """Lift `nlp.max_length` for readers that would raise an error at a longer text, so that all such texts are counted.

    reader (Callable[[Language], Iterable[Example]]): a corpus reader. The limit is lifted only for spaCy's `Corpus` and
        for `QuestionCorpus`, which wraps it: other readers may leave out such texts, and still do so here.
    nlp (Language): the pipeline.
    """
    before = nlp.max_length
    if isinstance(reader, (Corpus, QuestionCorpus)):
        nlp.max_length = sys.maxsize
    try:
        yield
    finally:
        nlp.max_length = before
