"""Split spaCy documents into pieces and align their tokens with these."""

from collections.abc import Sequence
from dataclasses import dataclass

from spacy.tokens import Doc
from thinc.types import Ragged

from ..tokenizer.alignment import align_pieces
from ..tokenizer.encoding import TextPieces
from ..tokenizer.sentencepiece import BigBirdTokenizer
from .types import Array


@dataclass
class DocumentPieces:
    """The pieces of one document.

    ids (Ints1d): piece ids, without special pieces. Shape: (pieces,).
    offsets (Ints2d): first character of each piece and one past its last. Shape: (pieces, 2).
    align (Ragged): the row numbers of each spaCy token's pieces; row 0 is [CLS], so the first piece is row 1.
    truncated (int): number of pieces cut off at the end.
    """

    ids: Array
    offsets: Array
    align: Ragged
    truncated: int = 0


def encode_documents(
    docs: Sequence[Doc], tokenizer: BigBirdTokenizer, max_pieces: int | None = None
) -> list[DocumentPieces]:
    """Tokenize whole texts, then align each spaCy token with the pieces that share characters with it.

    docs (Sequence[Doc]): the documents.
    tokenizer (BigBirdTokenizer): the encoder's tokenizer.
    max_pieces (int | None): maximum length of a document, beyond which it is cut; tokens after the cut have no piece.
        None for no limit.
    RETURNS (list[DocumentPieces]): ids and alignment of each document. Every token with visible characters that was
        not cut off has a piece; a whitespace token may have none.
    """
    all_pieces = tokenizer.text_pieces(doc.text for doc in docs)
    return [_cut_and_align(doc, pieces, max_pieces) for doc, pieces in zip(docs, all_pieces, strict=True)]


def _cut_and_align(doc: Doc, pieces: TextPieces, max_pieces: int | None) -> DocumentPieces:
    truncated, end = 0, None
    if max_pieces is not None and len(pieces) > max_pieces:
        truncated, end = len(pieces) - max_pieces, int(pieces.offsets[max_pieces, 0])
        pieces = pieces[:max_pieces]
    return DocumentPieces(pieces.ids, pieces.offsets, align_tokens(doc, pieces.offsets, end), truncated)


def align_tokens(doc: Doc, offsets: Array, end: int | None = None) -> Ragged:
    """Find the rows of each spaCy token's pieces by the characters that they share.

    doc (Doc): the document.
    offsets (Ints2d): first character of each piece and one past its last. Shape: (pieces, 2).
    end (int | None): where the pieces were cut off: tokens from there on have none. None if they were not.
    RETURNS (Ragged): the row numbers; row 0 is [CLS], so the first piece is row 1.
    """
    starts, lengths, is_space = doc.to_array(["IDX", "LENGTH", "IS_SPACE"]).astype("int64").reshape(-1, 3).T
    is_visible = is_space == 0
    if end is not None:
        is_visible &= starts < end
    numbers, counts = align_pieces(starts, starts + lengths, offsets, must_align=is_visible)
    rows: Array = (numbers + 1).astype("int32")
    row_counts: Array = counts.astype("int32")
    return Ragged(rows, row_counts)


def token_starts(doc: Doc) -> Array:
    """Get the first character of each token: they tell whether a document was retokenized.

    doc (Doc): the document.
    RETURNS (Ints1d): the first characters. Shape: (tokens,).
    """
    return doc.to_array(["IDX"]).astype("int32").reshape(-1)
