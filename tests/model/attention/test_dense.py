"""Dense attention: equal to its definition at every length, with and without gradients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_bigbird.model.attention.dense import LONGEST_FOR_PRODUCTS, dense_attention


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
