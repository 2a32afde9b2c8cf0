"""Attention to a part of the keys, completed by the rest, is attention to all of them."""

import pytest
import torch

from spacy_bigbird.model.attention import partial
from spacy_bigbird.model.attention.api import attend
from spacy_bigbird.plan.attention import AttentionPlan
from spacy_bigbird.plan.config import BigBirdConfig
from spacy_bigbird.plan.packing import plan_packing

CONFIG = BigBirdConfig(
    vocab_size=10, hidden_size=16, num_attention_heads=2, block_size=4, num_random_blocks=1, full_attention_up_to=12
)


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).requires_grad_()


@pytest.fixture(params=[10**6, 40])
def scores_at_once(request, monkeypatch):
    monkeypatch.setattr(partial, "SCORES_AT_ONCE", request.param)


@pytest.mark.usefixtures("scores_at_once")
@pytest.mark.parametrize("first", [1, 5, 8])
def test_two_parts_are_the_whole(first):
    query, key, value = drawn(3, 2, 9, 4)
    # Scores far from zero, in one part only: neither exponential may overflow.
    key.data[:, :first] *= 100
    left, right = (
        partial.attend_to(query, key[:, part], value[:, part]) for part in (slice(first), slice(first, None))
    )
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    for one, other in ((left, right), (right, left)):
        torch.testing.assert_close(one.join(other), expected, atol=1e-5, rtol=1e-5)
    ours, theirs = (
        torch.autograd.grad(output.sin().sum(), (query, key, value)) for output in (left.join(right), expected)
    )
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-3)


@pytest.mark.usefixtures("scores_at_once")
@pytest.mark.parametrize("lengths", [[7], [41], [12, 30, 1, 50]])
def test_what_a_plan_allows_equals_the_engines(lengths):
    packing = plan_packing(lengths, CONFIG)
    plan = AttentionPlan(CONFIG, 1, packing)
    rows = torch.from_numpy(packing.piece_rows)
    projections = drawn(sum(packing.row_counts), 48)
    own = partial.attend_to_own(projections, plan)
    expected = attend(projections, plan, "reference")
    output = own.output.transpose(0, 1).flatten(1)
    torch.testing.assert_close(output[rows], expected[rows], atol=1e-5, rtol=1e-5)
    ours, theirs = (torch.autograd.grad(o[rows].sin().sum(), projections)[0] for o in (output, expected))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_half_precision_is_weighed_in_full():
    query, key, value = drawn(3, 2, 9, 4).bfloat16()
    part = partial.attend_to(query, key, value)
    expected = partial.attend_to(query.float(), key.float(), value.float())
    assert part.output.dtype == part.weight.dtype == torch.float32
    torch.testing.assert_close(part.weight, expected.weight, atol=0.05, rtol=0.02)
    torch.testing.assert_close(part.output, expected.output, atol=0.02, rtol=0.02)


def test_dropout_is_of_probabilities_and_leaves_the_weight():
    torch.manual_seed(0)
    query, key, value = drawn(3, 2, 400, 4).detach()
    part, with_dropout = (partial.attend_to(query, key, value, dropout) for dropout in (0.0, 0.5))
    assert torch.equal(part.weight, with_dropout.weight)
    assert not torch.allclose(part.output, with_dropout.output, atol=0.01)
    torch.testing.assert_close(with_dropout.output.mean(), part.output.mean(), atol=0.01, rtol=0.0)
