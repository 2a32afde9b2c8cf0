import numpy
import pytest
from thinc.api import Model, reduce_first, reduce_last, reduce_max, reduce_mean, reduce_sum
from thinc.types import Ragged

from spacy_bigbird.thinc_layers.pooling import allow_empty_tokens

POOLINGS = {
    reduce_first: lambda rows: rows[0],
    reduce_last: lambda rows: rows[-1],
    reduce_max: lambda rows: rows.max(0),
    reduce_mean: lambda rows: rows.mean(0),
    reduce_sum: lambda rows: rows.sum(0),
}
LENGTHS = {"mixed": [2, 0, 3, 0, 0, 1], "full": [2, 4], "empty": [0, 0], "none": []}


def expected_pooling(rows, lengths, pool):
    parts = numpy.split(rows, numpy.cumsum(lengths)[:-1]) if len(lengths) else []
    return numpy.array([pool(part) if len(part) else numpy.zeros(4) for part in parts]).reshape(-1, 4)


@pytest.mark.parametrize("make", POOLINGS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("case", LENGTHS)
def test_tokens_without_pieces_pool_to_zeros(make, case):
    lengths = numpy.array(LENGTHS[case], dtype="i")
    rows = numpy.random.RandomState(0).randn(lengths.sum(), 4).astype("f")
    model = make()
    allow_empty_tokens(model)
    pooled, backprop = model(Ragged(rows, lengths), True)
    numpy.testing.assert_allclose(pooled, expected_pooling(rows, lengths, POOLINGS[make]), atol=1e-6)
    gradient = numpy.random.RandomState(1).randn(*pooled.shape).astype("f")
    d_rows = backprop(gradient)
    assert d_rows.lengths.tolist() == lengths.tolist()
    assert d_rows.dataXd.shape == rows.shape
    # The gradient of the sum of products, by finite differences.
    for row in range(len(rows)):
        moved = rows.copy()
        moved[row, 1] += 1e-3
        change = (expected_pooling(moved, lengths, POOLINGS[make]) - pooled) * gradient
        assert d_rows.dataXd[row, 1] == pytest.approx(change.sum() / 1e-3, abs=2e-3)


def test_only_thincs_own_poolings_change():
    def forward(model, X, is_train):
        return X, lambda dY: dY

    other = Model("reduce_first", forward)
    outer = Model("outer", forward, layers=[other, reduce_first()])
    allow_empty_tokens(outer)
    assert other._func is forward and outer._func is forward
    assert outer.layers[1]._func is not reduce_first()._func
    allow_empty_tokens(outer)
    X = Ragged(numpy.ones((1, 4), dtype="f"), numpy.array([0, 1], dtype="i"))
    assert outer.layers[1].predict(X).tolist() == [[0] * 4, [1] * 4]
