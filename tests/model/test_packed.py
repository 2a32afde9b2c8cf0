"""What nobody else promises: a document's vectors depend on nothing but the document."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bigbird.model.cpu import linear as linear_module

from .toy_models import MODELS, make_model, make_sequences


def padded(sequences):
    columns = max(map(len, sequences))
    ids = torch.zeros(len(sequences), columns, dtype=torch.long)
    mask = torch.zeros(len(sequences), columns, dtype=torch.long)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return ids, mask


@settings(max_examples=20)
@given(
    lengths=st.lists(st.one_of(st.integers(1, 130), st.integers(200, 400)), min_size=1, max_size=5),
    pattern=st.sampled_from(["paper", "none"]),
    training=st.booleans(),
)
def test_alone_equals_in_any_batch(lengths, pattern, training):
    model = MODELS[pattern].train(training)
    sequences = make_sequences(lengths)
    with torch.no_grad():
        alone = [model(sequence[None]).last_hidden_state[0] for sequence in sequences]
        packed = model.forward_packed(torch.cat(sequences), lengths).split(lengths)
        ids, mask = padded(sequences)
        in_batch = model(ids, attention_mask=mask)
    for row, (one, other) in enumerate(zip(alone, packed, strict=True)):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
        torch.testing.assert_close(one, in_batch.last_hidden_state[row, : len(one)], rtol=0, atol=1e-5)
        assert (in_batch.last_hidden_state[row, len(one) :] == 0).all()
    model.eval()


def test_huggingface_pattern_is_independent_when_packed():
    model = MODELS["huggingface"]
    lengths = [300, 20, 95, 640]
    sequences = make_sequences(lengths)
    with torch.no_grad():
        packed = model.forward_packed(torch.cat(sequences), lengths).split(lengths)
        for sequence, vectors in zip(sequences, packed, strict=True):
            torch.testing.assert_close(model(sequence[None]).last_hidden_state[0], vectors, rtol=0, atol=1e-5)


@pytest.mark.parametrize("pattern", MODELS)
def test_what_came_before_changes_nothing(pattern):
    model = MODELS[pattern]
    long, short = make_sequences([500, 12])
    with torch.no_grad():
        first = model(long[None]).last_hidden_state
        model(short[None])
        model.train()
        model(short[None])
        model.eval()
        assert torch.equal(model(long[None]).last_hidden_state, first)


@pytest.mark.parametrize("pattern", MODELS)
def test_no_global_random_state_is_touched(pattern):
    model = make_model(random_pattern=pattern)
    (ids,) = make_sequences([400])
    states = random.getstate(), np.random.get_state()[1].copy(), torch.random.get_rng_state()
    model(ids[None]).last_hidden_state.sum().backward()
    assert random.getstate() == states[0]
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])
    assert torch.equal(torch.random.get_rng_state(), states[2])


def test_gradients_of_a_batch_are_the_sum_of_the_sequences_gradients():
    model = make_model()
    lengths = [130, 40, 333]
    sequences = make_sequences(lengths)
    model.forward_packed(torch.cat(sequences), lengths).square().sum().backward()
    together = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad()
    for sequence in sequences:
        model.forward_packed(sequence, [len(sequence)]).square().sum().backward()
    assert "embeddings.word_embeddings.weight" in together
    for name, gradient in together.items():
        expected = model.get_parameter(name).grad
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-3 * float(expected.abs().max()))


def test_gradient_checkpointing_gives_the_same_gradients():
    (ids,) = make_sequences([300])
    gradients = []
    for checkpointing in (False, True):
        model = make_model(hidden_dropout_prob=0.2).train()
        model.gradient_checkpointing = checkpointing
        torch.manual_seed(3)
        model(ids[None]).last_hidden_state.square().sum().backward()
        gradients.append([weight.grad for weight in model.parameters() if weight.grad is not None])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=0)


def test_output_attentions_are_the_attention_that_was_applied():
    model = make_model()
    sequences = make_sequences([200, 33])
    ids, mask = padded(sequences)
    plain = model(ids, attention_mask=mask)
    output = model(ids, attention_mask=mask, output_attentions=True, output_hidden_states=True)
    torch.testing.assert_close(output.last_hidden_state, plain.last_hidden_state, rtol=0, atol=1e-5)
    torch.testing.assert_close(output.hidden_states[-1], output.last_hidden_state, rtol=0, atol=0)
    assert [state.shape for state in output.hidden_states] == [(2, 200, 24)] * 3
    for probabilities in output.attentions:
        assert probabilities.shape == (2, 3, 200, 200)
        sums = probabilities.sum(-1)
        torch.testing.assert_close(sums[0], torch.ones(3, 200))
        torch.testing.assert_close(sums[1, :, :33], torch.ones(3, 33))
        assert (sums[1, :, 33:] == 0).all() and (probabilities[1, ..., 33:] == 0).all()
    # Row 2 of 25 blocks: five fixed key blocks and at most three random ones.
    read = (output.attentions[0][0, 0, 20].unflatten(0, (25, 8)).sum(1) > 0).sum()
    assert 5 <= read <= 8


@pytest.mark.parametrize("length", [30, 300])
def test_head_mask_scales_the_heads(length):
    model = make_model(num_hidden_layers=1)
    (ids,) = make_sequences([length])
    values = {}

    def keep(name):
        return lambda module, inputs: values.__setitem__(name, inputs[0])

    hook = model.encoder.layers[0].attention.output.register_forward_pre_hook(keep("context"))
    with torch.no_grad():
        model(ids[None])
        full = values["context"].unflatten(1, (3, 8))
        for head_mask in (torch.tensor([1.0, 0.0, 0.5]), torch.tensor([[1.0, 0.0, 0.5]])):
            model(ids[None], head_mask=head_mask)
            masked = values["context"].unflatten(1, (3, 8))
            torch.testing.assert_close(masked, full * torch.tensor([1.0, 0.0, 0.5])[:, None], rtol=0, atol=1e-6)
            attentions = model(ids[None], head_mask=head_mask, output_attentions=True).attentions[0]
            torch.testing.assert_close(attentions.sum(-1)[0, :, 0], torch.tensor([1.0, 0.0, 0.5]))
    hook.remove()


def test_bf16_weights_and_autocast_stay_near_fp32():
    ids = make_sequences([300])[0]
    model = make_model(initializer_range=0.05)
    with torch.no_grad():
        exact = model.forward_packed(ids, [300])
        with torch.autocast("cpu", torch.bfloat16):
            inference = model.forward_packed(ids, [300]).float()
        half = make_model(initializer_range=0.05).bfloat16().forward_packed(ids, [300])
    with torch.autocast("cpu", torch.bfloat16):
        training = model.forward_packed(ids, [300])
    training.float().sum().backward()
    assert half.dtype == torch.bfloat16
    assert all(weight.grad.dtype == torch.float32 for weight in model.parameters() if weight.grad is not None)
    for vectors in (inference, half.float(), training.float()):
        # Vectors are layer-normalised: their entries have size 1, of which bf16 keeps 8 bits.
        assert (vectors - exact).abs().max() < 0.06
        assert (vectors - exact).abs().mean() < 0.01


def test_works_without_onednn(monkeypatch):
    (ids,) = make_sequences([300])
    with torch.no_grad():
        expected = MODELS["paper"].forward_packed(ids, [300])
        monkeypatch.setattr(linear_module, "has_onednn", lambda dtype: False)
        torch.testing.assert_close(MODELS["paper"].forward_packed(ids, [300]), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("length", [40, 200])
def test_every_bias_learns_alone_as_beside_the_weights(length):
    def gradients(only_biases):
        model = make_model()
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(not only_biases or name.endswith("bias"))
        model.forward_packed(*packed([length])).square().sum().backward()
        return {name: weight.grad for name, weight in model.named_parameters() if name.endswith("bias")}

    alone, together = gradients(True), gradients(False)
    # The pooler is no part of it.
    learned = [name for name in together if not name.startswith("pooler")]
    assert learned
    for name in learned:
        torch.testing.assert_close(alone[name], together[name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("length", [40, 200])
def test_second_derivatives_are_refused_instead_of_wrong(length):
    model = make_model()
    loss = model.forward_packed(*packed([length])).square().sum()
    with pytest.raises(RuntimeError, match=r"BB108.*first"):
        torch.autograd.grad(loss, list(model.encoder.parameters()), create_graph=True)


def packed(lengths):
    return torch.cat(make_sequences(lengths)), lengths


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("fields", [{}, {"is_decoder": True}], ids=["encoder", "decoder"])
@pytest.mark.parametrize("length", [40, 200])
def test_heads_are_masked_in_half_precision_too(dtype, fields, length):
    model = make_model(**fields)
    ids = torch.stack(make_sequences([length, length]))
    mask = torch.tensor([[1.0, 0.0, 1.0], [0.5, 1.0, 1.0]])
    with torch.no_grad():
        expected = model(ids, head_mask=mask).last_hidden_state
        found = model.to(dtype)(ids, head_mask=mask).last_hidden_state
        assert not torch.allclose(model(ids).last_hidden_state, found, atol=0.1)
    assert found.dtype == dtype and (found.float() - expected).abs().mean() < 0.02
