"""Losses of text labels against PyTorch's, weights of classes and scores of numbers against scipy's."""

import numpy as np
import pytest
import scipy.stats
import spacy
import torch
from spacy.scorer import Scorer
from spacy.training import Example

from spacy_bigbird.pipeline.textcat.evidence import evidence
from spacy_bigbird.pipeline.textcat.loss import (
    check_class_weights,
    class_weights,
    exclusive_loss,
    gold_values,
    independent_loss,
    number_scales,
    squared_loss,
)
from spacy_bigbird.scoring.categories import (
    mean_ranks,
    move_threshold,
    r_squared,
    regression_scores,
    spearman,
    textcat_score,
)

NLP = spacy.blank("en")
RNG = np.random.default_rng(0)
ONES = np.ones((2, 3))


def examples(*cats):
    return [Example.from_dict(NLP.make_doc("a"), {"cats": c}) for c in cats]


def torch_gradient(loss, logits):
    inputs = torch.tensor(logits, requires_grad=True)
    value = loss(inputs)
    value.backward()
    return value.item(), inputs.grad.numpy()


def test_exclusive_loss_equals_pytorch():
    logits, gold = RNG.normal(size=(4, 3)), np.asarray([0, 2, 1, 2])
    weights = np.stack([np.asarray([1.0, 2.0, 0.5]), np.ones(3)])
    values = np.eye(3)[gold]
    weighted = torch.tensor(weights[0])
    expected, gradient = torch_gradient(
        lambda x: torch.nn.functional.cross_entropy(x, torch.tensor(gold), weighted, reduction="sum") / 4, logits
    )
    loss, found = exclusive_loss(logits, values, np.ones_like(values, dtype=bool), weights)
    assert loss == pytest.approx(expected)
    np.testing.assert_allclose(found, gradient, atol=1e-9)


@pytest.mark.parametrize("loss_name", ["independent", "squared"])
def test_losses_of_each_label_equal_pytorch(loss_name):
    logits, values = 5 * RNG.normal(size=(4, 3)), (RNG.random((4, 3)) < 0.5).astype(float)
    counts = RNG.random((4, 3)) < 0.7
    name = {"independent": "binary_cross_entropy_with_logits", "squared": "mse_loss"}[loss_name]
    function = getattr(torch.nn.functional, name)
    mask = torch.tensor(counts)
    expected, gradient = torch_gradient(lambda x: function(x[mask], torch.tensor(values)[mask]), logits)
    loss, found = {"independent": independent_loss, "squared": squared_loss}[loss_name](logits, values, counts, ONES)
    assert loss == pytest.approx(expected)
    np.testing.assert_allclose(found, gradient, atol=1e-9)


def test_gold_values_and_what_counts():
    given = examples({"A": 1.0}, {"A": 0.0, "B": 0.0}, {}, {"B": 1.0, "X": 1.0})
    values, counts = gold_values(given, ["A", "B"], missing_is_zero=False)
    assert counts.tolist() == [[True, False], [True, True], [False, False], [False, True]]
    assert values.tolist() == [[1, 0], [0, 0], [0, 0], [0, 1]]
    _, counts = gold_values(given, ["A", "B"], missing_is_zero=True)
    assert counts.tolist() == [[True, True], [False, False], [False, False], [True, True]]


def test_balanced_weights_by_hand():
    given = examples(*[{"A": 1.0, "B": 0.0}] * 3, {"A": 0.0, "B": 1.0})
    assert class_weights("balanced", given, ["A", "B"], exclusive=True) == {"A": [4 / 2 / 3, 1.0], "B": [2.0, 1.0]}
    weights = class_weights("balanced", given, ["A", "B"], exclusive=False)
    assert weights == {"A": [2 / 3, 2.0], "B": [2.0, 2 / 3]}
    assert class_weights({"A": 3}, given, ["A", "B"], True) == {"A": [3.0, 1.0]}
    assert class_weights(None, given, ["A", "B"], True) == {}


def test_scales_of_numbers():
    scales = number_scales(examples({"x": 1.0}, {"x": 5.0}, {"y": 2.0}), ["x", "y", "z"])
    assert scales == {"x": [3.0, 2.0], "y": [2.0, 1.0]}


def test_scores_of_numbers_equal_scipy():
    predicted, gold = RNG.normal(size=50).round(1), RNG.normal(size=50).round(1)
    assert spearman(predicted, gold) == pytest.approx(scipy.stats.spearmanr(predicted, gold).statistic)
    np.testing.assert_allclose(mean_ranks(gold), scipy.stats.rankdata(gold))
    assert r_squared(gold, gold) == 1.0
    assert r_squared(np.full(50, gold.mean()), gold) == pytest.approx(0.0)
    assert spearman(np.ones(3), np.arange(3.0)) is None and r_squared(np.ones(3), np.ones(3)) is None


def test_regression_scores_skip_what_has_no_gold():
    given = examples({"x": 1.0}, {"x": 3.0}, {"y": 1.0}, {})
    for example, value in zip(given, (2.0, 3.0, 9.0, 9.0), strict=True):
        example.predicted.cats = {"x": value}
    scores = regression_scores(given, ["x", "y"])
    assert scores["cats_mae"] == 0.5 and scores["cats_r2"] == scores["cats_score"] == 0.5
    assert scores["cats_spearman"] == pytest.approx(1.0) and list(scores["cats_regression_per_type"]) == ["x"]
    assert regression_scores([], ["x"])["cats_score"] is None


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 1.0])
def test_moving_a_threshold_keeps_order_and_decision(threshold):
    scores = np.linspace(0, 1, 101)
    moved = [move_threshold(score, threshold) for score in scores]
    assert moved == sorted(moved) and moved[0] >= 0.0 and moved[-1] == 1.0
    # A score of 0 stays 0, also with a threshold of 0: gold labels are moved too, and a false one must not become true.
    assert [value >= 0.5 for value in moved] == [score >= threshold and score > 0 for score in scores]


def test_the_fewest_stretches_that_make_up_a_share():
    contribution = np.asarray([0.1, -5.0, 0.6, 0.3])
    assert evidence(contribution, 0.5) == [(2, pytest.approx(0.6))]
    assert evidence(contribution, 0.7) == [(2, pytest.approx(0.6)), (3, pytest.approx(0.3))]
    assert [i for i, _ in evidence(contribution, 1.0)] == [0, 2, 3]
    assert evidence(np.asarray([-1.0, 0.0]), 0.5) == [] and evidence(np.zeros(0), 0.5) == []


def random_examples(seed, exclusive):
    rng = np.random.default_rng(seed)
    labels = ["A", "B", "C"]
    given = []
    for _ in range(30):
        if exclusive:
            gold = dict(zip(labels, np.eye(3)[rng.integers(3)].tolist(), strict=True))
        else:
            gold = {label: float(rng.random() < 0.5) for label in labels if rng.random() < 0.8}
        [example] = examples(gold)
        example.predicted.cats = dict(zip(labels, rng.random(3).round(2).tolist(), strict=True))
        given.append(example)
    return given, labels


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("exclusive", [True, False])
def test_scores_equal_spacys(exclusive, threshold):
    given, labels = random_examples(int(10 * threshold), exclusive)
    objective = "exclusive" if exclusive else "multilabel"
    ours = textcat_score(given, labels=labels, objective=objective, threshold=threshold)
    theirs = Scorer.score_cats(given, "cats", labels=labels, multi_label=not exclusive, threshold=threshold)
    assert set(ours) == set(theirs) and 0 < ours["cats_macro_f"] < 1
    for key, value in theirs.items():
        assert ours[key] == (pytest.approx(value) if isinstance(value, float) else value), key


def test_each_label_is_scored_at_its_own_threshold():
    given, labels = random_examples(1, exclusive=False)
    thresholds = {"A": 0.2, "C": 0.9}
    ours = textcat_score(given, labels=labels, objective="multilabel", threshold=0.4, thresholds=thresholds)
    for label in labels:
        threshold = thresholds.get(label, 0.4)
        alone = Scorer.score_cats(given, "cats", labels=[label], multi_label=True, threshold=threshold)
        assert ours["cats_f_per_type"][label] == pytest.approx(alone["cats_f_per_type"][label])


def test_weights_of_labels_that_are_not_there_are_named():
    check_class_weights("textcat", {"SHORT": 2.0}, ["SHORT", "LONG"])
    with pytest.raises(ValueError, match=r"BB662.*'textcat'.*SHRT.*only SHORT, LONG. Did you mean 'SHORT' for 'SHRT'"):
        check_class_weights("textcat", {"SHRT": 2.0}, ["SHORT", "LONG"])
