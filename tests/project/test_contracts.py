"""The head for clauses: its corpus, its scores, and that it is stored without its encoder."""

import numpy as np
import pytest
import spacy
import srsly
from spacy.tokens import Span, SpanGroup
from spacy.training import Example

from project.models.recipes import contracts, heads
from project.workflows.qa.articles import Article

from .stand_ins import write_checkpoint

NLP = spacy.blank("en")
TEXT = "This agreement is made by Alpha Corporation and Beta Limited. It is governed by the laws of Delaware."
SPANS = [[26, 43, "Parties"], [48, 60, "Parties"], [62, 101, "Governing Law"]]
KEYS = ("sc", "candidates")


def spans(doc, key, *found):
    """Set a group of spans, given as first token, end, label and probability."""
    group = [Span(doc, start, end, label) for start, end, label, _ in found]
    scores = np.array([score for *_, score in found])
    doc.spans[key] = SpanGroup(doc, name=key, spans=group, attrs={"scores": scores})


def make_example(gold, *found):
    doc, reference = NLP(TEXT), NLP(TEXT)
    spans(reference, "sc", *[(*span, 1.0) for span in gold])
    spans(doc, "candidates", *found)
    spans(doc, "sc", *[span for span in found if span[3] >= 0.5])
    return Example(doc, reference)


def test_the_corpus_has_all_answers_as_spans_of_tokens(tmp_path):
    def question(label, *places):
        answers = [{"text": TEXT[start:end], "answer_start": start} for start, end in places]
        return {"id": f"A__{label}", "question": "?", "answers": answers, "is_impossible": not answers}

    asked = [question("Parties", (26, 43), (49, 54)), question("Governing Law", (62, 101)), question("Term")]
    articles = [Article("A", "train", TEXT, asked), Article("B", "test", "Nothing.", [question("Term")])]
    assert contracts.write_corpus(articles, tmp_path) == {"train": 1, "dev": 0, "test": 1}
    (record,) = srsly.read_jsonl(tmp_path / "train.jsonl")
    # "eta L" gets the whole of its tokens.
    assert record == {"text": TEXT, "spans": SPANS}
    assert list(srsly.read_jsonl(tmp_path / "test.jsonl")) == [{"text": "Nothing.", "spans": []}]


def test_spans_are_scored_by_their_words():
    # Half of the words of the second party's span are its name, but a party only has to be in the prediction.
    gold = [(5, 7, "Parties"), (8, 10, "Parties"), (11, 20, "Law")]
    right = make_example(gold, (5, 7, "Parties", 0.9), (7, 14, "Parties", 0.8), (11, 15, "Law", 0.4))
    wrong = make_example([], (0, 3, "Law", 0.7))
    scores = contracts.span_scores([right, wrong], KEYS)
    assert scores["Parties"] == {"p": 1.0, "r": 1.0, "f": 1.0, "aupr": 1.0, "p80r": 1.0, "spans": 2}
    assert (scores["Law"]["p"], scores["Law"]["r"], scores["Law"]["f"]) == (0.0, 0.0, 0.0)
    assert scores[""]["spans"] == 3 and scores[""]["p"] == pytest.approx(2 / 3, abs=1e-4)
    assert scores[""]["r"] == pytest.approx(2 / 3, abs=1e-4)


def test_a_clause_is_present_from_a_threshold_of_dev_on():
    def example(is_present, probability):
        return make_example([(0, 3, "Law")] if is_present else [], (0, 3, "Law", probability), (4, 5, "Law", 0.01))

    dev = [example(True, 0.4), example(True, 0.3), example(False, 0.1)]
    test = [example(True, 0.25), example(False, 0.15), example(True, 0.05), example(False, 0.9)]
    scores = contracts.presence_scores(dev, test, ["Law", "Other"], KEYS)
    assert scores["by_type"]["Law"] == {"f": 0.5, "contracts": 2, "threshold": pytest.approx(0.2)}
    assert scores["by_type"]["Other"]["contracts"] == 0
    assert scores["micro_f"] == scores["macro_f"] == 0.5
    assert 0.0 <= scores["low"] < 0.5 < scores["high"] <= 1.0


@pytest.fixture(scope="module")
def model(tmp_path_factory, vocab_file):
    """A checkpoint with random weights and one layer more than the head uses."""
    return write_checkpoint(tmp_path_factory.mktemp("model"), vocab_file, layers=5)


def spans_of(doc):
    group = doc.spans["sc"]
    scores = group.attrs["scores"].tolist()
    return [(span.text, span.label_, pytest.approx(score, abs=1e-4)) for span, score in zip(group, scores, strict=True)]


def test_what_was_exported_finds_the_same(model, tmp_path):
    srsly.write_jsonl(tmp_path / "dev.jsonl", [{"text": TEXT, "spans": SPANS}])
    srsly.write_jsonl(tmp_path / "test.jsonl", [{"text": TEXT, "spans": SPANS}])
    paths = {"paths.encoder": str(model), "paths.cache": str(tmp_path / "cache")}
    config = spacy.util.load_config(contracts.CONFIGS / "contracts.cfg", paths, interpolate=True)
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    examples = list(contracts.JsonlCorpus(tmp_path / "dev.jsonl")(nlp))
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.02
    for _ in range(40):
        nlp.update(examples, sgd=optimizer)
    scores = contracts.export(nlp, model, tmp_path)
    assert scores["scores"] == {"p": 1.0, "r": 1.0, "f": 1.0, "aupr": 1.0, "p80r": 1.0, "spans": 3}
    assert scores["equal_spans_f"] > 0.8 and scores["clause_present"]["micro_f"] == 1.0
    folder = model / contracts.FOLDER
    assert srsly.read_json(folder / heads.SCORES)["by_type"]["Governing Law"]["spans"] == 1
    assert not [path for path in folder.rglob("*") if "safetensors" in path.name or path.name == "spiece.model"]
    assert str(tmp_path) not in (folder / heads.CONFIG).read_text(encoding="utf8")
    loaded = heads.load(folder)
    assert loaded.get_pipe("bigbird").shim.config.num_hidden_layers == contracts.LAYERS
    loaded.to_disk(tmp_path / "whole")
    wanted = spans_of(nlp(TEXT))
    for other in (loaded, spacy.load(tmp_path / "whole")):
        doc = other(TEXT)
        assert set(doc.spans) == {"sc"} and spans_of(doc) == wanted


def test_paths_that_do_not_exist_are_named(tmp_path, capsys):
    with pytest.raises(SystemExit):
        contracts.main(["export", str(tmp_path / "nowhere"), str(tmp_path), str(tmp_path)])
    assert str(tmp_path / "nowhere") in capsys.readouterr().err
