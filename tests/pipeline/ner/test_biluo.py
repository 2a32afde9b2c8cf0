"""Validity of predicted tags, and what the annotation says about each token."""

import json

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.training.iob_utils import biluo_tags_to_spans

from spacy_bigbird.pipeline.ner.biluo import (
    entities_of,
    gold_tags,
    misaligned_entities,
    preset_entities,
    tag_names,
    valid_tags,
)
from spacy_bigbird.pipeline.ner.crf import Transitions, best_paths

LABELS = ["PER", "ORG"]
NAMES = tag_names(LABELS)


VOCAB = spacy.blank("en").vocab


@pytest.fixture
def vocab():
    return VOCAB


def allowed_names(mask) -> list[set[str]]:
    return [{NAMES[i] for i in np.flatnonzero(row)} for row in mask]


def test_names_are_in_the_order_of_the_columns():
    assert NAMES == ["O", "B-PER", "I-PER", "L-PER", "U-PER", "B-ORG", "I-ORG", "L-ORG", "U-ORG"]


def test_rules_of_single_tokens(vocab):
    doc = Doc(vocab, words=["a", " ", "b", "c", "d"], sent_starts=[1, 0, 0, 1, 0])
    allowed = allowed_names(valid_tags(doc, ["PER"]))
    everything = {"O", "B-PER", "I-PER", "L-PER", "U-PER"}
    assert allowed[0] == everything
    assert allowed[1] == {"O", "I-PER", "L-PER"}, "nothing starts on white space"
    assert allowed[2] == {"O", "L-PER", "U-PER"}, "nothing goes on into the next sentence"
    assert allowed[3] == everything
    assert allowed[4] == {"O", "L-PER", "U-PER"}, "nothing stays open at the end"


def test_unknown_sentence_starts_forbid_nothing(vocab):
    allowed = allowed_names(valid_tags(Doc(vocab, words=["a", "b", "c"]), ["PER"]))
    assert "B-PER" in allowed[0] and "I-PER" in allowed[1]


def test_kept_entities_and_blocked_tokens_leave_no_choice(vocab):
    doc = Doc(vocab, words=["a", "b", "c", "d", "e", "f"], sent_starts=[1, 0, 1, 0, 0, 0])
    doc.set_ents([Span(doc, 1, 3, "PER"), Span(doc, 3, 4, "THING")], blocked=[doc[4:5]], default="missing")
    keep, blocked = preset_entities(doc)
    assert [(s.start, s.end, s.label_) for s in keep] == [(1, 3, "PER"), (3, 4, "THING")]
    assert blocked == [4]
    allowed = allowed_names(valid_tags(doc, LABELS, keep, blocked))
    assert allowed[1:5] == [{"B-PER"}, {"L-PER"}, {"O"}, {"O"}]


def test_a_document_without_tokens_or_labels(vocab):
    assert valid_tags(Doc(vocab), LABELS).shape == (0, 9)
    assert valid_tags(Doc(vocab, words=["a", " "]), []).tolist() == [[True], [True]]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_predicted_entities_obey_every_rule_and_keep_presets(data):
    words = data.draw(st.lists(st.sampled_from(["a", "b", " ", "\n"]), min_size=1, max_size=12))
    starts = data.draw(st.none() | st.lists(st.sampled_from([0, 1, -1]), min_size=len(words), max_size=len(words)))
    doc = Doc(VOCAB, words=words, sent_starts=starts)
    presets, at = [], 0
    while at < len(doc) and data.draw(st.booleans()):
        start = data.draw(st.integers(at, len(doc) - 1))
        end = data.draw(st.integers(start + 1, len(doc)))
        presets.append(Span(doc, start, end, data.draw(st.sampled_from(["PER", "ORG", "THING"]))))
        at = end
    doc.set_ents(presets, default="missing")
    keep, blocked = preset_entities(doc)
    allowed = valid_tags(doc, LABELS, keep, blocked)
    emissions = 4 * np.random.default_rng(data.draw(st.integers(0, 1000))).normal(size=allowed.shape)
    emissions[:, 0] -= 5
    [path] = best_paths([emissions], [allowed], Transitions.zeros(2))
    # spaCy's own reader raises on I or L without an open entity.
    spans = biluo_tags_to_spans(doc, [NAMES[tag] for tag in path])
    found = [(s.start, s.end, s.label_) for s in spans]
    assert found == [(start, end, LABELS[label]) for start, end, label in entities_of(path)]
    known = {(s.start, s.end, s.label_) for s in presets}
    assert {p for p in known if p[2] in LABELS} <= set(found)
    for start, end, _ in set(found) - known:
        assert not doc[start].is_space
        assert not any(doc[i].is_sent_start for i in range(start + 1, end))
        assert all(end <= s.start or start >= s.end for s in presets), "presets win"
    doc.ents = [*spans, *(s for s in presets if s.label_ == "THING")]


def test_annotation_of_each_token(vocab):
    words = ["Ann", "Lee", "met", "Bob", "at", "Acme", "Inc"]
    reference = Doc(vocab, words=words)
    reference.set_ents(
        [Span(reference, 0, 2, "PER"), Span(reference, 3, 4, "ANIMAL")], missing=[reference[5:7]], default="outside"
    )
    example = Example(Doc(vocab, words=words), reference)
    gold, annotated = gold_tags(example, LABELS)
    assert annotated.tolist() == [True, True, True, True, True, False, False]
    assert allowed_names(gold) == [{"B-PER"}, {"L-PER"}, {"O"}, {"O"}, {"O"}, set(NAMES), set(NAMES)]


def test_without_annotation_everything_agrees(vocab):
    gold, annotated = gold_tags(Example(Doc(vocab, words=["a", "b"]), Doc(vocab, words=["a", "b"])), LABELS)
    assert gold.all() and not annotated.any()


def test_entities_that_do_not_match_the_tokens_are_counted_and_not_annotated(vocab):
    reference = Doc(vocab, words=["New", "York", "er", "Ann"], spaces=[True, False, True, False])
    reference.ents = [Span(reference, 0, 2, "ORG"), Span(reference, 3, 4, "PER")]
    example = Example(Doc(vocab, words=["New", "Yorker", "Ann"]), reference)
    assert misaligned_entities(example) == 1
    gold, annotated = gold_tags(example, LABELS)
    assert annotated.tolist() == [False, False, True]
    assert allowed_names(gold)[2] == {"U-PER"}


@pytest.mark.filterwarnings("ignore:.*W030")
def test_real_annotation_is_a_path_and_comes_back(data_dir):
    """The entities of novels, some over line breaks: where the annotation leaves one path, decoding gives it back."""
    nlp = spacy.blank("en")
    lines = (data_dir / "mini_fixtures" / "ner_litbank.jsonl").read_text(encoding="utf8").splitlines()
    for line in lines[:6]:
        record = json.loads(line)
        example = Example.from_dict(nlp.make_doc(record["text"]), {"entities": record["entities"]})
        labels = sorted({label for _, _, label in record["entities"]})
        gold, annotated = gold_tags(example, labels)
        assert annotated.mean() > 0.95
        [path] = best_paths([np.zeros(gold.shape)], [gold], Transitions.zeros(len(labels)))
        found = {(start, end, labels[label]) for start, end, label in entities_of(path)}
        aligned = example.get_aligned_spans_y2x(example.reference.ents)
        assert {(span.start, span.end, span.label_) for span in aligned} <= found
        assert len(found) - len(aligned) <= misaligned_entities(example)
