"""Tokens that change between encoder and head, and documents that a component makes itself."""

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

from tests.toy_pipelines import (
    SENTENCES,
    encoder_weights,
    listener,
    make_pipeline,
    snapshot,
)

from .all_heads import OURS, STOCK, TEXTS, add_any_head, encoded

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
