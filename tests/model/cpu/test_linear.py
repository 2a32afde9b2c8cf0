"""The fast linear layer: torch.nn.Linear's results, and weights that are never out of date."""

import functools

import pytest
import torch
import torch.nn.functional as F

from spacy_bigbird.model import BigBirdConfig, BigBirdModel
from spacy_bigbird.model.activations import ACTIVATIONS
from spacy_bigbird.model.cpu import linear as linear_module
from spacy_bigbird.model.cpu.linear import Linear

needs_bf16 = pytest.mark.skipif(not linear_module.has_onednn(torch.bfloat16), reason="this CPU has no bf16")


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


def changes_of_weights():
    """Ways to change weights, most of which PyTorch does not count and none of which touches more than it says."""

    def one_entry_through_data(layer):
        layer.weight.data[7, 5] += 1.0

    def swapped_rows_through_numpy(layer):
        weights = layer.weight.detach().numpy()
        weights[[3, 9]] = weights[[9, 3]]

    def other_memory(layer):
        layer.weight.data = torch.randn(40, 24)

    def set_of_a_tensor(layer):
        with torch.no_grad():
            layer.weight.set_(torch.randn(40, 24))

    def step_in_eval_mode(layer):
        with torch.enable_grad():
            optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
            layer(torch.randn(64, 24)).square().sum().backward()
            optimizer.step()

    def in_place_on_a_view(layer):
        with torch.no_grad():
            layer.weight.view(-1)[100:101].fill_(9.0)

    def through_dlpack(layer):
        torch.from_dlpack(layer.weight.detach())[39, 23] = -4.0

    def bias_through_data(layer):
        layer.bias.data[39] = 5.0

    def another_parameter(layer):
        layer.weight = torch.nn.Parameter(torch.zeros(40, 24))

    def state_dict(layer):
        layer.load_state_dict({"weight": torch.ones(40, 24), "bias": torch.ones(40)})

    def state_dict_assigned(layer):
        layer.load_state_dict({"weight": torch.ones(40, 24), "bias": torch.ones(40)}, assign=True)

    def averages(layer):
        torch.nn.utils.vector_to_parameters(torch.arange(1000.0) / 100, layer.parameters())

    return [change for change in list(locals().values()) if callable(change)]


@pytest.mark.parametrize("change", changes_of_weights())
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_change_of_weights_shows_in_the_next_output(change, dtype):
    layer, x = make_layer()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        before = layer(x)
        change(layer)
        after = layer(x)
        exact = plain(layer, x)
    tolerance = 1e-5 if dtype == torch.float32 else 0.02
    torch.testing.assert_close(after.float(), exact.float(), rtol=tolerance, atol=10 * tolerance)
    assert not torch.equal(before, after)


def test_weights_are_cast_once_for_all_parts_of_a_call_and_forgotten(monkeypatch):
    layer, x = make_layer()
    casts = []
    monkeypatch.setattr(linear_module, "has_onednn", lambda dtype: True)
    monkeypatch.setattr(linear_module, "onednn_linear", lambda x, weight, *_: casts.append(weight) or x @ weight.T)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        with linear_module.weights_cast_once():
            layer(x)
            with linear_module.weights_cast_once():
                layer(x)
        layer.weight.data[0, 0] = 3.0
        layer(x)
    assert casts[0] is casts[1] and casts[2] is not casts[0] and casts[2][0, 0] == 3.0


def test_a_model_notices_changes_between_calls():
    config = BigBirdConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, block_size=4
    )
    model = BigBirdModel.build(config).eval()
    ids = torch.arange(3, 43)
    for parameter in model.encoder.parameters():
        with torch.no_grad():
            before = model.forward_packed(ids, [40])
            parameter.data.view(-1)[-1] += 1.0
            assert not torch.equal(model.forward_packed(ids, [40]), before)


@needs_bf16
def test_autocast_multiplies_in_its_own_dtype():
    layer, x = make_layer()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        result = layer(x, "gelu_new")
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.float(), plain(layer, x, "gelu_new"), rtol=0.02, atol=0.02)
    with torch.no_grad():
        torch.testing.assert_close(layer(x, "gelu_new"), plain(layer, x, "gelu_new"), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_works_without_onednn(monkeypatch, dtype):
    monkeypatch.setattr(linear_module, "has_onednn", lambda dtype: False)
    layer, x = make_layer()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        torch.testing.assert_close(layer(x), plain(layer, x))


def raising(error):
    def operator(*_):
        raise error

    return operator


@pytest.mark.parametrize(
    "operator",
    [
        raising(RuntimeError("bf16 path needs the cpu support avx_ne_convert")),
        raising(TypeError("_linear_pointwise() takes 7 arguments")),
        raising(AttributeError("'_OpNamespace' 'mkldnn' object has no attribute '_linear_pointwise'")),
        lambda x, weight, bias, *_: F.linear(x, weight, bias) + 0.01,
        lambda x, weight, bias, *_: F.linear(x, weight, bias).double(),
        lambda x, weight, bias, *_: F.linear(x, weight, bias) * torch.nan,
        lambda x, weight, bias, *_: F.linear(x, weight, bias),  # without the activation
    ],
)
def test_an_operator_that_fails_or_computes_something_else_is_not_used(monkeypatch, operator):
    class Operators:
        _linear_pointwise = staticmethod(operator)

    monkeypatch.setattr(torch.ops, "mkldnn", Operators)
    linear_module.has_onednn.cache_clear()
    try:
        assert not linear_module.has_onednn(torch.float32)
        layer, x = make_layer()
        with torch.no_grad():
            torch.testing.assert_close(layer(x, "gelu"), plain(layer, x, "gelu"))
    finally:
        linear_module.has_onednn.cache_clear()


def test_onednn_is_used_where_this_pytorch_has_it():
    assert linear_module.has_onednn(torch.float32) == torch.backends.mkldnn.is_available()


@pytest.mark.parametrize("activation", [None, "gelu_new"])
def test_training_is_the_same_whichever_library_multiplies(monkeypatch, activation):
    if not linear_module.has_onednn(torch.float32):
        pytest.skip("this PyTorch has no oneDNN")
    gradients = []
    for capability in ("AVX2", "AVX512"):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda capability=capability: capability)
        layer, x = make_layer()
        x.requires_grad_(True)
        gradients.append(torch.autograd.grad(layer(x, activation).square().sum(), [x, *layer.parameters()]))
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)


def test_no_setting_of_the_process_changes_while_we_compute(monkeypatch):
    """On CPUs with matrix units for bf16, such a setting would change what other threads compute."""
    config = BigBirdConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, block_size=4
    ).replace(full_attention_up_to=32)
    expected, seen = settings_of_the_process(), []
    for module, name in [(linear_module, "onednn_linear"), *((torch, name) for name in PRODUCTS)]:
        watched = watching(getattr(module, name), lambda: seen.append(settings_of_the_process()))
        monkeypatch.setattr(module, name, watched)
    model = BigBirdModel.build(config)
    for length in (20, 48):
        model.train()
        model.forward_packed(torch.arange(length) % 47 + 3, [length]).sum().backward()
        with torch.no_grad():
            model.eval().forward_packed(torch.arange(length) % 47 + 3, [length])
    assert len(seen) > 30 and all(found == expected for found in seen)


PRODUCTS = ("bmm", "mm", "addmm", "baddbmm")


def settings_of_the_process():
    return (
        torch.get_float32_matmul_precision(),
        torch.backends.fp32_precision,
        torch.backends.mkldnn.fp32_precision,
        torch.backends.mkldnn.matmul.fp32_precision,
        torch.backends.mkldnn.enabled,
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.are_deterministic_algorithms_enabled(),
    )


def watching(function, watch):
    @functools.wraps(function)
    def watched(*arguments, **keywords):
        watch()
        return function(*arguments, **keywords)

    return watched


def test_a_bias_alone_learns_in_eval_mode_too():
    layer, x = make_layer()
    layer.weight.requires_grad_(False)
    layer(x).sum().backward()
    assert torch.equal(layer.bias.grad, torch.full((40,), 128.0)) and layer.weight.grad is None
