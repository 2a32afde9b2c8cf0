"""Continuing texts: what is drawn, when it stops, and that nothing else is disturbed."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bigbird.model import BigBirdForCausalLM
from spacy_bigbird.model.decoder.generation import Sampler, generate

from ..toy_models import SMALL

CONFIG = SMALL.replace(
    vocab_size=40, max_position_embeddings=40, initializer_range=0.4, add_cross_attention=True, is_decoder=True
)
PROMPTS = torch.randint(3, 40, (3, 8), generator=torch.Generator().manual_seed(0))
LEFT_PADDED = (torch.arange(8) >= torch.tensor([[0], [3], [7]])).long()


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = BigBirdForCausalLM(CONFIG).eval()
    with torch.no_grad():
        # Without a bias, a new model repeats itself.
        model.lm_head.bias.normal_(std=1.0)
    return model


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_greedy_is_the_best_piece_again_and_again(model):
    ids = PROMPTS[:1]
    for _ in range(10):
        ids = torch.cat([ids, model(ids).logits[:, -1:].argmax(-1)], dim=1)
    assert torch.equal(model.generate(PROMPTS[:1], max_new_tokens=10, eos_token_id=-1), ids)


@pytest.mark.parametrize("sampling", [{}, {"do_sample": True, "temperature": 1.5, "top_k": 20, "top_p": 0.95}])
@pytest.mark.parametrize("with_encoder", [False, True])
def test_cache_equals_no_cache(model, sampling, with_encoder):
    extra = {}
    if with_encoder:
        states = torch.randn(3, 5, CONFIG.hidden_size, generator=seeded(4))
        extra = {"encoder_hidden_states": states, "encoder_attention_mask": LEFT_PADDED[:, 3:]}
    results = [
        model.generate(PROMPTS, LEFT_PADDED, 20, use_cache=use_cache, generator=seeded(), **sampling, **extra)
        for use_cache in (True, False)
    ]
    assert torch.equal(*results)


def test_a_prompt_in_a_padded_batch_is_continued_as_if_alone(model):
    together = model.generate(PROMPTS, LEFT_PADDED, 15, eos_token_id=-1)
    for row, length in enumerate(LEFT_PADDED.sum(1).tolist()):
        alone = model.generate(PROMPTS[row : row + 1, -length:], max_new_tokens=15, eos_token_id=-1)
        assert torch.equal(together[row, -15 - length :], alone[0])


def test_a_row_that_has_ended_is_padded_and_all_rows_ended_is_the_end(model):
    free = model.generate(PROMPTS, LEFT_PADDED, 20, eos_token_id=-1)[:, 8:]
    end = int(free[0, 4])
    continued = model.generate(PROMPTS, LEFT_PADDED, 20, eos_token_id=end, pad_token_id=39)
    assert torch.equal(continued[:, :8], PROMPTS)
    lengths = []
    for row, pieces in enumerate(free.tolist()):
        length = pieces.index(end) + 1 if end in pieces else 20
        lengths.append(length)
        ours = continued[row, 8:].tolist()
        assert ours[:length] == pieces[:length]
        assert set(ours[length:]) <= {39}
    assert continued.shape[1] == 8 + max(lengths)
    several = model.generate(PROMPTS, LEFT_PADDED, 20, eos_token_id=[-1, end], pad_token_id=39)
    assert torch.equal(several, continued)
    alone = model.generate(PROMPTS[:1], max_new_tokens=20, eos_token_id=end)
    assert alone.shape[1] == 8 + lengths[0]


def test_ids_of_the_configuration_are_the_defaults(model):
    def always(ids, mask, positions, cache):
        logits = torch.zeros(2, 40)
        logits[0, 2], logits[1, 5] = 1.0, 1.0
        return logits, None

    prompts = torch.full((2, 1), 7)
    assert generate(always, prompts, None, 3, None, 2, 0, 40).tolist() == [[7, 2, 0, 0], [7, 5, 5, 5]]
    free = model.generate(PROMPTS, LEFT_PADDED, 20, eos_token_id=-1)
    end = int(free[0, 10])
    model_with_ids = BigBirdForCausalLM(CONFIG.replace(eos_token_id=end, pad_token_id=38)).eval()
    model_with_ids.load_state_dict(model.state_dict())
    expected = model.generate(PROMPTS, LEFT_PADDED, 20, eos_token_id=end, pad_token_id=38)
    assert torch.equal(model_with_ids.generate(PROMPTS, LEFT_PADDED, 20), expected)


def test_seeded_draws_repeat_and_global_randomness_is_untouched(model):
    before = torch.get_rng_state()
    settings_of_draw = {"do_sample": True, "max_new_tokens": 20, "eos_token_id": -1}
    one, same, other = (model.generate(PROMPTS, generator=seeded(seed), **settings_of_draw) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    fresh = [model.generate(PROMPTS, **settings_of_draw) for _ in range(2)]
    assert not torch.equal(*fresh)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_narrowest_draw_is_greedy(model):
    greedy = model.generate(PROMPTS, LEFT_PADDED, 20)
    for narrow in ({"top_k": 1}, {"top_p": 1e-9}, {"temperature": 1e-4}):
        assert torch.equal(model.generate(PROMPTS, LEFT_PADDED, 20, do_sample=True, **narrow), greedy)


def test_draws_follow_the_probabilities():
    logits = torch.tensor([[1.0, 0.0, -1.0, 2.0]])
    sampler = Sampler(generator=seeded())
    drawn = torch.cat([sampler.draw(logits.expand(1000, 4)) for _ in range(10)])
    frequencies = torch.bincount(drawn, minlength=4) / len(drawn)
    torch.testing.assert_close(frequencies, logits[0].softmax(-1), atol=0.02, rtol=0)


@settings(max_examples=25, deadline=None)
@given(
    logits=st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=12),
    top_k=st.none() | st.integers(1, 15),
    top_p=st.none() | st.floats(0.01, 1),
    temperature=st.floats(0.1, 5),
)
def test_what_sampling_keeps(logits, top_k, top_p, temperature):
    logits = torch.tensor([logits])
    plain = (logits / temperature).softmax(-1)
    kept = Sampler(temperature, top_k, top_p).probabilities(logits)
    assert kept.sum().item() == pytest.approx(1, abs=1e-5)
    assert kept[0, logits.argmax()] > 0
    alive = kept > 0
    # No dropped piece is better than a kept one, and the kept ones keep their proportions.
    if not alive.all():
        assert plain[~alive].max() <= plain[alive].min() + 1e-7
    torch.testing.assert_close(kept[alive], plain[alive] / plain[alive].sum(), atol=1e-5, rtol=1e-4)
    if top_k is not None and logits.unique().numel() == logits.numel():
        assert alive.sum() <= top_k


def test_no_gradients_are_kept(model):
    assert model.generate(PROMPTS).grad_fn is None
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"do_sample": True, "temperature": 0.0}, "temperature: got 0.0"),
        ({"do_sample": True, "top_k": 0}, "top_k: got 0"),
        ({"do_sample": True, "top_k": 2.5}, "top_k: got 2.5, expected a whole number"),
        ({"max_new_tokens": 2.0}, "max_new_tokens: got 2.0, expected a whole number"),
        ({"do_sample": True, "top_p": 0.0}, "top_p: got 0.0"),
        ({"do_sample": True, "top_p": 1.5}, "top_p: got 1.5"),
        ({"max_new_tokens": 0}, "max_new_tokens: got 0"),
        ({"max_new_tokens": 33}, "8 pieces and 33 new ones exceed the model's 40 positions"),
        ({"attention_mask": LEFT_PADDED.flip(1)}, "Pad on the left"),
        ({"attention_mask": torch.zeros(3, 8)}, "Pad on the left"),
        ({"attention_mask": torch.ones(3, 9)}, r"got \(3, 8\) and \(3, 9\)"),
    ],
)
def test_what_is_not_allowed(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        model.generate(PROMPTS, **arguments)


def test_prompts_without_a_piece(model):
    with pytest.raises(ValueError, match="0 columns"):
        model.generate(torch.zeros(2, 0, dtype=torch.long))


def test_the_longest_text_is_reached(model):
    assert model.generate(PROMPTS, LEFT_PADDED, 32, eos_token_id=-1).shape == (3, 40)


def test_the_coldest_draw_is_greedy(model):
    drawn = model.generate(PROMPTS, do_sample=True, temperature=1e-40, generator=seeded())
    assert torch.equal(drawn, model.generate(PROMPTS))
