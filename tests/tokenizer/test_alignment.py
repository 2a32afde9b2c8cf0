"""Alignment of tokens and pieces against a slow and obvious one."""

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bigbird.tokenizer import BigBirdTokenizer
from spacy_bigbird.tokenizer.alignment import align_pieces

from ..toy_text import toy_text
from .test_sentencepiece import HARD_TEXTS


def align(tokens, pieces, must_align=None):
    starts = np.array([start for start, _ in tokens], dtype=np.int64)
    ends = np.array([end for _, end in tokens], dtype=np.int64)
    offsets = np.array(pieces, dtype=np.int32).reshape(-1, 2)
    numbers, lengths = align_pieces(starts, ends, offsets, must_align)
    assert len(lengths) == len(tokens) and lengths.sum() == len(numbers)
    return [rows.tolist() for rows in np.split(numbers, np.cumsum(lengths)[:-1])] if tokens else []


def obvious(tokens, pieces):
    return [
        [number for number, (start, end) in enumerate(pieces) if max(start, first) < min(end, last)]
        for first, last in tokens
    ]


@pytest.mark.parametrize(
    ("tokens", "pieces", "expected"),
    [
        ([(0, 5), (6, 11)], [(0, 5), (6, 8), (8, 11)], [[0], [1, 2]]),
        ([(0, 2), (2, 4)], [(0, 4)], [[0], [0]]),
        ([(0, 1), (1, 4)], [(0, 0), (0, 2), (2, 4)], [[1], [1, 2]]),
        ([(0, 1)], [(0, 1), (0, 1), (0, 1)], [[0, 1, 2]]),
        ([(0, 3), (3, 4), (4, 6)], [(0, 3), (4, 6)], [[0], [], [1]]),
        ([(0, 3)], [], [[]]),
        ([], [(0, 3)], []),
        ([(3, 3)], [(0, 5)], [[]]),
    ],
)
def test_pieces_of_tokens(tokens, pieces, expected):
    assert align(tokens, pieces) == expected == obvious(tokens, pieces)


def test_tokens_that_the_normaliser_dropped_get_the_piece_before():
    tokens, pieces = [(0, 1), (2, 4), (5, 6), (6, 7)], [(0, 0), (2, 4)]
    assert align(tokens, pieces) == [[], [1], [], []]
    assert align(tokens, pieces, [True, True, True, False]) == [[1], [1], [1], []]
    assert align(tokens, [], [True] * 4) == [[], [], [], []]


def spans_in_order(gaps):
    """Spans that may touch, with characters between and lengths as drawn."""
    spans, position = [], 0
    for gap, length in gaps:
        spans.append((position + gap, position + gap + length))
        position += gap + length
    return spans


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), max_size=12),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4)), max_size=12),
)
@settings(deadline=None)
def test_equals_the_obvious_alignment(token_gaps, piece_gaps):
    tokens, pieces = spans_in_order(token_gaps), spans_in_order(piece_gaps)
    assert align(tokens, pieces) == obvious(tokens, pieces)


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


@pytest.mark.parametrize("text", [toy_text(4), *HARD_TEXTS[:-1]], ids=lambda text: repr(text[:20]))
@pytest.mark.parametrize("map_whitespace", [False, True])
def test_every_visible_token_of_spacy_has_pieces_that_cover_it(nlp, vocab_file, text, map_whitespace):
    tokenizer = BigBirdTokenizer(vocab_file, map_whitespace=map_whitespace)
    doc = nlp(text)
    tokens = [(token.idx, token.idx + len(token)) for token in doc]
    (pieces,) = tokenizer.text_pieces([text])
    rows = align(tokens, pieces.offsets, [not token.is_space for token in doc])
    for token, numbers in zip(doc, rows, strict=True):
        assert numbers or token.is_space or not len(pieces)
        if not token.is_space and "\u2581" not in text:
            assert pieces.offsets[numbers[0], 0] <= token.idx
            assert pieces.offsets[numbers[-1], 1] >= token.idx + len(token)


def test_a_million_characters():
    starts = np.arange(0, 1_000_000, 5)
    offsets = np.stack([np.arange(0, 1_000_000, 2), np.arange(2, 1_000_002, 2)], axis=1)
    numbers, lengths = align_pieces(starts, starts + 4, offsets)
    assert set(lengths.tolist()) == {2, 3}
    assert numbers[:5].tolist() == [0, 1, 2, 3, 4]
    assert (numbers[1:] - numbers[:-1]).min() >= 0 and numbers[-1] == 499_999
