"""Poolings of a document, their gradients, and what a document's logits were made of."""

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc
from thinc.api import Model

from spacy_bigbird.architectures.text_classifier import build_text_classifier
from spacy_bigbird.model.activations import ACTIVATIONS
from spacy_bigbird.thinc_layers.text_classifier import activation_layer

from .toy_rows import check_gradient, toy_rows

VOCAB = spacy.blank("en").vocab
WORDS = [["ab", "cde", " ", "fghij"], [], ["xyz"], ["\n"]]
POOLINGS = ["cls", "mean", "max", "attention"]


def documents() -> list[Doc]:
    return [Doc(VOCAB, words=words) for words in WORDS]


def initialized(pooling, nO=3):
    model = build_text_classifier(toy_rows(), pooling, nO=nO)
    model.initialize(X=documents())
    if pooling == "attention":
        attention = model.get_ref("attention")
        attention.set_param("W", np.random.default_rng(0).normal(size=attention.get_param("W").shape).astype("f"))
    return model


def head(model, rows):
    """The head by hand: dense, activation, linear."""
    dense, output = model.get_ref("dense"), model.get_ref("output_layer")
    hidden = rows @ dense.get_param("W").T + dense.get_param("b")
    hidden = ACTIVATIONS["gelu_new"](torch.from_numpy(hidden)).numpy()
    return hidden, hidden @ output.get_param("W").T + output.get_param("b")


def test_logits_of_every_pooling_by_hand():
    [X] = toy_rows_of(initialized("cls"), documents()[:1])
    pieces = X.rows[1:-1]
    assert len(X.window_lengths) == 2
    for pooling in POOLINGS:
        model = initialized(pooling)
        output = model.predict(documents()[:1])
        if pooling == "cls":
            _, logits = head(model, X.window_cls)
            expected = (logits * X.window_lengths[:, None]).sum(axis=0) / X.window_lengths.sum()
        elif pooling == "attention":
            hidden, logits = head(model, pieces)
            attention = model.get_ref("attention")
            scores = np.exp(hidden @ attention.get_param("W").T + attention.get_param("b"))
            weights = scores / scores.sum(axis=0)
            expected = (weights * logits).sum(axis=0)
            np.testing.assert_allclose(output.pieces[0].weights, weights, atol=1e-5)
            np.testing.assert_allclose(output.pieces[0].logits, logits, atol=1e-5)
            assert output.pieces[0].align.lengths.tolist() == [2, 3, 0, 5]
            assert output.pieces[0].align.dataXd.tolist() == list(range(10))
        else:
            _, logits = head(model, getattr(pieces, pooling)(axis=0, keepdims=True))
            expected = logits[0]
        np.testing.assert_allclose(output.logits[0], expected, atol=1e-5)


def toy_rows_of(model, docs):
    return model.get_ref("tok2vec").predict(docs)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_gradients_equal_differences(pooling):
    model = initialized(pooling)
    weights = np.random.default_rng(3).normal(size=(len(WORDS), 3)).astype("f")
    gradients = check_gradient(
        model, documents(), lambda output: float((output.logits * weights).sum(dtype="d")), lambda output: weights
    )
    assert len(gradients) == (7 if pooling == "attention" else 5)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_documents_do_not_disturb_each_other(pooling):
    model = initialized(pooling)
    together = model.predict(documents()).logits
    for doc, logits in zip(documents(), together, strict=True):
        np.testing.assert_allclose(model.predict([doc]).logits[0], logits, atol=1e-5)
    assert np.isfinite(together).all()


@pytest.mark.parametrize("pooling", ["mean", "max", "attention"])
def test_vectors_of_tokens_will_do(pooling):
    vectors = np.random.default_rng(0).normal(size=(4, 8)).astype("f")
    received = []

    def forward(model, docs, is_train):
        return [vectors for _ in docs], received.append

    model = build_text_classifier(Model("tokens", forward, dims={"nO": 8}), pooling, nO=2)
    model.initialize(X=documents()[:1])
    output, backprop = model(documents()[:1], True)
    backprop(np.ones((1, 2), dtype="f"))
    assert output.logits.shape == (1, 2)
    assert received[0][0].shape == vectors.shape and received[0][0].any()


def test_cls_needs_whole_documents_as_rows():
    model = build_text_classifier(
        Model("tokens", lambda model, docs, is_train: ([np.ones((2, 8), dtype="f")], None), dims={"nO": 8}), "cls", nO=2
    )
    model.initialize(X=documents()[:1])
    with pytest.raises(ValueError, match=r"BB200.*PieceListener"):
        model.predict(documents()[:1])


@pytest.mark.parametrize("pooling", ["cls", "attention"])
def test_more_labels_leave_the_old_scores(pooling):
    model = initialized(pooling)
    before = model.predict(documents()).logits
    model.attrs["resize_output"](model, 5)
    after = model.predict(documents()).logits
    np.testing.assert_allclose(after[:, :3], before, atol=1e-6)
    assert not after[:, 3:].any()
    reloaded = build_text_classifier(toy_rows(), pooling).from_bytes(model.to_bytes())
    np.testing.assert_array_equal(reloaded.predict(documents()).logits, after)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations_equal_the_encoders(name):
    X = np.linspace(-4, 4, 33, dtype="f").reshape(11, 3)
    layer = activation_layer(name)
    Y, backprop = layer(X, True)
    inputs = torch.from_numpy(X.copy()).requires_grad_()
    expected = ACTIVATIONS[name](inputs)
    expected.sum().backward()
    np.testing.assert_allclose(Y, expected.detach().numpy())
    np.testing.assert_allclose(backprop(np.ones_like(X)), inputs.grad.numpy())
    np.testing.assert_array_equal(layer.predict(X), Y)


def test_unknown_settings_are_errors():
    with pytest.raises(ValueError, match=r"BB200.*pooling = 'sum'"):
        build_text_classifier(toy_rows(), "sum")
    with pytest.raises(ValueError, match=r"BB200.*activation = 'tanh'.*gelu_new"):
        build_text_classifier(toy_rows(), activation="tanh")
