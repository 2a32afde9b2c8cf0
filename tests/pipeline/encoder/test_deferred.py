"""The backward pass that waits for all heads: which batch it belongs to, and when it is let go."""

import pickle

import numpy
import pytest
from thinc.api import Adam

from ...toy_pipelines import (
    rows_of,
)
from .toy_trainings import initialized, train


def test_reordered_documents_are_not_the_encoded_batch(vocab_file):
    nlp, examples = initialized(vocab_file, ("tagger",))
    nlp.get_pipe("bigbird").update(examples)
    with pytest.raises(ValueError, match=r"BB132.*tagger.*bigbird"):
        nlp.get_pipe("tagger").update(examples[::-1])


def test_a_batch_that_crashed_does_not_block_the_next(vocab_file):
    nlp, examples = initialized(vocab_file)
    with pytest.raises(TypeError):
        nlp.update(examples, sgd=False, component_cfg={"tagger": {"no_such_argument": 1}})
    _, change = train(nlp, examples)
    assert abs(change).max() > 1e-3


def test_a_late_gradient_is_reported(vocab_file):
    nlp, examples = initialized(vocab_file, ("tagger",))
    encoder = nlp.get_pipe("bigbird")
    encoder.update(examples)
    (listener,) = encoder.listeners
    receive = listener._backprop
    nlp.get_pipe("tagger").update(examples)
    with pytest.warns(UserWarning, match="BW132"):
        receive([])


def test_weights_and_batch_are_let_go(vocab_file):
    nlp, examples = initialized(vocab_file)
    encoder = nlp.get_pipe("bigbird")
    nlp.update(examples, sgd=False, exclude=["senter"])
    assert encoder._deferred.is_waiting
    encoder.finish_update(Adam(0.005))
    assert not encoder._deferred.is_waiting
    assert all(node._outputs is None and node._backprop is None for node in encoder.listeners)


def test_pickling_in_the_middle_of_a_step(vocab_file):
    nlp, examples = initialized(vocab_file)
    nlp.update(examples, sgd=False, exclude=["senter"])
    copied = pickle.loads(pickle.dumps(nlp))
    numpy.testing.assert_allclose(rows_of(copied("old books")), rows_of(nlp("old books")), atol=1e-6)
    _, change = train(copied, examples)
    assert abs(change).max() > 1e-3
