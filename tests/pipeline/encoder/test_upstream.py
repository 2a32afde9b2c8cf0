"""Encoder and readers: who reads which vectors, how long they stay, and what happens when names or tokens change."""

import copy
import pickle
import warnings

import numpy
import pytest
import spacy
from spacy.kb import InMemoryLookupKB
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.util import fix_random_seed
from spacy_transformers.data_classes import TransformerData
from transformers.utils import ModelOutput

from spacy_bigbird.thinc_layers.vectors import release
from tests.toy_pipelines import (
    SENTENCES,
    add_head,
    encoder_model,
    encoder_weights,
    listener,
    make_examples,
    make_pipeline,
    snapshot,
)

TEXTS = [text for text, _ in SENTENCES]
STOCK = ("tagger", "ner", "textcat", "spancat", "senter", "parser")
OURS = ("bigbird_ner", "bigbird_textcat", "bigbird_textcat_multilabel")
# spaCy's compiled classes: their `set_annotations` cannot be followed.
COMPILED = ("ner", "parser")


def add_any_head(nlp, head):
    if head.startswith("bigbird"):
        nlp.add_pipe(head)
    else:
        add_head(nlp, head)


def trained(vocab_file, heads, keep_vectors="float32"):
    fix_random_seed(0)
    nlp = make_pipeline(vocab_file, keep_vectors=keep_vectors)
    for head in heads:
        add_any_head(nlp, head)
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    for _ in range(3):
        nlp.update(examples, sgd=optimizer)
    return nlp


@pytest.fixture(scope="module")
def everything(vocab_file):
    return trained(vocab_file, STOCK + OURS)


def with_heads(everything, heads, keep_vectors="none"):
    """A pipeline of the trained encoder and some of the trained heads."""
    nlp = copy.deepcopy(everything)
    for name in STOCK + OURS:
        if name not in heads:
            nlp.remove_pipe(name)
    nlp.get_pipe("bigbird").keep_vectors = keep_vectors
    return nlp


def encoded(nlp):
    return [nlp.get_pipe("bigbird")(nlp.make_doc(text)) for text in TEXTS]


def comparable(predictions):
    if isinstance(predictions, (list, tuple)):
        return [comparable(part) for part in predictions]
    if hasattr(predictions, "__dict__") and not callable(getattr(predictions, "tolist", None)):
        return comparable(list(vars(predictions).values()))
    return predictions.tolist() if hasattr(predictions, "tolist") else predictions


# Who has read what


@pytest.fixture
def nlp(everything):
    """The trained pipeline, without a copy: its encoder drops vectors."""
    encoder = everything.get_pipe("bigbird")
    encoder.keep_vectors = "none"
    yield everything
    encoder.keep_vectors = "float32"


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


# Tokens that change between encoder and head


@spacy.Language.component("merge_first_two")
def merge_first_two(doc):
    with doc.retokenize() as retokenizer:
        if len(doc) > 1:
            retokenizer.merge(doc[:2])
    return doc


def as_many_tokens_as_before(doc):
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[:2])
        word = doc[2]
        if len(word) > 1:
            retokenizer.split(word, [word.text[:1], word.text[1:]], [(word, 1), doc[3]])
    return doc


@pytest.mark.parametrize("change", [merge_first_two, as_many_tokens_as_before])
@pytest.mark.parametrize("stored", [False, True], ids=["fresh", "stored"])
def test_vectors_follow_tokens_that_were_merged_or_split(nlp, change, stored):
    for doc in encoded(nlp):
        changed = change(doc)
        if stored:
            (changed,) = DocBin(store_user_data=True, docs=[changed]).get_docs(nlp.vocab)
        again = Doc(nlp.vocab, words=[t.text for t in changed], spaces=[bool(t.whitespace_) for t in changed])
        nlp.get_pipe("bigbird")(again)
        for head in ("tagger", "bigbird_ner"):
            tok2vec = nlp.get_pipe(head).model.get_ref("tok2vec")
            (found,), (expected,) = tok2vec.predict([changed]), tok2vec.predict([again])
            if head == "bigbird_ner":
                numpy.testing.assert_array_equal(found.align.dataXd, expected.align.dataXd)
                numpy.testing.assert_array_equal(found.align.lengths, expected.align.lengths)
                found, expected = found.rows, expected.rows
            numpy.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("head", STOCK + OURS)
def test_every_head_reads_merged_tokens(nlp, head):
    component = nlp.get_pipe(head)
    for doc in encoded(nlp):
        merge_first_two(doc)
        again = Doc(nlp.vocab, words=[t.text for t in doc], spaces=[bool(t.whitespace_) for t in doc])
        assert snapshot(component(doc)) == snapshot(component(nlp.get_pipe("bigbird")(again)))


@pytest.mark.parametrize("head", ["tagger", "bigbird_ner"])
def test_training_goes_on_when_tokens_change_in_between(vocab_file, head):
    """An annotating component that merges tokens, between the encoder's update and the head's."""
    changes = []
    for merged_before in (True, False):
        fix_random_seed(0)
        nlp = make_pipeline(vocab_file)
        add_any_head(nlp, head)
        docs = [Doc(nlp.vocab, words=text.split()) for text in TEXTS]
        gold = [Doc(nlp.vocab, words=text.split(), tags=tags) for text, tags in SENTENCES]
        for doc in gold:
            doc.ents = [spacy.tokens.Span(doc, len(doc) - 2, len(doc) - 1, "PLACE")]
        examples = [Example(doc, reference) for doc, reference in zip(docs, gold, strict=True)]
        optimizer = nlp.initialize(lambda examples=examples: examples)
        nlp.add_pipe("merge_first_two", **({"before": "bigbird"} if merged_before else {"after": "bigbird"}))
        before = encoder_weights(nlp)
        for _ in range(2):
            copies = [Example(eg.predicted.copy(), eg.reference) for eg in examples]
            nlp.update(copies, sgd=optimizer, annotates=["merge_first_two"])
        changes.append(encoder_weights(nlp) - before)
    assert abs(changes[0]).max() > 1e-4
    numpy.testing.assert_allclose(changes[1], changes[0], atol=1e-5)


def test_stored_vectors_without_characters_are_an_error(nlp):
    (doc,) = encoded(nlp)[:1]
    tags = [token.tag_ for token in nlp.get_pipe("tagger")(doc)]
    data = doc._.trf_data
    known = {key: value for key, value in data.model_output.items() if key not in ("piece_offsets", "token_starts")}
    doc._.trf_data = TransformerData(data.wordpieces, ModelOutput(known), data.align)
    assert [token.tag_ for token in nlp.get_pipe("tagger")(doc)] == tags
    merge_first_two(doc)
    with pytest.raises(ValueError, match=r"BB630.*tagger.*Anna met.* 5 tokens.* for 6.*again"):
        nlp.get_pipe("tagger")(doc)


# Documents that a component makes itself


def add_linker(nlp):
    def create_kb(vocab):
        kb = InMemoryLookupKB(vocab, entity_vector_length=32)
        random = numpy.random.RandomState(0)
        for name in ("Q1", "Q2"):
            kb.add_entity(entity=name, freq=1, entity_vector=random.randn(32).tolist())
        for word in ("London", "Paris", "Berlin"):
            kb.add_alias(alias=word, entities=["Q1", "Q2"], probabilities=[0.5, 0.5])
        return kb

    model = {"@architectures": "spacy.EntityLinker.v2", "nO": None, "tok2vec": listener()}
    linker = nlp.add_pipe("entity_linker", config={"model": model, "incl_prior": False, "use_gold_ents": True})
    return linker, create_kb


@pytest.mark.parametrize("keep_vectors", ["float32", "none"])
def test_the_entity_linker_reads_the_vectors_of_its_sentences(vocab_file, keep_vectors):
    fix_random_seed(0)
    nlp = make_pipeline(vocab_file, keep_vectors=keep_vectors)
    nlp.add_pipe("sentencizer", first=True)
    ruler = nlp.add_pipe("entity_ruler", first=True)
    linker, create_kb = add_linker(nlp)
    examples = []
    for number, text in enumerate(TEXTS[::2]):
        doc = nlp.make_doc(text)
        spans = [(t.idx, t.idx + len(t), "PLACE") for t in doc if t.text in ("London", "Paris", "Berlin")]
        links = {(start, end): {f"Q{number + 1}": 1.0} for start, end, _ in spans}
        gold = {"entities": spans, "links": links, "sent_starts": [1, *[-1] * (len(doc) - 1)]}
        examples.append(Example.from_dict(doc, gold))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        linker.set_kb(create_kb)
        optimizer = nlp.initialize(lambda: examples)
        ruler.add_patterns([{"label": "PLACE", "pattern": word} for word in ("London", "Paris", "Berlin")])
        optimizer.learn_rate = 0.02
        for _ in range(15):
            nlp.update(examples, sgd=optimizer, annotates=["sentencizer", "entity_ruler"])
        doc = nlp(TEXTS[0] + " " + TEXTS[2])
    tok2vec = linker.model.get_ref("tok2vec") if linker.model.has_ref("tok2vec") else linker.model.layers[0]
    sentence = list(doc.sents)[1].as_doc()
    seen = tok2vec.predict([sentence])[0]
    numpy.testing.assert_allclose(seen, tok2vec.predict([nlp.get_pipe("bigbird")(sentence)])[0], atol=1e-5)
    assert abs(seen).max() > 0.01
    assert [ent.kb_id_ for ent in doc.ents] == ["Q1", "Q2", "Q2"]
    assert (doc._.trf_data is None) == (keep_vectors == "none")


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
