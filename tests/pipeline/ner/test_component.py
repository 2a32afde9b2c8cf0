"""The component `bigbird_ner`: what it learns, writes, keeps and saves."""

import pickle
import warnings

import numpy as np
import pytest
import spacy
import srsly
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example

from spacy_bigbird.pipeline.ner.component import EntityTagger

from ..heads_util import train, with_encoder, with_toy_rows
from .toy_entities import TRAINING, examples_for


def found(doc):
    return [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]


@pytest.fixture(scope="module", params=["crf", "constrained"])
def trained(request):
    nlp = with_toy_rows("bigbird_ner", "mean", decoder=request.param, spans_key="entities")
    history = train(nlp, examples_for(nlp), 80)
    assert history[-1]["bigbird_ner"] < 0.05 * history[0]["bigbird_ner"]
    return nlp


def test_learns_and_survives_disk_and_bytes(trained, tmp_path):
    texts = [text for text, _ in TRAINING]
    before = [(found(doc), [ent._.score for ent in doc.ents]) for doc in trained.pipe(texts)]
    assert [ents for ents, _ in before] == [sorted(ents) for _, ents in TRAINING]
    assert all(0.5 < score <= 1.0 for _, scores in before for score in scores)
    trained.to_disk(tmp_path / "model")
    loaded = spacy.load(tmp_path / "model")
    copies = [loaded, pickle.loads(pickle.dumps(trained)), spacy.blank("en").from_config(trained.config)]
    copies[-1].from_bytes(trained.to_bytes())
    for nlp in copies:
        assert [(found(doc), [ent._.score for ent in doc.ents]) for doc in nlp.pipe(texts)] == before
        assert nlp.get_pipe("bigbird_ner").labels == ("GPE", "PER")


def test_writes_the_span_group_with_scores(trained):
    doc = trained(TRAINING[0][0])
    group = doc.spans["entities"]
    assert [(s.start, s.end, s.label_) for s in group] == [(e.start, e.end, e.label_) for e in doc.ents]
    np.testing.assert_allclose(group.attrs["scores"], [e._.score for e in doc.ents], atol=1e-6)
    stored = DocBin(store_user_data=True, docs=[doc]).to_bytes()
    [copy] = DocBin().from_bytes(stored).get_docs(trained.vocab)
    assert [ent._.score for ent in copy.ents] == [ent._.score for ent in doc.ents]
    np.testing.assert_allclose(copy.spans["entities"].attrs["scores"], group.attrs["scores"])


def test_scores(trained):
    examples = [
        Example(trained(text), Example.from_dict(trained.make_doc(text), {"entities": e}).reference)
        for text, e in TRAINING
    ]
    scores = trained.get_pipe("bigbird_ner").score(examples)
    assert (scores["ents_p"], scores["ents_r"], scores["ents_f"]) == (1.0, 1.0, 1.0)
    assert set(scores["ents_per_type"]) == {"PER", "GPE"}
    assert scores["spans_entities_f"] == 1.0 and set(scores["spans_entities_per_type"]) == {"PER", "GPE"}
    confidence = [ent._.score for example in examples for ent in example.predicted.ents]
    assert scores["ents_ece"] == pytest.approx(1 - np.mean(confidence))
    assert sum(row["count"] for row in scores["ents_reliability"]) == len(confidence)
    assert set(srsly.json_loads(srsly.json_dumps(scores))) == set(scores)
    assert trained.evaluate(examples_for(trained))["ents_f"] == 1.0


def test_documents_without_tokens_or_pieces(trained):
    texts = ["", " ", "\n\n", TRAINING[0][0], ""]
    docs = list(trained.pipe(texts))
    assert [found(doc) for doc in docs] == [[], [], [], TRAINING[0][1], []]
    assert trained("").ents == () and len(trained("").spans["entities"]) == 0
    nlp = with_toy_rows("bigbird_ner", "first")
    examples = examples_for(nlp, [("", []), *TRAINING, (" \n ", [])])
    train(nlp, examples, 2)
    losses = nlp.update(examples_for(nlp, [("", [])]))
    assert losses["bigbird_ner"] == 0.0 and np.isfinite(nlp.update(examples)["bigbird_ner"])
    assert nlp.get_pipe("bigbird_ner").update([]) == {"bigbird_ner": 0.0}


@pytest.mark.parametrize("decoder", ["crf", "constrained"])
def test_missing_annotation_has_no_gradient(decoder):
    nlp = with_toy_rows("bigbird_ner", "first", decoder=decoder)
    train(nlp, examples_for(nlp), 3)
    pipe = nlp.get_pipe("bigbird_ner")
    text = TRAINING[0][0]
    example = Example(nlp.make_doc(text), nlp.make_doc(text))
    emissions = pipe.model.predict([example.predicted])
    loss, [gradient] = pipe.get_loss([example], emissions)
    assert loss == 0.0 and not gradient.any()

    reference = nlp.make_doc(text)
    reference.set_ents([], outside=[reference[2:3]], default="missing")
    _, [gradient] = pipe.get_loss([Example(nlp.make_doc(text), reference)], emissions)
    assert gradient[2].any()
    if decoder == "constrained":
        assert not np.delete(gradient, 2, axis=0).any()


def test_partial_annotation_in_a_batch_counts_only_what_is_annotated():
    nlp = with_toy_rows("bigbird_ner", "first", decoder="constrained")
    train(nlp, examples_for(nlp), 3)
    pipe = nlp.get_pipe("bigbird_ner")
    full, empty = examples_for(nlp)[:1], [Example(nlp.make_doc("a b c"), nlp.make_doc("a b c"))]
    both = full + empty
    emissions = pipe.model.predict([example.predicted for example in both])
    loss, gradients = pipe.get_loss(both, emissions)
    alone, [gradient] = pipe.get_loss(full, emissions[:1])
    assert loss == pytest.approx(alone) and not gradients[1].any()
    np.testing.assert_allclose(gradients[0], gradient)


def test_entities_that_were_there_before(trained):
    ner = trained.get_pipe("bigbird_ner")
    text = TRAINING[0][0]

    def preset():
        doc = trained.make_doc(text)
        doc.set_ents([Span(doc, 1, 3, "THING", kb_id="Q1")], blocked=[doc[6:7]], default="missing")
        return doc

    doc = ner(preset())
    assert [(e.text, e.label_, e.kb_id_) for e in doc.ents] == [("Lee visited", "THING", "Q1"), ("Paris", "GPE", "")]
    assert doc.ents[0]._.score is None and doc.ents[1]._.score > 0.1
    ner.set(overwrite_ents=True)
    try:
        assert found(ner(preset())) == TRAINING[0][1]
    finally:
        ner.set(overwrite_ents=False)


def test_threshold_and_spans_threshold(trained):
    ner = trained.get_pipe("bigbird_ner")
    before = dict(ner.settings)
    try:
        ner.cfg["temperature"] = 6.0
        doc = trained(TRAINING[0][0])
        scores = sorted(ent._.score for ent in doc.ents)
        assert len(scores) == 3
        ner.set(threshold=(scores[0] + scores[1]) / 2, spans_threshold=0.01)
        again = trained(TRAINING[0][0])
        assert sorted(ent._.score for ent in again.ents) == pytest.approx(scores[1:])
        group = again.spans["entities"]
        listed = dict(zip([(s.start, s.end, s.label_) for s in group], group.attrs["scores"], strict=True))
        assert len(listed) > 3 and min(listed.values()) >= 0.01
        for ent in doc.ents:
            assert listed[ent.start, ent.end, ent.label_] == pytest.approx(ent._.score, rel=1e-5)
    finally:
        ner.cfg["temperature"] = 1.0
        ner.set(**before)


def test_annotation_that_no_valid_path_meets_is_reported(monkeypatch):
    nlp = with_toy_rows("bigbird_ner", "first")
    train(nlp, examples_for(nlp), 1)
    broken = np.zeros((2, 9), dtype=bool)
    broken[:, 3] = True  # L- without a beginning
    monkeypatch.setattr("spacy_bigbird.pipeline.ner.tag_loss.gold_tags", lambda *_: (broken, np.ones(2, dtype=bool)))
    pipe, doc = nlp.get_pipe("bigbird_ner"), nlp.make_doc("a b")
    with pytest.warns(UserWarning, match="BW201.*'a b'"):
        loss, [gradient] = pipe.get_loss([Example(doc, doc)], pipe.model.predict([doc]))
    assert loss == 0.0 and not gradient.any()


def test_labels(trained):
    ner = trained.get_pipe("bigbird_ner")
    assert ner.label_data == ["GPE", "PER"]
    nlp = with_toy_rows("bigbird_ner", "first")
    ner = nlp.get_pipe("bigbird_ner")
    assert ner.add_label("PER") == 1 and ner.add_label("PER") == 0
    nlp.initialize(lambda: examples_for(nlp))
    assert ner.labels == ("PER", "GPE")
    before = ner.model.predict([nlp.make_doc("Ann in Rome")])[0]
    assert ner.add_label("ORG") == 1
    after = ner.model.predict([nlp.make_doc("Ann in Rome")])[0]
    np.testing.assert_array_equal(after[:, :9], before)
    assert after.shape[1] == 13
    nlp.update(examples_for(nlp), sgd=nlp.resume_training())
    with pytest.raises(ValueError, match="BB200"):
        ner.add_label(3)


def test_labels_from_a_file_and_entities_of_others_count_as_outside(tmp_path):
    srsly.write_json(tmp_path / "labels.json", ["PER"])
    nlp = with_toy_rows("bigbird_ner", "mean")
    nlp.config["initialize"]["components"]["bigbird_ner"] = {
        "labels": {"@readers": "spacy.read_labels.v1", "path": str(tmp_path / "labels.json")}
    }
    train(nlp, examples_for(nlp), 60)
    assert nlp.get_pipe("bigbird_ner").labels == ("PER",)
    assert found(nlp(TRAINING[1][0])) == [TRAINING[1][1][1]]


def test_misaligned_annotation_is_counted_and_reported_once():
    nlp = with_toy_rows("bigbird_ner", "first")
    predicted = Doc(nlp.vocab, words=["New", "Yorker", "Ann"])
    reference = Doc(nlp.vocab, words=["New", "York", "er", "Ann"], spaces=[True, False, True, False])
    reference.ents = [Span(reference, 0, 2, "GPE"), Span(reference, 3, 4, "PER")]
    example = Example(predicted, reference)
    with pytest.warns(UserWarning, match=r"BW200.*1 of 2 annotated entities"):
        nlp.initialize(lambda: [example])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp.update([example])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decoder": "beam"}, "decoder = 'beam'.*'crf' or 'constrained'"),
        ({"threshold": 1.5}, "threshold = 1.5"),
        ({"spans_threshold": 0.0}, "spans_threshold = 0.0.*0.01 to 1.0"),
        ({"spans_threshold": 0.001}, "spans_threshold = 0.001.*0.01 to 1.0"),
    ],
)
def test_settings_that_are_not_allowed(settings, message):
    with pytest.raises(ValueError, match=message):
        with_toy_rows("bigbird_ner", "first", **settings)


def test_messages_before_training():
    nlp = with_toy_rows("bigbird_ner", "first")
    with pytest.raises(ValueError, match="BB202"):
        nlp("Ann in Rome")
    with pytest.raises(ValueError, match="E143"):
        nlp.initialize(lambda: examples_for(nlp, TRAINING[2:3]))
    with pytest.raises(TypeError, match="E930"):
        nlp.get_pipe("bigbird_ner").initialize(lambda: [])


def test_settings_changed_after_construction_are_saved_and_the_config_wins(trained, tmp_path):
    nlp = pickle.loads(pickle.dumps(trained))
    ner = nlp.get_pipe("bigbird_ner")
    ner.set(threshold=0.3)
    ner.cfg["temperature"] = 2.0
    nlp.to_disk(tmp_path)
    kept = spacy.load(tmp_path).get_pipe("bigbird_ner")
    assert kept.settings.threshold == pytest.approx(0.3) and kept.cfg["temperature"] == 2.0
    changed = spacy.load(tmp_path, config={"components.bigbird_ner.threshold": 0.7}).get_pipe("bigbird_ner")
    assert changed.settings.threshold == 0.7 and changed.cfg["temperature"] == 2.0


def test_analysis_of_the_pipeline_finds_no_problem():
    nlp = spacy.blank("en")
    nlp.add_pipe("bigbird")
    nlp.add_pipe("bigbird_ner")
    analysis = nlp.analyze_pipes()
    assert not any(analysis["problems"].values())
    assert analysis["summary"]["bigbird_ner"]["assigns"] == [
        "doc.ents",
        "token.ent_iob",
        "token.ent_type",
        "span._.score",
    ]
    assert isinstance(nlp.get_pipe("bigbird_ner"), EntityTagger)


def test_an_entity_at_every_offset_around_the_edges_of_windows_is_found(vocab_file):
    """The encoder takes 62 pieces and one more window begins every 55: the name moves over both edges."""
    nlp = with_encoder(vocab_file)
    nlp.add_pipe("bigbird_ner", config={"model": {"pooling": "mean"}})

    def example(before, after):
        words = [*["the"] * before, "Zebra", "Quagga", *["the"] * after]
        reference = Doc(nlp.vocab, words=words)
        reference.set_ents([Span(reference, before, before + 2, "ANIMAL")], default="outside")
        return Example(Doc(nlp.vocab, words=words), reference)

    train(nlp, [example(before, 30 - before) for before in range(0, 31, 3)], 30, learn_rate=0.005)
    examples = [example(before, 120 - before) for before in range(35, 85)]
    docs = list(nlp.pipe([e.predicted for e in examples]))
    assert {doc._.bigbird_stats["windows"] for doc in docs} >= {3}
    for doc, gold in zip(docs, examples, strict=True):
        assert [(e.start, e.end, e.label_) for e in doc.ents] == [
            (e.start, e.end, e.label_) for e in gold.reference.ents
        ]
