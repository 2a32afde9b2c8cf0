"""The Flax models compute what the PyTorch models compute, with the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax.flatten_util import ravel_pytree

from spacy_bigbird.checkpoint.key_map import to_huggingface
from spacy_bigbird.flax.weights import to_tensors

from .pairs import CLASSES, LENGTHS, assert_equal, make_batch, make_pair

PATTERNS = [{"random_pattern": "paper"}, {"random_pattern": "huggingface"}, {"random_pattern": "none"}]
# The outputs of classes that have others than `logits`.
FIELDS = {
    "BigBirdForPreTraining": ("prediction_logits", "seq_relationship_logits"),
    "BigBirdForQuestionAnswering": ("start_logits", "end_logits"),
}
SETTINGS = [
    *PATTERNS,
    {"random_pattern": "huggingface", "num_random_blocks": 0},
    {"attention_type": "original_full"},
    {"use_bias": False, "rescale_embeddings": True, "hidden_act": "gelu"},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_states_for_lengths_around_all_borders(settings, tmp_path):
    ours, theirs = make_pair("BigBirdModel", tmp_path, num_hidden_layers=1, **settings)
    ids, mask = make_batch()
    expected = ours(torch.tensor(ids), torch.tensor(mask))
    actual = theirs(ids, mask)
    assert_equal(actual.last_hidden_state, expected.last_hidden_state)
    assert_equal(actual.pooler_output, expected.pooler_output)
    assert theirs._apply._cache_size() == 1


@pytest.mark.parametrize("columns", [25, 28, 29, 30])
def test_the_pattern_that_follows_the_padded_length(columns, tmp_path):
    ours, theirs = make_pair("BigBirdModel", tmp_path, num_hidden_layers=1, random_pattern="huggingface")
    ids, mask = (array[:, :columns] for array in make_batch())
    expected = ours(torch.tensor(ids), torch.tensor(mask)).last_hidden_state
    assert_equal(theirs(ids, mask).last_hidden_state, expected)


@pytest.mark.parametrize("pattern", ["paper", "huggingface"])
def test_attention_probabilities_and_states_of_all_layers(pattern, tmp_path):
    ours, theirs = make_pair("BigBirdModel", tmp_path, random_pattern=pattern)
    ids, mask = make_batch([30, 25, 7])
    factors = np.array([[1.0, 0.5], [0.0, 2.0]], dtype=np.float32)
    flags = {"output_attentions": True, "output_hidden_states": True}
    expected = ours(torch.tensor(ids), torch.tensor(mask), head_mask=torch.tensor(factors), **flags)
    actual = theirs(ids, mask, head_mask=factors, **flags)
    assert len(actual.hidden_states) == 3 and len(actual.attentions) == 2
    for name in ("hidden_states", "attentions"):
        for one, other in zip(getattr(actual, name), getattr(expected, name), strict=True):
            assert_equal(one, other)


@pytest.mark.parametrize("settings", [*PATTERNS, {"attention_type": "original_full"}], ids=str)
@pytest.mark.parametrize("name", CLASSES[1:])
def test_every_head_for_lengths_around_all_borders(name, settings, tmp_path):
    ours, theirs = make_pair(name, tmp_path, num_hidden_layers=1, **settings)
    ids, mask = make_batch()
    types = (np.arange(ids.shape[1]) > 3).astype(int) * mask
    if name == "BigBirdForQuestionAnswering":
        ids[:, 3] = 5
    if name == "BigBirdForMultipleChoice":
        ids, mask, types = (array.reshape(3, 3, -1) for array in (ids, mask, types))
    given = {"attention_mask": mask, "token_type_ids": types}
    expected = ours(torch.tensor(ids), **{key: torch.tensor(value) for key, value in given.items()})
    actual = theirs(ids, **given)
    fields = FIELDS.get(name, ("logits",))
    for field in fields:
        values, wanted = np.asarray(actual[field]), getattr(expected, field).detach().numpy()
        # Lowered by a million, numbers have three digits less.
        counted = np.abs(wanted) < 1e5
        assert np.abs(values - wanted)[counted].max() < 1e-5
        assert (values[~counted] < -1e5).all()
    assert actual.to_tuple()[0] is actual[fields[0]] and list(actual) == list(fields)


def test_questions_without_their_lengths_are_read_up_to_the_first_end(tmp_path):
    ours, theirs = make_pair("BigBirdForQuestionAnswering", tmp_path, num_hidden_layers=1)
    ids, mask = make_batch([30, 26])
    ids[:, 5] = 5
    for lengths in (None, [[4], [9]]):
        expected = ours(torch.tensor(ids), torch.tensor(mask), None if lengths is None else torch.tensor(lengths))
        actual = theirs(ids, mask, question_lengths=lengths)
        lowered = np.asarray(actual.start_logits) < -1e5
        assert (lowered == (expected.start_logits.detach().numpy() < -1e5)).all()
        np.testing.assert_allclose(
            np.asarray(actual.end_logits)[~lowered], expected.end_logits.detach().numpy()[~lowered], atol=1e-5
        )


@pytest.mark.parametrize(
    ("name", "settings"),
    [*((name, {"num_hidden_layers": 1}) for name in CLASSES), ("BigBirdForTokenClassification", PATTERNS[0])],
    ids=str,
)
def test_gradients_of_all_parameters(name, settings, tmp_path):
    ours, theirs = make_pair(name, tmp_path, **settings)
    ids, mask = make_batch([30, 25, 9, 28])
    if name == "BigBirdForQuestionAnswering":
        ids[:, 3] = 5
    if name == "BigBirdForMultipleChoice":
        ids, mask = (array.reshape(2, 2, -1) for array in (ids, mask))
    fields = {"BigBirdModel": ("last_hidden_state", "pooler_output"), **FIELDS}.get(name, ("logits",))
    outputs = ours(torch.tensor(ids), torch.tensor(mask))
    draw = np.random.default_rng(1).normal
    # Scores that are lowered by a million are left out: there, the last digits are lost.
    directions = [
        (np.abs(getattr(outputs, field).detach().numpy()) < 1e5) * draw(size=getattr(outputs, field).shape)
        for field in fields
    ]
    pairs = list(zip(fields, [direction.astype(np.float32) for direction in directions], strict=True))
    sum((getattr(outputs, field) * torch.tensor(direction)).sum() for field, direction in pairs).backward()

    def loss(params):
        found = theirs(ids, mask, params=params)
        return sum((found[field] * direction).sum() for field, direction in pairs)

    prefix = "" if name == "BigBirdModel" else "bert."
    actual = to_tensors(jax.jit(jax.grad(loss))(theirs.params), prefix)
    # A pooler that no head reads has no gradient in PyTorch and is not there in Flax.
    gradients = {key: weight.grad for key, weight in ours.canonical_weights().items() if weight.grad is not None}
    expected = to_huggingface(gradients, prefix)
    assert expected.keys() <= actual.keys()
    for key, gradient in actual.items():
        wanted = expected.get(key, torch.zeros_like(gradient))
        scale = max(1.0, float(wanted.abs().max()))
        assert float((gradient - wanted).abs().max()) < 2e-5 * scale, key


def test_a_row_does_not_depend_on_its_neighbours(tmp_path):
    _, model = make_pair("BigBirdModel", tmp_path, num_hidden_layers=1)
    ids, mask = make_batch()
    together = np.asarray(model(ids, mask).last_hidden_state)
    for row, length in enumerate(LENGTHS):
        alone = np.asarray(model(ids[row : row + 1, :length]).last_hidden_state)
        np.testing.assert_allclose(alone[0], together[row, :length], atol=2e-6)
        assert (together[row, length:] == 0).all()


def test_a_few_programs_serve_all_lengths(tmp_path):
    _, model = make_pair("BigBirdModel", tmp_path, num_hidden_layers=1)
    ids, _ = make_batch([64])
    for length in (33, 40, 41, 48):
        model(ids[:, :length])
    assert model._apply._cache_size() == 1


def test_cross_attention(tmp_path):
    ours, theirs = make_pair(
        "BigBirdForCausalLM", tmp_path, num_hidden_layers=1, is_decoder=True, add_cross_attention=True
    )
    ids, mask = make_batch([9, 6])
    states = np.random.default_rng(2).normal(size=(2, 5, 16)).astype(np.float32)
    known = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    given = {"attention_mask": mask, "encoder_hidden_states": states, "encoder_attention_mask": known}
    expected = ours(torch.tensor(ids), **{key: torch.tensor(value) for key, value in given.items()})
    assert_equal(theirs(ids, **given).logits, expected.logits)


def test_transformations_of_jax(tmp_path):
    _, model = make_pair("BigBirdModel", tmp_path, num_hidden_layers=1)
    ids, mask = make_batch([30, 25])
    expected = np.asarray(model(ids, mask).last_hidden_state)
    traced = jax.jit(lambda params, ids, mask: model(ids, mask, params=params).last_hidden_state)
    np.testing.assert_allclose(traced(model.params, ids, mask), expected, atol=2e-6)
    mapped = jax.vmap(lambda row, pieces: model(row[None], pieces[None]).last_hidden_state[0])
    np.testing.assert_allclose(mapped(jnp.asarray(ids), jnp.asarray(mask)), expected, atol=2e-6)


def test_gradient_checkpointing_changes_no_gradient(tmp_path):
    _, model = make_pair("BigBirdModel", tmp_path, num_hidden_layers=1)
    ids, mask = make_batch([16, 9])

    def gradient():
        return ravel_pytree(jax.jit(jax.grad(lambda params: model(ids, mask, params=params)[0].sum()))(model.params))[0]

    before = gradient()
    model.enable_gradient_checkpointing()
    np.testing.assert_allclose(gradient(), before, atol=1e-5)


def test_half_precision_has_an_exact_softmax(tmp_path):
    make_pair("BigBirdModel", tmp_path, num_hidden_layers=1)
    from spacy_bigbird.flax import FlaxBigBirdModel

    exact, half = (FlaxBigBirdModel.from_pretrained(tmp_path, dtype=dtype) for dtype in (jnp.float32, jnp.bfloat16))
    ids, mask = make_batch([30, 25])
    rounded = half(ids, mask, output_attentions=True)
    assert rounded.last_hidden_state.dtype == jnp.bfloat16 and rounded.attentions[0].dtype == jnp.float32
    np.testing.assert_allclose(rounded.attentions[0].sum(-1)[0], 1, atol=1e-6)
    difference = np.asarray(rounded.last_hidden_state, np.float32) - np.asarray(exact(ids, mask).last_hidden_state)
    assert 0 < np.abs(difference).max() < 0.2
