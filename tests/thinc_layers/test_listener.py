import numpy
import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model
from thinc.types import Ragged
from transformers.utils import ModelOutput

from spacy_bigbird.annotations.extensions import install_extensions
from spacy_bigbird.thinc_layers.linking import batch_identity
from spacy_bigbird.thinc_layers.listener import piece_listener, piece_rows
from spacy_bigbird.thinc_layers.types import BigBirdBatch, BigBirdData, PieceRows

from ..toy_pipelines import make_pipeline, rows_of

NLP = spacy.blank("en")
LONG = "old books and green tea " * 40


@pytest.fixture(scope="module")
def nlp(vocab_file):
    nlp = make_pipeline(vocab_file)
    nlp.initialize()
    return nlp


class Reader:
    """The smallest component that listens."""

    name = "reader"

    def __init__(self, **settings):
        self.model = piece_listener("*", settings.get("grad_factor", 1.0))


def linked(nlp, **settings):
    reader = Reader(**settings)
    nlp.get_pipe("bigbird").find_listeners(reader)
    return reader.model


@pytest.fixture
def encoder(nlp):
    component = nlp.get_pipe("bigbird")
    yield component
    component.listener_map.clear()


def data_of(num_rows, num_windows, width=3, seed=0):
    random = numpy.random.RandomState(seed)
    rows = random.randn(num_rows, width).astype("f")
    window_cls = random.randn(num_windows, width).astype("f")
    window_cls[0] = rows[0]
    align = Ragged(numpy.arange(1, num_rows - 1, dtype="i"), numpy.ones(num_rows - 2, dtype="i"))
    lengths = numpy.full(num_windows, 5, dtype="i")
    strings, ids = ["x"] * num_rows, numpy.arange(num_rows, dtype="i")
    chars = {"offsets": numpy.zeros((num_rows - 2, 2), dtype="i"), "token_starts": ids[:-2]}
    return BigBirdData.build(rows, align, window_cls, lengths, strings=strings, ids=ids, stats={}, **chars)


def test_rows_windows_and_alignment_pass():
    data = data_of(6, 3)
    (output,), _ = piece_rows(1.0)([data], False)
    assert (output.rows == data.rows).all() and output.rows.shape == (6, 3)
    assert (output.window_cls == data.model_output["window_cls"]).all()
    assert output.window_lengths.tolist() == [5, 5, 5]
    assert output.align.dataXd.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("factor", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("num_windows", [1, 3])
def test_gradient_is_scaled_and_the_first_cls_is_summed(factor, num_windows):
    data = data_of(6, num_windows)
    (output,), backprop = piece_rows(factor).begin_update([data])
    random = numpy.random.RandomState(1)
    rows, window_cls = random.randn(6, 3).astype("f"), random.randn(num_windows, 3).astype("f")
    given = rows.copy(), window_cls.copy()
    (gradient,) = backprop([PieceRows(rows, output.align, window_cls, output.window_lengths)])
    assert (rows == given[0]).all() and (window_cls == given[1]).all()
    expected = rows * factor
    expected[0] += window_cls[0] * factor
    numpy.testing.assert_allclose(gradient.model_output["last_hidden_state"], expected[None], atol=1e-6)
    assert ("window_cls" in gradient.model_output) == (num_windows > 1)
    if num_windows > 1:
        found = gradient.model_output["window_cls"]
        assert not found[0].any()
        numpy.testing.assert_allclose(found[1:], window_cls[1:] * factor, atol=1e-6)


def test_a_gradient_of_another_shape_is_refused():
    data = data_of(6, 2)
    (output,), backprop = piece_rows(1.0).begin_update([data])
    wrong = PieceRows(output.rows[:5], output.align, output.window_cls, output.window_lengths)
    with pytest.raises(ValueError, match="BB131"):
        backprop([wrong])


def test_documents_of_a_linked_listener(nlp, encoder):
    model = linked(nlp)
    docs = list(nlp.pipe(["tea", "", LONG, "\n\n"]))
    for doc, output in zip(docs, model.predict(docs), strict=True):
        numpy.testing.assert_array_equal(output.rows, rows_of(doc))
        assert len(output.rows) >= 2 and len(output.window_cls) == len(output.window_lengths) >= 1
        assert (output.window_cls[0] == output.rows[0]).all()
        assert len(output.align.lengths) == len(doc)


def test_width_is_known_after_initialize(nlp, encoder):
    model = linked(nlp)
    model.initialize(X=[nlp.make_doc("never encoded")])
    assert model.get_dim("nO") == 32
    other = linked(nlp)
    other.initialize()
    assert other.get_dim("nO") == 32


def test_a_listener_without_an_encoder_says_so():
    with pytest.raises(ValueError, match=r"BB145.*PieceListener.*'\*'"):
        piece_listener("*", 1.0).initialize(X=[NLP.make_doc("text")])


def test_gradients_reach_the_encoder(nlp, encoder):
    """The sum over everything that the head saw, through the component, equals a direct backward pass."""
    model = linked(nlp, grad_factor=0.5)
    docs = [nlp.make_doc(text) for text in ("tea", "", LONG)]
    module = encoder.shim.module
    module.zero_grad()
    encoder.update([Example(doc, doc) for doc in docs])
    outputs, backprop = model.begin_update(docs)
    backprop([PieceRows(2 * o.rows, o.align, 3 * o.window_cls, o.window_lengths) for o in outputs])
    found = {name: p.grad.clone() for name, p in module.named_parameters()}
    assert not encoder._deferred.is_waiting
    module.zero_grad()
    batch, direct = encoder.model.begin_update(docs)
    arrays = []
    for data in batch.doc_data:
        window_cls = 1.5 * data.model_output["window_cls"]
        arrays.append([data.model_output["last_hidden_state"], window_cls])
    direct(batch.unsplit_by_doc(arrays))
    for name, parameter in module.named_parameters():
        numpy.testing.assert_allclose(found[name], parameter.grad, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("keep_vectors", ["float32", "float16"])
def test_reloaded_documents(nlp, encoder, keep_vectors):
    encoder.keep_vectors = keep_vectors
    try:
        doc = nlp(LONG)
        assert rows_of(doc).dtype == keep_vectors
        again = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    finally:
        encoder.keep_vectors = "float32"
    unlinked = piece_listener("*", 1.0)
    unlinked.layers[0].set_dim("nO", 32)
    for model in (linked(nlp), unlinked):
        for source in (doc, again):
            (output,) = model.predict([source])
            assert output.rows.dtype == output.window_cls.dtype == numpy.float32
            numpy.testing.assert_allclose(output.rows, rows_of(doc), atol=1e-6)
            assert len(output.window_cls) == doc._.bigbird_stats["windows"]
            arrays = [output.rows, output.window_cls, output.align.dataXd, output.align.lengths, output.window_lengths]
            assert all(array.flags.writeable for array in arrays)
            assert output.window_lengths.tolist() == doc._.trf_data.model_output["window_lengths"].tolist()


def test_documents_that_nothing_has_encoded():
    install_extensions()
    model = piece_listener("*", 1.0)
    model.layers[0].set_dim("nO", 4)
    with pytest.warns(UserWarning, match=r"BW130.*PieceListener.*zeros"):
        outputs = model.predict([NLP.make_doc("three tokens here"), NLP.make_doc("")])
    assert [output.rows.shape for output in outputs] == [(5, 4), (2, 4)]
    assert outputs[0].align.dataXd.tolist() == [1, 2, 3]
    assert not outputs[0].rows.any() and outputs[0].window_cls.shape == (1, 4)


def test_vectors_of_another_kind_are_refused():
    doc = NLP.make_doc("two tokens")
    data = BigBirdData.without_vectors(2, 4)
    data.model_output = ModelOutput(last_hidden_state=data.model_output["last_hidden_state"])
    data.wordpieces.strings = [["[CLS]", "two", "tokens", "[SEP]"]]
    doc._.trf_data = data
    model = piece_listener("*", 1.0)
    model.layers[0].set_dim("nO", 4)
    with pytest.raises(ValueError, match="BB130"):
        model.predict([doc])


def test_identity_of_a_batch_depends_on_words_and_order():
    docs = [NLP.make_doc(text) for text in ("dog bites man", "man bites dog", "")]
    identity = batch_identity(docs)
    assert identity == batch_identity([NLP.make_doc(doc.text) for doc in docs])
    assert len({identity, batch_identity(docs[::-1]), batch_identity(docs[:2])}) == 3
    assert identity[0] != identity[1]


def test_a_batch_carries_nothing_twice():
    datas = [data_of(4, 1), data_of(2, 1)]
    batch = BigBirdBatch.build(datas)
    assert batch.doc_data == datas and batch.spans == [[], []]
    assert batch.tensors == ()
    given = [[data.model_output["last_hidden_state"]] for data in datas]
    first, second = batch.unsplit_by_doc(given).gradient
    assert (first.rows == datas[0].rows).all() and (second.rows == datas[1].rows).all() and first.window_cls is None


def test_layer_is_copied_and_saved_with_a_head():
    model: Model = piece_listener("*", 0.25)
    again = piece_listener("*", 1.0).from_bytes(model.to_bytes())
    assert again.layers[1].attrs["grad_factor"] == 0.25
    assert model.get_ref("listener") is model.layers[0]


def test_gradients_of_different_layers_and_windows_are_added():
    wide, last = (numpy.full((2, width), value, dtype="f") for width, value in ((4, 1.0), (2, 2.0)))
    both = PieceRows(wide, None, wide, None) + PieceRows(last, None, None, None)
    assert both.rows.tolist() == [[1, 1, 3, 3]] * 2 and (both.window_cls == wide).all()
    assert (PieceRows(last, None, None, None) + PieceRows(wide, None, None, None)).rows.tolist() == both.rows.tolist()
    assert PieceRows(last, None, last, None).widened(4).window_cls.tolist() == [[0, 0, 2, 2]] * 2
    assert PieceRows(last, None, None, None).sum_of_squares() == 16 and both.sum_of_squares() == 48
    assert (wide == 1).all() and (last == 2).all()
