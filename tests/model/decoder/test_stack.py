"""What decoders promise beyond what transformers can be asked about."""

import copy

import pytest
import torch

from spacy_bigbird.model import BigBirdConfig, BigBirdForCausalLM, BigBirdModel
from spacy_bigbird.model.decoder.cache import KeyValueCache, LayerCache

SIZES = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 48,
    "block_size": 4,
    "num_random_blocks": 1,
    "full_attention_up_to": 8,
    "initializer_range": 0.3,
    "is_decoder": True,
}


def make_decoder(**changes):
    torch.manual_seed(0)
    return BigBirdModel(BigBirdConfig(**{**SIZES, **changes})).eval()


def make_ids(batch=2, columns=30, seed=0):
    return torch.randint(3, 60, (batch, columns), generator=torch.Generator().manual_seed(seed))


def encoder_inputs(batch=2, length=7):
    states = torch.randn(batch, length, 16, generator=torch.Generator().manual_seed(1))
    mask = torch.ones(batch, length, dtype=torch.long)
    mask[0, 4:] = 0
    return {"encoder_hidden_states": states, "encoder_attention_mask": mask}


def close(one, other, tolerance=1e-5):
    torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)


def test_attention_type_and_pattern_make_no_difference():
    ids = make_ids()
    expected = make_decoder(attention_type="original_full")(ids).last_hidden_state
    for pattern in ("paper", "huggingface", "none"):
        assert torch.equal(make_decoder(random_pattern=pattern)(ids).last_hidden_state, expected)


@pytest.mark.parametrize("cross_attention", [False, True])
def test_no_position_sees_a_later_one(cross_attention):
    decoder = make_decoder(add_cross_attention=cross_attention)
    extra = encoder_inputs() if cross_attention else {}
    ids = make_ids()
    for output_attentions in (False, True):
        before = decoder(ids, output_attentions=output_attentions, **extra).last_hidden_state
        for place in (1, 13, 29):
            changed = ids.clone()
            changed[:, place:] = 3 + (changed[:, place:] + 5) % 50
            after = decoder(changed, output_attentions=output_attentions, **extra).last_hidden_state
            close(after[:, :place], before[:, :place], 1e-6)
            assert (after[:, place] - before[:, place]).abs().max() > 1e-3


def test_gradients_reach_no_later_position():
    decoder = make_decoder()
    embeddings = torch.randn(1, 12, 16, requires_grad=True)
    decoder(inputs_embeds=embeddings).last_hidden_state[0, 5, 0].backward()
    assert embeddings.grad[0, 6:].abs().max() == 0
    assert (embeddings.grad[0, :6].abs().amax(-1) > 0).all()


@pytest.mark.parametrize("cross_attention", [False, True])
@pytest.mark.parametrize("steps", [[30], [1] * 30, [10, 1, 1, 18], [29, 1]])
@pytest.mark.parametrize("left_padding", [False, True])
def test_cache_equals_no_cache(cross_attention, steps, left_padding):
    decoder = make_decoder(add_cross_attention=cross_attention)
    extra = encoder_inputs() if cross_attention else {}
    ids, mask = make_ids(), torch.ones(2, 30, dtype=torch.long)
    if left_padding:
        mask[1, :7] = 0
    expected = decoder(ids, attention_mask=mask, **extra).last_hidden_state
    past, first, parts = None, 0, []
    for step in steps:
        until = first + step
        output = decoder(ids[:, first:until], attention_mask=mask[:, :until], past_key_values=past, **extra)
        past, first = output.past_key_values, until
        assert past.length == until
        parts.append(output.last_hidden_state)
        # The encoder's keys and values are in the cache by now; its states are needed no longer, its mask is.
        extra.pop("encoder_hidden_states", None)
    close(torch.cat(parts, dim=1), expected)


def test_a_cache_is_never_changed():
    decoder = make_decoder()
    past = decoder(make_ids(columns=5)).past_key_values
    before = [[tensor.clone() for tensor in layer] for layer in past.to_tuple()]
    decoder(make_ids(columns=3), past_key_values=past)
    for layer, layer_before in zip(past, before, strict=True):
        assert torch.equal(layer.key, layer_before[0]) and torch.equal(layer.value, layer_before[1])


def test_documented_form_of_a_cache():
    decoder = make_decoder(add_cross_attention=True)
    past = decoder(make_ids(columns=5), **encoder_inputs()).past_key_values
    assert len(past) == 2
    assert past[0][0].shape == (2, 2, 5, 8)
    nested = past.to_tuple()
    assert [tuple(tensor.shape) for tensor in nested[1]] == [(2, 2, 5, 8)] * 2 + [(2, 2, 7, 8)] * 2
    again = KeyValueCache.of(nested, decoder.config)
    assert all(
        torch.equal(a, b) for one, other in zip(past, again, strict=True) for a, b in zip(one, other, strict=True)
    )
    assert KeyValueCache.of(past.to_tuple(), decoder.config).length == 5


def test_a_row_alone_equals_the_row_in_a_padded_batch():
    decoder = make_decoder()
    ids, mask = make_ids(), torch.ones(2, 30, dtype=torch.long)
    mask[1, 11:] = 0
    output = decoder(ids, attention_mask=mask, output_hidden_states=True, output_attentions=True)
    alone = decoder(ids[1:, :11], output_hidden_states=True, output_attentions=True)
    close(output.last_hidden_state[1:, :11], alone.last_hidden_state)
    close(output.attentions[1][1:, :, :11, :11], alone.attentions[1])
    for values in (output.last_hidden_state, *output.hidden_states):
        assert (values[1, 11:] == 0).all()
    for values in output.attentions:
        assert (values[1, :, 11:] == 0).all() and (values[1, :, :, 11:] == 0).all()
        close(values[0].sum(-1), torch.ones(2, 30))
        close(values[1, :, :11].sum(-1), torch.ones(2, 11))


def test_padding_on_the_left_with_its_positions_is_the_row_alone():
    decoder = make_decoder()
    ids, mask = make_ids(), torch.ones(2, 30, dtype=torch.long)
    mask[1, :19] = 0
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    output = decoder(ids, attention_mask=mask, position_ids=positions)
    close(output.last_hidden_state[1:, 19:], decoder(ids[1:, 19:]).last_hidden_state)
    assert output.last_hidden_state.isfinite().all()


def test_an_encoder_without_pieces_adds_nothing_and_no_nan():
    decoder = make_decoder(add_cross_attention=True)
    inputs = encoder_inputs()
    inputs["encoder_attention_mask"][0] = 0
    for output_attentions in (False, True):
        output = decoder(make_ids(), output_attentions=output_attentions, **inputs)
        assert output.last_hidden_state.isfinite().all()
        changed = {**inputs, "encoder_hidden_states": inputs["encoder_hidden_states"] + 1}
        again = decoder(make_ids(), output_attentions=output_attentions, **changed)
        close(again.last_hidden_state[0], output.last_hidden_state[0])


def test_cross_attention_is_optional_in_a_call():
    decoder = make_decoder(add_cross_attention=True)
    output = decoder(make_ids(), output_attentions=True)
    assert output.cross_attentions is None
    assert output.past_key_values[0].cross_key is None


def test_head_mask_silences_heads():
    decoder = make_decoder()
    silent = decoder(make_ids(), head_mask=torch.zeros(2)).last_hidden_state
    with torch.no_grad():
        for layer in decoder.encoder.layers:
            layer.attention.query_key_value.weight[32:] = 0
            layer.attention.query_key_value.bias[32:] = 0
    close(silent, decoder(make_ids()).last_hidden_state)


@pytest.mark.parametrize("cross_attention", [False, True])
def test_gradient_checkpointing_changes_nothing_but_memory(cross_attention):
    decoder = make_decoder(
        add_cross_attention=cross_attention, hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.2
    ).train()
    extra = encoder_inputs() if cross_attention else {}
    results = []
    for decoder.gradient_checkpointing in (False, True):
        decoder.zero_grad()
        torch.manual_seed(3)
        output = decoder(make_ids(), **extra)
        assert (output.past_key_values is None) == decoder.gradient_checkpointing
        output.last_hidden_state.square().sum().backward()
        gradients = [p.grad for p in decoder.parameters() if p.grad is not None]
        results.append([output.last_hidden_state.detach(), *(gradient.clone() for gradient in gradients)])
    for one, other in zip(*results, strict=True):
        close(one, other, 1e-4)


def test_checkpointing_with_a_cache_on_request():
    decoder = make_decoder().train()
    decoder.gradient_checkpointing = True
    assert decoder(make_ids(), use_cache=True).past_key_values.length == 30


def test_bfloat16():
    decoder = make_decoder(add_cross_attention=True)
    ids, extra = make_ids(), encoder_inputs()
    expected = decoder(ids, **extra).last_hidden_state
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert (decoder(ids, **extra).last_hidden_state - expected).abs().mean() < 0.05
    extra["encoder_hidden_states"] = extra["encoder_hidden_states"].bfloat16()
    output = copy.deepcopy(decoder).bfloat16()(ids, **extra)
    assert output.last_hidden_state.dtype == torch.bfloat16
    assert (output.last_hidden_state.float() - expected).abs().mean() < 0.05


def test_a_causal_lm_is_a_decoder_whatever_the_configuration_says():
    model = BigBirdForCausalLM(BigBirdConfig(**{**SIZES, "is_decoder": False}))
    assert model.config.is_decoder and model.bigbird.config.is_decoder
    assert not hasattr(model.bigbird.encoder.layers[0], "cross_attention")


@pytest.mark.parametrize(
    "changes, inputs, message",
    [
        ({"is_decoder": False}, {"use_cache": True}, "use_cache: only supported by a model with is_decoder=True"),
        ({"is_decoder": False}, encoder_inputs(), "encoder_hidden_states, encoder_attention_mask: only supported"),
        ({"is_decoder": False}, {"past_key_values": ()}, "past_key_values: only supported"),
        ({}, encoder_inputs(), "only supported by a model with add_cross_attention=True"),
        ({"add_cross_attention": True}, encoder_inputs(batch=3), r"got \(3, 7, 16\), expected \(2, encoder_seq, 16\)"),
        (
            {"add_cross_attention": True},
            {**encoder_inputs(), "encoder_attention_mask": torch.ones(2, 3)},
            r"encoder_attention_mask: got \(2, 3\), expected \(2, 7\)",
        ),
        ({"add_cross_attention": True}, {"encoder_attention_mask": torch.ones(2, 3)}, "encoder_hidden_states with it"),
        ({}, {"attention_mask": torch.ones(2, 31)}, r"attention_mask: got \(2, 31\), expected \(2, 30\)"),
        ({}, {"past_key_values": ((torch.zeros(2, 2, 4, 8),) * 2,)}, "has 1 layers"),
        ({}, {"past_key_values": ((torch.zeros(2, 4, 4, 8),) * 2,) * 2}, r"\[\(4, 8\)\], expected 2 layers"),
        ({}, {"past_key_values": ((torch.zeros(3, 2, 4, 8),) * 2,) * 2}, "past_key_values: got 3 sequences"),
        ({}, {"past_key_values": ((torch.zeros(2, 2, 19, 8),) * 2,) * 2}, "49 pieces is longer"),
        ({}, {"inputs_embeds": torch.zeros(2, 30, 16)}, "got both"),
    ],
)
def test_inputs_that_do_not_fit(changes, inputs, message):
    with pytest.raises(ValueError, match=message):
        make_decoder(**changes)(make_ids(), **inputs)


def test_packed_sequences_are_for_encoders():
    with pytest.raises(ValueError, match="is_decoder=False"):
        make_decoder().forward_packed(make_ids()[0], [30])


def test_layer_cache_without_cross_attention_is_a_pair():
    cache = KeyValueCache((LayerCache(torch.zeros(1, 2, 3, 8), torch.zeros(1, 2, 3, 8)),))
    assert len(cache.to_tuple()[0]) == 2
