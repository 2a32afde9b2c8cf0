"""Continuing texts, and a training that learns."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from spacy_bigbird.flax import FlaxBigBirdForTokenClassification
from spacy_bigbird.model import BigBirdConfig

from .pairs import SMALL, make_batch, make_pair


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return make_pair("BigBirdForCausalLM", tmp_path_factory.mktemp("decoder"))


def test_the_best_pieces_are_those_of_pytorch(pair):
    ours, theirs = pair
    ids, mask = make_batch([9, 5])
    ids, mask = ids[:, ::-1].copy(), mask[:, ::-1].copy()
    expected = ours.generate(torch.tensor(ids), torch.tensor(mask), 7, eos_token_id=[])
    assert theirs.generate(ids, mask, 7, eos_token_id=[-1]).tolist() == expected.tolist()


def test_a_cache_gives_the_scores_of_the_whole_text(pair):
    _, model = pair
    ids, _ = make_batch([12, 12])
    whole = np.asarray(model(ids).logits)
    cache = model.init_cache(2, 16)
    allowed = np.ones((2, 16))
    first = model(ids[:, :8], allowed, past_key_values=cache)
    rest = model(ids[:, 8:], allowed, position_ids=np.arange(8, 12)[None], past_key_values=first.past_key_values)
    np.testing.assert_allclose(np.concatenate((first.logits, rest.logits), axis=1), whole, atol=1e-5)


def test_a_row_ends_with_the_end_piece(pair):
    _, model = pair
    ids, _ = make_batch([6, 6])
    free = model.generate(ids, max_new_tokens=5, eos_token_id=[-1])
    ended = model.generate(ids, max_new_tokens=5, eos_token_id=int(free[0, 7]), pad_token_id=3)
    end = free[0, 6:].tolist().index(int(free[0, 7]))
    assert ended[0, 6 : 7 + end].tolist() == free[0, 6 : 7 + end].tolist() and set(ended[0, 7 + end :].tolist()) <= {3}


def test_drawing_repeats_with_its_key_and_keeps_to_the_best_pieces(pair):
    _, model = pair
    ids, _ = make_batch([6, 6])

    def draw(key, **settings):
        return model.generate(
            ids, None, 6, do_sample=True, prng_key=jax.random.key(key), eos_token_id=[-1], **settings
        ).tolist()

    assert draw(1, temperature=3.0) == draw(1, temperature=3.0) != draw(2, temperature=3.0)
    best = model.generate(ids, None, 6, eos_token_id=[-1]).tolist()
    assert draw(3, top_k=1) == draw(4, top_p=1e-6) == best


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_new_tokens": 0}, "BB103.*max_new_tokens"),
        ({"do_sample": True, "temperature": 0.0}, "BB103.*temperature"),
        ({"do_sample": True, "top_k": 0}, "BB103.*top_k"),
        ({"do_sample": True, "top_p": 1.5}, "BB103.*top_p"),
        ({"attention_mask": [[1, 1, 0]]}, "BB106"),
        ({"max_new_tokens": 62}, "BB107"),
    ],
    ids=str,
)
def test_settings_that_are_not_allowed(pair, settings, message):
    with pytest.raises(ValueError, match=message):
        pair[1].generate([[6, 7, 8]], **settings)


def test_training_lowers_the_loss():
    model = FlaxBigBirdForTokenClassification(BigBirdConfig(**{**SMALL, "num_hidden_layers": 1}))
    ids, mask = make_batch([16, 14, 9])
    labels = ids % 3
    optimizer = optax.adam(1e-2)

    def loss(params, key):
        logits = model(ids, mask, params=params, train=True, dropout_rng=key).logits
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return (losses * mask).sum() / mask.sum()

    @jax.jit
    def step(params, state, key):
        value, gradient = jax.value_and_grad(loss)(params, key)
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, value

    params, state, losses = model.params, optimizer.init(model.params), []
    for key in jax.random.split(jax.random.key(0), 40):
        params, state, value = step(params, state, key)
        losses.append(float(value))
    assert losses[0] > 0.9 and np.mean(losses[-5:]) < 0.3
    model.params = params
    predicted = np.asarray(model(ids, mask).logits).argmax(-1)
    assert (predicted == labels)[mask.astype(bool)].mean() > 0.9


def test_dropout_follows_its_key_and_is_absent_in_prediction():
    model = FlaxBigBirdForTokenClassification(BigBirdConfig(**{**SMALL, "num_hidden_layers": 1}))
    ids, mask = make_batch([30, 9])
    run = lambda key: np.asarray(model(ids, mask, train=True, dropout_rng=jax.random.key(key)).logits)  # noqa: E731
    assert np.array_equal(run(1), run(1)) and not np.allclose(run(1), run(2))
    assert np.array_equal(model(ids, mask).logits, model(jnp.asarray(ids), jnp.asarray(mask)).logits)
