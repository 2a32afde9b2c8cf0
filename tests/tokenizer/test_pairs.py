"""Truncation of pairs and windows over a long text, against slow and obvious versions."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bigbird.plan.windows import window_ranges
from spacy_bigbird.tokenizer import BigBirdTokenizer, TextPieces
from spacy_bigbird.tokenizer.pairs import lengths_after_truncation, pair_windows

from ..toy_text import toy_text


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 40))
def test_longest_first_takes_one_piece_after_the_other(first, second, room):
    expected = [first, second]
    while sum(expected) > room:
        expected[0 if expected[0] > expected[1] else 1] -= 1
    assert lengths_after_truncation(first, second, room, "longest_first") == tuple(expected)


def test_one_text_alone_is_cut():
    assert lengths_after_truncation(5, 20, 15, "only_second") == (5, 10)
    assert lengths_after_truncation(20, 5, 15, "only_first") == (10, 5)
    assert lengths_after_truncation(5, 20, 5, "only_second") == (5, 0)
    assert lengths_after_truncation(5, 5, 10, "only_second") == (5, 5)
    for strategy, room in (("only_second", 4), ("only_first", 19), ("longest_first", -1)):
        with pytest.raises(ValueError, match="5 pieces and one of 20 do not fit"):
            lengths_after_truncation(5, 20, room, strategy)


@given(st.integers(0, 300), st.integers(4, 40), st.data())
def test_windows_cover_everything_and_are_full(num_pieces, capacity, data):
    overlap = data.draw(st.integers(0, capacity // 2 - 1))
    windows = window_ranges(num_pieces, capacity, overlap)
    assert windows[0][0] == 0 and windows[-1][1] == num_pieces
    assert all(end - start == min(capacity, num_pieces) for start, end in windows)
    shared = [end - start for (_, end), (start, _) in pairwise(windows)]
    assert all(each == overlap for each in shared[:-1]) and all(each >= overlap for each in shared[-1:])
    # None could be left out.
    assert len(windows) == 1 or len(windows) == -(-(num_pieces - overlap) // (capacity - overlap))


@pytest.fixture(scope="module")
def tokenizer(vocab_file):
    return BigBirdTokenizer(vocab_file)


def test_windows_of_a_long_text(tokenizer):
    question, text = "Who signs?", " ".join(toy_text(seed) for seed in range(5))
    (pieces,) = tokenizer.text_pieces([text])
    windows = tokenizer.windows(question, pieces, max_length=64, overlap=10)
    head = tokenizer(question).ids
    assert len(windows) > 10
    assert [window.ids.tolist() for window in windows] == [
        window.ids.tolist() for window in tokenizer.windows(question, text, max_length=64, overlap=10)
    ]
    for window in windows:
        assert len(window.ids) == len(window.token_type_ids) == 64
        assert window.ids[: window.first_row].tolist() == head and window.ids[-1] == tokenizer.sep_token_id
        assert window.token_type_ids.tolist() == [0] * len(head) + [1] * (64 - len(head))
        assert (window.ids[window.first_row : -1] == pieces.ids[window.start : window.end]).all()
        for row, (start, end) in enumerate(window.offsets.tolist(), start=window.first_row):
            piece = tokenizer.convert_ids_to_tokens(int(window.ids[row]))
            assert piece == "\u2581" or text[start:end] == piece.strip("\u2581")
    assert windows[-1].end == len(pieces)


def test_one_window_is_the_encoded_pair(tokenizer):
    for question, text in [("Who?", "Anna signs."), ("", "Anna"), ("Who?", ""), ("", " \n")]:
        (window,) = tokenizer.windows(question, text, max_length=64)
        encoding = tokenizer(question, text)
        assert window.ids.tolist() == encoding.ids and window.token_type_ids.tolist() == encoding.token_type_ids
        assert (window.start, window.end) == (0, len(tokenizer.text_pieces([text])[0]))
        assert [tuple(span) for span in window.offsets.tolist()] == encoding.offsets[window.first_row : -1]


def test_default_overlap_is_an_eighth_of_the_room():
    question = TextPieces(np.arange(5), np.zeros((5, 2), dtype=np.int32))
    text = TextPieces(np.arange(200), np.zeros((200, 2), dtype=np.int32))
    windows = pair_windows(question, text, cls_id=1, sep_id=2, max_length=40)
    assert [(window.start, window.end) for window in windows[:3]] == [(0, 32), (28, 60), (56, 88)]


@pytest.mark.parametrize(
    ("max_length", "overlap", "said"), [(8, None, "do not fit"), (40, 16, "below 16"), (40, -1, "0 or")]
)
def test_bad_windows_are_explained(max_length, overlap, said):
    pieces = TextPieces(np.arange(5), np.zeros((5, 2), dtype=np.int32))
    with pytest.raises(ValueError, match=said):
        pair_windows(pieces, pieces, cls_id=1, sep_id=2, max_length=max_length, overlap=overlap)
