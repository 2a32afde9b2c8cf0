"""The encoder as a Thinc model: its rows, its gradients, and its weights as bytes and on disk."""

import copy
import pickle

import numpy
import pytest
import torch
from safetensors.torch import load as load_tensors
from thinc.api import Adam, Model

from spacy_bigbird.thinc_layers.encoder_wrapper import build_encoder, get_config, get_shim, get_tokenizer
from spacy_bigbird.thinc_layers.settings import EncoderSettings

from .toy_encoders import pieces, weights


def gradients(encoder, inputs, d_rows=None):
    get_shim(encoder).module.zero_grad()
    rows, backprop = encoder.begin_update(inputs)
    backprop(numpy.random.RandomState(1).randn(*rows.shape).astype("f") if d_rows is None else d_rows)
    named = get_shim(encoder).module.named_parameters()
    return rows, {name: p.grad.clone() for name, p in named if p.grad is not None}


def step(encoder, inputs, optimizer):
    gradients(encoder, inputs)
    encoder.finish_update(optimizer)


def test_rows_are_the_modules(make_encoder):
    encoder, inputs = make_encoder(), pieces()
    module = get_shim(encoder).module.eval()
    with torch.no_grad():
        expected = module.forward_packed(
            torch.tensor(inputs.ids, dtype=torch.long), inputs.lengths, torch.tensor(inputs.token_type_ids).long()
        )
    numpy.testing.assert_allclose(encoder.predict(inputs), expected.numpy(), atol=1e-6)
    assert encoder.get_dim("nO") == 32 == get_config(encoder).hidden_size
    assert get_tokenizer(encoder).vocab_size == get_config(encoder).vocab_size


def test_token_types_reach_the_encoder(make_encoder):
    encoder = make_encoder()
    assert abs(encoder.predict(pieces()) - encoder.predict(pieces(token_types=False))).max() > 1e-4


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_recomputed_gradients_are_those_that_were_kept(make_encoder, dropout):
    encoder = make_encoder({"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout})
    torch.manual_seed(3)
    rows, kept = gradients(encoder, pieces())
    torch.manual_seed(3)
    same_rows, recomputed = gradients(encoder, pieces(recompute=True))
    numpy.testing.assert_allclose(same_rows, rows, atol=1e-6)
    assert kept.keys() == recomputed.keys()
    for name in kept:
        torch.testing.assert_close(recomputed[name], kept[name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("settings", [{"gradient_checkpointing": True}, {"recompute": True}, {}])
def test_a_prediction_between_the_passes_changes_nothing(make_encoder, settings):
    recompute = settings.pop("recompute", False)
    encoder = make_encoder({"hidden_dropout_prob": 0.3}, **settings)
    found = []
    for predict_between in (False, True):
        get_shim(encoder).module.zero_grad()
        torch.manual_seed(3)
        rows, backprop = encoder.begin_update(pieces(recompute=recompute))
        if predict_between:
            encoder.predict(pieces())
        backprop(numpy.ones_like(rows))
        found.append(torch.cat([p.grad.ravel() for p in get_shim(encoder).module.parameters()]))
    torch.testing.assert_close(found[1], found[0], atol=1e-5, rtol=1e-4)


def test_recomputing_leaves_the_random_state_alone(make_encoder):
    encoder = make_encoder({"hidden_dropout_prob": 0.3})
    rows, backprop = encoder.begin_update(pieces(recompute=True))
    before = torch.get_rng_state()
    backprop(numpy.ones_like(rows))
    assert torch.equal(torch.get_rng_state(), before)


def test_gradient_checkpointing_gives_the_same_gradients(make_encoder):
    _, plain = gradients(make_encoder(), pieces())
    _, checkpointed = gradients(make_encoder(gradient_checkpointing=True), pieces())
    for name in plain:
        torch.testing.assert_close(checkpointed[name], plain[name], atol=1e-5, rtol=1e-4)


def test_several_batches_may_be_open_at_once(make_encoder):
    encoder = make_encoder()
    first, second = pieces((40,)), pieces((9, 20))
    _, one = gradients(encoder, first)
    _, other = gradients(encoder, second)
    get_shim(encoder).module.zero_grad()
    opened = [encoder.begin_update(inputs) for inputs in (first, second)]
    for rows, backprop in opened:
        backprop(numpy.random.RandomState(1).randn(*rows.shape).astype("f"))
    for name, parameter in get_shim(encoder).module.named_parameters():
        torch.testing.assert_close(parameter.grad, one[name] + other[name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("number", [1, 2])
def test_frozen_layers_get_no_gradient_and_do_not_move(make_encoder, number):
    encoder = make_encoder(freeze_layers=number)
    frozen = ("embeddings.", *(f"encoder.layers.{n}." for n in range(number)))
    _, found = gradients(encoder, pieces())
    assert not any(name.startswith(frozen) for name in found)
    assert len(found) > 0 or number == 2
    before = weights(encoder)
    step(encoder, pieces(), Adam(0.01))
    for name, after in weights(encoder).items():
        assert torch.equal(after, before[name]) == name.startswith(frozen), name


def test_a_frozen_part_keeps_nothing_for_a_backward_pass(make_encoder):
    encoder = make_encoder(freeze_layers=1)
    seen = []
    layers = get_shim(encoder).module.encoder.layers
    layers[0].register_forward_hook(lambda module, given, out: seen.append(out[0].requires_grad))
    layers[1].register_forward_hook(lambda module, given, out: seen.append(out[0].requires_grad))
    encoder.begin_update(pieces())
    assert seen == [False, True]


@pytest.mark.parametrize("factor", [1.0, 0.1])
def test_lower_layers_learn_more_slowly(make_encoder, factor):
    """Adam's first step has the size of the learning rate wherever there is a gradient."""
    encoder = make_encoder(layer_learning_rate_decay=0.5, learning_rate_factor=factor)
    before = weights(encoder)
    step(encoder, pieces(), Adam(0.01, eps=1e-12))
    moved = {name: (after - before[name]).abs().max().item() for name, after in weights(encoder).items()}
    assert moved["encoder.layers.1.attention.output.weight"] == pytest.approx(0.01 * factor, rel=0.01)
    assert moved["encoder.layers.0.attention.output.weight"] == pytest.approx(0.005 * factor, rel=0.01)
    assert moved["embeddings.word_embeddings.weight"] == pytest.approx(0.0025 * factor, rel=0.01)


def test_a_step_shows_in_the_next_prediction(make_encoder):
    """Prepared copies of the weights must not outlive them."""
    encoder, inputs = make_encoder(), pieces((40, 40))
    encoder.predict(inputs)
    step(encoder, pieces(recompute=True), Adam(0.05))
    after = encoder.predict(inputs)
    fresh = encoder.copy()
    numpy.testing.assert_allclose(after, fresh.predict(inputs), atol=1e-6)
    get_shim(encoder).module.eval()
    encoder.finish_update(Adam(0.05))


def test_averages_are_used_and_taken_back(make_encoder):
    encoder, inputs = make_encoder(), pieces()
    optimizer = Adam(0.05, use_averages=True)
    for _ in range(3):
        step(encoder, inputs, optimizer)
    last = encoder.predict(inputs)
    shim = get_shim(encoder)
    names = dict(shim.module.named_parameters())
    with encoder.use_params(optimizer.averages):
        averaged = encoder.predict(inputs)
        for (owner, name), value in optimizer.averages.items():
            assert owner == shim.id
            numpy.testing.assert_array_equal(names[name].detach().numpy(), value)
    assert abs(averaged - last).max() > 1e-4
    numpy.testing.assert_array_equal(encoder.predict(inputs), last)


@pytest.mark.parametrize("make_copy", [Model.copy, copy.deepcopy, lambda encoder: pickle.loads(pickle.dumps(encoder))])
def test_a_copy_is_equal_and_learns_alone(make_encoder, make_copy):
    encoder, inputs = make_encoder(), pieces()
    step(encoder, inputs, Adam(0.01))
    twin = make_copy(encoder)
    assert get_shim(twin).id != get_shim(encoder).id
    numpy.testing.assert_allclose(twin.predict(inputs), encoder.predict(inputs), atol=1e-6)
    optimizer, before = Adam(0.01), encoder.predict(inputs)
    step(twin, inputs, optimizer)
    numpy.testing.assert_array_equal(encoder.predict(inputs), before)
    assert {owner for owner, _ in optimizer.nr_update} == {get_shim(twin).id}
    step(encoder, inputs, optimizer)
    assert {owner for owner, _ in optimizer.nr_update} == {get_shim(twin).id, get_shim(encoder).id}


def test_bytes_hold_everything(make_encoder):
    encoder, inputs = make_encoder(), pieces()
    random_state = torch.get_rng_state()
    empty = build_encoder(EncoderSettings(name="no/such-checkpoint")).from_bytes(encoder.to_bytes())
    assert torch.equal(torch.get_rng_state(), random_state)
    numpy.testing.assert_allclose(empty.predict(inputs), encoder.predict(inputs), atol=1e-6)
    assert get_tokenizer(empty).to_bytes() == get_tokenizer(encoder).to_bytes()
    assert empty.get_dim("nO") == 32
    assert empty.to_bytes() == encoder.to_bytes()


def test_half_precision_on_disk(make_encoder, tmp_path):
    encoder, half = make_encoder(), make_encoder(save_as="float16")
    message = get_shim(half).checkpoint.to_message("float16")
    assert {tensor.dtype for tensor in load_tensors(message["weights"]).values()} == {torch.float16}
    assert len(half.to_bytes()) < 0.65 * len(encoder.to_bytes())
    loaded = make_encoder().from_bytes(half.to_bytes())
    assert {p.dtype for p in get_shim(loaded).module.parameters()} == {torch.float32}
    numpy.testing.assert_allclose(loaded.predict(pieces()), encoder.predict(pieces()), atol=0.01)
    before = torch.get_rng_state()
    get_shim(half).to_folder(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    from_folder = make_encoder()
    get_shim(from_folder).from_folder(tmp_path)
    numpy.testing.assert_allclose(from_folder.predict(pieces()), loaded.predict(pieces()), atol=1e-6)
    assert {p.dtype for p in get_shim(half).module.parameters()} == {torch.float32}


def test_the_configuration_in_use_wins_over_the_saved_one(make_encoder):
    saved = make_encoder({"hidden_dropout_prob": 0.3}).to_bytes()
    loaded = make_encoder({"hidden_dropout_prob": 0.1}, freeze_layers=1).from_bytes(saved)
    assert get_config(loaded).hidden_dropout_prob == 0.1
    assert not get_shim(loaded).module.embeddings.word_embeddings.weight.requires_grad


@pytest.mark.parametrize("settings", [{"precision": "bf16"}, {"mixed_precision": True}])
def test_bf16_is_close_and_float32_outside(make_encoder, settings):
    plain, half = make_encoder(), make_encoder(**settings)
    if "precision" in settings:
        expected, found = plain.predict(pieces()), half.predict(pieces())
    else:
        (expected, exact), (found, rounded) = gradients(plain, pieces()), gradients(half, pieces())
        for name in exact:
            assert rounded[name].dtype == torch.float32
            size = exact[name].abs().max()
            torch.testing.assert_close(rounded[name], exact[name], atol=0.1 * size.item() + 1e-6, rtol=0)
    assert found.dtype == numpy.float32
    assert 1e-5 < abs(found - expected).max() < 0.1


def test_unused_precision_settings_do_not_leak(make_encoder):
    plain = make_encoder()
    numpy.testing.assert_allclose(
        make_encoder(precision="bf16").begin_update(pieces())[0], plain.begin_update(pieces())[0], atol=1e-6
    )
    numpy.testing.assert_allclose(
        make_encoder(mixed_precision=True).predict(pieces()), plain.predict(pieces()), atol=1e-6
    )


def test_a_model_without_an_encoder_is_refused():
    with pytest.raises(ValueError, match="BB140"):
        get_shim(Model("other", lambda model, X, is_train: (X, lambda dY: dY)))
