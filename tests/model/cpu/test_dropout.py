"""Dropout of hidden states: what is kept, how it is scaled, and its gradient."""

import pytest
import torch

from spacy_bigbird.model.cpu.dropout import Dropout
from spacy_bigbird.model.cpu.dropout_mask import draw_kept


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("dropout", [0.001, 0.1, 0.5, 0.9])
def test_the_share_that_is_kept_is_the_wanted_one(dropout):
    count = 1_000_003
    kept, _ = draw_kept((count,), dropout)
    # Five standard errors.
    assert abs(kept.double().mean().item() - (1 - dropout)) < 5 * (dropout * (1 - dropout) / count) ** 0.5


def test_entries_are_independent_of_each_other():
    dropout, count = 0.3, 1_000_000
    kept = draw_kept((count,), dropout)[0].double()
    # Four entries share a draw: all distances within two draws.
    for distance in range(1, 8):
        both = (kept[distance:] * kept[:-distance]).mean().item()
        assert abs(both - (1 - dropout) ** 2) < 5 * (0.25 / count) ** 0.5 * 2, distance


@pytest.mark.parametrize("dropout", [0.0, 1e-9, 0.1, 1 - 1e-9])
def test_the_factor_keeps_the_expected_value_of_the_rounded_probability(dropout):
    kept, factor = draw_kept((2**16,), dropout)
    assert kept.shape == (2**16,) and kept.dtype == torch.bool
    dropped = min(round(dropout * 2**16), 2**16 - 1) / 2**16
    assert factor * (1 - dropped) == pytest.approx(1, rel=1e-12)
    assert kept.all() or dropped > 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_what_is_kept_is_scaled_and_so_is_its_gradient(dtype):
    x = (torch.rand(7, 5, 3) + 1).to(dtype).requires_grad_()
    output = Dropout(0.4)(x)
    kept = output != 0
    assert 0 < kept.sum() < kept.numel() and output.dtype == dtype
    _, factor = draw_kept((1,), 0.4)
    assert torch.equal(output, torch.where(kept, x * factor, torch.zeros_like(x)))
    (gradient,) = torch.autograd.grad(output, x, torch.ones_like(x))
    assert torch.equal(gradient, kept.to(dtype) * factor)


def test_the_seed_decides():
    x, layer = torch.ones(100, 10), Dropout(0.5)
    torch.manual_seed(3)
    first, second = layer(x), layer(x)
    torch.manual_seed(3)
    assert torch.equal(layer(x), first) and not torch.equal(first, second)


def test_in_eval_mode_and_with_probability_zero_nothing_changes():
    x = torch.randn(4, 4)
    assert torch.equal(Dropout(0.5).eval()(x), x) and torch.equal(Dropout(0.0)(x), x)


def test_no_rows():
    assert Dropout(0.5)(torch.empty(0, 8)).shape == (0, 8)


def test_second_derivatives_are_refused():
    x = torch.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="BB108"):
        torch.autograd.grad(Dropout(0.5)(x).sum(), x, create_graph=True)
