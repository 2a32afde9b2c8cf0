"""Batching for long documents: bounded by the number of pieces, without ever dropping a document."""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

from spacy.tokens import Doc
from spacy.training import Example

from ..errors import Errors
from ..tokenizer.sentencepiece import BigBirdTokenizer

# English text has 4.3 to 4.8 characters per piece of the released vocabulary, fewer if it contains many numbers.
CHARACTERS_PER_PIECE = 4.0
SPECIAL_PIECES = 2


def make_piece_batcher(
    size: Any,
    vocab_file: str | None = None,
    characters_per_piece: float = CHARACTERS_PER_PIECE,
    get_length: Callable[[Any], int] | None = None,
) -> "PieceBatcher":
    """Create a batcher that limits the number of pieces per batch.

    Registered as `spacy-bigbird.batch_by_pieces.v1`, for `[training.batcher]`.

    size (int | Iterable[int]): maximum number of pieces in a batch, or a schedule such as `compounding.v1` that yields
        one size per batch; once it is exhausted, the last size is kept. A longer document forms a batch of its own.
    vocab_file (str | None): SentencePiece model to count pieces with. If None, the count is estimated at negligible
        cost: one piece per `characters_per_piece` characters, and at least one per token.
    characters_per_piece (float): used by the estimate. The default is conservative for English.
    get_length (Callable[[Example], int] | None): custom function that counts the pieces, instead of either method.
    RETURNS (PieceBatcher): the batcher.
    RAISES ValueError: `size` is less than 1 or not a number, or `characters_per_piece` is not above 0.
    """
    return PieceBatcher(size, vocab_file, characters_per_piece, get_length)


class PieceBatcher:
    """Groups documents, in their order, into batches of a limited number of pieces. No document is dropped.

    The batch size bounds what a single update learns from. How much the encoder holds at a time is set by
    `max_batch_pieces`, independently of the batch. A document with questions counts once per question, because it is
    encoded once per question.

    The arguments are those of `make_piece_batcher`.
    """

    def __init__(
        self,
        size: Any,
        vocab_file: str | None = None,
        characters_per_piece: float = CHARACTERS_PER_PIECE,
        get_length: Callable[[Any], int] | None = None,
    ) -> None:
        if not characters_per_piece > 0:
            expected = "a number above 0, about 4 for English"
            raise ValueError(_not_allowed("characters_per_piece", characters_per_piece, expected))
        self._sizes = iter(size if isinstance(size, Iterable) else [size])
        self._size: int | None = None
        self._next_size()
        self._characters_per_piece = characters_per_piece
        self._vocab_file = vocab_file
        self._get_length = get_length or self.count_pieces

    def __call__(self, items: Iterable[Any]) -> Iterator[list[Any]]:
        """Batch examples or documents.

        items (Iterable[Example | Doc]): the items to batch.
        YIELDS (list[Example | Doc]): batches of at least one item.
        """
        batch: list[Any] = []
        total = 0
        size = self._size
        assert size is not None
        for item in items:
            length = self._get_length(item)
            if batch and total + length > size:
                yield batch
                batch, total, size = [], 0, self._next_size()
            batch.append(item)
            total += length
        if batch:
            yield batch
            self._next_size()

    def count_pieces(self, item: Example | Doc) -> int:
        """Count or estimate the pieces that an encoder receives for a document.

        item (Example | Doc): a document, or an example, of which the predicted document is counted.
        RETURNS (int): number of pieces, special ones included, times the number of times the document is encoded.
        """
        doc = item.predicted if isinstance(item, Example) else item
        if self._vocab_file is not None:
            (ids,) = self._tokenizer.text_ids([doc.text], num_threads=1)
            pieces = len(ids)
        else:
            characters = doc[-1].idx + len(doc[-1]) if len(doc) else 0
            pieces = max(len(doc), round(characters / self._characters_per_piece))
        return (pieces + SPECIAL_PIECES) * times_encoded(doc)

    @cached_property
    def _tokenizer(self) -> BigBirdTokenizer:
        """The tokenizer, loaded lazily: configs are also checked on machines that do not have the file."""
        assert self._vocab_file is not None
        return BigBirdTokenizer(self._vocab_file, map_whitespace=True)

    def _next_size(self) -> int:
        """Take the next size from the schedule, or keep the last one once it is exhausted."""
        size = next(self._sizes, self._size)
        if size is None or isinstance(size, bool) or not isinstance(size, int | float) or size < 1:
            expected = "a number of pieces of at least 1, or a schedule of them"
            raise ValueError(_not_allowed("size", size, expected))
        self._size = int(size)
        return self._size


def times_encoded(doc: Doc) -> int:
    """Count how often a document is encoded: once per question, and once per option of a multiple-choice question.

    doc (Doc): the document.
    RETURNS (int): the number of passes; 1 if nothing is asked.
    """
    times = 0
    if Doc.has_extension("questions") and isinstance(doc._.questions, list | tuple):
        times += len(doc._.questions)
    if Doc.has_extension("choices") and isinstance(doc._.choices, list | tuple):
        times += sum(len(choice.get("options") or ()) for choice in doc._.choices if isinstance(choice, dict))
    return max(times, 1)


def _not_allowed(name: str, value: Any, expected: str) -> str:
    return Errors.BB380.format(name=name, value=value, expected=expected)
