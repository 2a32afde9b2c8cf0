"""The decoder computes what transformers computes, where transformers follows its documentation."""

import pytest
import torch
from transformers.generation import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from spacy_bigbird.model.decoder.generation import Sampler

from .parity import (
    MAXIMUM,
    TOLERANCE,
    assert_parity,
    assert_same_gradients,
    assert_same_outputs,
    make_ids,
    make_mask,
    make_pair,
)

# transformers' decoders are causal with dense attention only.
DECODER = {"is_decoder": True, "attention_type": "original_full"}


def make_labels(ids, mask):
    return ids.masked_fill(mask == 0, -100)


@pytest.mark.parametrize("columns", [1, 2, 5, 28, 29, MAXIMUM])
def test_every_length(columns):
    ours, theirs = make_pair("BigBirdForCausalLM", **DECODER)
    ids = make_ids(2, columns)
    if columns == 1:
        # There is nothing to predict: zero here, nan there.
        assert_same_outputs(ours, theirs, input_ids=ids, output_hidden_states=True)
        assert ours(ids, labels=ids).loss == 0
    else:
        assert_parity(ours, theirs, input_ids=ids, labels=ids, output_hidden_states=True)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"use_bias": False, "hidden_act": "relu"},
        {"rescale_embeddings": True, "layer_norm_eps": 1e-3},
        {"tie_word_embeddings": False, "type_vocab_size": 3},
        {"use_cache": False, "output_attentions": True, "output_hidden_states": True},
    ],
    ids=str,
)
def test_every_setting_with_padding(changes):
    ours, theirs = make_pair("BigBirdForCausalLM", **DECODER, **changes)
    ids, mask = make_ids(3, 33), make_mask([33, 20, 1], 33)
    assert_parity(ours, theirs, input_ids=ids, attention_mask=mask, labels=make_labels(ids, mask))


def test_all_arguments():
    ours, theirs = make_pair("BigBirdForCausalLM", **DECODER)
    ids = make_ids(2, 20)
    inputs = {
        "token_type_ids": torch.ones_like(ids),
        "position_ids": torch.arange(20).flip(0)[None],
        "head_mask": torch.tensor([[1.0, 0.0, 0.5], [0.5, 1.0, 0.0]]),
        "labels": ids,
        "output_attentions": True,
        "output_hidden_states": True,
        "use_cache": True,
    }
    assert_parity(ours, theirs, input_ids=ids, **inputs)
    embeddings = torch.randn(2, 20, ours.config.hidden_size, generator=torch.Generator().manual_seed(4))
    assert_parity(ours, theirs, inputs_embeds=embeddings, **inputs)


def test_padding_on_the_left():
    ours, theirs = make_pair("BigBirdForCausalLM", **DECODER)
    inputs = {"input_ids": make_ids(3, 20), "attention_mask": make_mask([20, 13, 1], 20, left=True)}
    assert_same_outputs(ours, theirs, output_hidden_states=True, output_attentions=True, **inputs)


def test_base_model_as_decoder():
    ours, theirs = make_pair("BigBirdModel", **DECODER)
    inputs = {"input_ids": make_ids(3, 33), "attention_mask": make_mask([33, 20, 1], 33)}
    assert_parity(ours, theirs, output_attentions=True, output_hidden_states=True, **inputs)


def test_masked_lm_of_a_decoder_is_causal_and_predicts_the_pieces_themselves():
    ours, theirs = make_pair("BigBirdForMaskedLM", **DECODER)
    ids, mask = make_ids(3, 33), make_mask([33, 20, 1], 33)
    assert_parity(ours, theirs, input_ids=ids, attention_mask=mask, labels=make_labels(ids, mask))


def test_going_on_from_a_cache_of_either():
    ours, theirs = make_pair("BigBirdForCausalLM", **DECODER)
    ids, mask = make_ids(3, 20), make_mask([20, 15, 9], 20, left=True)
    our_past = ours(ids[:, :12], attention_mask=mask[:, :12]).past_key_values
    their_past = theirs(ids[:, :12], attention_mask=mask[:, :12]).past_key_values
    expected = theirs(ids[:, 12:], attention_mask=mask, past_key_values=their_past)
    for past in (our_past, their_past, our_past.to_tuple()):
        output = ours(ids[:, 12:], attention_mask=mask, past_key_values=past)
        torch.testing.assert_close(output.logits, expected.logits, atol=TOLERANCE, rtol=TOLERANCE)
    back = theirs(ids[:, 12:], attention_mask=mask, past_key_values=our_past.to_tuple())
    torch.testing.assert_close(back.logits, expected.logits, atol=TOLERANCE, rtol=TOLERANCE)


def as_documented(theirs):
    """transformers hands the encoder's states to the self-attention too, which then is a second cross-attention. The
    documentation wants "a layer of cross-attention between the self-attention layers": keep them from it."""

    def without_encoder(module, arguments, keywords):
        return arguments, {**keywords, "encoder_hidden_states": None, "encoder_attention_mask": None}

    for layer in theirs.bert.encoder.layer:
        layer.attention.register_forward_pre_hook(without_encoder, with_kwargs=True)
    return theirs


@pytest.fixture
def cross_pair():
    ours, theirs = make_pair("BigBirdForCausalLM", **DECODER, add_cross_attention=True)
    return ours, as_documented(theirs)


@pytest.mark.parametrize("encoder_is_padded", [False, True])
def test_cross_attention(cross_pair, encoder_is_padded):
    ours, theirs = cross_pair
    ids, mask = make_ids(3, 17), make_mask([17, 10, 4], 17)
    states = torch.randn(3, 9, ours.config.hidden_size, generator=torch.Generator().manual_seed(6))
    inputs = {
        "input_ids": ids,
        "attention_mask": mask,
        "labels": make_labels(ids, mask),
        "encoder_hidden_states": states,
        "encoder_attention_mask": make_mask([9, 5, 1], 9) if encoder_is_padded else None,
        "head_mask": torch.tensor([1.0, 0.5, 0.0]),
        "output_attentions": True,
        "output_hidden_states": True,
    }
    our_output, their_output = assert_same_outputs(ours, theirs, ignore=["past_key_values"], **inputs)
    assert_same_gradients(ours, theirs, our_output.loss, their_output.loss)
    assert [len(layer) for layer in our_output.past_key_values.to_tuple()] == [4, 4]


def test_cross_attention_with_a_cache(cross_pair):
    ours, theirs = cross_pair
    ids = make_ids(2, 14)
    encoder = {
        "encoder_hidden_states": torch.randn(2, 9, ours.config.hidden_size, generator=torch.Generator().manual_seed(6)),
        "encoder_attention_mask": make_mask([9, 6], 9),
    }
    our_past = ours(ids[:, :8], **encoder).past_key_values
    their_past = theirs(ids[:, :8], **encoder).past_key_values
    expected = theirs(ids[:, 8:], past_key_values=their_past, **encoder).logits
    for past in (our_past, their_past):
        logits = ours(ids[:, 8:], past_key_values=past, **encoder).logits
        torch.testing.assert_close(logits, expected, atol=TOLERANCE, rtol=TOLERANCE)


@pytest.mark.parametrize("use_cache", [True, False])
def test_greedy_generation(use_cache):
    ours, theirs = make_pair("BigBirdForCausalLM", **DECODER)
    ids, mask = make_ids(4, 12), make_mask([12, 9, 1, 5], 12, left=True)
    free = ours.generate(ids, mask, 25, eos_token_id=-1, use_cache=use_cache)
    # Whatever one row says early on ends all rows where they say it.
    end = int(free[0, 15])
    for eos in (None, end):
        keywords = {} if eos is None else {"eos_token_id": eos}
        expected = theirs.generate(
            ids, attention_mask=mask, max_new_tokens=25, do_sample=False, pad_token_id=0, **keywords
        )
        assert torch.equal(ours.generate(ids, mask, 25, use_cache=use_cache, **keywords), expected)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("top_k", [None, 1, 7, 1000])
@pytest.mark.parametrize("top_p", [None, 1e-6, 0.3, 0.9, 1.0])
def test_probabilities_of_sampling(temperature, top_k, top_p):
    logits = 3 * torch.randn(5, 50, generator=torch.Generator().manual_seed(8))
    expected = TemperatureLogitsWarper(temperature)(None, logits)
    if top_k is not None:
        expected = TopKLogitsWarper(top_k)(None, expected)
    if top_p is not None:
        expected = TopPLogitsWarper(top_p)(None, expected)
    probabilities = Sampler(temperature, top_k, top_p).probabilities(logits)
    torch.testing.assert_close(probabilities, expected.softmax(-1), atol=1e-6, rtol=1e-6)
