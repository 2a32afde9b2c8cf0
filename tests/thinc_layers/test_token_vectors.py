import numpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spacy_transformers.layers import trfs2arrays
from thinc.api import Linear, chain, reduce_first, reduce_max, reduce_mean
from thinc.types import Ragged

from spacy_bigbird.thinc_layers import token_vectors
from spacy_bigbird.thinc_layers.pooling import allow_empty_tokens
from spacy_bigbird.thinc_layers.token_vectors import pool_in_stretches
from spacy_bigbird.thinc_layers.types import BigBirdData


def data_of(lengths, seed=0):
    random = numpy.random.RandomState(seed)
    total = sum(lengths)
    rows = random.randn(total + 2, 4).astype("f")
    align = Ragged(
        random.permutation(numpy.arange(1, total + 1)).astype("i"), numpy.array(lengths, dtype="i").reshape(-1)
    )
    ids = numpy.zeros(total + 2, dtype="i")
    window = numpy.array([total], dtype="i")
    chars = {"offsets": numpy.zeros((total, 2), dtype="i"), "token_starts": numpy.arange(len(lengths), dtype="i")}
    return BigBirdData.build(rows, align, rows[:1], window, strings=[""] * (total + 2), ids=ids, stats={}, **chars)


def layers(make_pooling):
    stock, ours = trfs2arrays(make_pooling(), 1.0), trfs2arrays(make_pooling(), 1.0)
    allow_empty_tokens(stock)
    allow_empty_tokens(ours)
    pool_in_stretches(ours)
    return stock, ours


LENGTHS = st.lists(st.lists(st.integers(0, 9), max_size=30), min_size=1, max_size=3)


@settings(deadline=None)
@given(LENGTHS, st.integers(1, 20), st.sampled_from([reduce_mean, reduce_first, reduce_max]))
def test_token_vectors_are_the_stock_layers(lengths, rows_at_once, make_pooling):
    stock, ours = layers(make_pooling)
    datas = [data_of(one, seed) for seed, one in enumerate(lengths)]
    before, token_vectors.ROWS_AT_ONCE = token_vectors.ROWS_AT_ONCE, rows_at_once
    try:
        found = ours.predict(datas)
    finally:
        token_vectors.ROWS_AT_ONCE = before
    for vectors, expected in zip(found, stock.predict(datas), strict=True):
        assert vectors.shape == expected.shape
        numpy.testing.assert_allclose(vectors, expected, atol=1e-6)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60).filter(any), st.integers(1, 40))
@example([0, 2], 1)
def test_stretches_are_bounded_and_never_empty(lengths, limit):
    before, token_vectors.ROWS_AT_ONCE = token_vectors.ROWS_AT_ONCE, limit
    try:
        stretches = list(token_vectors._stretches(numpy.array(lengths)))
    finally:
        token_vectors.ROWS_AT_ONCE = before
    assert [index for start, end in stretches for index in range(start, end)] == list(range(len(lengths)))
    for start, end in stretches:
        assert sum(lengths[start:end]) > 0
        longest = max(lengths[start:end])
        assert sum(lengths[start:end]) <= limit + longest


@pytest.mark.parametrize("make_pooling", [lambda: chain(reduce_mean(), Linear(3, 4))])
def test_a_pooling_of_another_width(make_pooling):
    stock, ours = layers(make_pooling)
    ours.layers[0].initialize(X=Ragged(numpy.ones((1, 4), dtype="f"), numpy.ones(1, dtype="i")))
    stock.layers[0] = ours.layers[0]
    datas = [data_of([2, 0, 3])]
    numpy.testing.assert_allclose(ours.predict(datas)[0], stock.predict(datas)[0], atol=1e-6)


def test_training_is_the_stock_layers():
    stock, ours = layers(reduce_mean)
    datas = [data_of([2, 0, 3]), data_of([1])]
    (expected, stock_backprop), (found, backprop) = stock.begin_update(datas), ours.begin_update(datas)
    gradients = [numpy.ones_like(vectors) for vectors in found]
    for one, other in zip(backprop(list(gradients)), stock_backprop(list(gradients)), strict=True):
        numpy.testing.assert_array_equal(one.tensors[0], other.tensors[0])
    assert all((one == other).all() for one, other in zip(found, expected, strict=True))
