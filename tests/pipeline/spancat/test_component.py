"""The component `bigbird_spancat`: what it learns, writes, keeps and saves."""

import pickle
import warnings

import numpy as np
import pytest
import spacy
import srsly
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example

from ..heads_util import train, with_encoder, with_toy_rows

TRAINING = [
    ("Ann Lee visited Paris and met Bob", [(0, 7, "PER"), (0, 21, "TRIP"), (16, 21, "GPE"), (30, 33, "PER")]),
    ("In Rome nobody knew Ann Lee", [(3, 7, "GPE"), (20, 27, "PER")]),
    ("nothing to see here", []),
    ("Bob left New York City today", [(0, 3, "PER"), (0, 22, "TRIP"), (9, 22, "GPE")]),
]


def examples_for(nlp, data=TRAINING, key="sc"):
    return [Example.from_dict(nlp.make_doc(text), {"spans": {key: spans}}) for text, spans in data]


def found(doc, key="sc"):
    return [(span.start_char, span.end_char, span.label_) for span in doc.spans[key]]


def scores(doc, key="sc"):
    return doc.spans[key].attrs["scores"].tolist()


@pytest.fixture(scope="module")
def trained():
    nlp = with_toy_rows("bigbird_spancat", "mean", candidates_key="all")
    history = train(nlp, examples_for(nlp), 60)
    assert history[-1]["bigbird_spancat"] < 0.05 * history[0]["bigbird_spancat"]
    return nlp


def test_learns_overlapping_spans_and_survives_disk_and_bytes(trained, tmp_path):
    texts = [text for text, _ in TRAINING]
    before = [(found(doc), scores(doc)) for doc in trained.pipe(texts)]
    assert [sorted(spans) for spans, _ in before] == [sorted(spans) for _, spans in TRAINING]
    assert all(0.5 <= score <= 1.0 for _, values in before for score in values)
    trained.to_disk(tmp_path / "model")
    loaded = spacy.load(tmp_path / "model")
    copies = [loaded, pickle.loads(pickle.dumps(trained)), spacy.blank("en").from_config(trained.config)]
    copies[-1].from_bytes(trained.to_bytes())
    for nlp in copies:
        assert [(found(doc), scores(doc)) for doc in nlp.pipe(texts)] == before
        assert nlp.get_pipe("bigbird_spancat").labels == ("GPE", "PER", "TRIP")


def test_writes_candidates_and_scores_that_a_docbin_keeps(trained):
    doc = trained(TRAINING[0][0])
    assert set(found(doc)) <= set(found(doc, "all")) and min(scores(doc, "all")) >= 0.01
    (copy,) = DocBin(store_user_data=True, docs=[doc]).get_docs(trained.vocab)
    assert found(copy) == found(doc)


def test_scores_have_spacy_s_keys_and_the_curve(trained):
    result = trained.evaluate(examples_for(trained))
    assert result["spans_sc_f"] == result["spans_sc_aupr"] == result["spans_sc_p80r"] == 1.0
    assert result["spans_sc_per_type"]["TRIP"]["f"] == 1.0
    assert result["spans_sc_curve_per_type"]["PER"] == {"aupr": 1.0, "p80r": 1.0, "annotated": 4}
    assert 0.0 <= result["spans_sc_ece"] < 0.3


def test_nested_mentions_of_one_label():
    text = "the wife of the king of Spain came"
    spans = [(0, 29, "PER"), (12, 29, "PER"), (24, 29, "GPE")]
    nlp = with_toy_rows("bigbird_spancat", "mean", max_overlap=0.9)
    train(nlp, examples_for(nlp, [(text, spans)]), 60)
    assert found(nlp(text)) == spans
    nlp.get_pipe("bigbird_spancat").set(max_overlap=0.0)
    assert len([label for _, _, label in found(nlp(text)) if label == "PER"]) == 1


@pytest.mark.parametrize("offset", [50, 55, 57, 59, 60, 61, 62, 63, 64, 70, 118])
def test_a_planted_span_is_found_anywhere_around_the_edges_of_windows(planted, offset):
    # Windows have 62 pieces, and neighbours share 7.
    doc, spans = plant(planted.vocab, offset)
    assert planted(doc)._.bigbird_stats["windows"] > 1
    assert [(span.start, span.end, span.label_) for span in doc.spans["sc"]] == spans


def plant(vocab, offset, tokens=140, length=12):
    words = ["a"] * tokens
    words[offset] = words[offset + length - 1] = "Q"
    words[offset + 1 : offset + length - 1] = ["z"] * (length - 2)
    return Doc(vocab, words=words), [(offset, offset + length, "CLAUSE")]


@pytest.fixture(scope="module")
def planted(vocab_file):
    nlp = with_encoder(vocab_file, freeze_layers=2)
    nlp.add_pipe("bigbird_spancat", config={"model": {"@architectures": "spacy-bigbird.SpanClassifier.v1"}})
    examples = []
    for offset in range(4, 128, 20):
        reference, spans = plant(nlp.vocab, offset)
        reference.spans["sc"] = [Span(reference, *span[:2], label=span[2]) for span in spans]
        examples.append(Example(Doc(nlp.vocab, words=[token.text for token in reference]), reference))
    train(nlp, examples, 10, 0.02)
    return nlp


def test_documents_without_tokens_and_without_spans(trained):
    docs = list(trained.pipe(["", " ", "\n\n \t", "nothing to see here"]))
    assert [found(doc) for doc in docs] == [[], [], [], []]
    assert all(doc.spans["sc"].attrs["scores"].shape == (0,) for doc in docs if len(doc))
    component = trained.get_pipe("bigbird_spancat")
    assert component.predict([]) == []
    assert component.update([]) == {"bigbird_spancat": 0.0}
    assert component.update(examples_for(trained, [("", [])])) == {"bigbird_spancat": 0.0}


def test_documents_without_the_group_are_not_learned_from():
    nlp = with_toy_rows("bigbird_spancat", "mean")
    known = examples_for(nlp)
    unknown = Example(nlp.make_doc("Ann Lee left"), nlp.make_doc("Ann Lee left"))
    nlp.initialize(lambda: known)
    component = nlp.get_pipe("bigbird_spancat")
    rows = component.model.predict([example.predicted for example in [*known, unknown]])
    alone, gradients = component.get_loss(known, rows[:-1])
    loss, with_unknown = component.get_loss([*known, unknown], rows)
    assert loss == alone > 0.0 and not with_unknown[-1].any()
    for one, other in zip(gradients, with_unknown, strict=False):
        np.testing.assert_array_equal(one, other)
    # An empty group says that there are no spans.
    none = examples_for(nlp, [("Ann Lee left", [])])
    assert component.get_loss(none, rows[-1:])[1][0].any()


def test_a_new_label_is_improbable_and_changes_nothing_else(trained):
    nlp = pickle.loads(pickle.dumps(trained))
    before = [(found(doc), scores(doc)) for doc in nlp.pipe(text for text, _ in TRAINING)]
    component = nlp.get_pipe("bigbird_spancat")
    assert component.add_label("NEW") == 1 and component.add_label("NEW") == 0
    assert component.labels[-1] == component.label_data[-1] == "NEW"
    after = [(found(doc), scores(doc)) for doc in nlp.pipe(text for text, _ in TRAINING)]
    assert [spans for spans, _ in after] == [spans for spans, _ in before]
    for (_, one), (_, other) in zip(before, after, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    more = examples_for(nlp, [("nothing to see here", [(0, 7, "NEW")])])
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.01
    for _ in range(80):
        nlp.update([*examples_for(nlp), *more], sgd=optimizer)
    assert (0, 7, "NEW") in found(nlp("nothing to see here"))


def test_labels_from_a_file_in_its_order(tmp_path):
    nlp = with_toy_rows("bigbird_spancat", "mean")
    srsly.write_json(tmp_path / "labels.json", ["TRIP", "PER", "GPE"])
    block = {"labels": {"@readers": "spacy.read_labels.v1", "path": str(tmp_path / "labels.json")}}
    nlp.config["initialize"]["components"]["bigbird_spancat"] = block
    nlp.initialize(lambda: examples_for(nlp))
    assert nlp.get_pipe("bigbird_spancat").labels == ("TRIP", "PER", "GPE")
    with pytest.raises(ValueError, match="E143"):
        with_toy_rows("bigbird_spancat", "mean").initialize(lambda: examples_for(nlp, [("x", [])]))


def test_what_cannot_be_learned_is_reported_once():
    nlp = with_toy_rows("bigbird_spancat", "mean")
    examples = examples_for(nlp)
    nlp.initialize(lambda: examples)
    reference = Doc(nlp.vocab, words=["Ann", "Lee", "left"])
    reference.spans["sc"] = [Span(reference, 0, 1, "PER"), Span(reference, 2, 3, "ODD")]
    bad = Example(Doc(nlp.vocab, words=["Ann Lee", "left"]), reference)
    with pytest.warns(UserWarning) as caught:
        nlp.update([bad])
        nlp.update([bad])
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == 2 and "BW202" in messages[0] and "1 of 2 annotated spans" in messages[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp.update(examples)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("spans_key", ""),
        ("candidates_key", "sc"),
        ("threshold", 1.5),
        ("candidates_threshold", 0.0),
        ("longest", 0),
        ("max_overlap", 1.0),
        ("min_overlap", 0.0),
        ("positive_weight", 0.0),
    ],
)
def test_settings_that_are_not_allowed(name, value):
    with pytest.raises(ValueError, match=f"BB200.*{name} = "):
        with_toy_rows("bigbird_spancat", "mean", **{name: value})


@pytest.mark.parametrize(("name", "value"), [("pooling", "sum"), ("width", 0), ("depth", -1)])
def test_sizes_that_are_not_allowed(name, value):
    config = {"@architectures": "spacy-bigbird.SpanClassifier.v1", "tok2vec": {"@layers": "toy_rows.v1"}, name: value}
    with pytest.raises(ValueError, match=f"BB200.*{name} = "):
        spacy.blank("en").add_pipe("bigbird_spancat", config={"model": config})


def test_settings_changed_after_training_are_kept(trained, tmp_path):
    nlp = pickle.loads(pickle.dumps(trained))
    nlp.get_pipe("bigbird_spancat").set(threshold=0.99999)
    nlp.to_disk(tmp_path / "model")
    assert found(spacy.load(tmp_path / "model")(TRAINING[0][0])) == []
    changed = spacy.load(tmp_path / "model", config={"components": {"bigbird_spancat": {"threshold": 0.4}}})
    assert sorted(found(changed(TRAINING[0][0]))) == sorted(TRAINING[0][1])
