"""Streams of documents: order, laziness, errors, what stays on the documents, processes."""

import gc
import multiprocessing
import warnings
import weakref

import numpy
import pytest
import spacy
import torch
from spacy.tokens import Doc, DocBin
from spacy.util import fix_random_seed
from spacy_transformers.data_classes import TransformerData

from spacy_bigbird.thinc_layers.process_state import use_one_thread_if_forked
from spacy_bigbird.thinc_layers.types import BigBirdData

from ...processes import start
from ...toy_pipelines import (
    ODD_TEXTS,
    SENTENCES,
    add_head,
    encoder_model,
    make_examples,
    make_pipeline,
    rows_of,
    snapshot,
)

TEXTS = [*[text for text, _ in SENTENCES], *ODD_TEXTS[:3]]
HEADS = ("tagger", "senter")


def build(vocab_file, heads=HEADS, **settings):
    fix_random_seed(0)
    nlp = make_pipeline(vocab_file, heads, **settings)
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(3):
        nlp.update(examples, sgd=optimizer)
    return nlp


@pytest.fixture(scope="module")
def nlp(vocab_file):
    return build(vocab_file)


@pytest.fixture
def with_vectors(nlp, vocab_file):
    def make(keep_vectors, heads=HEADS):
        other = make_pipeline(vocab_file, heads, keep_vectors=keep_vectors)
        return other.from_bytes(nlp.to_bytes())

    return make


def test_pipe_is_lazy_and_keeps_order(nlp):
    read = []

    def stream():
        for number in range(40):
            read.append(number)
            yield f"tea {number}", number

    docs = nlp.pipe(stream(), as_tuples=True, batch_size=4)
    first, context = next(docs)
    assert first.text == "tea 0" and context == 0 and len(read) <= 12
    assert [number for _, number in docs] == list(range(1, 40))


def test_documents_are_encoded_as_they_are_asked_for(vocab_file):
    """A batch larger than `max_batch_pieces` is not encoded as a whole before its first document comes out."""
    nlp = make_pipeline(vocab_file, max_batch_pieces=20)
    nlp.initialize()
    docs = [nlp.make_doc("They sell old books .") for _ in range(8)]
    stream = nlp.get_pipe("bigbird").pipe(iter(docs), batch_size=8)
    next(stream)
    assert [doc._.trf_data is not None for doc in docs] == [True] * 2 + [False] * 6
    assert list(stream) == docs[1:]


@pytest.mark.parametrize("batch_size", [1, 2, 1000])
def test_batch_size_changes_nothing(nlp, batch_size):
    found = list(nlp.pipe(TEXTS, batch_size=batch_size))
    assert [snapshot(doc) for doc in found] == [snapshot(nlp(text)) for text in TEXTS]


def test_a_document_that_fails_goes_to_the_error_handler_alone(vocab_file):
    nlp = make_pipeline(vocab_file, on_oversize="error")
    nlp.initialize()
    failed = []
    nlp.set_error_handler(lambda name, pipe, docs, error: failed.append((name, [doc.text for doc in docs], error)))
    long = "old books " * 60
    assert [doc.text for doc in nlp.pipe(["a", long, "b", long, "c"], batch_size=4)] == ["a", "b", "c"]
    assert [(name, texts) for name, texts, _ in failed] == [("bigbird", [long])] * 2
    assert all("BB141" in str(error) for _, _, error in failed)
    found = list(nlp.pipe([("a", 1), (long, 2), ("c", 3)], as_tuples=True))
    assert [context for _, context in found] == [1, 3]


def test_errors_are_raised_without_a_handler(vocab_file):
    nlp = make_pipeline(vocab_file, on_oversize="error")
    nlp.initialize()
    with pytest.raises(ValueError, match="BB141"):
        list(nlp.pipe(["a", "old books " * 60, "b"]))


@pytest.mark.parametrize("keep_vectors", ["float32", "float16", "none"])
@pytest.mark.parametrize("batch_size", [1, 3, 1000])
def test_what_stays_on_the_documents(nlp, with_vectors, keep_vectors, batch_size):
    other = with_vectors(keep_vectors)
    for doc, text in zip(other.pipe(TEXTS, batch_size=batch_size), TEXTS, strict=True):
        expected = nlp(text)
        assert snapshot(doc) == snapshot(expected)
        assert doc._.bigbird_stats == expected._.bigbird_stats
        if keep_vectors == "none":
            assert doc._.trf_data is None
        else:
            assert rows_of(doc).dtype == doc._.trf_data.model_output["window_cls"].dtype == keep_vectors
            assert doc._.trf_data.model_output["window_lengths"].dtype == numpy.int32
            numpy.testing.assert_allclose(rows_of(doc), rows_of(expected), atol=0.01)


@pytest.mark.parametrize("keep_vectors", ["float16", "none"])
def test_vectors_are_let_go_without_any_reader(with_vectors, keep_vectors):
    doc = with_vectors(keep_vectors, heads=())("tea")
    assert doc._.trf_data is None if keep_vectors == "none" else rows_of(doc).dtype == numpy.float16


def test_a_disabled_reader_finds_the_vectors_later(with_vectors):
    nlp = with_vectors("none")
    with nlp.select_pipes(disable=["senter"]):
        (doc,) = nlp.pipe([TEXTS[0]])
        assert doc._.trf_data is not None
    nlp.get_pipe("senter")(doc)
    assert doc._.trf_data is None


def test_frozen_readers_are_not_forgotten(vocab_file):
    """spaCy initialises with frozen components disabled, and leaves them out of the encoder's listeners."""
    nlp = make_pipeline(vocab_file, HEADS, keep_vectors="none")
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    with nlp.select_pipes(disable=["senter"]):
        nlp.initialize(lambda: examples)
    assert nlp.get_pipe("bigbird").listening_components == ["tagger"]
    doc = nlp("tea")
    assert doc._.trf_data is None


def test_half_precision_is_read_again(with_vectors):
    nlp = with_vectors("float16")
    doc = nlp(TEXTS[0])
    tags = [token.tag_ for token in doc]
    assert rows_of(doc).dtype == numpy.float16
    assert [token.tag_ for token in nlp.get_pipe("tagger")(doc)] == tags
    (vectors,) = nlp.get_pipe("tagger").model.get_ref("tok2vec").predict([doc])
    assert vectors.dtype == numpy.float32


def test_missing_vectors_are_reported_once(nlp, vocab_file):
    other = make_pipeline(vocab_file, HEADS).from_bytes(nlp.to_bytes())
    with other.select_pipes(disable=["bigbird"]):
        with pytest.warns(UserWarning, match=r"BW130.*tagger.*bigbird"):
            doc = other.get_pipe("tagger")(other.make_doc("old books"))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            other.get_pipe("tagger")(other.make_doc("green tea"))
    assert doc._.bigbird_stats is None


def test_initializing_heads_is_quiet(vocab_file):
    nlp = make_pipeline(vocab_file, HEADS)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        nlp.initialize(lambda: make_examples(nlp))


def test_two_encoders_in_one_pipeline(vocab_file):
    nlp = make_pipeline(vocab_file)
    nlp.add_pipe("bigbird", name="second", config={"model": encoder_model(vocab_file)})
    add_head(nlp, "tagger", upstream="bigbird")
    nlp.initialize(lambda: make_examples(nlp))
    with pytest.raises(ValueError, match=r"BB133.*tagger.*'bigbird'.*'second'"):
        nlp("tea")


def test_doc_bin(nlp, with_vectors):
    sizes = {}
    for keep_vectors in ("float32", "float16", "none"):
        other = with_vectors(keep_vectors)
        content = DocBin(docs=other.pipe(TEXTS), store_user_data=True).to_bytes()
        sizes[keep_vectors] = len(content)
        for doc, text in zip(DocBin().from_bytes(content).get_docs(other.vocab), TEXTS, strict=True):
            assert doc._.bigbird_stats == nlp(text)._.bigbird_stats
            if keep_vectors == "none":
                assert doc._.trf_data is None
                continue
            assert type(doc._.trf_data) is TransformerData
            assert rows_of(doc).dtype == keep_vectors
            tags = [token.tag_ for token in nlp(text)]
            assert [token.tag_ for token in other.get_pipe("tagger")(doc)] == tags
    assert sizes["float32"] > sizes["float16"] > sizes["none"]


def test_doc_bytes(nlp):
    doc = nlp(TEXTS[0])
    again = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    numpy.testing.assert_array_equal(rows_of(again), rows_of(doc))
    assert again._.trf_data.wordpieces.strings[0] == doc._.trf_data.wordpieces.strings[0]


def test_doc_cleaner(nlp):
    other = spacy.blank("en")
    for name in nlp.pipe_names:
        other.add_pipe(name, source=nlp)
    other.add_pipe("doc_cleaner", config={"attrs": {"tensor": None, "_.trf_data": None}})
    doc = other(TEXTS[0])
    assert doc._.trf_data is None and [t.tag_ for t in doc] == [t.tag_ for t in nlp(TEXTS[0])]


def test_vectors_of_a_stream_go_with_their_documents(nlp):
    references, most = [], 0
    gc.collect()
    gc.disable()
    try:
        for doc in nlp.pipe(["They sell old books . " * 8] * 50, batch_size=4):
            references.append(weakref.ref(doc._.trf_data.wordpieces))
            most = max(most, sum(reference() is not None for reference in references))
        del doc
        assert most <= 9 and not any(reference() for reference in references)
    finally:
        gc.enable()


def test_no_document_outlives_its_readers(nlp):
    gc.collect()
    gc.disable()
    try:
        doc = nlp(TEXTS[0])
        reference = weakref.ref(doc._.trf_data.wordpieces)
        del doc
        assert reference() is None
    finally:
        gc.enable()


def test_large_batches_are_warned_of_once(nlp, monkeypatch):
    monkeypatch.setattr("spacy_bigbird.pipeline.encoder.component.LARGE_BATCH_BYTES", 1000)
    with pytest.warns(UserWarning, match=r"BW133.*bigbird.*7 documents.*batch_size = 16"):
        list(nlp.pipe(TEXTS))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        list(nlp.pipe(TEXTS))
    nlp.get_pipe("bigbird")._has_warned = False


def test_evaluate(nlp):
    assert set(nlp.evaluate(make_examples(nlp, odd=True))) >= {"tag_acc", "sents_f", "speed"}


@pytest.mark.parametrize("keep_vectors", ["float32", "none"])
def test_data_of_one_call_is_not_shared(with_vectors, keep_vectors):
    nlp = with_vectors(keep_vectors)
    first, second = nlp.pipe([TEXTS[0], TEXTS[0]])
    if keep_vectors == "float32":
        assert isinstance(first._.trf_data, BigBirdData)
        rows_of(first)[:] = 0
        assert rows_of(second).any()


def stream_in_several_processes(method, pipeline):
    """In a process of its own, with a time-out: PyTorch's threads do not survive a fork."""
    multiprocessing.set_start_method(method, force=True)
    use_one_thread_if_forked()  # as this process was itself
    torch.set_num_threads(2)
    nlp = spacy.load(pipeline)
    texts = [*TEXTS, "old books " * 100]
    alone = [[t.tag_ for t in doc] for doc in nlp.pipe(texts)]
    torch.ones(600, 600) @ torch.ones(600, 600)
    docs = list(nlp.pipe(texts, n_process=2, batch_size=2))
    assert [[t.tag_ for t in doc] for doc in docs] == alone
    assert all(doc._.trf_data.width == 32 and doc._.bigbird_stats for doc in docs)


@pytest.mark.parametrize("method", ["fork", "forkserver", pytest.param("spawn", marks=pytest.mark.slow)])
def test_several_processes(nlp, tmp_path, method):
    nlp.to_disk(tmp_path / "pipeline")
    process = start(stream_in_several_processes, method, tmp_path / "pipeline")
    process.join(240)
    assert process.exitcode == 0
