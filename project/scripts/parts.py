"""Documents without annotations, parts of documents, and documents with other words."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_bigbird.thinc_layers.piece_encoder import encode_documents
from spacy_bigbird.tokenizer import BigBirdTokenizer

BREAKS = ("\n", ".", "!", "?", ";", '"', "”")


def load_tokenizer(path: str | Path) -> BigBirdTokenizer:
    """RETURNS (BigBirdTokenizer): of a spiece.model file or a checkpoint, with white space as the encoder takes it."""
    if Path(path).is_file():
        return BigBirdTokenizer(str(path), map_whitespace=True)
    return BigBirdTokenizer.from_pretrained(path, map_whitespace=True)


def tokens_within(doc: Doc, tokenizer: BigBirdTokenizer, pieces: int) -> int:
    """RETURNS (int): how many tokens the first so many pieces cover. A token that is cut in two is left out."""
    (encoded,) = encode_documents([doc], tokenizer)
    if len(encoded.ids) <= pieces:
        return len(doc)
    total = 0
    last_rows = encoded.align.dataXd
    for index, length in enumerate(encoded.align.lengths):
        # Row 0 is [CLS], so the last piece that fits is the row of that number.
        if length and last_rows[total + length - 1] > pieces:
            return index
        total += length
    return len(doc)


def plain(tokens: Doc | Span) -> Doc:
    """RETURNS (Doc): the same tokens without annotations."""
    return Doc(tokens.vocab, [token.text for token in tokens], [bool(token.whitespace_) for token in tokens])


def doc_part(doc: Doc, start: int, end: int) -> Doc:
    """RETURNS (Doc): some tokens of a document with the entities inside, and its categories."""
    if (start, end) == (0, len(doc)):
        return doc
    part = plain(doc[start:end])
    inside = [ent for ent in doc.ents if start <= ent.start and ent.end <= end]
    if doc.has_annotation("ENT_IOB"):
        part.set_ents([Span(part, e.start - start, e.end - start, e.label_) for e in inside])
    part.cats = dict(doc.cats)
    return part


class Replaceable(NamedTuple):
    """Words that noise may replace, and replace others by.

    words (list[str]): as often as they occur. kept (frozenset[str]): all others.
    """

    words: list[str]
    kept: frozenset[str]

    @classmethod
    def of(cls, docs: Iterable[Doc], frequent: int = 0) -> Replaceable:
        """docs (Iterable[Doc]): give the words. frequent (int): so many of the most frequent ones are kept.
        RETURNS (Replaceable): all others, as written; which words are frequent does not depend on their case.
        """
        words = [token.text for doc in docs for token in doc if not token.is_space]
        most = {word for word, _ in Counter(map(str.lower, words)).most_common(frequent)}
        kept = frozenset(word for word in set(words) if word.lower() in most)
        return cls([word for word in words if word not in kept], kept)


def with_noise(example: Example, share: float, replaceable: Replaceable) -> Example:
    """RETURNS (Example): the same with a share of the words that are replaceable replaced. Entities and categories
    stay."""
    doc = example.reference
    texts = [
        random.choice(replaceable.words)
        if not (t.is_space or t.text in replaceable.kept) and random.random() < share
        else t.text
        for t in doc
    ]
    changed, predicted = (Doc(doc.vocab, texts, [bool(t.whitespace_) for t in doc]) for _ in range(2))
    if doc.has_annotation("ENT_IOB"):
        changed.set_ents([Span(changed, ent.start, ent.end, ent.label_) for ent in doc.ents])
    changed.cats = dict(doc.cats)
    return Example(predicted, changed)


def stretches(doc: Doc, size: int) -> list[tuple[int, int]]:
    """Cut a document into parts at the ends of sentences, where there are any, and never inside an entity.

    doc (Doc): the document. size (int): longest part. Unit: tokens.
    RETURNS (list[tuple[int, int]]): first token of each part and the one behind its last; a document that is not
        longer than one part has none.
    """
    parts: list[tuple[int, int]] = []
    start = 0
    while len(doc) > size and start < len(doc):
        end = min(start + size, len(doc))
        if end < len(doc):
            allowed = [i for i in range(start + size // 2, end + 1) if doc[i].ent_iob_ != "I"]
            good = [i for i in allowed if doc[i - 1].text[:1] in BREAKS]
            end = (good or allowed or [end])[-1]
        parts.append((start, end))
        start = end
    return parts
