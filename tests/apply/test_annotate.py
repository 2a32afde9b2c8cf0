"""The annotator and what it writes: failures stay alone, batches depend on the records only, results are complete."""

import json

import numpy
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span, SpanGroup

from spacy_bigbird.annotations.extensions import install_extensions
from spacy_bigbird.apply.annotate import Annotator, Settings, describe_error, pipeline_digest, pipeline_folder
from spacy_bigbird.apply.inputs import Record
from spacy_bigbird.apply.outputs import WRITERS, write_bytes
from spacy_bigbird.apply.results import SPARK_SCHEMA, describe, document_vector, row_of

from ..toy_pipelines import make_pipeline
from ..toy_questions import QUESTIONS, TEXT, make_nlp
from .conftest import some_texts


def records(texts, **given):
    return [Record(f"x:{n}", "x", n, text, size=len(text), **given) for n, text in enumerate(texts, start=1)]


class Batches:
    """Notes the batches that it is given, and fails on some texts like stock components: for the whole batch."""

    def __init__(self):
        self.seen = []

    def __call__(self, doc):
        return doc

    def pipe(self, stream, *, batch_size):
        docs = list(stream)
        self.seen.append([doc.text for doc in docs])
        if any("bad" in doc.text for doc in docs):
            raise KeyError("bad")
        return [doc for doc in docs if "lost" not in doc.text]


@Language.factory("test_apply_batches")
def make_batches(nlp, name):
    return Batches()


def annotator(**settings):
    nlp = spacy.blank("en")
    nlp.batch_size = 3
    component = nlp.add_pipe("test_apply_batches")
    return Annotator(nlp, "toy", Settings(**settings)), component


def test_batches_are_limited_by_pieces_and_documents():
    made, component = annotator(batch_pieces=12)
    texts = ["four" * 2] * 4 + ["long " * 40] + ["a"] * 4
    assert [doc.text for _, doc, _ in made.annotate(records(texts))] == texts
    # Eight characters are four pieces with [CLS] and [SEP]; one letter is two.
    assert [len(batch) for batch in component.seen] == [3, 1, 1, 3, 1]


def test_what_fails_stays_alone():
    made, _ = annotator(max_length=20)
    texts = ["fine", "bad", "lost", "x" * 21, "fine too"]
    found = list(made.annotate(records(texts)))
    assert [record.text for record, _, _ in found] == texts
    assert [doc is not None for _, doc, _ in found] == [True, False, False, False, True]
    reasons = [reason for _, _, reason in found]
    assert reasons[0] == reasons[4] == "" and reasons[1] == "KeyError: 'bad'"
    assert reasons[2] == "a component left the document out" and "BB414" in reasons[3] and "--max-length" in reasons[3]


def test_reasons_are_short_and_on_one_line():
    assert describe_error(ValueError("a\n  b")) == "ValueError: a b"
    assert len(describe_error(ValueError("x" * 5000))) == 500


@pytest.mark.parametrize(
    "settings", [{"format": "xml"}, {"shard_pieces": 0}, {"batch_pieces": True}, {"max_length": 1.5}]
)
def test_settings_that_are_not_allowed(settings):
    with pytest.raises(ValueError, match=r"BB410.*--" + next(iter(settings)).replace("_", "-")):
        Settings(**settings)


def test_pipelines_that_cannot_do_it():
    nlp = spacy.blank("en")
    with pytest.raises(ValueError, match="BB413"):
        Annotator(nlp, "toy", Settings(questions=("Who?",)))
    with pytest.raises(ValueError, match="BB411"):
        Annotator(nlp, "toy", Settings(vectors=True))
    with pytest.raises(ValueError, match=r"BB400.*no such pipeline"):
        pipeline_folder("no_such_pipeline")


def test_questions_for_all_and_of_its_own(vocab_file):
    nlp = make_nlp(vocab_file)
    made = Annotator(nlp, "toy", Settings(questions=(QUESTIONS[0],)))
    given = [Record("a", "x", 1, TEXT, [QUESTIONS[1]]), Record("b", "x", 2, TEXT)]
    first, second = (describe(doc)["answers"] for _, doc, _ in made.annotate(given))
    assert [answer["question"] for answer in first] == QUESTIONS[:2]
    assert second == first[:1] and set(second[0]) == {"question", "text", "start", "end", "score", "page"}
    assert TEXT[second[0]["start"] : second[0]["end"]] == second[0]["text"]


def test_documents_are_not_changed_by_failures(vocab_file):
    made, component = annotator()
    doc = spacy.blank("en")("bad words here")
    doc.ents = [Span(doc, 1, 2, "GOLD")]
    found = list(made.annotate([Record("a", "x", 1, doc.text, doc=doc), *records(["fine"])]))
    assert [bool(doc) for _, doc, _ in found] == [False, True] and component.seen[-1] == ["fine"]
    assert [ent.text for ent in doc.ents] == ["words"]


def test_vectors_are_means_of_pieces(vocab_file):
    nlp = make_pipeline(vocab_file, keep_vectors="none")
    nlp.initialize()
    (result,) = Annotator(nlp, "toy", Settings(vectors=True)).annotate(records([some_texts(1)[0]]))
    rows = result[1]._.trf_data.model_output["last_hidden_state"][0]
    numpy.testing.assert_allclose(document_vector(result[1]), rows[1:-1].mean(axis=0), atol=1e-6)
    numpy.testing.assert_allclose(describe(result[1], True)["vector"], rows[1:-1].mean(axis=0), atol=1e-5)
    (empty,) = Annotator(nlp, "toy", Settings(vectors=True)).annotate(records([""]))
    assert document_vector(empty[1]).tolist() == [0.0] * 32


def full_doc() -> Doc:
    install_extensions()
    doc = spacy.blank("en")("Anna met Boris in Paris.")
    doc.ents = [Span(doc, 0, 1, "NAME")]
    doc.ents[0]._.score = 0.123456789
    doc.spans["sc"] = SpanGroup(doc, name="sc", spans=[doc[4:5]], attrs={"scores": numpy.asarray([0.5])})
    doc.spans["plain"] = [doc[2:3]]
    doc.cats = {"A": 0.25}
    doc._.answers = [{"question": "Who?", "text": "Anna", "start_char": 0, "end_char": 4, "score": 1.0, "logit": 2.0}]
    doc._.choice_answers = [{"index": 1, "probabilities": [0.1, 0.9000001]}]
    doc._.bigbird_stats = {"pieces": 9, "windows": 1}
    return doc


EXPECTED = {
    "entities": [{"start": 0, "end": 4, "label": "NAME", "text": "Anna", "score": 0.12346}],
    "spans": [
        {"key": "plain", "start": 9, "end": 14, "label": "", "text": "Boris"},
        {"key": "sc", "start": 18, "end": 23, "label": "", "text": "Paris", "score": 0.5},
    ],
    "cats": {"A": 0.25},
    "answers": [{"question": "Who?", "text": "Anna", "start": 0, "end": 4, "score": 1.0, "page": None}],
    "choice_answers": [{"index": 1, "probabilities": [0.1, 0.9]}],
    "stats": {"pieces": 9, "windows": 1},
}


def written(format, **wanted):
    writer = WRITERS[format](wanted.get("has_vector", False), wanted.get("has_text", False))
    record = Record("7", "x.jsonl", 3, "", meta={"year": 1900})
    writer.add(record, full_doc())
    writer.add(Record("8", "x.jsonl", 4, ""), spacy.blank("en")(""))
    return writer.content()


def test_json_lines():
    first, second = map(json.loads, written("jsonl", has_text=True).decode().splitlines())
    place = {"id": "7", "source": "x.jsonl", "number": 3, "text": "Anna met Boris in Paris.", "meta": {"year": 1900}}
    assert first == {**place, **EXPECTED}
    assert second == {"id": "8", "source": "x.jsonl", "number": 4, "text": "", "entities": []}


def test_an_answer_says_its_page():
    doc = full_doc()
    (answer,) = doc._.answers
    none = {**answer, "text": "", "start_char": 0, "end_char": 0}
    doc._.answers = [{**answer, "text": "Boris", "start_char": 9, "end_char": 14}, none]
    found = row_of(Record("7", "x.pdf", 1, "", pages=(0, 9)), doc, has_vector=False, has_text=False)["answers"]
    assert [(answer["text"], answer["page"]) for answer in found] == [("Boris", 2), ("", None)]


def test_parquet():
    import pyarrow as pa
    from pyarrow import parquet

    table = parquet.read_table(pa.BufferReader(written("parquet", has_text=True)))
    first, second = table.to_pylist(maps_as_pydicts="strict")
    assert first["entities"] == EXPECTED["entities"] and first["answers"] == EXPECTED["answers"]
    assert first["spans"][0] == {**EXPECTED["spans"][0], "score": None} and first["spans"][1] == EXPECTED["spans"][1]
    assert first["cats"] == {"A": 0.25} and first["stats"] == EXPECTED["stats"]
    assert json.loads(first["meta"]) == {"year": 1900}
    assert json.loads(first["choice_answers"]) == EXPECTED["choice_answers"]
    assert (second["id"], second["text"], second["meta"], second["cats"]) == ("8", "", None, {})
    # Files without a single entity have the same columns.
    assert parquet.read_schema(pa.BufferReader(WRITERS["parquet"](False, True).content())) == table.schema
    assert WRITERS["parquet"](False, True).content() == WRITERS["parquet"](False, True).content()


def test_documents():
    first, second = DocBin().from_bytes(written("spacy")).get_docs(spacy.blank("en").vocab)
    assert [ent.label_ for ent in first.ents] == ["NAME"] and first._.answers[0].text == "Anna"
    assert first.user_data["source"] == "x.jsonl" and first.user_data["number"] == 3 and second.user_data["id"] == "8"
    assert first._.trf_data is None


def test_files_are_complete_or_not_there(tmp_path, monkeypatch):
    write_bytes(tmp_path / "a", b"old")

    def no_space(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match=r"BB407.*No space left on device"):
        write_bytes(tmp_path / "a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"] and (tmp_path / "a").read_bytes() == b"old"


def test_the_digest_of_a_pipeline(obedient, tmp_path):
    import shutil

    path = tmp_path / "copy"
    shutil.copytree(obedient[0], path)
    assert pipeline_digest(str(path)) == pipeline_digest(str(obedient[0]))
    (path / "meta.json").write_text("{}")
    assert pipeline_digest(str(path)) != pipeline_digest(str(obedient[0]))


def test_spark_has_the_same_columns():
    import pyarrow as pa

    from spacy_bigbird.apply.mapper import RESULT_COLUMNS
    from spacy_bigbird.apply.results import arrow_columns

    names = [field.name for field in [*arrow_columns(), pa.field("failure", pa.string())]]
    assert tuple(names) == RESULT_COLUMNS
    flat = SPARK_SCHEMA
    while "<" in flat:
        start = flat.index("<")
        depth, end = 0, start
        for end in range(start, len(flat)):
            depth += {"<": 1, ">": -1}.get(flat[end], 0)
            if not depth:
                break
        flat = flat[:start] + flat[end + 1 :]
    assert [column.split()[0] for column in flat.split(", ")] == names
