"""Scores and their intervals."""

import numpy as np
import pytest

from spacy_bigbird.bakeoff import statistics


def test_scores_are_what_their_formulas_say():
    assert statistics.f_score(np.array([2, 1, 3])) == pytest.approx(0.5)
    assert statistics.precision(np.array([2, 1, 3])) == pytest.approx(2 / 3)
    assert statistics.recall(np.array([2, 1, 3])) == pytest.approx(0.4)
    assert statistics.f_score(np.zeros(3)) == 0.0 and statistics.mean(np.zeros(2)) == 0.0
    # The third label does not occur.
    assert statistics.macro_f(np.array([1, 0, 0, 0, 1, 1, 0, 0, 0])) == pytest.approx(0.5)
    assert statistics.mean(np.array([[3, 4], [1, 4]])).tolist() == [0.75, 0.25]


def test_an_interval_is_that_of_the_mean_of_many_documents():
    """Of 400 documents of which half are right, the standard error is 0.025."""
    counts = np.array([[i % 2, 1] for i in range(400)])
    found = statistics.interval(counts, statistics.mean, resamples=4000)
    assert found["score"] == 0.5
    assert found["low"] == pytest.approx(0.5 - 1.96 * 0.025, abs=0.006)
    assert found["high"] == pytest.approx(0.5 + 1.96 * 0.025, abs=0.006)
    assert found == statistics.interval(counts, statistics.mean, resamples=4000)
    assert statistics.interval(counts[:1], statistics.mean) == {"score": 0.0, "low": 0.0, "high": 0.0}


def test_a_difference_is_taken_document_by_document():
    """Where every document is better by the same, there is no doubt, however different the documents are."""
    other = np.array([[number, 10] for number in range(5)])
    one = other + np.array([2, 0])
    found = statistics.difference(one, other, statistics.mean)
    assert found == {"score": 0.2, "low": 0.2, "high": 0.2}


def test_groups_by_length_and_position():
    counts = np.array([[1, 1], [0, 1], [1, 1], [1, 1], [0, 1], [0, 1], [1, 1], [0, 1]])
    groups = statistics.by_length(counts, [80, 10, 70, 60, 20, 30, 50, 40], statistics.mean)
    assert [(g["shortest"], g["longest"], g["score"]) for g in groups] == [
        (10, 20, 0.0),
        (30, 40, 0.0),
        (50, 60, 1.0),
        (70, 80, 1.0),
    ]
    parts = statistics.by_position(np.array([[[1, 1], [0, 1]], [[1, 1], [1, 1]]]), statistics.mean)
    assert [(p["start"], p["end"], p["score"]) for p in parts] == [(0.0, 0.5, 1.0), (0.5, 1.0, 0.5)]
