"""Parts of rows: nothing lost, and few different sizes whatever the number of rows."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_bigbird.model.cpu.feed_forward import FeedForward
from spacy_bigbird.model.cpu.rows import LARGEST_PART, STEP, USUAL_PART, map_rows, split_rows
from spacy_bigbird.plan.config import BigBirdConfig

LARGEST = st.sampled_from([LARGEST_PART, USUAL_PART])


@given(st.integers(0, 3 * LARGEST_PART), LARGEST)
def test_parts_hold_all_rows_and_few_zeros_behind(count, largest):
    rows = torch.arange(2 * count).view(count, 2)
    joined = torch.cat(split_rows(rows, largest))
    assert torch.equal(joined[:count], rows)
    assert len(joined) - count < STEP
    assert (joined[count:] == 0).all()


@given(st.integers(0, 3 * LARGEST_PART), LARGEST)
def test_a_function_of_parts_is_the_function_of_all_rows(count, largest):
    numbers, more = torch.arange(count)[:, None], torch.arange(2 * count).view(count, 2)
    sums = map_rows(lambda a, b: (a + b).double(), numbers, more, width=2, dtype=torch.float64, largest=largest)
    assert torch.equal(sums, (numbers + more).double())


def test_the_type_of_the_result_does_not_depend_on_the_number_of_parts():
    for count in (1, USUAL_PART, 3 * USUAL_PART):
        rows = torch.ones(count, 1)
        half = map_rows(lambda part: 2 * part, rows, width=1, dtype=torch.bfloat16, largest=USUAL_PART)
        assert half.dtype == torch.bfloat16 and torch.equal(half.float(), 2 * rows)


def test_sizes_come_from_a_short_list():
    sizes = {len(part) for count in range(1, 2 * LARGEST_PART, 7) for part in split_rows(torch.empty(count, 1))}
    assert sizes <= {LARGEST_PART, *range(STEP, USUAL_PART + 1, STEP)}


@pytest.mark.parametrize("activation", ["gelu_new", "gelu", "relu", "selu"])
@pytest.mark.parametrize("count", [1, 40, 1030, 2050])
def test_feed_forward_equals_its_layers_in_both_passes(activation, count):
    torch.manual_seed(0)
    config = BigBirdConfig(
        hidden_size=8, num_attention_heads=2, intermediate_size=16, hidden_act=activation, hidden_dropout_prob=0.0
    )
    layer = FeedForward(config).double()
    x = torch.randn(count, 8, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(count, 8, dtype=torch.float64)
    plain = layer.output(layer.intermediate(x, activation))
    inputs = [x, *layer.parameters()]
    expected = torch.autograd.grad((plain * weights).sum(), inputs)
    output = layer(x)
    torch.testing.assert_close(output, plain)
    torch.testing.assert_close(torch.autograd.grad((output * weights).sum(), inputs), expected)
    with torch.no_grad():
        torch.testing.assert_close(layer.eval()(x), plain)
