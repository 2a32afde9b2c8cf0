"""The components `bigbird_textcat` and `bigbird_textcat_multilabel`: what they learn, write and save, and why."""

import pickle

import numpy as np
import pytest
import spacy
import srsly
from spacy.cli import find_threshold
from spacy.tokens import DocBin
from spacy.training import Example

from spacy_bigbird.pipeline.textcat.component import TextLabeler
from spacy_bigbird.pipeline.textcat.multilabel import MultiTextLabeler

from ..heads_util import train, with_encoder, with_toy_rows

EXCLUSIVE = [
    ("a fine day", {"GOOD": 1.0, "BAD": 0.0}),
    ("zzz", {"GOOD": 0.0, "BAD": 1.0}),
    ("quite a fine thing", {"GOOD": 1.0}),
    ("zzz again zz", {"BAD": 1.0}),
]
INDEPENDENT = [
    ("abc abc", {"A": 1.0, "B": 0.0}),
    ("xyz xyz", {"A": 0.0, "B": 1.0}),
    ("abc xyz", {"A": 1.0, "B": 1.0}),
    ("mmm nnn", {"A": 0.0, "B": 0.0}),
]
NUMBERS = [("a " * n + "b " * (8 - n), {"share": 100.0 + 20.0 * n}) for n in range(9)]
CASES = {
    "exclusive": ("bigbird_textcat", {}, EXCLUSIVE),
    "multilabel": ("bigbird_textcat_multilabel", {}, INDEPENDENT),
    "regression": ("bigbird_textcat", {"objective": "regression"}, NUMBERS),
}


def examples_for(nlp, data):
    return [Example.from_dict(nlp.make_doc(text), {"cats": cats}) for text, cats in data]


# The stand-in's [CLS] and maximum do not know how often a letter occurs: no regression from these.
@pytest.mark.parametrize(
    ("case", "pooling"),
    [(case, pooling) for case in ("exclusive", "multilabel") for pooling in ("cls", "mean", "max", "attention")]
    + [("regression", "mean"), ("regression", "attention")],
)
def test_learns_and_survives_disk_and_bytes(case, pooling, tmp_path):
    factory, settings, data = CASES[case]
    if case == "multilabel" and pooling == "cls":
        data = data[:2]
    nlp = with_toy_rows(factory, pooling, **settings)
    nlp.get_pipe(factory).model.get_ref("tok2vec").attrs["window"] = 100
    history = train(nlp, examples_for(nlp, data), 120)
    assert history[-1][factory] < 0.1 * history[0][factory]
    cats = [doc.cats for doc in nlp.pipe([text for text, _ in data])]
    for predicted, (_, gold) in zip(cats, data, strict=True):
        for label, value in gold.items():
            assert predicted[label] == pytest.approx(value, abs=20.0 if case == "regression" else 0.3)
        if case == "exclusive":
            assert sum(predicted.values()) == pytest.approx(1.0)
    nlp.to_disk(tmp_path)
    for copy in (spacy.load(tmp_path), pickle.loads(pickle.dumps(nlp))):
        again = [doc.cats for doc in copy.pipe([text for text, _ in data])]
        assert again == [pytest.approx(row, abs=1e-5) for row in cats]
        assert copy.get_pipe(factory).labels == nlp.get_pipe(factory).labels
    scores = nlp.evaluate(examples_for(nlp, data))
    assert scores["cats_score"] > 0.9
    keys = {"cats_mae", "cats_r2", "cats_spearman"} if case == "regression" else {"cats_macro_f", "cats_f_per_type"}
    assert keys <= set(scores) and srsly.json_dumps(scores)


@pytest.mark.parametrize("case", sorted(CASES))
def test_documents_without_tokens_and_without_gold(case):
    factory, settings, data = CASES[case]
    nlp = with_toy_rows(factory, "attention", **settings)
    examples = examples_for(nlp, [("", data[0][1]), *data, (" \n", {}), ("abc", {})])
    history = train(nlp, examples, 3)
    assert all(np.isfinite(losses[factory]) for losses in history)
    pipe = nlp.get_pipe(factory)
    missing = examples_for(nlp, [("abc", {}), ("", {})])
    loss, gradient = pipe.get_loss(missing, pipe.model.predict([e.predicted for e in missing]))
    assert loss == 0.0 and not gradient.any()
    assert pipe.update([]) == {factory: 0.0}
    docs = list(nlp.pipe(["", " ", "abc", "\n\n"]))
    assert all(set(doc.cats) == set(pipe.labels) for doc in docs)
    assert all(np.isfinite(list(doc.cats.values())).all() for doc in docs)
    assert docs[0].cats == pytest.approx(nlp("").cats)


def test_a_missing_label_has_no_gradient_where_labels_are_independent():
    nlp = with_toy_rows("bigbird_textcat_multilabel", "mean")
    train(nlp, examples_for(nlp, INDEPENDENT), 2)
    pipe = nlp.get_pipe("bigbird_textcat_multilabel")
    partial = examples_for(nlp, [("abc", {"A": 1.0}), ("xyz", {"B": 0.0})])
    loss, gradient = pipe.get_loss(partial, pipe.model.predict([e.predicted for e in partial]))
    assert gradient[0, 0] < 0 and gradient[0, 1] == 0.0 and gradient[1, 0] == 0.0 and gradient[1, 1] > 0
    assert loss > 0


def test_wrong_annotation_and_settings_are_errors():
    nlp = with_toy_rows("bigbird_textcat", "mean")
    pipe = nlp.get_pipe("bigbird_textcat")
    with pytest.raises(ValueError, match="BB202"):
        nlp("a")
    with pytest.raises(ValueError, match="E867"):
        nlp.initialize(lambda: examples_for(nlp, [("a", {"ONE": 1.0})]))
    with pytest.raises(ValueError, match="E143"):
        with_toy_rows("bigbird_textcat", "mean").initialize(lambda: examples_for(nlp, [("a", {})]))
    nlp.get_pipe("bigbird_textcat").add_label("TWO")
    nlp.initialize(lambda: examples_for(nlp, [("a", {"ONE": 1.0})]))
    for cats, code in (({"ONE": 1.0, "TWO": 1.0}, "E895"), ({"ONE": 0.5}, "E851")):
        with pytest.raises(ValueError, match=code):
            pipe.update(examples_for(nlp, [("a", cats)]))
    for settings, message in (
        ({"objective": "multilabel"}, "BB200.*'exclusive' or 'regression'"),
        ({"class_weights": "equal"}, "BB200.*balanced"),
        ({"class_weights": {"A": -1}}, "BB200.*at least 0"),
        ({"threshold": 2.0}, "BB200.*threshold = 2.0"),
        ({"evidence_share": -1.0}, "BB200.*evidence_share"),
    ):
        with pytest.raises(ValueError, match=message):
            with_toy_rows("bigbird_textcat", "mean", **settings)
    with pytest.raises(ValueError, match="E920"):
        pipe.initialize(lambda: examples_for(nlp, EXCLUSIVE), positive_label="OTHER")
    with pytest.raises(ValueError, match="BB200"):
        pipe.add_label("")


def test_labels_and_positive_label(tmp_path):
    srsly.write_json(tmp_path / "labels.json", ["BAD", "GOOD"])
    nlp = with_toy_rows("bigbird_textcat", "mean")
    nlp.config["initialize"]["components"]["bigbird_textcat"] = {
        "labels": {"@readers": "spacy.read_labels.v1", "path": str(tmp_path / "labels.json")},
        "positive_label": "GOOD",
    }
    train(nlp, examples_for(nlp, EXCLUSIVE), 60)
    pipe = nlp.get_pipe("bigbird_textcat")
    assert pipe.labels == ("BAD", "GOOD") and pipe.label_data == ["BAD", "GOOD"]
    scores = nlp.evaluate(examples_for(nlp, EXCLUSIVE))
    assert scores["cats_score_desc"] == "F (GOOD)" and scores["cats_score"] == 1.0
    logits = pipe.model.predict([nlp.make_doc("a")]).logits
    assert pipe.add_label("UGLY") == 1 and pipe.add_label("UGLY") == 0
    np.testing.assert_array_equal(pipe.model.predict([nlp.make_doc("a")]).logits[:, :2], logits)
    nlp.update(examples_for(nlp, [("zzz", {"UGLY": 1.0})]), sgd=nlp.resume_training())


def test_class_weights_lift_a_rare_class():
    data = [("abc", {"RARE": 1.0})] + [("abc", {"COMMON": 1.0})] * 9
    values = {}
    for weights in (None, "balanced", {"RARE": 27.0}):
        nlp = with_toy_rows("bigbird_textcat", "mean", class_weights=weights)
        train(nlp, examples_for(nlp, data), 50, learn_rate=0.04)
        values[str(weights)] = nlp("abc").cats["RARE"]
    assert list(values.values()) == [pytest.approx(expected, abs=0.03) for expected in (0.1, 0.5, 0.75)]
    nlp = with_toy_rows("bigbird_textcat_multilabel", "mean", class_weights="balanced")
    train(nlp, examples_for(nlp, [("abc", {"A": float(i == 0)}) for i in range(10)]), 50, learn_rate=0.04)
    assert nlp("abc").cats["A"] == pytest.approx(0.5, abs=0.03)


def test_thresholds_are_tuned_used_by_the_scores_and_saved(tmp_path):
    nlp = with_toy_rows("bigbird_textcat_multilabel", "mean")
    train(nlp, examples_for(nlp, INDEPENDENT), 30)
    pipe = nlp.get_pipe("bigbird_textcat_multilabel")
    output = pipe.model.get_ref("output_layer")
    output.set_param("b", output.get_param("b") - 6.0)
    examples = examples_for(nlp, INDEPENDENT)
    before = nlp.evaluate(examples_for(nlp, INDEPENDENT))
    thresholds = pipe.tune_thresholds(examples, nlp=nlp)
    after = nlp.evaluate(examples_for(nlp, INDEPENDENT))
    assert before["cats_macro_f"] < 1.0 == after["cats_macro_f"]
    assert before["cats_macro_auc"] == after["cats_macro_auc"] == 1.0
    assert all(0 < value < 0.5 for value in thresholds.values()) and pipe.thresholds == thresholds
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path).get_pipe("bigbird_textcat_multilabel").thresholds == pytest.approx(thresholds)
    # spaCy tries thresholds by setting `cfg`, which then applies to all labels.
    DocBin(docs=[example.reference for example in examples]).to_disk(tmp_path / "dev.spacy")
    name = "bigbird_textcat_multilabel"
    _, _, tried = find_threshold(tmp_path, tmp_path / "dev.spacy", name, "threshold", "cats_macro_f", n_trials=3)
    assert tried[0.0] < 1.0 and tried[0.0] != tried[1.0]
    assert isinstance(pipe, MultiTextLabeler) and isinstance(pipe, TextLabeler)
    numbers = with_toy_rows("bigbird_textcat_multilabel", "mean", objective="regression")
    with pytest.raises(ValueError, match="BB200"):
        numbers.get_pipe("bigbird_textcat_multilabel").tune_thresholds([])


@pytest.mark.parametrize("stored", ["disk", "bytes"])
def test_tuned_thresholds_of_earlier_versions_stay_in_force(stored, tmp_path):
    name = "bigbird_textcat_multilabel"
    nlp = with_toy_rows(name, "mean")
    nlp.initialize(lambda: examples_for(nlp, [("abc", {"A": 1.0, "B": 0.0, "C": 1.0})]))
    pipe = nlp.get_pipe(name)
    configured = {**dict(pipe.settings), "threshold": 0.5}
    # As they were saved: the tuned thresholds, and the setting for the other labels.
    pipe.cfg.update({**configured, "thresholds": {"A": 0.25, "B": 0.0625}, "threshold": 0.75, "configured": configured})
    del pipe.cfg["set"]
    nlp.to_disk(tmp_path)
    other = spacy.load(tmp_path) if stored == "disk" else with_toy_rows(name, "mean").from_bytes(nlp.to_bytes())
    pipe = other.get_pipe(name)
    assert pipe.thresholds == {"A": 0.25, "B": 0.0625, "C": 0.75}
    other.to_disk(tmp_path)
    assert spacy.load(tmp_path).get_pipe(name).thresholds == pipe.thresholds
    pipe.set(threshold=0.375)
    assert set(pipe.thresholds.values()) == {0.375}
    other.to_disk(tmp_path)
    assert set(spacy.load(tmp_path).get_pipe(name).thresholds.values()) == {0.375}


def test_analysis_of_the_pipeline_finds_no_problem():
    nlp = spacy.blank("en")
    for name in ("bigbird", "bigbird_textcat", "bigbird_textcat_multilabel"):
        nlp.add_pipe(name)
    analysis = nlp.analyze_pipes()
    assert not any(analysis["problems"].values())
    assert analysis["summary"]["bigbird_textcat"]["assigns"] == ["doc.cats", "doc.spans"]


def test_entities_and_labels_learn_together_on_one_encoder(vocab_file, tmp_path):
    nlp = with_encoder(vocab_file)
    nlp.add_pipe("bigbird_ner", config={"model": {"pooling": "mean"}})
    nlp.add_pipe("bigbird_textcat_multilabel")
    texts = ["Ann met Bob in the old town", "the cat sat on the mat", "Bob slept", "a dog and a cat"]
    entities = [[(0, 3, "PER"), (8, 11, "PER")], [], [(0, 3, "PER")], []]
    cats = [{"PEOPLE": 1.0, "ANIMALS": 0.0}, {"PEOPLE": 0.0, "ANIMALS": 1.0}] * 2
    examples = [
        Example.from_dict(nlp.make_doc(text), {"entities": ents, "cats": labels})
        for text, ents, labels in zip(texts, entities, cats, strict=True)
    ]
    shim = nlp.get_pipe("bigbird").model
    history = train(nlp, examples, 40, learn_rate=0.005)
    assert history[-1]["bigbird_ner"] < 0.1 * history[0]["bigbird_ner"]
    assert history[-1]["bigbird_textcat_multilabel"] < 0.1 * history[0]["bigbird_textcat_multilabel"]
    assert history[0]["bigbird"] > 0 and shim is nlp.get_pipe("bigbird").model
    scores = nlp.evaluate(examples)
    assert scores["ents_f"] == 1.0 and scores["cats_score"] == 1.0
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    for text in texts:
        first, second = nlp(text), loaded(text)
        assert [e._.score for e in first.ents] == pytest.approx([e._.score for e in second.ents], abs=1e-4)
        assert first.cats == pytest.approx(second.cats, abs=1e-4)
