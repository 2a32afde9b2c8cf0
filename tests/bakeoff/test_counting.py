"""What counts as right, wrong and missed in a document."""

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, Span

from spacy_bigbird.bakeoff.counting import Task, count, find_task, thresholds_of
from spacy_bigbird.bakeoff.statistics import f_score, mean

VOCAB = spacy.blank("en").vocab


def doc(cats=None, spans=(), key=None):
    made = Doc(VOCAB, words=["Anna", "met", "Boris", "in", "London"])
    made.cats = cats or {}
    found = [Span(made, start, end, label) for start, end, label in spans]
    if key is None:
        made.ents = found
    else:
        made.spans[key] = found
    return made


def test_exclusive_labels():
    gold = [doc({"A": 1.0, "B": 0.0}), doc({"A": 0.0, "B": 1.0})]
    found = [doc({"A": 0.4, "B": 0.3}), doc({"A": 0.6, "B": 0.4})]
    counts = count(Task("textcat", "cats_micro_f", mean, True, True), gold, found, lambda label: 0.5)
    assert counts.tolist() == [[1, 1], [0, 1]] and mean(counts.sum(0)) == 0.5


def test_several_labels_with_their_thresholds():
    gold = [doc({"A": 1.0, "B": 1.0, "C": 0.0}), doc({"A": 0.0, "B": 0.0})]
    found = [doc({"A": 0.7, "B": 0.4, "C": 0.6}), doc({"A": 0.2, "B": 0.9, "C": 0.9})]
    task = Task("textcat", "cats_micro_f", f_score, True)
    # C is not annotated in the second document.
    assert count(task, gold, found, lambda label: 0.5).tolist() == [[1, 1, 1], [0, 1, 0]]
    assert count(task, gold, found, lambda label: 0.3 if label == "B" else 0.65).tolist() == [[2, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("key", [None, "sc"])
def test_spans(key):
    gold = [doc(spans=[(0, 1, "PERSON"), (2, 3, "PERSON"), (4, 5, "PLACE")], key=key), doc(key=key)]
    found = [doc(spans=[(0, 1, "PERSON"), (2, 3, "PLACE")], key=key), doc(spans=[(0, 2, "PERSON")], key=key)]
    task = Task("ner", "ents_f" if key is None else "spans_f", f_score)
    counts = count(task, gold, found, lambda label: 0.5)
    assert counts.tolist() == [[1, 1, 2], [0, 1, 0]]
    np.testing.assert_allclose(f_score(counts.sum(0)), 2 / (2 + 2 + 2))


def test_what_a_pipeline_is_scored_by():
    nlp = spacy.blank("en")
    nlp.add_pipe("tagger")
    with pytest.raises(ValueError, match=r"BB752.*tagger \(tagger\)"):
        find_task(nlp.config)
    nlp.add_pipe("ner", name="names")
    textcat = nlp.add_pipe("textcat_multilabel", config={"threshold": 0.3})
    assert find_task(nlp.config)[:2] == ("names", "ents_f")
    task = find_task(nlp.config, "textcat_multilabel")
    assert task[:2] == ("textcat_multilabel", "cats_micro_f") and not task.is_exclusive
    assert thresholds_of(nlp, task)("A") == 0.3
    textcat.thresholds = {"A": 0.7}
    assert thresholds_of(nlp, task)("A") == 0.7
    with pytest.raises(ValueError, match="BB752"):
        find_task(nlp.config, "parser")
