"""Pooling of pieces, scores of tags, their gradients, and more labels afterwards."""

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from thinc.types import Ragged

from spacy_bigbird.architectures.token_classifier import build_token_classifier
from spacy_bigbird.thinc_layers.token_classifier import token_vectors
from spacy_bigbird.thinc_layers.types import PieceRows

from .toy_rows import check_gradient, toy_rows

VOCAB = spacy.blank("en").vocab
WORDS = [["ab", "cde", " ", "f"], [], ["xyz"], ["\n"]]


def documents() -> list[Doc]:
    return [Doc(VOCAB, words=words) for words in WORDS]


def initialized(pooling="first", nO=5):
    model = build_token_classifier(toy_rows(), pooling, nO)
    model.initialize(X=documents())
    return model


@pytest.mark.parametrize(("pooling", "expected"), [("first", [1.0, 3.0]), ("mean", [1.5, 4.0]), ("max", [2.0, 5.0])])
def test_pooling_of_pieces_with_tokens_that_have_none_or_share_one(pooling, expected):
    rows = np.repeat(np.arange(7, dtype="f")[:, None], 2, axis=1)
    align = Ragged(np.asarray([1, 2, 3, 4, 5, 5], dtype="i"), np.asarray([2, 0, 3, 1], dtype="i"))
    X = PieceRows(rows, align, rows[:1], np.asarray([5], dtype="i"))
    layer = token_vectors(pooling)
    [output], backprop = layer([X], True)
    np.testing.assert_allclose(output[:, 0], [expected[0], 0.0, expected[1], 5.0])
    [gradient] = backprop([np.ones_like(output)])
    assert gradient.rows.shape == rows.shape and gradient.window_cls.shape == (1, 2)
    assert gradient.rows.sum() == pytest.approx(6.0), "the token without pieces gives its gradient to nobody"
    assert not gradient.rows[0].any() and not gradient.rows[-1].any()


def test_vectors_of_tokens_pass_unchanged():
    X = np.ones((3, 2), dtype="f")
    [output], backprop = token_vectors("first")([X], True)
    assert output is X
    assert backprop([X])[0] is X


@pytest.mark.parametrize("pooling", ["first", "mean", "max"])
def test_gradients_equal_differences(pooling):
    model = initialized(pooling)
    weights = [np.random.default_rng(len(words)).normal(size=(len(words), 5)).astype("f") for words in WORDS]
    gradients = check_gradient(
        model,
        documents(),
        lambda output: sum(float((o * w).sum(dtype="d")) for o, w in zip(output, weights, strict=True)),
        lambda output: weights,
    )
    assert {name for _, name in gradients} == {"E", "W", "b"}


def test_scores_do_not_depend_on_the_batch():
    model = initialized()
    together = model.predict(documents())
    assert [o.shape for o in together] == [(len(words), 5) for words in WORDS]
    for doc, output in zip(documents(), together, strict=True):
        np.testing.assert_allclose(model.predict([doc])[0], output, atol=1e-6)


def test_more_labels_leave_the_old_scores():
    model = initialized()
    model.get_ref("transitions").get_param("follow")[1, 1] = 3.0
    before = model.predict(documents())
    model.attrs["resize_output"](model, 9)
    after = model.predict(documents())
    for old, new in zip(before, after, strict=True):
        np.testing.assert_allclose(new[:, :5], old, atol=1e-6)
        assert not new[:, 5:].any()
    follow = model.get_ref("transitions").get_param("follow")
    assert follow.shape == (3, 3) and follow[1, 1] == 3.0 and follow.sum() == 3.0
    reloaded = build_token_classifier(toy_rows(), "first", None).from_bytes(model.to_bytes())
    np.testing.assert_array_equal(reloaded.predict(documents())[0], after[0])


def test_unknown_pooling_is_an_error():
    with pytest.raises(ValueError, match=r"BB200.*'middle'.*first or mean or max"):
        build_token_classifier(toy_rows(), "middle")
