"""Each format by value: what is taken of a record, and that its form is recognised."""

import json
from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_bigbird.corpora.convert import FORMATS, convert
from spacy_bigbird.corpora.convert.formats import recognise

TEXT = "Anna met Boris in London."
ENTITIES = [[0, 4, "PERSON"], [18, 24, "PLACE"]]


def as_lines(*records) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


SPANS = [{"start": start, "end": end, "label": label} for start, end, label in ENTITIES]
LABELS = [{"type": "labels", "value": {"start": s, "end": e, "labels": [label]}} for s, e, label in ENTITIES]
CHOICE = {"type": "choices", "value": {"choices": ["TRAVEL"]}}
OFFSETS = [{"id": i, "label": label, "start_offset": s, "end_offset": e} for i, (s, e, label) in enumerate(ENTITIES)]
COLUMNS = "Anna B-PERSON\nmet O\nBoris O\nin O\nLondon B-PLACE\n. O\n"
BRAT = "T1\tPERSON 0 4\tAnna\nT2\tPLACE 18 24\tLondon\n"
QUESTION = {"id": "1", "question": "Who?", "answers": [{"text": "Anna", "answer_start": 0}]}

# Name of the format, file, its content, and the object of JSON lines that it is converted to.
CASES = [
    ("prodigy", "a.jsonl", as_lines({"text": TEXT, "spans": SPANS, "answer": "accept"}), {"entities": ENTITIES}),
    (
        "prodigy",
        "a.jsonl",
        as_lines({"text": TEXT, "options": [{"id": "A"}, {"id": "B"}], "accept": ["B"], "_task_hash": 1}),
        {"cats": {"A": 0.0, "B": 1.0}},
    ),
    ("prodigy", "a.jsonl", as_lines({"text": TEXT, "label": "A", "answer": "reject"}), {"cats": {"A": 0.0}}),
    (
        "label-studio",
        "a.json",
        json.dumps([{"id": 1, "data": {"body": TEXT}, "annotations": [{"result": [*LABELS, CHOICE]}]}]),
        {"entities": ENTITIES, "cats": {"TRAVEL": 1.0}},
    ),
    (
        "label-studio",
        "a.json",
        json.dumps(
            [
                {
                    "text": TEXT,
                    "label": [{**span, "labels": [span["label"]]} for span in SPANS],
                    "sentiment": "TRAVEL",
                    "annotator": 1,
                    "annotation_id": 2,
                }
            ]
        ),
        {"entities": ENTITIES, "cats": {"TRAVEL": 1.0}},
    ),
    ("doccano", "a.jsonl", as_lines({"id": 1, "text": TEXT, "label": ENTITIES}), {"entities": ENTITIES}),
    ("doccano", "a.jsonl", as_lines({"text": TEXT, "entities": OFFSETS, "relations": []}), {"entities": ENTITIES}),
    ("doccano", "a.jsonl", as_lines({"text": TEXT, "label": ["TRAVEL"]}), {"cats": {"TRAVEL": 1.0}}),
    ("conll", "a.conll", COLUMNS, {"text": "Anna met Boris in London . ", "entities": ENTITIES}),
    (
        "squad",
        "a.json",
        json.dumps({"data": [{"paragraphs": [{"context": TEXT, "qas": [QUESTION]}]}]}),
        {"questions": [QUESTION]},
    ),
    (
        "hf",
        "a.jsonl",
        as_lines({"tokens": TEXT[:-1].split(), "ner_tags": ["B-PERSON", "O", "O", "O", "B-PLACE"]}),
        {"text": TEXT[:-1] + " ", "entities": ENTITIES},
    ),
    (
        "hf",
        "a.json",
        as_lines({"id": "1", "context": TEXT, "question": "Who?", "answers": {"text": ["Anna"], "answer_start": [0]}}),
        {"questions": [QUESTION]},
    ),
    ("hf", "a.jsonl", as_lines({"text": TEXT, "label": "TRAVEL"}), {"cats": {"TRAVEL": 1.0}}),
    (
        "jsonl",
        "a.jsonl",
        as_lines(
            {"text": TEXT, "entities": ENTITIES, "cats": {"A": 0.5}, "spans": {"sc": [[0, 14, "X"], [0, 4, "X"]]}}
        ),
        {"entities": ENTITIES, "cats": {"A": 0.5}, "spans": {"sc": [[0, 14, "X"], [0, 4, "X"]]}},
    ),
]


@pytest.mark.parametrize(("name", "file", "content", "expected"), CASES)
def test_what_is_taken(tmp_path, name, file, content, expected):
    (tmp_path / file).write_text(content, encoding="utf8")
    assert recognise(tmp_path / file).name == name
    for given in (None, name):
        report = convert(tmp_path / file, tmp_path / "out.jsonl", from_format=given)
        assert (report.format, report.records or 1, report.problems.counts) == (name, 1, {})
    (found,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf8").splitlines()]
    assert found == {"text": TEXT, **expected}


def test_brat_and_spacy_are_folders(tmp_path):
    folder = tmp_path / "brat"
    folder.mkdir()
    (folder / "a.txt").write_bytes(TEXT.encode())
    (folder / "a.ann").write_text(f"{BRAT}T3\tPAIR 0 4;9 14\tAnna Boris\nR1\tmet Arg1:T1 Arg2:T2\n", encoding="utf8")
    report = convert(folder, tmp_path / "corpus" / "all.spacy", spans_key="sc")
    assert report.format == "brat" and report.taken == {"documents": 1, "spans": 3}
    assert report.problems.counts == {
        "annotations have gaps, which were closed": 1,
        "relations are of a kind that is not converted": 1,
    }
    convert(tmp_path / "corpus", tmp_path / "back.jsonl")
    (found,) = [json.loads(line) for line in (tmp_path / "back.jsonl").read_text(encoding="utf8").splitlines()]
    assert found == {"text": TEXT, "spans": {"sc": [*ENTITIES, [0, 14, "PAIR"]]}}


def test_columns_there_and_back(tmp_path):
    second = "-DOCSTART- -X- -X- O\n\nNew NNP B-PLACE\nYork NNP I-PLACE\n\nfell VBD O\n"
    (tmp_path / "a.iob").write_text("-DOCSTART-\n\nA X O\n" + second, encoding="utf8")
    report = convert(tmp_path / "a.iob", tmp_path / "b.spacy")
    first, other = DocBin().from_disk(tmp_path / "b.spacy").get_docs(spacy.blank("xx").vocab)
    assert (first.text, [(ent.text, ent.label_) for ent in other.ents]) == ("A ", [("New York", "PLACE")])
    convert(tmp_path / "b.spacy", tmp_path / "c.conll")
    again = convert(tmp_path / "c.conll", tmp_path / "d.spacy")
    assert again.taken == report.taken == {"documents": 2, "entities": 1}
    assert "New B-PLACE\nYork I-PLACE\nfell O\n" in (tmp_path / "c.conll").read_text(encoding="utf8")


def test_saved_data_sets_keep_the_names_of_their_tags(tmp_path):
    datasets = pytest.importorskip("datasets")
    tags = datasets.Sequence(datasets.ClassLabel(names=["O", "B-PERSON", "B-PLACE"]))
    features = datasets.Features({"tokens": datasets.Sequence(datasets.Value("string")), "ner_tags": tags})
    rows = {"tokens": [TEXT[:-1].split()], "ner_tags": [[1, 0, 0, 0, 2]]}
    data = datasets.Dataset.from_dict(rows, features=features)
    data.save_to_disk(str(tmp_path / "saved"))
    data.to_parquet(str(tmp_path / "a.parquet"))
    for source in ("saved", "a.parquet"):
        report = convert(tmp_path / source, tmp_path / "out.spacy")
        assert (report.format, report.labels) == ("hf", {"PERSON": 1, "PLACE": 1})
    (tmp_path / "numbers.jsonl").write_text(as_lines({key: value[0] for key, value in rows.items()}), encoding="utf8")
    with pytest.raises(ValueError, match=r"BB508.*'ner_tags' holds numbers"):
        convert(tmp_path / "numbers.jsonl", tmp_path / "out.spacy")


def test_offsets_of_browsers_and_several_annotators(tmp_path):
    text = "😀 Anna met Boris."
    results = [[{"type": "labels", "value": {"start": 3, "end": 7, "text": "Anna", "labels": ["PERSON"]}}]]
    results.append([{"type": "labels", "value": {"start": 11, "end": 16, "labels": ["PERSON"]}}])
    annotations = [*({"result": result} for result in results), {"result": [], "was_cancelled": True}]
    (tmp_path / "a.json").write_text(
        json.dumps([{"data": {"text": text}, "annotations": annotations}]), encoding="utf8"
    )
    report = convert(tmp_path / "a.json", tmp_path / "out.jsonl")
    found = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf8"))
    assert found["entities"] == [[2, 6, "PERSON"], [11, 16, "PERSON"]]
    assert report.merged == 1 and report.problems.counts == {"records were cancelled by their annotators": 1}


def test_every_format_is_on_the_page():
    page = (Path(__file__).parents[3] / "docs" / "convert.md").read_text(encoding="utf8")
    assert [name for name in FORMATS if f"| `{name}` |" not in page] == []
