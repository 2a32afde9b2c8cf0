"""Statistics of whole documents and their gradients against autograd, and the scale of the training."""

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc
from thinc.api import Model

from spacy_bigbird.architectures.text_classifier import build_pooled_text_classifier
from spacy_bigbird.thinc_layers.document_pooling import STATISTICS, pool_documents, standardize
from spacy_bigbird.thinc_layers.types import PieceRows

from .toy_rows import toy_rows

VOCAB = spacy.blank("en").vocab
WORDS = [["ab", "cde", " ", "fghij"], [], ["xyz"], ["\n"]]


def documents():
    return [Doc(VOCAB, words=words) for words in WORDS]


def by_torch(name, rows, cls, lengths, query):
    pieces = rows[1:-1]
    if name == "cls":
        shares = torch.tensor(lengths, dtype=torch.float32).clamp(min=1e-6)
        return (shares / shares.sum()) @ cls
    if not len(pieces):
        return torch.zeros(rows.shape[1])
    return {
        "mean": lambda: pieces.mean(0),
        "std": lambda: ((pieces - pieces.mean(0)).square().mean(0) + 1e-6).sqrt(),
        "max": lambda: pieces.amax(0),
        "attention": lambda: torch.softmax(pieces @ query, 0) @ pieces,
    }[name]()


@pytest.mark.parametrize("statistics", [[name] for name in STATISTICS] + [["std", "attention", "cls", "max", "mean"]])
def test_values_and_gradients_are_those_of_autograd(statistics):
    upstream = toy_rows()
    upstream.initialize()
    inputs = upstream.predict(documents())
    model = pool_documents(statistics)
    model.set_dim("nI", 8)
    model.initialize()
    random = np.random.default_rng(0)
    query = torch.tensor(random.normal(size=8).astype("f"), requires_grad=True)
    if "attention" in statistics:
        model.set_param("query", query.detach().numpy().copy())
    output, backprop = model(inputs, is_train=True)
    gradient = random.normal(size=output.shape).astype("f")
    found = backprop(gradient)
    for number, X in enumerate(inputs):
        rows, cls = (torch.tensor(array, requires_grad=True) for array in (X.rows, X.window_cls))
        expected = torch.cat([by_torch(name, rows, cls, X.window_lengths, query) for name in statistics])
        np.testing.assert_allclose(output[number], expected.detach().numpy(), atol=1e-5)
        if expected.requires_grad:
            expected.backward(torch.tensor(gradient[number]))
        for own, tensor in ((found[number].rows, rows), (found[number].window_cls, cls)):
            wanted = np.zeros_like(own) if tensor.grad is None else tensor.grad.numpy()
            np.testing.assert_allclose(own, wanted, atol=1e-5)
    if "attention" in statistics:
        np.testing.assert_allclose(model.get_grad("query"), query.grad.numpy(), atol=1e-4)


def test_the_scale_is_that_of_the_training_documents():
    layer = standardize()
    layer.set_dim("nI", 3)
    layer.initialize()
    X = (np.random.default_rng(0).normal(size=(50, 3)) * [1, 10, 0.01] + [0, 5, -3]).astype("f")
    for first in range(0, 50, 7):
        scaled, backprop = layer(X[first : first + 7], is_train=True)
        assert np.isfinite(scaled).all()
    np.testing.assert_allclose(layer.get_param("center"), X.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.get_param("variance"), X.var(0), rtol=1e-2)
    scaled = layer.predict(X)
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-2)
    np.testing.assert_allclose(scaled.std(0), 1, atol=2e-2)
    np.testing.assert_allclose(backprop(np.ones((7, 3), dtype="f"))[0], 1 / X.std(0), rtol=2e-2)
    np.testing.assert_array_equal(standardize().from_bytes(layer.to_bytes()).predict(X), scaled)


@pytest.mark.parametrize("hidden_width", [0, 5])
def test_it_learns_grows_and_is_saved(hidden_width):
    model = build_pooled_text_classifier(toy_rows(), ["mean", "max"], hidden_width=hidden_width, nO=2)
    model.initialize(X=documents())
    assert not model.predict(documents()).logits.any()
    output = model.get_ref("output_layer")
    output.set_param("W", np.random.default_rng(0).normal(size=output.get_param("W").shape).astype("f"))
    scores, backprop = model(documents(), is_train=True)
    backprop(np.ones((4, 2), dtype="f"))
    assert output.get_grad("W").any() and model.get_ref("tok2vec").get_grad("E").any() and not scores.pieces
    before = model.predict(documents()).logits
    model.attrs["resize_output"](model, 3)
    after = model.predict(documents()).logits
    np.testing.assert_allclose(after[:, :2], before, atol=1e-6)
    assert not after[:, 2].any()
    reloaded = build_pooled_text_classifier(toy_rows(), ["mean", "max"], hidden_width=hidden_width)
    np.testing.assert_array_equal(reloaded.from_bytes(model.to_bytes()).predict(documents()).logits, after)


def test_vectors_of_tokens_will_do_but_not_for_cls():
    vectors = np.random.default_rng(0).normal(size=(4, 8)).astype("f")
    tokens = Model("tokens", lambda model, docs, is_train: ([vectors for _ in docs], list), dims={"nO": 8})
    model = build_pooled_text_classifier(tokens, ["std", "max"], nO=2)
    model.initialize(X=documents()[:1])
    assert model.predict(documents()[:1]).logits.shape == (1, 2)
    pool = pool_documents(["mean"])
    pool.set_dim("nI", 8)
    _, backprop = pool([vectors], True)
    np.testing.assert_allclose(backprop(np.ones((1, 8), dtype="f"))[0], 0.25)
    model = build_pooled_text_classifier(tokens, ["cls"], nO=2)
    model.initialize(X=documents()[:1])
    with pytest.raises(ValueError, match="BB200"):
        model.predict(documents()[:1])


@pytest.mark.parametrize(
    "changes", [{"pooling": "mean"}, {"pooling": []}, {"pooling": ["sum"]}, {"hidden_width": -1}, {"activation": "x"}]
)
def test_settings_are_checked(changes):
    with pytest.raises(ValueError, match="BB200"):
        build_pooled_text_classifier(toy_rows(), **{"pooling": ["mean"], **changes})


def test_gradients_have_the_form_of_their_inputs():
    upstream = toy_rows()
    upstream.initialize()
    pool = pool_documents(["mean"])
    pool.set_dim("nI", 8)
    inputs = upstream.predict(documents())
    _, backprop = pool(inputs, True)
    for X, gradient in zip(inputs, backprop(np.ones((4, 8), dtype="f")), strict=True):
        assert isinstance(gradient, PieceRows) and gradient.rows.shape == X.rows.shape
