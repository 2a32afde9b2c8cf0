"""From a stream of documents to training sequences: read ahead, shuffle, cut or join to the wanted length, mask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import Errors
from ..tokenizer import BigBirdTokenizer
from .masking import MaskedPieces, PieceTable, generator_of, mask_pieces
from .pretraining_settings import PretrainingSettings

# What a generator is used for, so that no two share a key.
_SHUFFLE, _FIRST_CHUNK, _SAMPLE = 0, 1, 2
# Texts handed to the tokenizer at a time: few enough that other threads get their turn.
_TEXTS_PER_CALL = 16


class Cursor(NamedTuple):
    """Where a stream goes on: all that a resumed run needs to know about the data.

    epoch (int): passes over the corpus that are done.
    chunk (int): number of the chunk of documents in this pass.
    document (int): place in the shuffled chunk.
    piece (int): first piece of that document that was not used yet.
    """

    epoch: int = 0
    chunk: int = 0
    document: int = 0
    piece: int = 0


START = Cursor()


@dataclass(frozen=True, eq=False)
class Chunk:
    """Documents that are in memory together, in random order.

    epoch (int): pass over the corpus.
    number (int): of the chunk, in this pass.
    places (list[int]): which document of the corpus each one is.
    documents (list[ndarray]): ids of the pieces of each. Shape: (pieces,) each.
    """

    epoch: int
    number: int
    places: list[int]
    documents: list[np.ndarray]


@dataclass(frozen=True, eq=False)
class Sample:
    """A training sequence.

    pieces (MaskedPieces): what the model sees and what it is to guess.
    first_length (int): pieces with token type 0; those behind have type 1.
    is_random_next (int): 1 when the second half comes from another document, 0 when it follows; of interest only where
        next sentences are predicted. The numbers are those of the released checkpoints.
    """

    pieces: MaskedPieces
    first_length: int
    is_random_next: int = 0

    def __len__(self) -> int:
        return len(self.pieces.ids)


@dataclass
class DocumentStream:
    """One of the streams into which the documents of a corpus are dealt in turn.

    read_texts (Callable): opens the corpus; called once for every pass.
    tokenizer (BigBirdTokenizer): cuts texts into pieces.
    settings (PretrainingSettings): gives the number of streams, what is read ahead, and the seed.
    number (int): of this stream, from 0.
    """

    read_texts: Callable[[], Iterable[str]]
    tokenizer: BigBirdTokenizer
    settings: PretrainingSettings
    number: int = 0

    def chunks(self, start: Cursor) -> Iterator[Chunk]:
        """Read on for ever, pass after pass.

        start (Cursor): the first chunk to give. What lies before it in its pass is read but not cut into pieces.
        YIELDS (Chunk): documents in random order, empty ones left out.
        RAISES ValueError: a whole pass has no piece for this stream.
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
        # The first chunk is cut short at random, so that in every pass others are together.
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
    """Makes sequences of the documents in a chunk. The same place in the corpus always gives the same sequence.

    table (PieceTable): the vocabulary.
    settings (PretrainingSettings): gives masking, what is joined, and the seed.
    """

    table: PieceTable
    settings: PretrainingSettings

    def sequence(self, chunk: Chunk, cursor: Cursor, length: int) -> tuple[Sample, Cursor] | None:
        """Make the next sequence.

        chunk (Chunk): the documents.
        cursor (Cursor): where to go on.
        length (int): the longest sequence, special pieces included.
        RETURNS (tuple[Sample, Cursor] | None): the sequence, and where the next one begins; None at the chunk's end.
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
        """[CLS] text [SEP], going on with [CLS]-less texts and their [SEP] until the sequence is full."""
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
        """[CLS] text [SEP] text [SEP]. A stretch of a document is cut in two; in half of the cases a text of the same
        length from another document of the chunk takes the place of its second part. What was replaced is not used
        again in this pass: otherwise short remainders would be random more often, and a sequence's length would tell.
        """
        document = chunk.documents[cursor.document]
        end = cursor.piece + min(len(document) - cursor.piece, length - 3)
        stretch = end - cursor.piece
        first = min(int(generator.integers(stretch // 4 + 1, stretch * 3 // 4 + 2)), max(stretch - 1, 1))
        middle = cursor.piece + first
        is_random = len(chunk.documents) > 1 and generator.random() < 0.5
        second = document[middle:end]
        if is_random:
            # Any document but this one.
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
    """A stream's part of every step's batch.

    documents (DocumentStream): where the documents come from.
    maker (SequenceMaker): makes sequences of them.
    cursor (Cursor): where to go on; moves with every sequence.
    pool (Executor | None): a thread that cuts the next chunk's texts into pieces while this one's are used.
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
        """Make the next sequences.

        length (int): the longest sequence.
        room (int): most pieces in all, at least `length`. A sequence that does not fit any more opens the next part.
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
