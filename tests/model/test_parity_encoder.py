"""The encoder computes what transformers' encoder computes in eval mode."""

import pytest
import torch
import transformers

from .parity import (
    ATTENTION_TYPES,
    BLOCK,
    DENSE_LIMIT,
    MAXIMUM,
    SIZES,
    assert_parity,
    assert_same_outputs,
    make_ids,
    make_mask,
    make_pair,
    run_theirs,
)

PAIRS = {attention_type: make_pair("BigBirdModel", attention_type=attention_type) for attention_type in ATTENTION_TYPES}
BORDERS = [1, 2, BLOCK, BLOCK + 1, DENSE_LIMIT, DENSE_LIMIT + 1, DENSE_LIMIT + BLOCK, 47, MAXIMUM - 1, MAXIMUM]
both_attention_types = pytest.mark.parametrize("attention_type", ATTENTION_TYPES)


@both_attention_types
@pytest.mark.parametrize("columns", BORDERS)
def test_every_length(attention_type, columns):
    ours, theirs = PAIRS[attention_type]
    assert_parity(ours, theirs, input_ids=make_ids(2, columns), output_hidden_states=True)


def test_the_two_attention_types_are_not_the_same_past_the_limit():
    states = {
        (attention_type, columns): run_theirs(theirs, input_ids=make_ids(2, columns)).last_hidden_state
        for attention_type, (_, theirs) in PAIRS.items()
        for columns in (DENSE_LIMIT, DENSE_LIMIT + 1)
    }
    within, past = (
        (states["original_full", n] - states["block_sparse", n]).abs().max() for n in (DENSE_LIMIT, DENSE_LIMIT + 1)
    )
    assert within < 1e-6
    assert past > 0.01


@both_attention_types
@pytest.mark.parametrize("lengths", [[28, 27, 1], [29, 28, 4], [45, 33, 29], [64, 61, 5], [44, 44, 20], [41, 30, 30]])
def test_padding_on_the_right(attention_type, lengths):
    ours, theirs = PAIRS[attention_type]
    mask = make_mask(lengths, max(lengths))
    assert_parity(ours, theirs, input_ids=make_ids(3, max(lengths)), attention_mask=mask, output_hidden_states=True)


@both_attention_types
def test_more_columns_than_any_row_needs(attention_type):
    ours, theirs = PAIRS[attention_type]
    mask = make_mask([30, 37], 56)
    assert_parity(ours, theirs, input_ids=make_ids(2, 56), attention_mask=mask)


def test_dense_attention_takes_padding_anywhere():
    ours, theirs = PAIRS["original_full"]
    left = make_mask([40, 33, 7], 40, left=True)
    inputs = {"input_ids": make_ids(3, 40), "attention_mask": left}
    # transformers pools the first column, which is padding here.
    assert_same_outputs(ours, theirs, ignore=["pooler_output"], **inputs)
    holes = (torch.rand(3, 40, generator=torch.Generator().manual_seed(0)) < 0.7).long()
    holes[:, 0] = 1
    assert_parity(ours, theirs, input_ids=make_ids(3, 40), attention_mask=holes)


@both_attention_types
@pytest.mark.parametrize("columns", [24, 42])
@pytest.mark.parametrize(
    "changes",
    [
        {"use_bias": False},
        {"rescale_embeddings": True},
        {"hidden_act": "gelu"},
        {"hidden_act": "relu"},
        {"type_vocab_size": 3},
        {"layer_norm_eps": 1e-3},
        {"num_random_blocks": 2},
        {"block_size": 3},
        {"num_attention_heads": 1, "num_hidden_layers": 3},
    ],
    ids=str,
)
def test_every_setting(attention_type, columns, changes):
    ours, theirs = make_pair("BigBirdModel", attention_type=attention_type, **changes)
    types = torch.arange(columns).expand(2, columns) % ours.config.type_vocab_size
    mask = make_mask([columns, columns - 6], columns)
    assert_parity(ours, theirs, input_ids=make_ids(2, columns), token_type_ids=types, attention_mask=mask)


@both_attention_types
def test_selu_is_pytorchs(attention_type, monkeypatch):
    monkeypatch.setitem(transformers.activations.ACT2FN, "selu", torch.nn.SELU)
    ours, theirs = make_pair("BigBirdModel", attention_type=attention_type, hidden_act="selu")
    assert_parity(ours, theirs, input_ids=make_ids(2, 40))


@both_attention_types
@pytest.mark.parametrize("columns", [24, 41])
def test_positions_and_token_types(attention_type, columns):
    ours, theirs = PAIRS[attention_type]
    positions = (torch.arange(columns) * 7 + 3) % SIZES["max_position_embeddings"]
    types = (torch.arange(columns) > 9).long()
    for batch_positions in (positions[None], positions.expand(2, columns).flip(0)):
        assert_parity(
            ours,
            theirs,
            input_ids=make_ids(2, columns),
            position_ids=batch_positions,
            token_type_ids=types.expand(2, columns),
        )


@both_attention_types
@pytest.mark.parametrize("columns", [24, 41])
@pytest.mark.parametrize("rescale", [False, True])
def test_embeddings_in_place_of_ids(attention_type, columns, rescale):
    ours, theirs = make_pair("BigBirdModel", attention_type=attention_type, rescale_embeddings=rescale)
    embeddings = torch.randn(2, columns, SIZES["hidden_size"], generator=torch.Generator().manual_seed(2))
    ours_in, theirs_in = (embeddings.clone().requires_grad_() for _ in range(2))
    mask = make_mask([columns, columns - 3], columns)
    assert_parity(ours, theirs, inputs_embeds=embeddings, attention_mask=mask)
    (ours(inputs_embeds=ours_in, attention_mask=mask).last_hidden_state[mask.bool()] ** 3).sum().backward()
    theirs.set_attention_type(attention_type)
    (theirs(inputs_embeds=theirs_in, attention_mask=mask).last_hidden_state[mask.bool()] ** 3).sum().backward()
    scale = float(theirs_in.grad.abs().max())
    torch.testing.assert_close(ours_in.grad, theirs_in.grad * mask[..., None], atol=2e-5 * scale, rtol=0)


@pytest.mark.parametrize("head_mask", [[1.0, 0.0, 0.5], [[0.0, 1.0, 1.0], [0.25, 0.0, 1.0]]], ids=["heads", "layers"])
@pytest.mark.parametrize("output_attentions", [False, True])
def test_head_mask_and_attentions_of_dense_attention(head_mask, output_attentions):
    ours, theirs = PAIRS["original_full"]
    assert_parity(
        ours,
        theirs,
        input_ids=make_ids(3, 37),
        attention_mask=make_mask([37, 30, 11], 37),
        head_mask=torch.tensor(head_mask),
        output_attentions=output_attentions,
        output_hidden_states=True,
    )


def test_defaults_of_the_configuration():
    ours, theirs = make_pair(
        "BigBirdModel", attention_type="original_full", output_attentions=True, output_hidden_states=True
    )
    output, _ = assert_same_outputs(ours, theirs, input_ids=make_ids(1, 9))
    assert len(output.attentions) == 2 and len(output.hidden_states) == 3


@both_attention_types
def test_without_pooling_layer(attention_type):
    ours, theirs = make_pair("BigBirdModel", attention_type=attention_type, constructor={"add_pooling_layer": False})
    assert_parity(ours, theirs, input_ids=make_ids(2, 35))


def test_double_precision():
    ours, theirs = make_pair("BigBirdModel")
    assert_parity(ours.double(), theirs.double(), tolerance=1e-9, input_ids=make_ids(2, 50))
