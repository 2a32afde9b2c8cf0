"""Documents without annotations, parts of documents, and documents with replaced words."""

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
    """RETURNS (BigBirdTokenizer): the tokenizer of a spiece.model or checkpoint; maps white space like the encoder."""
    if Path(path).is_file():
        return BigBirdTokenizer(str(path), map_whitespace=True)
    return BigBirdTokenizer.from_pretrained(path, map_whitespace=True)


def tokens_within(doc: Doc, tokenizer: BigBirdTokenizer, pieces: int) -> int:
    """RETURNS (int): number of tokens that the first `pieces` pieces cover completely."""
    (encoded,) = encode_documents([doc], tokenizer)
    if len(encoded.ids) <= pieces:
        return len(doc)
    total = 0
    last_rows = encoded.align.dataXd
    for index, length in enumerate(encoded.align.lengths):
        # Row 0 is [CLS], so the last piece that fits is in row `pieces`.
        if length and last_rows[total + length - 1] > pieces:
            return index
        total += length
    return len(doc)


def plain(tokens: Doc | Span) -> Doc:
    """RETURNS (Doc): the same tokens without annotations."""
    return Doc(tokens.vocab, [token.text for token in tokens], [bool(token.whitespace_) for token in tokens])


def doc_part(doc: Doc, start: int, end: int) -> Doc:
    """RETURNS (Doc): a range of a document's tokens with the entities inside, and the document's categories."""
    if (start, end) == (0, len(doc)):
        return doc
    part = plain(doc[start:end])
    inside = [ent for ent in doc.ents if start <= ent.start and ent.end <= end]
    if doc.has_annotation("ENT_IOB"):
        part.set_ents([Span(part, e.start - start, e.end - start, e.label_) for e in inside])
    part.cats = dict(doc.cats)
    return part


class Replaceable(NamedTuple):
    """Words that noise may replace, and that it draws replacements from.

    words (list[str]): the words, each as often as it occurs.
    kept (frozenset[str]): all other words.
    """

    words: list[str]
    kept: frozenset[str]

    @classmethod
    def of(cls, docs: Iterable[Doc], frequent: int = 0) -> Replaceable:
        """Collect the words of documents.

        docs (Iterable[Doc]): the documents.
        frequent (int): number of most frequent words to keep, counted regardless of case.
        RETURNS (Replaceable): the other words, as written.
        """
        words = [token.text for doc in docs for token in doc if not token.is_space]
        most = {word for word, _ in Counter(map(str.lower, words)).most_common(frequent)}
        kept = frozenset(word for word in set(words) if word.lower() in most)
        return cls([word for word in words if word not in kept], kept)


def with_noise(example: Example, share: float, replaceable: Replaceable) -> Example:
    """RETURNS (Example): the example with a share of its replaceable words replaced, but the same entities and
    categories."""
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
    """Split a document into parts, at the ends of sentences if possible, and never inside an entity.

    doc (Doc): the document.
    size (int): maximum length of a part. Unit: tokens.
    RETURNS (list[tuple[int, int]]): start and end (exclusive) token of each part; empty if the document is not longer
        than one part.
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
