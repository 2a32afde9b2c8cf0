"""Encoder and readers: who reads which vectors, how long they stay, and what happens when names or tokens change."""

import copy
import pickle

import numpy
import pytest
import spacy
from spacy.util import fix_random_seed

from spacy_bigbird.thinc_layers.vectors import release
from tests.toy_pipelines import (
    add_head,
    encoder_model,
    encoder_weights,
    make_examples,
    make_pipeline,
    snapshot,
)

from .all_heads import OURS, STOCK, TEXTS, encoded

# spaCy's compiled classes: their `set_annotations` cannot be followed.
COMPILED = ("ner", "parser")


def with_heads(everything, heads, keep_vectors="none"):
    """A pipeline of the trained encoder and some of the trained heads."""
    nlp = copy.deepcopy(everything)
    for name in STOCK + OURS:
        if name not in heads:
            nlp.remove_pipe(name)
    nlp.get_pipe("bigbird").keep_vectors = keep_vectors
    return nlp


def comparable(predictions):
    if isinstance(predictions, (list, tuple)):
        return [comparable(part) for part in predictions]
    if hasattr(predictions, "__dict__") and not callable(getattr(predictions, "tolist", None)):
        return comparable(list(vars(predictions).values()))
    return predictions.tolist() if hasattr(predictions, "tolist") else predictions


@pytest.mark.parametrize("head", STOCK + OURS)
def test_predict_can_be_repeated_and_the_vectors_go_after_the_annotations(nlp, head):
    component, docs = nlp.get_pipe(head), encoded(nlp)
    datas = [doc._.trf_data for doc in docs]
    for data in datas:
        data.waiting = {f"{head}/0"}
    first = component.predict(docs)
    if head not in COMPILED:
        assert [doc._.trf_data for doc in docs] == datas
        assert comparable(component.predict(docs)) == comparable(first)
    component.set_annotations(docs, component.predict(docs))
    assert [doc._.trf_data for doc in docs] == [None] * len(docs)
    # Whoever predicts later has the vectors computed once more, and leaves nothing behind.
    later = encoded(nlp)
    for doc in later:
        release(doc)
    component.set_annotations(later, component.predict(later))
    assert [snapshot(doc) for doc in later] == [snapshot(doc) for doc in docs]
    assert [doc._.trf_data for doc in later] == [None] * len(docs)


def test_documents_of_the_initialization_are_read_like_others(nlp):
    """A head was initialized with these very documents, before anything had encoded them."""
    component, encoder = nlp.get_pipe("tagger"), nlp.get_pipe("bigbird")
    docs = [encoder(example.predicted) for example in make_examples(nlp)]
    tok2vec = component.model.get_ref("tok2vec")
    expected = tok2vec.predict(docs)
    for doc in docs:
        release(doc)
    for found, rows in zip(tok2vec.predict(docs), expected, strict=True):
        numpy.testing.assert_allclose(found, rows, atol=1e-5)
    assert abs(expected[0]).max() > 0


def test_the_last_of_several_readers_lets_the_vectors_go(everything):
    nlp = with_heads(everything, ["tagger", "ner", "bigbird_textcat"])
    docs = encoded(nlp)
    for name in ("tagger", "ner", "bigbird_textcat"):
        assert all(doc._.trf_data is not None for doc in docs)
        docs = list(nlp.get_pipe(name).pipe(docs))
    assert all(doc._.trf_data is None for doc in docs)


@pytest.mark.parametrize("head", ["tagger", "bigbird_ner"])
def test_a_head_that_is_enabled_after_loading_reads(everything, tmp_path, head):
    nlp = with_heads(everything, [head, "senter"])
    expected = [snapshot(doc) for doc in nlp.pipe(TEXTS)]
    nlp.to_disk(tmp_path)
    config = {"components.bigbird.keep_vectors": "none"}
    loaded = spacy.load(tmp_path, disable=[head], config=config)
    assert all(doc._.trf_data is None for doc in loaded.pipe(TEXTS))
    loaded.enable_pipe(head)
    assert [snapshot(doc) for doc in loaded.pipe(TEXTS)] == expected
    # From then on it is expected: its documents are not encoded twice.
    encoder = loaded.get_pipe("bigbird")
    docs = encoded(loaded)
    encoder.predict = None
    for name in loaded.pipe_names[1:]:
        docs = list(loaded.get_pipe(name).pipe(docs))
    assert [snapshot(doc) for doc in docs] == expected and all(doc._.trf_data is None for doc in docs)


def test_vectors_that_nobody_can_compute_again_are_an_error(everything):
    nlp = with_heads(everything, ["tagger"])
    (doc,) = nlp.pipe(TEXTS[:1])
    _, tagger = nlp.remove_pipe("tagger")
    del nlp
    with pytest.raises(ValueError, match=r"BB134.*tagger.*bigbird.*keep_vectors"):
        tagger(doc)


@pytest.mark.parametrize("make_copy", [copy.deepcopy, lambda nlp: pickle.loads(pickle.dumps(nlp))])
def test_a_copy_computes_with_its_own_encoder(everything, make_copy):
    nlp = with_heads(everything, ["tagger"])
    copied = make_copy(nlp)
    docs = list(copied.pipe(TEXTS))
    nlp.get_pipe("bigbird").predict = None
    assert [d.tag_ for doc in copied.get_pipe("tagger").pipe(docs) for d in doc]
    listeners = copied.get_pipe("bigbird").listeners
    assert len(listeners) == 1 and listeners[0].link.reference.component is copied.get_pipe("bigbird")


def test_a_head_alone_is_pickled_without_the_encoder(everything):
    nlp = with_heads(everything, ["tagger"])
    assert len(pickle.dumps(nlp.get_pipe("tagger").model)) < len(nlp.get_pipe("bigbird").to_bytes()) / 2


# Names


@pytest.mark.parametrize("head", ["tagger", "bigbird_ner"])
def test_a_renamed_encoder_is_still_heard(vocab_file, tmp_path, head):
    fix_random_seed(0)
    nlp = make_pipeline(vocab_file)
    if head.startswith("bigbird"):
        tok2vec = {"@architectures": "spacy-bigbird.PieceListener.v1", "upstream": "bigbird"}
        model = {"@architectures": "spacy-bigbird.TokenClassifier.v1", "tok2vec": tok2vec}
        nlp.add_pipe(head, config={"model": model})
    else:
        add_head(nlp, head, upstream="bigbird")
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    for _ in range(2):
        nlp.update(examples, sgd=optimizer)
    expected = [snapshot(doc) for doc in nlp.pipe(TEXTS)]
    nlp.rename_pipe("bigbird", "reader")
    nlp.rename_pipe("reader", "encoder")
    nlp.to_disk(tmp_path)
    through_bytes = spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes())
    for renamed in (nlp, spacy.load(tmp_path), through_bytes):
        assert renamed.get_pipe("encoder").listening_components == [head]
        assert [snapshot(doc) for doc in renamed.pipe(TEXTS)] == expected
    before = encoder_weights(nlp, "encoder")
    nlp.update(examples, sgd=optimizer)
    assert abs(encoder_weights(nlp, "encoder") - before).max() > 0


def test_the_name_decides_where_two_encoders_could_be_meant(vocab_file):
    nlp = make_pipeline(vocab_file)
    add_head(nlp, "tagger", upstream="bigbird")
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    nlp.rename_pipe("bigbird", "former")
    assert len(nlp.get_pipe("former").listeners) == 1
    nlp.add_pipe("bigbird", config={"model": encoder_model(vocab_file)}, after="former")
    nlp.initialize(lambda: examples)
    assert nlp.get_pipe("former").listeners == [] and len(nlp.get_pipe("bigbird").listeners) == 1
    assert [token.tag_ for token in nlp(TEXTS[0])]


def test_a_head_without_its_encoder_is_reported(everything, tmp_path):
    nlp = with_heads(everything, ["bigbird_ner", "bigbird_textcat"], "float32")
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path, exclude=["bigbird"])
    with pytest.warns(UserWarning, match=r"BW130.*no vectors.*zeros.*Keep the encoder"):
        loaded(TEXTS[0])


def test_a_head_that_reads_other_layers_may_be_enabled_later(vocab_file, tmp_path):
    nlp = make_pipeline(vocab_file)
    tok2vec = {"@architectures": "spacy-bigbird.LayerMix.v1", "pooling": {"@layers": "reduce_mean.v1"}}
    nlp.add_pipe("tagger", config={"model": {"tok2vec": tok2vec}})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    expected = [snapshot(doc) for doc in nlp.pipe(TEXTS)]
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path, disable=["tagger"])
    assert "layers" not in loaded(TEXTS[0])._.trf_data.model_output
    loaded.enable_pipe("tagger")
    assert [snapshot(doc) for doc in loaded.pipe(TEXTS)] == expected
    assert "layers" in loaded(TEXTS[0])._.trf_data.model_output
