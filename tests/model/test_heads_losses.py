"""What a loss counts, and what it does not."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bigbird.model import BigBirdConfig
from spacy_bigbird.model.heads.losses import cross_entropy, sequence_loss, span_loss
from spacy_bigbird.model.heads.pieces import on_pieces, without_padding


def single(**changes):
    return BigBirdConfig(**{"num_labels": 3, **changes})


@settings(max_examples=30, deadline=None)
@given(labels=st.lists(st.sampled_from([-100, 0, 1, 2]), min_size=1, max_size=9), seed=st.integers(0, 99))
def test_cross_entropy_is_the_mean_over_labels_that_count(labels, seed):
    logits = torch.randn(len(labels), 3, generator=torch.Generator().manual_seed(seed), requires_grad=True)
    losses = [-logits[row].log_softmax(-1)[label] for row, label in enumerate(labels) if label != -100]
    loss = cross_entropy(logits, torch.tensor(labels))
    expected = torch.stack(losses).mean() if losses else torch.tensor(0.0)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    for row, label in enumerate(labels):
        assert (logits.grad[row].abs().sum() > 0) == (label != -100)
    assert logits.grad.isfinite().all()


def test_losses_of_half_floats_are_computed_in_full():
    logits = torch.tensor([[4.0, 1.0, -2.0]], dtype=torch.bfloat16)
    loss = cross_entropy(logits, torch.tensor([1]))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log(1 + math.exp(3) + math.exp(-3)), abs=1e-5)
    assert cross_entropy(logits.double(), torch.tensor([1])).dtype == torch.float64


@pytest.mark.parametrize("labels", [[3, 0], [-1, 0], [-99, -100]])
def test_labels_that_do_not_exist(labels):
    with pytest.raises(ValueError, match=r"Expected 0 to 2, or -100"):
        cross_entropy(torch.zeros(2, 3), torch.tensor(labels))


def test_labels_of_another_shape():
    with pytest.raises(ValueError, match=r"shape \(3,\), expected \(2,\)"):
        cross_entropy(torch.zeros(2, 3), torch.tensor([0, 1, 2]))
    with pytest.raises(ValueError, match=r"shape \(2,\), expected \(2, 3\)"):
        sequence_loss(torch.zeros(2, 3), torch.zeros(2), single())


def test_32_bit_labels_count_like_64_bit_ones():
    logits, labels = torch.eye(3), torch.tensor([0, 2, -100])
    assert cross_entropy(logits, labels.int()) == cross_entropy(logits, labels)
    assert sequence_loss(logits, labels.int(), single()) == cross_entropy(logits, labels)


def test_problem_types():
    logits = torch.tensor([[0.5, -1.0, 2.0], [1.0, 0.0, 0.0]])
    numbers, flags = torch.tensor([2, 0]), torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    by_number = -logits.log_softmax(-1)[[0, 1], [2, 0]].mean()
    signs = 2 * flags - 1
    by_flag = -torch.sigmoid(logits * signs).log().mean()
    by_value = ((logits - flags) ** 2).mean()
    for problem_type, labels, expected in [
        (None, numbers, by_number),
        (None, flags, by_flag),
        ("single_label_classification", numbers[:, None], by_number),
        ("multi_label_classification", flags.long(), by_flag),
        ("regression", flags, by_value),
    ]:
        torch.testing.assert_close(sequence_loss(logits, labels, single(problem_type=problem_type)), expected)
    one_label = single(num_labels=1)
    for labels in (torch.tensor([1, 3]), torch.tensor([[1.0], [3.0]])):
        loss = sequence_loss(torch.tensor([[2.0], [1.0]]), labels, one_label)
        assert loss.item() == pytest.approx((1 + 4) / 2)


@pytest.mark.parametrize("problem_type", ["single_label_classification", "multi_label_classification", "regression"])
def test_no_label_left_is_a_loss_of_zero(problem_type):
    logits = torch.randn(2, 3, requires_grad=True)
    labels = torch.full((2,) if problem_type.startswith("single") else (2, 3), -100)
    config = single(problem_type=problem_type)
    if problem_type == "regression":
        # Every value is a value there; only an empty batch has none.
        logits, labels = torch.zeros(0, 3, requires_grad=True), torch.zeros(0, 3)
    loss = sequence_loss(logits, labels, config)
    assert loss == 0
    loss.backward()
    assert (logits.grad == 0).all()


def test_some_flags_may_be_unknown():
    logits = torch.tensor([[0.5, -1.0, 2.0]])
    loss = sequence_loss(logits, torch.tensor([[1.0, -100.0, 0.0]]), single())
    expected = -(torch.sigmoid(logits[0, 0]).log() + torch.sigmoid(-logits[0, 2]).log()) / 2
    torch.testing.assert_close(loss, expected)


def test_spans_outside_of_the_sequence_do_not_count():
    start, end = torch.randn(3, 5, requires_grad=True), torch.randn(3, 5, requires_grad=True)
    allowed = torch.ones(3, 5, dtype=torch.bool)
    allowed[1, 3:] = False
    starts, ends = torch.tensor([1, 3, 5]), torch.tensor([[4], [2], [-100]])
    loss = span_loss(start, end, starts, ends, allowed)
    by_hand = -start.log_softmax(-1)[0, 1] - (end.log_softmax(-1)[0, 4] + end.log_softmax(-1)[1, 2]) / 2
    torch.testing.assert_close(loss, by_hand / 2)
    nothing = span_loss(start, end, torch.full((3,), 5), torch.full((3,), -1), None)
    assert nothing == 0
    nothing.backward()
    assert (start.grad == 0).all()


def test_heads_never_see_padding():
    states = torch.full((2, 3, 4), math.nan)
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]])
    states[mask.bool()] = 1.0
    output = on_pieces(lambda rows: rows.sum(-1, keepdim=True) + 1, states, mask)
    assert output.squeeze(-1).tolist() == [[5, 5, 5], [5, 0, 0]]
    labels = torch.tensor([[1, 2, -100], [1, 2, 0]])
    assert without_padding(labels, mask).tolist() == [[1, 2, -100], [1, -100, -100]]
    assert without_padding(labels, None) is labels
