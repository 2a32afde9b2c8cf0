"""Stretches of documents: nothing is lost, nothing comes twice, and every offset is exact."""

import random

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_bigbird.annotations.questions import install_question_extensions
from spacy_bigbird.corpora.batchers import PieceBatcher
from spacy_bigbird.corpora.cutting import cut
from spacy_bigbird.corpora.stretches import make_stretch_batcher

install_question_extensions()
NLP = spacy.blank("en")
WORDS = ["tea", "Anna", "\n\n", "U.K.", ".", "a-b", "green", "  "]


@st.composite
def documents(draw):
    """An example with entities, overlapping spans, questions, masks, categories and attributes of spans."""
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=60))
    spaces = draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    reference = Doc(NLP.vocab, words=words, spaces=spaces)
    bounds = st.tuples(st.integers(0, len(words) - 1), st.integers(1, 6))
    ranges = [(first, min(first + size, len(words))) for first, size in draw(st.lists(bounds, max_size=8))]
    entities, last = [], 0
    for first, end in sorted(ranges):
        if first >= last:
            entities.append(Span(reference, first, end, label="PER"))
            last = end
    reference.set_ents(entities)
    reference.spans["sc"] = [Span(reference, first, end, label="X", span_id="7") for first, end in ranges]
    reference.cats = {"A": 1.0, "B": 0.0}
    answers = [{"text": span.text, "answer_start": span.start_char} for span in reference.spans["sc"]]
    reference._.questions = [
        {"question": "Who?", "answers": answers, "is_impossible": not answers},
        {"question": "When?", "answers": []},
    ]
    reference._.masks = [(span.start_char, span.end_char) for span in entities]
    predicted = NLP.make_doc(reference.text)
    predicted._.questions = ["Who?", "When?"]
    return Example(predicted, reference)


def placed(examples, spans_of):
    """Everything of a kind in all stretches, with its place in the whole document."""
    found, offset = [], 0
    for example in examples:
        found += [(first + offset, end + offset, *more) for first, end, *more in spans_of(example.reference)]
        offset += len(example.reference.text)
    return sorted(found)


def entities(doc):
    return [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]


def spans(doc):
    return [(span.start_char, span.end_char, span.label_, span.id_) for span in doc.spans["sc"]]


def answers(doc):
    for answer in doc._.questions[0]["answers"]:
        first, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
        assert doc.text[first:end] == answer["text"]
        yield first, end


@settings(max_examples=30, deadline=None)
@given(documents(), st.integers(1, 20))
def test_nothing_is_lost_and_nothing_comes_twice(example, length):
    parts = cut(example, length)
    assert "".join(part.reference.text for part in parts) == example.reference.text
    assert "".join(part.predicted.text for part in parts) == example.predicted.text
    assert [token.text for part in parts for token in part.predicted] == [token.text for token in example.predicted]
    assert [token.text for part in parts for token in part.reference] == [token.text for token in example.reference]
    for kind in (entities, spans, answers, lambda doc: doc._.masks):
        assert placed(parts, kind) == sorted(kind(example.reference))
    for part in parts:
        assert part.predicted.text == part.reference.text and part.reference.cats == {"A": 1.0, "B": 0.0}
        assert part.predicted._.questions == ["Who?", "When?"] and len(part.reference._.questions) == 2
        question = part.reference._.questions[0]
        assert question["is_impossible"] == (not question["answers"])
    assert [token.ent_iob_ for part in parts for token in part.reference] == [
        token.ent_iob_ for token in example.reference
    ]


def make_example(words, **annotation):
    reference = Doc(NLP.vocab, words=words, **annotation)
    return Example(Doc(NLP.vocab, words=words), reference)


def test_stretches_are_of_about_the_same_length():
    assert [len(part.reference) for part in cut(make_example(["tea"] * 1000), 400)] == [333, 334, 333]
    whole = make_example(["tea"] * 400)
    assert cut(whole, 400) == [whole]


def test_cuts_move_to_paragraphs_and_sentences():
    words = ["tea"] * 18 + ["\n\n"] + ["tea"] * 21
    assert [len(part.reference) for part in cut(make_example(words), 20)] == [19, 21]
    starts = [number in (0, 14, 30) for number in range(40)]
    heads = [0] * 14 + [14] * 16 + [30] * 10
    example = make_example(["tea"] * 40, sent_starts=starts, heads=heads, deps=["ROOT"] * 40)
    parts = cut(example, 20)
    assert [len(part.reference) for part in parts] == [14, 26]
    assert [token.head.i for token in parts[1].reference] == [0] * 16 + [16] * 10


def test_a_document_that_cannot_be_cut_stays_whole():
    example = make_example(["tea"] * 40)
    example.reference.spans["sc"] = [Span(example.reference, 0, 40, label="X")]
    assert cut(example, 10) == [example]
    other = Example(Doc(NLP.vocab, words=["teatea"]), Doc(NLP.vocab, words=["tea", "tea"], spaces=[False, True]))
    assert cut(other, 1) == [other]


def test_attributes_of_spans_move_with_them():
    Doc.set_extension("note", default=None, force=True)
    Span.set_extension("note", default=None, force=True)
    example = make_example(["tea"] * 40)
    example.reference._.note = "whole"
    example.reference[30:32]._.note = "part"
    first, second = cut(example, 20)
    assert first.reference._.note == second.reference._.note == "whole"
    assert second.reference[10:12]._.note == "part" and first.reference[10:12]._.note is None


def batches(batcher, examples, epochs):
    for _ in range(epochs):
        yield from batcher(list(examples))


def test_lengths_grow_with_the_steps():
    random.seed(0)
    examples = [make_example(["tea"] * 80) for _ in range(3)]
    inner = PieceBatcher(45, get_length=lambda example: len(example.reference))
    batcher = make_stretch_batcher(inner, lengths=[10, 40], until=[7, 12])
    sizes = [[len(part.reference) for part in batch] for batch in batches(batcher, examples, 4)]
    # Six batches of an epoch in tens, six more because the seventh still is, six of forties, then whole documents.
    assert sizes == [[10] * 4] * 12 + [[80]] * 6
    assert batcher.length is None and batcher.step == 18
    shares = make_stretch_batcher(inner, lengths=[10, 40], until=[0.25, 0.5], total_steps=100)
    assert shares.until == [25, 50]


def test_many_documents_change_length_within_an_epoch():
    inner = PieceBatcher(100, get_length=lambda example: len(example.reference))
    batcher = make_stretch_batcher(inner, lengths=[10], until=[1])
    examples = [make_example(["tea"] * 20) for _ in range(70)]
    sizes = [len(part.reference) for batch in batcher(iter(examples)) for part in batch]
    assert sizes == [10] * 128 + [20] * 6


@pytest.mark.parametrize(
    "changes",
    [
        {"lengths": [0], "until": [5]},
        {"lengths": [10, 20], "until": [5]},
        {"lengths": [10, 20], "until": [5, 4]},
        {"lengths": [10], "until": [0.5]},
        {"lengths": [10.5], "until": [5]},
    ],
)
def test_settings_are_checked(changes):
    with pytest.raises(ValueError, match="BB475"):
        make_stretch_batcher(PieceBatcher(10), **changes)
