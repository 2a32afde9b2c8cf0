"""Stretches of a document: its sentences, or what resembles them. Evidence and long spans are made of these."""

from spacy.tokens import Doc

# Without sentence boundaries, a stretch ends at one of these tokens, at a line break, or at the maximum length.
SENTENCE_ENDS = frozenset(".!?…。！？")
LONGEST_STRETCH = 64

Stretch = tuple[int, int]


def stretches_of(doc: Doc, longest: int = LONGEST_STRETCH) -> list[Stretch]:
    """Split a document into its sentences, or into stretches that resemble sentences if none are set.

    doc (Doc): the document.
    longest (int): maximum number of tokens in a stretch; it does not apply to sentences.
    RETURNS (list[Stretch]): first token and end (exclusive) of each stretch.
    """
    if doc.has_annotation("SENT_START"):
        return [(sentence.start, sentence.end) for sentence in doc.sents]
    stretches = []
    start = 0
    for token in doc:
        is_last = token.text in SENTENCE_ENDS or "\n" in token.text or token.i + 1 == len(doc)
        if is_last or token.i + 1 - start >= longest:
            stretches.append((start, token.i + 1))
            start = token.i + 1
    return stretches
