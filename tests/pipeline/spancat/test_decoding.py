"""Pairing of starts with ends, the choice among overlapping spans, the loss, and what held-out documents decide."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from spacy.training import Example

from spacy_bigbird.pipeline.spancat.decoding import Found, candidates, probabilities, select
from spacy_bigbird.pipeline.spancat.fitting import LOWEST_OF_ALL
from spacy_bigbird.pipeline.spancat.loss import INSIDE_WEIGHT, span_loss, targets
from spacy_bigbird.scoring.calibration import expected_calibration_error, fit_logistic

from ..heads_util import train, with_toy_rows

RNG = np.random.default_rng(0)


def logits(tokens, spans, labels=2, high=5.0):
    scores = np.full((tokens, labels, 3), -7.0)
    for start, end, label in spans:
        scores[start, label, 0] = scores[end - 1, label, 1] = high
        scores[start:end, label, 2] = high
    return scores.reshape(tokens, -1)


def chosen(scores, max_overlap=0.5, longest=512, lowest=0.5, may_be_edge=None):
    listed = candidates(scores, np.ones(len(scores), bool) if may_be_edge is None else may_be_edge, longest)
    values = probabilities([one.features for one in listed], LOWEST_OF_ALL).tolist()
    scored = [Found(*one, value) for one, value in zip(listed, values, strict=True) if value >= lowest]
    return [one[:3] for one in select(scored, max_overlap, longest)]


def test_spans_of_all_lengths_that_overlap_between_labels():
    spans = [(0, 900, 0), (3, 4, 1), (10, 700, 1), (905, 906, 0), (950, 1000, 0)]
    assert chosen(logits(1000, spans), longest=1000) == sorted(spans)
    assert chosen(logits(1000, spans), longest=689) == [(3, 4, 1), (905, 906, 0), (950, 1000, 0)]
    assert chosen(np.zeros((0, 6))) == []


def test_nested_spans_of_one_label_depend_on_the_setting():
    nested = logits(40, [(5, 30, 0), (20, 30, 0)])
    assert chosen(nested, max_overlap=0.5) == [(5, 30, 0), (20, 30, 0)]
    assert len(chosen(nested, max_overlap=0.0)) == 1
    similar = logits(40, [(5, 30, 0), (6, 30, 0)])
    assert len(chosen(similar, max_overlap=0.5)) == 1 and len(chosen(similar, max_overlap=0.97)) == 2


def test_neighbours_with_one_label_stay_apart():
    spans = [(0, 10, 0), (10, 20, 0), (20, 21, 0)]
    scores = logits(21, spans)
    assert set(spans) <= set(chosen(scores, max_overlap=0.99))


def test_white_space_is_no_edge():
    scores = logits(10, [(2, 6, 0)])
    mask = np.ones(10, bool)
    mask[2] = False
    assert chosen(scores, may_be_edge=mask) == []


def test_candidates_grow_linearly_with_the_document():
    scores = RNG.normal(size=(4000, 6))
    short, long = (len(candidates(scores[:n], np.ones(n, bool), 512)) for n in (2000, 4000))
    assert long < 2.2 * short


@pytest.mark.parametrize("positive_weight", [1.0, 3.0])
def test_the_loss_is_torch_s_cross_entropy(positive_weight):
    nlp = with_toy_rows("bigbird_spancat", "mean")
    gold = {"spans": {"sc": [(0, 1, "A"), (0, 5, "B"), (2, 3, "A")]}}
    doc = Example.from_dict(nlp.make_doc("a b c d"), gold).reference
    values = targets(list(doc.spans["sc"]), ["A", "B"], 4)
    assert values[:, 0, 0].tolist() == [1, 1, 0, 0] and values[:, 1, 2].tolist() == [1, 1, 1, 0]
    rows = RNG.normal(size=(4, 6))
    loss, (gradient, nothing) = span_loss([rows, rows], [list(doc.spans["sc"]), None], ["A", "B"], positive_weight)
    inputs = torch.tensor(rows, requires_grad=True)
    expected = F.binary_cross_entropy_with_logits(
        inputs.view(4, 2, 3),
        torch.tensor(values),
        weight=torch.tensor(np.where(values > 0, positive_weight, 1.0) * [1.0, 1.0, INSIDE_WEIGHT]),
        reduction="sum",
    )
    (expected / 4).backward()
    assert loss == pytest.approx(expected.item() / 4) and not nothing.any()
    np.testing.assert_allclose(gradient, inputs.grad.numpy(), atol=1e-12)


def test_logistic_regression_finds_the_true_weights_and_calibrates():
    features, true = RNG.normal(size=(20000, 2)), np.asarray([1.5, -0.5, -1.0])
    right = RNG.random(20000) < 1 / (1 + np.exp(-(features @ true[:2] + true[2])))
    weights = fit_logistic(features, right.tolist(), [0.0, 0.0, 0.0])
    np.testing.assert_allclose(weights, true, atol=0.08)
    assert expected_calibration_error(probabilities(features, weights).tolist(), right.tolist()) < 0.02
    # With few examples, or outcomes that are all alike, the weights stay near those to start with.
    assert fit_logistic(features[:1], [True], [1.0, 2.0, 3.0]) == pytest.approx([1.0, 2.0, 3.0], abs=0.5)
    assert np.isfinite(fit_logistic(features[:50] * 100, [True] * 50, [1.0, 0.0, 0.0])).all()


@pytest.fixture
def noisy():
    """A component that has learned that A's spans are certain, and B's are a matter of luck."""
    nlp = with_toy_rows("bigbird_spancat", "mean", candidates_threshold=0.05)

    def some(count):
        for number in range(count):
            spans = [(0, 5, "A")] + ([(6, 11, "B")] if number % 10 < 3 else [])
            yield Example.from_dict(nlp.make_doc("xx yy zz ww"), {"spans": {"sc": spans}})

    train(nlp, list(some(10)), 30)
    return nlp, list(some(60))


def test_calibration_and_thresholds_on_held_out_documents(noisy):
    nlp, held_out = noisy
    component = nlp.get_pipe("bigbird_spancat")
    component.cfg["weights"] = [0.0, 0.0, 0.0, 1.0, 2.0]
    result = component.calibrate(held_out, nlp=nlp)
    assert result["after"] < 0.05 < result["before"]
    assert component.cfg["weights"] == result["weights"]
    doc = nlp("xx yy zz ww")
    assert [span.label_ for span in doc.spans["sc"]] == ["A"]
    thresholds = component.tune_thresholds(held_out, nlp=nlp)
    # B is always found with the same probability, so that the best threshold is below it.
    assert 0.1 <= thresholds["B"] < 0.3 and thresholds == component.thresholds
    doc = nlp("xx yy zz ww")
    assert [span.label_ for span in doc.spans["sc"]] == ["A", "B"]
    assert doc.spans["sc"].attrs["scores"][1] == pytest.approx(0.3, abs=0.05)
    assert component.tune_thresholds(held_out, nlp=nlp, lowest=0.6) == {
        "A": pytest.approx(max(0.6, thresholds["A"])),
        "B": 0.6,
    }
    with pytest.raises(ValueError, match="BB430"):
        component.calibrate([], nlp=nlp)
