"""`spacy bigbird evaluate`: the scores of `nlp.evaluate`, from files, with questions."""

import gc
import weakref

import pytest
import spacy
import srsly
from spacy.cli import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_bigbird.cli.evaluate import evaluate
from spacy_bigbird.corpora.docbin import QuestionCorpus
from tests.toy_pipelines import make_examples, make_pipeline
from tests.toy_questions import TEXT, asked, make_nlp

QUESTION = {"question": "What flows?", "answers": [{"text": "The river", "answer_start": TEXT.index("The river")}]}


@pytest.fixture(scope="module")
def model(vocab_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    make_nlp(vocab_file).to_disk(path)
    return path


@pytest.fixture
def data(model, tmp_path):
    nlp = spacy.load(model)
    docs = [asked(nlp, TEXT, [QUESTION]), asked(nlp, TEXT, [{"question": "Why?", "answers": []}])]
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "test.spacy")
    return tmp_path / "test.spacy"


def run(*arguments):
    return CliRunner().invoke(app, ["bigbird", "evaluate", *map(str, arguments)])


def test_scores_are_those_of_the_pipeline(model, data, tmp_path):
    result = run(model, data, "--output", tmp_path / "scores.json")
    assert result.exit_code == 0, result.output
    scores = srsly.read_json(tmp_path / "scores.json")
    nlp = spacy.load(model)
    expected = nlp.evaluate(list(QuestionCorpus(data)(nlp)))
    assert expected.pop("speed") > 0 and scores.pop("speed") > 0
    assert expected["qa_f1"] is not None and scores == srsly.json_loads(srsly.json_dumps(expected))
    assert f"{scores['qa_f1']:.3f}" in result.output and "speed" in result.output


def test_documents_without_questions_are_said(model, tmp_path):
    nlp = spacy.blank("en")
    DocBin(docs=[nlp(TEXT)] * 3).to_disk(tmp_path / "test.spacy")
    result = run(model, tmp_path / "test.spacy")
    said = " ".join(result.output.split())
    assert result.exit_code == 1 and "BB667" in said and "none of the 3 documents in the test corpus has" in said
    assert "store_user_data=True" in said


def test_no_vectors_are_held(vocab_file, tmp_path, monkeypatch):
    """What a vector keeps alive is found by weak references to it."""
    nlp = make_pipeline(vocab_file, heads=("tagger",))
    examples = make_examples(nlp) * 5
    nlp.initialize(lambda: examples)
    DocBin(docs=[example.reference for example in examples]).to_disk(tmp_path / "test.spacy")
    seen, most = [], []
    encoder = type(nlp.get_pipe("bigbird"))
    set_annotations = encoder.set_annotations

    def watched(self, docs, predictions):
        set_annotations(self, docs, predictions)
        seen.extend(weakref.ref(doc._.trf_data) for doc in docs)
        gc.collect()
        most.append(sum(reference() is not None for reference in seen))

    monkeypatch.setattr(encoder, "set_annotations", watched)
    nlp.batch_size = 2
    scores = evaluate(nlp, tmp_path / "test.spacy")
    assert len(most) >= 10 and max(most) <= 3 * nlp.batch_size
    expected = nlp.evaluate(make_examples(nlp) * 5)
    assert scores["tag_acc"] == expected["tag_acc"] is not None


def test_all_kinds_of_files(model, data, tmp_path):
    article = {
        "paragraphs": [
            {"context": TEXT, "qas": [{"id": "1", **QUESTION}, {"id": "2", "question": "Why?", "answers": []}]}
        ]
    }
    srsly.write_json(tmp_path / "squad.json", {"data": [article]})
    (tmp_path / "lines").mkdir()
    lines = [
        {"text": TEXT, "questions": [QUESTION]},
        {"text": TEXT, "questions": [{"question": "Why?", "answers": []}]},
    ]
    srsly.write_jsonl(tmp_path / "lines" / "a.jsonl", lines)
    scores = [evaluate(model, path)["qa_f1"] for path in (data, tmp_path / "squad.json", tmp_path / "lines")]
    assert scores[0] == scores[1] == scores[2]


def test_entities_by_type_are_printed(tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "GPE", "pattern": "London"}])
    nlp.to_disk(tmp_path / "model")
    lines = [{"text": "Anna lives in London.", "entities": [[0, 4, "PERSON"], [14, 20, "GPE"]]}]
    srsly.write_jsonl(tmp_path / "test.jsonl", lines)
    result = run(tmp_path / "model", tmp_path / "test.jsonl")
    assert result.exit_code == 0 and "ents_per_type" in result.output
    rows = [line.split() for line in result.output.splitlines()]
    assert ["GPE", "1.000", "1.000", "1.000"] in rows and ["PERSON", "0.000", "0.000", "0.000"] in rows
    assert ["ents_r", "0.500"] in rows


def test_bad_input(model, data, tmp_path):
    (tmp_path / "mixed").mkdir()
    (tmp_path / "no").mkdir()
    (tmp_path / "mixed" / "a.spacy").write_bytes(data.read_bytes())
    (tmp_path / "mixed" / "b.jsonl").write_text("", encoding="utf8")
    (tmp_path / "empty.jsonl").write_text("", encoding="utf8")
    for path, expected in (
        ("nothing.spacy", "there is no such file"),
        ("mixed", "several kinds (.spacy, .jsonl)"),
        ("no", "it has no such files"),
        ("empty.jsonl", "no documents"),
    ):
        result = run(model, tmp_path / path)
        assert result.exit_code == 1 and expected in " ".join(result.output.split()), path
    result = run(tmp_path / "no-model", data)
    assert result.exit_code == 1 and "no-model" in result.output
