"""What a corpus reader silently leaves out."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from itertools import islice
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus
from spacy.training.augment import dont_augment

from ..corpora.docbin import QuestionCorpus


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
