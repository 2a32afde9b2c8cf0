"""The fast linear layer: torch.nn.Linear's results, and packed weights that are never stale."""

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F

from spacy_bigbird.model.activations import ACTIVATIONS
from spacy_bigbird.model.attention.precision import fast_float32_products
from spacy_bigbird.model.layers import linear as linear_module
from spacy_bigbird.model.layers.linear import Linear

needs_packing = pytest.mark.skipif(not linear_module._has_packed_products(), reason="this PyTorch has no oneDNN")


def make_layer(bias=True):
    torch.manual_seed(0)
    layer = Linear(24, 40, bias=bias)
    return layer.eval(), torch.randn(2, 64, 24)


def plain(layer, x, activation=None):
    result = F.linear(x, layer.weight, layer.bias)
    return result if activation is None else ACTIVATIONS[activation](result)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", [None, *ACTIVATIONS])
@pytest.mark.parametrize("rows", [1, 64])
def test_equals_the_plain_layer_without_gradients(bias, activation, rows):
    layer, x = make_layer(bias)
    x = x[:, :rows]
    with torch.no_grad():
        torch.testing.assert_close(layer(x, activation), plain(layer, x, activation), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", [None, *ACTIVATIONS])
def test_equals_the_plain_layer_with_gradients(bias, activation):
    layer, x = make_layer(bias)
    x.requires_grad_(True)
    parameters = [x, *layer.parameters()]
    weights = torch.randn(2, 64, 40)
    ours = torch.autograd.grad((layer(x, activation) * weights).sum(), parameters)
    expected = torch.autograd.grad((plain(layer, x, activation) * weights).sum(), parameters)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


def test_a_frozen_layer_still_passes_gradients_on():
    layer, x = make_layer()
    layer.requires_grad_(False)
    x.requires_grad_(True)
    layer(x).sum().backward()
    torch.testing.assert_close(x.grad, layer.weight.sum(0).expand_as(x), rtol=1e-5, atol=1e-5)
    assert layer.weight.grad is None


@needs_packing
def test_a_change_of_weights_shows_in_the_next_output():
    layer, x = make_layer()

    def check():
        with torch.no_grad():
            torch.testing.assert_close(layer(x), plain(layer, x), rtol=1e-5, atol=1e-5)
        assert layer._packed is not None

    check()
    with torch.no_grad():
        layer.weight.add_(1.0)
    check()
    with torch.no_grad():
        layer.bias.mul_(3.0)
    check()
    layer.load_state_dict({"weight": torch.ones(40, 24), "bias": torch.ones(40)})
    assert layer._packed is None
    check()
    layer.weight = torch.nn.Parameter(torch.zeros(40, 24))
    check()
    # A write that leaves no trace, as optimizers outside of PyTorch do it between train() and eval().
    layer.train()
    layer.weight.detach().numpy()[:] = 7.0
    layer.eval()
    check()
    layer.double().float()
    assert layer._packed is None
    check()
    # Without a step between, as averages of weights are put in for an evaluation.
    layer.weight.data.mul_(1.5)
    layer.bias.data.copy_(torch.arange(40.0))
    check()


@needs_packing
def test_copies_and_pickles_leave_the_packed_weights_behind():
    layer, x = make_layer()
    with torch.no_grad():
        expected = layer(x)
        assert layer._packed is not None
        for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            assert other._packed is None
            torch.testing.assert_close(other(x), expected, rtol=0, atol=0)


@needs_packing
def test_autocast_multiplies_in_its_own_dtype():
    layer, x = make_layer()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        result = layer(x, "gelu_new")
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.float(), plain(layer, x, "gelu_new"), rtol=0.02, atol=0.02)
    with torch.no_grad():
        torch.testing.assert_close(layer(x, "gelu_new"), plain(layer, x, "gelu_new"), rtol=1e-5, atol=1e-5)


def test_works_without_onednn(monkeypatch):
    monkeypatch.setattr(linear_module, "_has_packed_products", lambda: False)
    layer, x = make_layer()
    with torch.no_grad():
        assert torch.equal(layer(x), plain(layer, x))
    assert layer._packed is None


def test_fast_products_are_exact_and_leave_the_setting_as_it_was():
    before = torch.backends.mkldnn.matmul.fp32_precision
    a = torch.randn(200, 300, generator=torch.Generator().manual_seed(5))
    exact = a.double() @ a.double().T
    with fast_float32_products(a):
        with fast_float32_products(a):
            inner = a @ a.T
        outer = a @ a.T
    for product in (inner, outer):
        assert (product - exact).abs().max() < 2 * (a @ a.T - exact).abs().max() + 1e-6
    assert torch.backends.mkldnn.matmul.fp32_precision == before


def test_a_bias_alone_learns_in_eval_mode_too():
    layer, x = make_layer()
    layer.weight.requires_grad_(False)
    layer(x).sum().backward()
    assert torch.equal(layer.bias.grad, torch.full((40,), 128.0)) and layer.weight.grad is None
