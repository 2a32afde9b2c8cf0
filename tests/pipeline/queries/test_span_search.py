"""The search for answers against an enumeration of every pair, and its rules one by one."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bigbird.pipeline.queries.span_search import AnswerPositions, WindowLogits, choose, search_spans


def one_piece_per_token(count):
    """Pieces of four characters with a space after each, one per token."""
    numbers = np.arange(count)
    return AnswerPositions(numbers * 5, numbers * 5 + 4, numbers, numbers)


def window(start, end, null=0.0, first_piece=0):
    return WindowLogits(np.asarray(start, "f"), np.asarray(end, "f"), null, first_piece)


def every_pair(windows, positions, max_answer_length):
    """Best raw score of each stretch of text, by trying all pairs of all windows."""
    best = {}
    for w in windows:
        for b in range(len(w.start)):
            for e in range(b, len(w.end)):
                i, j = b + w.first_piece, e + w.first_piece
                first, last = positions.first_token[i], positions.last_token[j]
                is_space = positions.last_token[i] < first or last < positions.first_token[j]
                if is_space or last - first + 1 > max_answer_length:
                    continue
                key = (int(positions.start_char[i]), int(positions.end_char[j]))
                best[key] = max(best.get(key, -math.inf), float(w.start[b] + w.end[e]))
    return best


@st.composite
def searches(draw):
    count = draw(st.integers(1, 14))
    length = draw(st.integers(1, count))
    step = draw(st.integers(1, length))
    # Several pieces may share a token; a piece that is white space bounds nothing.
    tokens = np.cumsum([draw(st.integers(0, 1)) for _ in range(count)])
    space = np.asarray([draw(st.booleans()) and draw(st.booleans()) for _ in range(count)])
    last = np.where(space, tokens - 1, tokens)
    positions = AnswerPositions(tokens * 5, tokens * 5 + 4, tokens, last)
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    windows = []
    for first in range(0, max(1, count - length + 1), step):
        size = min(length, count - first)
        windows.append(window(rng.normal(size=size), rng.normal(size=size), float(rng.normal()), first))
    return windows, positions, draw(st.integers(1, 5))


@settings(deadline=None, max_examples=50)
@given(searches())
def test_equals_the_enumeration_of_all_pairs(search):
    windows, positions, longest = search
    expected = every_pair(windows, positions, longest)
    found = search_spans(windows, positions, n_best=200, max_answer_length=longest)
    answers = {(c.start_char, c.end_char): c.logit for c in found if not c.is_null}
    assert answers == pytest.approx(expected)
    assert len(answers) + 1 == len(found)
    assert [c.logit for c in found] == sorted((c.logit for c in found), reverse=True)
    assert [c.logit for c in found if c.is_null] == [min(w.null for w in windows)]
    weights = [math.exp(c.logit) for c in found]
    assert [c.score for c in found] == pytest.approx([w / sum(weights) for w in weights])


@settings(deadline=None, max_examples=25)
@given(searches(), st.integers(1, 4))
def test_only_the_best_beginnings_and_ends_are_tried(search, n_best):
    windows, positions, longest = search
    found = search_spans(windows, positions, n_best=n_best, max_answer_length=longest)
    everything = every_pair(windows, positions, longest)
    answers = [(c.start_char, c.end_char) for c in found if not c.is_null]
    assert len(answers) == len(set(answers)) <= n_best
    assert set(answers) <= set(everything)
    assert bool(answers) == bool(everything), "an answer is found whenever one is allowed"
    assert sum(c.is_null for c in found) == 1


def test_scores_of_windows_are_compared_raw():
    windows = [window([0, 9, 0], [0, 9, 0], null=30.0), window([0, 0, 5], [0, 0, 5], null=-1.0, first_piece=2)]
    found = search_spans(windows, one_piece_per_token(5), max_answer_length=1)
    assert (found[0].start_char, found[0].end_char, found[0].logit) == (5, 9, 18.0)
    assert (found[1].start_char, found[1].end_char, found[1].logit) == (20, 24, 10.0)
    assert next(c.logit for c in found if c.is_null) == -1.0, "all windows must agree that there is no answer"


def test_a_stretch_in_two_windows_is_one_answer_with_its_best_score():
    windows = [window([0, 1], [0, 1]), window([4, 0], [4, 0], first_piece=1)]
    found = search_spans(windows, one_piece_per_token(3), max_answer_length=1)
    assert [(c.start_char, c.logit) for c in found if not c.is_null] == [(5, 8.0), (0, 0.0), (10, 0.0)]


def test_a_second_mention_stays_unless_answers_are_grouped_by_text():
    text = "Rome lies near ROME"
    positions = AnswerPositions(np.array([0, 5, 10, 15]), np.array([4, 9, 14, 19]), np.arange(4), np.arange(4))
    windows = [window([5, 0, 0, 6], [5, 0, 0, 6])]
    found = search_spans(windows, positions, max_answer_length=1)
    assert [text[c.start_char : c.end_char] for c in found[:2]] == ["ROME", "Rome"]
    grouped = search_spans(windows, positions, max_answer_length=1, group_key=lambda s, e: text[s:e].lower())
    assert [text[c.start_char : c.end_char] for c in grouped if not c.is_null] == ["ROME", "lies", "near"]


def test_the_threshold_decides_between_the_best_answer_and_none():
    found = search_spans([window([1, 0], [1, 0], null=5.0)], one_piece_per_token(2))
    assert choose(found).is_null
    assert choose(found, null_threshold=2.9).is_null
    assert not choose(found, null_threshold=3.0).is_null
    assert choose(found, null_threshold=math.inf).logit == 2.0


def test_without_pieces_there_is_only_no_answer():
    found = search_spans([window([], [], null=-3.0)], one_piece_per_token(0))
    assert found == [(0, 0, -3.0, 1.0)]
    assert choose(found, null_threshold=math.inf).is_null


def test_huge_and_infinite_logits_give_finite_probabilities():
    found = search_spans([window([3e38, -np.inf], [0, 0], null=-1e30)], one_piece_per_token(2), max_answer_length=1)
    assert [c.score for c in found] == [1.0, 0.0]
