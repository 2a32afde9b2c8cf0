"""Turns a stream of documents into training sequences: read ahead, shuffle, split or join to length, and mask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import Errors
from ..tokenizer import BigBirdTokenizer
from .masking import MaskedPieces, PieceTable, generator_of, mask_pieces
from .settings import PretrainingSettings

# First part of a generator's key after the seed: its purpose, so that no two purposes share a key.
_SHUFFLE, _FIRST_CHUNK, _SAMPLE = 0, 1, 2
# Number of texts passed to the tokenizer at a time, few enough that other threads get their turn.
_TEXTS_PER_CALL = 16


class Cursor(NamedTuple):
    """Where a stream continues: all that a resumed run needs to know about the data.

    epoch (int): number of completed passes over the corpus.
    chunk (int): index of the chunk in this pass.
    document (int): index of the document in the shuffled chunk.
    piece (int): index of the first unused piece of the document.
    """

    epoch: int = 0
    chunk: int = 0
    document: int = 0
    piece: int = 0


START = Cursor()


@dataclass(frozen=True, eq=False)
class Chunk:
    """Documents that are held in memory together, in random order.

    epoch (int): the pass over the corpus, from 0.
    number (int): index of the chunk in this pass.
    places (list[int]): index of each document in the corpus.
    documents (list[ndarray]): piece ids of each document. Shape: (pieces,) each.
    """

    epoch: int
    number: int
    places: list[int]
    documents: list[np.ndarray]


@dataclass(frozen=True, eq=False)
class Sample:
    """A training sequence.

    pieces (MaskedPieces): the pieces that the model sees, and those that it has to predict.
    first_length (int): number of pieces with token type 0; those after them have type 1.
    is_random_next (int): 1 if the second half comes from another document, 0 if it follows the first. Used only for
        next-sentence prediction. The labels are those of the released checkpoints.
    """

    pieces: MaskedPieces
    first_length: int
    is_random_next: int = 0

    def __len__(self) -> int:
        return len(self.pieces.ids)


@dataclass
class DocumentStream:
    """One of the streams that the documents of a corpus are distributed over in turn.

    read_texts (Callable[[], Iterable[str]]): opens the corpus; called once per pass.
    tokenizer (BigBirdTokenizer): splits texts into pieces.
    settings (PretrainingSettings): determine the number of streams, how much is read ahead, and the seed.
    number (int): index of this stream, from 0.
    """

    read_texts: Callable[[], Iterable[str]]
    tokenizer: BigBirdTokenizer
    settings: PretrainingSettings
    number: int = 0

    def chunks(self, start: Cursor) -> Iterator[Chunk]:
        """Read the corpus indefinitely, pass after pass.

        start (Cursor): the first chunk to yield. Earlier chunks of the same pass are read, but not tokenized.
        YIELDS (Chunk): documents in random order, without empty ones.
        RAISES ValueError: a whole pass has no pieces for this stream.
        """
        epoch = start.epoch
        while True:
            total = 0
            for number, (places, texts) in enumerate(self._text_chunks(epoch)):
                if epoch == start.epoch and number < start.chunk:
                    total = 1
                    continue
                chunk = self._tokenized(epoch, number, places, texts)
                total += sum(map(len, chunk.documents))
                yield chunk
            if not total:
                given = f"stream {self.number + 1} of {self.settings.corpus.streams}"
                raise ValueError(Errors.BB351.format(path=", ".join(self.settings.paths.train), stream=given))
            epoch += 1

    def _text_chunks(self, epoch: int) -> Iterator[tuple[list[int], list[str]]]:
        corpus, seed = self.settings.corpus, self.settings.training.seed
        # The first chunk has a random size, so that each pass combines different documents.
        room = int(generator_of(seed, _FIRST_CHUNK, epoch).integers(1, corpus.shuffle_documents, endpoint=True))
        places: list[int] = []
        texts: list[str] = []
        characters = 0
        for place, text in enumerate(self.read_texts()):
            if place % corpus.streams != self.number:
                continue
            places.append(place)
            texts.append(text)
            characters += len(text)
            if len(texts) >= room or characters >= corpus.shuffle_characters:
                yield places, texts
                places, texts, characters, room = [], [], 0, corpus.shuffle_documents
        if texts:
            yield places, texts

    def _tokenized(self, epoch: int, number: int, places: list[int], texts: list[str]) -> Chunk:
        ids: list[np.ndarray] = []
        for start in range(0, len(texts), _TEXTS_PER_CALL):
            part = texts[start : start + _TEXTS_PER_CALL]
            ids += self.tokenizer.text_ids(part, self.settings.corpus.tokenizer_threads)
        generator = generator_of(self.settings.training.seed, _SHUFFLE, epoch, self.number, number)
        order = [index for index in generator.permutation(len(ids)).tolist() if len(ids[index])]
        return Chunk(epoch, number, [places[index] for index in order], [ids[index] for index in order])


@dataclass
class SequenceMaker:
    """Makes sequences from the documents of a chunk. Sequences depend only on seed, epoch and place in the corpus.

    table (PieceTable): the vocabulary.
    settings (PretrainingSettings): determine masking, joining and the seed.
    """

    table: PieceTable
    settings: PretrainingSettings

    def sequence(self, chunk: Chunk, cursor: Cursor, length: int) -> tuple[Sample, Cursor] | None:
        """Make the next sequence.

        chunk (Chunk): the documents.
        cursor (Cursor): where to continue.
        length (int): maximum length of the sequence, special pieces included. Unit: pieces.
        RETURNS (tuple[Sample, Cursor] | None): the sequence, and where the next one begins; None at the end of the
            chunk.
        """
        if cursor.document >= len(chunk.documents):
            return None
        generator = generator_of(
            self.settings.training.seed, _SAMPLE, cursor.epoch, chunk.places[cursor.document], cursor.piece
        )
        if self.settings.training.next_sentence:
            ids, first_length, is_random_next, after = self._pair(chunk, cursor, length, generator)
        else:
            ids, after = self._text(chunk, cursor, length)
            first_length, is_random_next = len(ids), 0
        pieces = mask_pieces(ids, self.table, self.settings.masking, generator)
        return Sample(pieces, first_length, is_random_next), after

    def _text(self, chunk: Chunk, cursor: Cursor, length: int) -> tuple[np.ndarray, Cursor]:
        """Build "[CLS] text [SEP]". If documents are joined, "text [SEP]" is appended until the sequence is full."""
        parts: list[np.ndarray | list[int]] = [[self.table.cls_id]]
        room = length - 1
        while room >= 2 and cursor.document < len(chunk.documents):
            document = chunk.documents[cursor.document]
            end = min(cursor.piece + room - 1, len(document))
            parts += [document[cursor.piece : end], [self.table.sep_id]]
            room -= end - cursor.piece + 1
            cursor = _behind(cursor, end, document)
            if not self.settings.corpus.join_documents:
                break
        return np.concatenate(parts).astype(np.int32), cursor

    def _pair(
        self, chunk: Chunk, cursor: Cursor, length: int, generator: np.random.Generator
    ) -> tuple[np.ndarray, int, int, Cursor]:
        """Build "[CLS] text [SEP] text [SEP]" from a part of a document that is split in two.

        In half of the cases, the second text is replaced by one of the same length (or less, if it is shorter) from
        another document of the chunk. The replaced text is not reused in this pass: otherwise, short remainders would
        be random more often, and the length of a sequence would give away the label.
        """
        document = chunk.documents[cursor.document]
        end = cursor.piece + min(len(document) - cursor.piece, length - 3)
        stretch = end - cursor.piece
        first = min(int(generator.integers(stretch // 4 + 1, stretch * 3 // 4 + 2)), max(stretch - 1, 1))
        middle = cursor.piece + first
        is_random = len(chunk.documents) > 1 and generator.random() < 0.5
        second = document[middle:end]
        if is_random:
            # Choose any document except this one.
            number = (cursor.document + int(generator.integers(1, len(chunk.documents)))) % len(chunk.documents)
            other = chunk.documents[number]
            size = min(max(len(second), 1), len(other))
            start = int(generator.integers(len(other) - size + 1))
            second = other[start : start + size]
        head = [[self.table.cls_id], document[cursor.piece : middle], [self.table.sep_id]]
        ids = np.concatenate([*head, second, [self.table.sep_id]]).astype(np.int32)
        return ids, first + 2, int(is_random), _behind(cursor, end, document)


def _behind(cursor: Cursor, end: int, document: np.ndarray) -> Cursor:
    is_done = end >= len(document)
    return cursor._replace(document=cursor.document + is_done, piece=0 if is_done else end)


class SequenceStream:
    """Supplies a stream's share of the batch of each step.

    documents (DocumentStream): source of the documents.
    maker (SequenceMaker): makes sequences from them.
    cursor (Cursor): where to begin; advanced with every sequence.
    pool (Executor | None): thread that tokenizes the next chunk while the current one is used. If None, chunks are
        tokenized when they are needed.
    """

    def __init__(
        self,
        documents: DocumentStream,
        maker: SequenceMaker,
        cursor: Cursor = START,
        pool: Executor | None = None,
    ) -> None:
        self.maker = maker
        self.cursor = cursor
        chunks = documents.chunks(cursor)
        self._chunks = chunks if pool is None else _ahead(chunks, pool)
        self._chunk: Chunk | None = None

    def part(self, length: int, room: int) -> list[Sample]:
        """Make the sequences of the next step.

        length (int): maximum length of a sequence. Unit: pieces.
        room (int): maximum number of pieces in total, at least `length`. A sequence that no longer fits begins the next
            part.
        RETURNS (list[Sample]): at least one sequence.
        """
        samples: list[Sample] = []
        total = 0
        while total < room:
            if self._chunk is None:
                self._chunk = chunk = next(self._chunks)
                if (chunk.epoch, chunk.number) != self.cursor[:2]:
                    self.cursor = Cursor(chunk.epoch, chunk.number)
            made = self.maker.sequence(self._chunk, self.cursor, length)
            if made is None:
                self._chunk = None
                continue
            sample, after = made
            if total + len(sample) > room:
                break
            samples.append(sample)
            total += len(sample)
            self.cursor = after
        return samples


def _ahead(chunks: Iterator[Chunk], pool: Executor) -> Iterator[Chunk]:
    waiting = pool.submit(next, chunks)
    while True:
        chunk = waiting.result()
        waiting = pool.submit(next, chunks)
        yield chunk
