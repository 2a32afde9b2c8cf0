"""Masking: how much, what takes a piece's place, whole words and spans, and that only the sample decides."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bigbird.pretraining.masking import LONGEST_WORD, PieceTable, generator_of, mask_pieces
from spacy_bigbird.pretraining.settings import MaskingSettings
from spacy_bigbird.tokenizer import BigBirdTokenizer

from ..toy_text import toy_text

VOCAB_SIZE, FIRST_ORDINARY = 400, 101
CLS, SEP, MASK = 65, 66, 67


def toy_table(word_starts: float = 0.6) -> PieceTable:
    """A vocabulary of 400 pieces, the first 101 of them special."""
    ids = np.arange(VOCAB_SIZE)
    return PieceTable(
        mask_id=MASK,
        cls_id=CLS,
        sep_id=SEP,
        is_special=ids < FIRST_ORDINARY,
        starts_word=np.random.default_rng(0).random(VOCAB_SIZE) < word_starts,
        characters=np.where(ids < FIRST_ORDINARY, 0, 3),
        ordinary_ids=ids[FIRST_ORDINARY:],
    )


TABLE = toy_table()
ordinary = st.integers(FIRST_ORDINARY, VOCAB_SIZE - 1)
sequences = st.lists(st.one_of(ordinary, ordinary, st.sampled_from([CLS, SEP, 100])), min_size=1, max_size=200)
masking = st.builds(
    MaskingSettings,
    rate=st.floats(0.05, 0.6),
    whole_words=st.booleans(),
    spans=st.booleans(),
    span_length=st.floats(1, 8),
    longest_span=st.integers(1, 10),
)


@given(sequences, masking, st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_masked_pieces_are_ordinary_and_labels_restore_the_sequence(ids, how, seed):
    ids = np.array(ids, dtype=np.int32)
    before = ids.copy()
    masked = mask_pieces(ids, TABLE, how, generator_of(seed))
    assert np.array_equal(ids, before)
    assert not TABLE.is_special[ids[masked.places]].any()
    assert (np.diff(masked.places) > 0).all()
    restored = masked.ids.copy()
    restored[masked.places] = masked.labels
    assert np.array_equal(restored, ids)
    hidden = masked.ids[masked.places]
    assert ((hidden == MASK) | ~TABLE.is_special[hidden]).all()
    if not TABLE.is_special[ids].all():
        assert len(masked.places) >= 1


@given(sequences, masking, st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_the_key_of_the_sample_alone_decides(ids, how, seed):
    ids = np.array(ids, dtype=np.int32)
    first = mask_pieces(ids, TABLE, how, generator_of(seed, 7))
    np.random.default_rng().random(5)
    again = mask_pieces(ids, TABLE, how, generator_of(seed, 7))
    assert np.array_equal(first.ids, again.ids) and np.array_equal(first.places, again.places)


def test_another_epoch_masks_other_pieces():
    ids = np.arange(FIRST_ORDINARY, VOCAB_SIZE, dtype=np.int32)
    first, second = (mask_pieces(ids, TABLE, MaskingSettings(), generator_of(0, epoch, 3)) for epoch in (0, 1))
    assert not np.array_equal(first.places, second.places)


@pytest.mark.parametrize("groups", [{}, {"whole_words": True}, {"spans": True}, {"whole_words": True, "spans": True}])
def test_shares_are_those_of_the_settings(groups):
    how = MaskingSettings(**groups)
    ids = np.random.default_rng(1).integers(FIRST_ORDINARY, VOCAB_SIZE, size=510).astype(np.int32)
    ids = np.concatenate([[CLS], ids, [SEP]])
    counts = {"masked": 0, "mask": 0, "kept": 0}
    rounds = 400
    for number in range(rounds):
        masked = mask_pieces(ids, TABLE, how, generator_of(number))
        hidden = masked.ids[masked.places]
        counts["masked"] += len(masked.places)
        counts["mask"] += int((hidden == MASK).sum())
        counts["kept"] += int((hidden == masked.labels).sum())
    total = counts["masked"]
    # 30,600 pieces are to be masked; spans of 4 pieces decide together, hence the wider bounds.
    assert total / (rounds * 510) == pytest.approx(0.15, abs=0.002)
    assert counts["mask"] / total == pytest.approx(0.8, abs=0.015)
    # One of 299 random pieces is the right one by chance.
    assert counts["kept"] / total == pytest.approx(0.1 + 0.1 / 299, abs=0.01)


def test_every_place_and_every_ordinary_piece_has_the_same_chance():
    ids = np.full(100, FIRST_ORDINARY, dtype=np.int32)
    how = MaskingSettings(mask_share=0.0, random_share=1.0)
    places, pieces = np.zeros(100), np.zeros(VOCAB_SIZE)
    for number in range(4000):
        masked = mask_pieces(ids, TABLE, how, generator_of(number))
        places[masked.places] += 1
        pieces += np.bincount(masked.ids[masked.places], minlength=VOCAB_SIZE)
    assert places / 4000 == pytest.approx(0.15, abs=0.03)
    assert pieces[:FIRST_ORDINARY].sum() == 0
    assert pieces[FIRST_ORDINARY:] / 60000 == pytest.approx(1 / 299, abs=0.0015)


def words_of(ids: np.ndarray) -> list[list[int]]:
    """Places of each word: a plain walk from left to right."""
    words: list[list[int]] = []
    is_open = False
    for place, piece in enumerate(ids):
        if TABLE.is_special[piece]:
            is_open = False
            continue
        if not is_open or TABLE.starts_word[piece] or len(words[-1]) == LONGEST_WORD:
            words.append([])
        words[-1].append(place)
        is_open = True
    return words


@given(sequences, st.integers(0, 2**32), st.booleans())
@settings(max_examples=40, deadline=None)
def test_whole_words_are_masked_whole(ids, seed, spans):
    ids = np.array(ids, dtype=np.int32)
    how = MaskingSettings(whole_words=True, spans=spans, rate=0.3)
    masked = set(mask_pieces(ids, TABLE, how, generator_of(seed)).places.tolist())
    for word in words_of(ids):
        assert masked.issuperset(word) or masked.isdisjoint(word)


def test_text_without_spaces_is_not_one_word():
    table = dataclasses.replace(TABLE, starts_word=np.zeros(VOCAB_SIZE, dtype=bool))
    ids = np.full(1000, FIRST_ORDINARY, dtype=np.int32)
    masked = mask_pieces(ids, table, MaskingSettings(whole_words=True), generator_of(0))
    assert 130 < len(masked.places) <= 150 + LONGEST_WORD


def test_spans_are_as_long_as_asked_for_and_share_their_fate():
    ids = np.full(2000, FIRST_ORDINARY, dtype=np.int32)
    how = MaskingSettings(spans=True, rate=0.02, span_length=5.0, longest_span=10, random_share=0.0)
    runs = []
    for number in range(100):
        masked = mask_pieces(ids, TABLE, how, generator_of(number))
        breaks = np.flatnonzero(np.diff(masked.places) > 1) + 1
        for run in np.split(masked.places, breaks):
            runs.append(len(run))
    # The mean of the geometric distribution with p = 0.2, cut at 10, is 4.46; neighbours that touch count as one here.
    assert np.mean(runs) == pytest.approx(4.46, abs=0.5)


def test_no_span_goes_on_behind_a_special_piece():
    ids = np.tile(np.array([FIRST_ORDINARY, FIRST_ORDINARY, SEP], dtype=np.int32), 100)
    how = MaskingSettings(spans=True, span_length=8.0, mask_share=0.5, random_share=0.0)
    fates = []
    for number in range(200):
        masked = mask_pieces(ids, TABLE, how, generator_of(number))
        is_mask = dict(zip(masked.places.tolist(), (masked.ids[masked.places] == MASK).tolist(), strict=True))
        fates += [(is_mask[place], is_mask[place + 2]) for place in is_mask if place % 3 == 1 and place + 2 in is_mask]
    # Pieces on both sides of [SEP] belong to different spans, so one's fate says nothing about the other's.
    assert np.mean([first == second for first, second in fates]) == pytest.approx(0.5, abs=0.12)


def test_the_table_of_a_real_vocabulary(vocab_file):
    tokenizer = BigBirdTokenizer(vocab_file)
    table = PieceTable.of(tokenizer)
    assert (table.mask_id, table.cls_id, table.sep_id) == (67, 65, 66)
    assert table.is_special[:101].all() and not table.is_special[101:].any()
    assert table.ordinary_ids.tolist() == list(range(101, tokenizer.vocab_size))
    text = "The contract of Zürich ends in 1999."
    ids = tokenizer.text_ids([text])[0]
    assert table.characters[ids].sum() == len(text) + 1
    assert table.starts_word[ids].sum() == len(text.split())


def test_google_s_marks_are_special(data_dir):
    table = PieceTable.of(BigBirdTokenizer(data_dir / "vocab" / "gpt2.model"))
    assert table.is_special[:101].all()
    assert not table.is_special[101:].any()


def test_nothing_to_mask():
    ids = np.array([CLS, SEP], dtype=np.int32)
    masked = mask_pieces(ids, TABLE, MaskingSettings(), generator_of(0))
    assert masked.ids.tolist() == [CLS, SEP] and len(masked.places) == len(masked.labels) == 0


def test_a_toy_document_is_masked_word_by_word(vocab_file):
    tokenizer = BigBirdTokenizer(vocab_file)
    ids = np.array(tokenizer(toy_text(3)).ids, dtype=np.int32)
    masked = mask_pieces(ids, PieceTable.of(tokenizer), MaskingSettings(whole_words=True), generator_of(1))
    pieces = tokenizer.convert_ids_to_tokens(ids.tolist())
    for place in masked.places.tolist():
        if place + 1 < len(ids) - 1 and not pieces[place + 1].startswith("▁"):
            assert place + 1 in masked.places
