"""Parts of documents."""

import itertools

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.vocab import Vocab

from project.workflows.library import parts

VOCAB = Vocab()


@pytest.fixture
def nlp():
    return spacy.blank("en")


def test_parts_keep_entities_inside_and_categories(nlp):
    doc = nlp.make_doc("Anna Smith met Boris . They left Berlin soon .")
    doc.ents = [doc.char_span(0, 10, "PER"), doc.char_span(15, 20, "PER"), doc.char_span(33, 39, "GPE")]
    doc.cats = {"A": 1.0, "B": 0.0}
    part = parts.doc_part(doc, 1, 8)
    assert part.text == "Smith met Boris . They left Berlin "
    assert [(ent.text, ent.label_) for ent in part.ents] == [("Boris", "PER"), ("Berlin", "GPE")]
    assert part.cats == doc.cats and parts.doc_part(doc, 0, len(doc)) is doc


@given(st.lists(st.sampled_from(["word", "."]), min_size=1, max_size=60), st.integers(2, 12), st.data())
def test_stretches_cover_everything_and_cut_no_entity(words, size, data):
    doc = spacy.tokens.Doc(VOCAB, words)
    start = data.draw(st.integers(0, len(words) - 1))
    end = data.draw(st.integers(start + 1, min(len(words), start + size // 2 + 1)))
    doc.ents = [spacy.tokens.Span(doc, start, end, "PER")]
    cut = parts.stretches(doc, size)
    if len(words) <= size:
        assert cut == []
        return
    assert cut[0][0] == 0 and cut[-1][1] == len(words)
    assert all(one[1] == other[0] for one, other in itertools.pairwise(cut))
    assert all(0 < stop - begin <= size for begin, stop in cut)
    assert all(stop <= start or stop >= end for _, stop in cut)


def test_the_first_pieces_end_with_a_whole_token(nlp, vocab_file):
    tokenizer = parts.load_tokenizer(vocab_file)
    doc = nlp.make_doc("The captain reads a letter.\n\nIstanbul is an unpronounceable city in summer.")
    total = len(tokenizer.text_ids([doc.text])[0])
    previous = 0
    for pieces in range(total + 1):
        kept = parts.tokens_within(doc, tokenizer, pieces)
        fits = len(tokenizer.text_ids([doc[:kept].text])[0]) if kept else 0
        assert fits <= pieces and kept >= previous
        if kept < len(doc):
            more = next(t.i for t in doc[kept:] if not t.is_space)
            assert len(tokenizer.text_ids([doc[: more + 1].text])[0]) > pieces
        previous = kept
    assert previous == len(doc)
