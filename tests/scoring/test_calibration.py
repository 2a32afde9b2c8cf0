"""Calibration error, temperature and thresholds against what can be worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bigbird.scoring.calibration import (
    best_threshold,
    expected_calibration_error,
    fit_temperature,
    log_loss,
    reliability_table,
)


def test_calibration_error_by_hand():
    probabilities, is_right = [0.95, 0.91, 0.93, 0.55, 0.51, 1.0], [True, True, False, True, False, True]
    table = reliability_table(probabilities, is_right)
    assert [(row["low"], row["count"]) for row in table] == [(0.5, 2), (0.9, 4)]
    assert table[1]["probability"] == pytest.approx(0.9475) and table[1]["accuracy"] == 0.75
    expected = (2 * abs(0.53 - 0.5) + 4 * abs(0.9475 - 0.75)) / 6
    assert expected_calibration_error(probabilities, is_right) == pytest.approx(expected)


def test_without_predictions_there_is_no_error_to_state():
    assert expected_calibration_error([], []) is None
    assert reliability_table([], []) == []


@pytest.mark.parametrize("true_temperature", [0.3, 1.0, 2.5, 8.0])
def test_the_temperature_that_distorted_probabilities_is_found(true_temperature):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=20_000) * 2
    is_right = rng.random(len(logits)) < 1 / (1 + np.exp(-logits))
    distorted = logits * true_temperature

    def probabilities(temperature):
        return 1 / (1 + np.exp(-distorted / temperature))

    found = fit_temperature(lambda t: log_loss(probabilities(t), is_right))
    assert found == pytest.approx(true_temperature, rel=0.06)
    before, after = (expected_calibration_error(probabilities(t), is_right) for t in (1.0, found))
    assert after <= before + 1e-9 and after < 0.02


def test_temperature_one_stays_where_nothing_is_better():
    assert fit_temperature(lambda t: 0.0 if t == 1.0 else 1.0) == 1.0


def test_certain_and_wrong_costs_much_but_not_infinity():
    assert 20 < log_loss([1.0], [False]) < 30


def test_threshold_by_hand():
    assert best_threshold([0.9, 0.8, 0.3, 0.1], [True, True, False, False]) == pytest.approx(0.55)
    assert best_threshold([0.2, 0.1], [True, True]) == pytest.approx(0.05)
    assert best_threshold([0.5, 0.5], [True, False]) == pytest.approx(0.25)
    assert best_threshold([0.9], [False]) == 0.5 and best_threshold([], []) == 0.5


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=1, max_size=15))
def test_no_threshold_has_a_better_f1(pairs):
    scores, gold = [score / 10 for score, _ in pairs], [positive for _, positive in pairs]

    def f1(threshold):
        hits = sum(p for s, p in zip(scores, gold, strict=True) if s >= threshold)
        return 2 * hits / (sum(s >= threshold for s in scores) + sum(gold)) if hits else 0.0

    best = f1(best_threshold(scores, gold))
    assert best == pytest.approx(max(f1(t) for t in [*scores, 0.0, 1.1])) or not any(gold)
