"""Dense attention: equal to its definition at every length, with and without gradients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_bigbird.model.cpu.dense import LONGEST_FOR_PRODUCTS, dense_attention


def by_definition(query_key_value, num_heads):
    length = len(query_key_value)
    query, key, value = query_key_value.double().view(length, 3, num_heads, -1).permute(1, 2, 0, 3)
    scores = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5
    return (scores.softmax(-1) @ value).transpose(0, 1).flatten(1)


@given(st.integers(1, 300), st.sampled_from([1, 2, 5]), st.sampled_from([4, 7]))
def test_it_equals_its_definition_at_any_length(length, num_heads, head_size):
    rows = torch.randn(length, 3 * num_heads * head_size, generator=torch.Generator().manual_seed(length))
    torch.testing.assert_close(
        dense_attention(rows, num_heads), by_definition(rows, num_heads).float(), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("length", [LONGEST_FOR_PRODUCTS - 1, LONGEST_FOR_PRODUCTS, LONGEST_FOR_PRODUCTS + 1])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_both_ways_agree_where_they_meet(length, dtype, tolerance):
    rows = torch.randn(length, 3 * 2 * 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    expected = by_definition(rows, 2)
    torch.testing.assert_close(dense_attention(rows, 2).double(), expected, atol=tolerance, rtol=tolerance)
    with_gradient = dense_attention(rows.requires_grad_(), 2)
    torch.testing.assert_close(with_gradient.double(), expected, atol=tolerance, rtol=tolerance)


def test_large_scores_of_a_short_sequence_after_a_long_one():
    # What the workspace still holds of the longer sequence must not show.
    long = torch.full((300, 3 * 8), 1e4)
    dense_attention(long, 1)
    short = torch.randn(37, 3 * 8, generator=torch.Generator().manual_seed(0)) * 30
    torch.testing.assert_close(dense_attention(short, 1), by_definition(short, 1).float(), atol=1e-4, rtol=1e-4)


@given(st.integers(1, 200), st.sampled_from([1, 3]), st.sampled_from([4, 7]))
def test_gradients_equal_those_of_its_definition_at_any_length(length, num_heads, head_size):
    generator = torch.Generator().manual_seed(length)
    rows = torch.randn(length, 3 * num_heads * head_size, generator=generator, requires_grad=True)
    weights = torch.randn(length, num_heads * head_size, generator=generator)
    (gradient,) = torch.autograd.grad((dense_attention(rows, num_heads) * weights).sum(), rows)
    (expected,) = torch.autograd.grad((by_definition(rows, num_heads) * weights).sum(), rows)
    torch.testing.assert_close(gradient, expected.float(), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_gradients_are_those_of_finite_differences(dropout):
    rows = torch.randn(9, 3 * 2 * 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def attend(rows):
        torch.manual_seed(1)
        return dense_attention(rows, 2, dropout)

    with torch.random.fork_rng(devices=[]):
        assert torch.autograd.gradcheck(attend, rows.requires_grad_())


def test_gradients_in_half_precision_stay_near_those_in_double():
    rows = torch.randn(130, 3 * 2 * 32, generator=torch.Generator().manual_seed(0)).bfloat16().requires_grad_()
    (gradient,) = torch.autograd.grad(dense_attention(rows, 2).square().sum(), rows)
    (expected,) = torch.autograd.grad(by_definition(rows, 2).square().sum(), rows)
    assert (gradient.double() - expected).norm() < 0.02 * expected.norm()


def test_dropout_leaves_its_share_and_the_mean():
    # All probabilities are equal and the value of piece j is the j-th unit vector: the output is what dropout left.
    length, dropout = 256, 0.25
    rows = torch.zeros(length, 3 * length)
    rows[:, 2 * length :] = torch.eye(length)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        read = dense_attention(rows, 1, dropout) * length
    values = read.unique()
    torch.testing.assert_close(values, torch.tensor([0.0, 1 / (1 - dropout)]))
    # Five standard errors of a share of length squared draws.
    assert abs((read == 0).float().mean().item() - dropout) < 5 * (dropout * (1 - dropout)) ** 0.5 / length
