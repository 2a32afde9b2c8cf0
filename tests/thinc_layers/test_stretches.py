"""Stretches: sentences if there are any, or what resembles them."""

import spacy

from spacy_bigbird.thinc_layers.stretches import stretches_of

NLP = spacy.blank("en")


def test_stretches_of_documents_with_and_without_sentences():
    assert stretches_of(NLP("One two. Three?\n\nFour")) == [(0, 3), (3, 5), (5, 6), (6, 7)]
    assert stretches_of(NLP("")) == []
    assert stretches_of(NLP("a " * 150)) == [(0, 64), (64, 128), (128, 150)]
    assert stretches_of(NLP("a " * 150), longest=100) == [(0, 100), (100, 150)]
    with_sentences = spacy.blank("en")
    with_sentences.add_pipe("sentencizer")
    assert stretches_of(with_sentences("One two. Three")) == [(0, 3), (3, 4)]
