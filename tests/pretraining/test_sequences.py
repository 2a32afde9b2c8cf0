"""From documents to sequences: nothing lost, nothing twice, and the same from every starting point."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bigbird.pretraining.masking import PieceTable
from spacy_bigbird.pretraining.sequences import START, Chunk, Cursor, DocumentStream, SequenceMaker, SequenceStream
from spacy_bigbird.pretraining.settings import PretrainingSettings
from spacy_bigbird.tokenizer import BigBirdTokenizer

from ..toy_text import toy_texts
from .test_masking import CLS, FIRST_ORDINARY, SEP, toy_table


def settings_with(**blocks) -> PretrainingSettings:
    """Settings of a small run; keyword arguments are blocks."""
    training = {"batch_pieces": 512, "lengths": [[0, 64]], **blocks.pop("training", {})}
    paths = {"train": "corpus", "vocab": "vocab"}
    return PretrainingSettings.from_dict({"paths": paths, "training": training, **blocks})


class NumberTokenizer:
    """Reads a text such as "7*3" as three pieces of document 7: ids that tell where they come from."""

    def text_ids(self, texts, num_threads=1):
        return [np.array(text.split(), dtype=np.int32) for text in texts]


def unmasked(sample) -> np.ndarray:
    ids = sample.pieces.ids.copy()
    ids[sample.pieces.places] = sample.pieces.labels
    return ids


def numbered_documents(lengths: list[int]) -> list[str]:
    """Texts whose pieces are numbered through the corpus."""
    starts = np.cumsum([FIRST_ORDINARY, *lengths])
    return [" ".join(map(str, range(start, start + n))) for start, n in zip(starts, lengths, strict=False)]


lengths_of_documents = st.lists(st.integers(0, 90), min_size=1, max_size=12).filter(any)


def make(chunk: Chunk, maker: SequenceMaker, lengths: list[int]):
    """All sequences of a chunk; their greatest lengths are taken in turn."""
    cursor, samples = Cursor(chunk.epoch, chunk.number), []
    while (made := maker.sequence(chunk, cursor, lengths[len(samples) % len(lengths)])) is not None:
        samples.append(made[0])
        assert made[1] > cursor
        cursor = made[1]
    return samples


def chunk_of(lengths: list[int]) -> Chunk:
    starts = np.cumsum([FIRST_ORDINARY, *lengths])
    documents = [np.arange(start, start + n, dtype=np.int32) for start, n in zip(starts, lengths, strict=False) if n]
    return Chunk(0, 0, list(range(len(documents))), documents)


@given(lengths_of_documents, st.lists(st.integers(8, 64), min_size=1, max_size=4), st.booleans())
@settings(max_examples=40, deadline=None)
def test_every_piece_stands_in_one_sequence_in_order(lengths, longest, join):
    chunk = chunk_of(lengths)
    samples = make(chunk, SequenceMaker(wide_table(), settings_with(corpus={"join_documents": join})), longest)
    rows = [unmasked(sample) for sample in samples]
    for number, row in enumerate(rows):
        assert row[0] == CLS and row[-1] == SEP and len(row) <= longest[number % len(longest)]
        assert samples[number].first_length == len(row)
        assert (row == CLS).sum() == 1
    pieces = np.concatenate([row[row >= FIRST_ORDINARY] for row in rows])
    assert np.array_equal(pieces, np.concatenate(chunk.documents))


@given(lengths_of_documents, st.integers(8, 64))
@settings(max_examples=30, deadline=None)
def test_joined_sequences_are_full_except_the_last(lengths, longest):
    chunk = chunk_of(lengths)
    samples = make(chunk, SequenceMaker(wide_table(), settings_with()), [longest])
    # A single place that is left can hold no piece with its [SEP].
    assert all(len(sample) >= longest - 1 for sample in samples[:-1])
    ends = set(np.cumsum([FIRST_ORDINARY, *lengths]).tolist()[1:])
    for sample in samples:
        row = unmasked(sample)
        followed = row[np.flatnonzero(row[1:-1] == SEP)]
        assert {int(piece) + 1 for piece in followed} <= ends


@given(lengths_of_documents, st.integers(8, 64))
@settings(max_examples=30, deadline=None)
def test_documents_stay_apart_when_not_joined(lengths, longest):
    chunk = chunk_of(lengths)
    maker = SequenceMaker(wide_table(), settings_with(corpus={"join_documents": False}))
    for sample in make(chunk, maker, [longest]):
        row = unmasked(sample)
        assert (row == SEP).sum() == 1
        assert np.array_equal(np.diff(row[1:-1]), np.ones(len(row) - 3))


def wide_table():
    """The toy vocabulary with enough pieces to number a corpus."""
    table = toy_table()
    special = np.arange(20_000) < FIRST_ORDINARY
    return type(table)(67, CLS, SEP, special, ~special, np.ones(20_000, dtype=int), np.arange(FIRST_ORDINARY, 400))


@given(st.lists(st.integers(1, 90), min_size=1, max_size=10), st.integers(8, 64), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_pairs_follow_or_come_from_another_document(lengths, longest, seed):
    chunk = chunk_of(lengths)
    maker = SequenceMaker(wide_table(), settings_with(training={"next_sentence": True, "seed": seed}))
    owner = {int(piece): number for number, document in enumerate(chunk.documents) for piece in document}
    used = []
    for sample in make(chunk, maker, [longest]):
        row = unmasked(sample)
        assert row[0] == CLS and row[-1] == SEP and (row == SEP).sum() == 2 and len(row) <= longest
        assert row[sample.first_length - 1] == SEP
        first, second = row[1 : sample.first_length - 1], row[sample.first_length : -1]
        assert len(first) >= 1
        used += first.tolist()
        stretch = min(longest - 3, chunk.documents[owner[int(first[0])]][-1] + 1 - first[0])
        if sample.is_random_next:
            assert len(second) >= 1
            assert {owner[int(piece)] for piece in second}.isdisjoint({owner[int(piece)] for piece in first})
            used += range(first[-1] + 1, first[0] + stretch)
        else:
            assert np.array_equal(np.concatenate([first, second]), first[0] + np.arange(len(first) + len(second)))
            assert len(first) + len(second) == stretch
            used += second.tolist()
    assert used == np.concatenate(chunk.documents).tolist()


def test_half_of_the_pairs_are_random_and_lengths_do_not_tell():
    chunk = chunk_of([300] * 40)
    maker = SequenceMaker(wide_table(), settings_with(training={"next_sentence": True}))
    samples = make(chunk, maker, [64])
    is_random = np.array([sample.is_random_next for sample in samples])
    lengths = np.array([len(sample) for sample in samples])
    assert len(samples) == 200
    assert is_random.mean() == pytest.approx(0.5, abs=0.08)
    assert lengths[is_random == 1].mean() == pytest.approx(lengths[is_random == 0].mean(), abs=1.0)


def stream(texts, how, number=0, cursor=START, pool=None):
    documents = DocumentStream(lambda: iter(texts), NumberTokenizer(), how, number)
    return SequenceStream(documents, SequenceMaker(wide_table(), how), cursor, pool)


@given(
    lengths=st.lists(st.integers(0, 60), min_size=3, max_size=20).filter(lambda lengths: sum(lengths[:3]) > 0),
    shuffle=st.integers(1, 8),
    steps=st.integers(1, 12),
    stop=st.integers(0, 11),
    pairs=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_a_stream_goes_on_from_any_cursor_as_if_it_had_not_stopped(lengths, shuffle, steps, stop, pairs):
    how = settings_with(corpus={"shuffle_documents": shuffle}, training={"next_sentence": pairs})
    texts = numbered_documents(lengths)
    whole, parts, cursors = stream(texts, how), [], []
    for step in range(steps + stop):
        cursors.append(whole.cursor)
        parts.append(whole.part(16 + 8 * (step % 3), 64))
    again = stream(texts, how, cursor=cursors[stop])
    for step in range(stop, steps + stop):
        resumed = again.part(16 + 8 * (step % 3), 64)
        assert len(resumed) == len(parts[step])
        for one, other in zip(resumed, parts[step], strict=True):
            assert np.array_equal(one.pieces.ids, other.pieces.ids)
            assert np.array_equal(one.pieces.places, other.pieces.places)


@given(st.lists(st.integers(1, 40), min_size=4, max_size=20), st.integers(1, 6), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_a_pass_gives_every_document_once_to_one_stream(lengths, shuffle, streams):
    how = settings_with(corpus={"shuffle_documents": shuffle, "streams": streams})
    texts = numbered_documents(lengths)
    found = []
    for number in range(streams):
        documents = DocumentStream(lambda: iter(texts), NumberTokenizer(), how, number)
        for chunk in documents.chunks(START):
            if chunk.epoch:
                break
            assert len(chunk.documents) <= shuffle
            assert all(place % streams == number for place in chunk.places)
            found += chunk.places
    assert sorted(found) == list(range(len(texts)))


def test_each_pass_has_another_order_and_other_chunks():
    how = settings_with(corpus={"shuffle_documents": 6})
    documents = DocumentStream(lambda: iter(numbered_documents([3] * 24)), NumberTokenizer(), how)
    passes: dict[int, list[list[int]]] = {}
    for chunk in documents.chunks(START):
        if chunk.epoch == 3:
            break
        passes.setdefault(chunk.epoch, []).append(chunk.places)
    orders = [[place for chunk in chunks for place in chunk] for chunks in passes.values()]
    assert orders[0] != orders[1] != orders[2] and orders[0] != list(range(24))
    assert len({tuple(map(len, chunks)) for chunks in passes.values()}) > 1


def test_long_documents_are_read_ahead_by_characters():
    how = settings_with(corpus={"shuffle_characters": 100})
    read = 0

    def texts():
        nonlocal read
        for text in numbered_documents([20] * 50):
            read += 1
            yield text

    documents = DocumentStream(texts, NumberTokenizer(), how)
    chunks = documents.chunks(Cursor())
    sizes = [len(next(chunks).documents) for _ in range(5)]
    assert max(sizes) <= 2
    assert read == sum(sizes)


def test_a_part_is_filled_but_never_overfull():
    how = settings_with(corpus={"join_documents": False})
    one = stream(numbered_documents([5, 9, 20, 33, 2, 41, 7, 60]), how)
    for _ in range(30):
        sizes = [len(sample) for sample in one.part(32, 64)]
        assert sizes and 64 - 32 < sum(sizes) <= 64


def test_a_stream_without_documents_says_so():
    how = settings_with(corpus={"streams": 2})
    with pytest.raises(ValueError, match=r"BB351.*stream 2 of 2"):
        stream(numbered_documents([5]), how, number=1).part(16, 64)
    with pytest.raises(ValueError, match="BB351"):
        stream([" ", " "], how).part(16, 64)


def test_reading_ahead_in_a_thread_changes_nothing():
    how = settings_with(corpus={"shuffle_documents": 4})
    texts = numbered_documents([12] * 11)
    with ThreadPoolExecutor(1) as pool:
        one, other = stream(texts, how), stream(texts, how, pool=pool)
        for _ in range(20):
            both = [part.part(24, 64) for part in (one, other)]
            assert [sample.pieces.ids.tolist() for sample in both[0]] == [s.pieces.ids.tolist() for s in both[1]]


def test_real_texts_are_spelled_by_the_sequences(vocab_file):
    tokenizer = BigBirdTokenizer(vocab_file, map_whitespace=True)
    how = settings_with(corpus={"shuffle_documents": 1})
    texts = toy_texts(3)
    documents = DocumentStream(lambda: iter(texts), tokenizer, how)
    maker = SequenceMaker(PieceTable.of(tokenizer), how)
    one = SequenceStream(documents, maker)
    pieces = np.concatenate([unmasked(sample) for _ in range(3) for sample in one.part(64, 512)])
    spelled = tokenizer.decode([int(piece) for piece in pieces if piece not in (CLS, SEP)])
    assert spelled.startswith(" ".join(tokenizer.decode(ids.tolist()) for ids in tokenizer.text_ids(texts)))
