"""NumPy multiplies the matrices of a span classifier, with the results of Thinc's own."""

import pickle

import numpy as np
import spacy
from thinc.api import NumpyOps, fix_random_seed

from spacy_bigbird.thinc_layers.matrix_products import multiply_with_numpy
from spacy_bigbird.thinc_layers.span_classifier import KINDS, span_classifier

from .toy_rows import toy_rows

DOC = spacy.blank("en").make_doc("Governing law. This agreement is governed by the laws of Delaware.\n\nNotices.")


def make_model():
    fix_random_seed(0)
    model = span_classifier(toy_rows(), "mean", 8, 1, 2 * KINDS)
    model.initialize(X=[DOC])
    output = model.get_ref("output_layer")
    output.set_param("W", np.random.default_rng(0).normal(size=output.get_param("W").shape).astype("f"))
    return model


def blis(model):
    return [node.ops.use_blis for node in model.walk() if isinstance(node.ops, NumpyOps) and node.name == "maxout"]


def test_the_results_are_the_same():
    ours, theirs = make_model(), make_model()
    for node in theirs.walk():
        node.ops = NumpyOps()
    assert blis(ours) == [False] * 3 and blis(theirs) == [True] * 3
    outputs, backprops = zip(*(model.begin_update([DOC]) for model in (ours, theirs)), strict=True)
    np.testing.assert_allclose(outputs[0][0], outputs[1][0], atol=1e-5)
    for backprop in backprops:
        backprop([np.ones_like(outputs[0][0])])
    for one, other in zip(ours.walk(), theirs.walk(), strict=True):
        for name in one.grad_names:
            np.testing.assert_allclose(one.get_grad(name), other.get_grad(name), rtol=1e-4, atol=1e-4)


def test_it_stays_so():
    model = make_model()
    assert blis(pickle.loads(pickle.dumps(model))) == [False] * 3
    larger = model.attrs["resize_output"](model, 3 * KINDS)
    assert not larger.get_ref("output_layer").ops.use_blis


def test_layers_on_a_gpu_are_left_alone():
    model = make_model()
    gpu = object()
    for node in model.walk():
        node.ops = gpu
    multiply_with_numpy(model)
    assert all(node.ops is gpu for node in model.walk())
