"""Merging, alignment, splits, the command, and bad input of every kind."""

import json
import re

import pytest
import spacy
from spacy.cli import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_bigbird.cli.main  # noqa: F401  the command registers itself
from spacy_bigbird.corpora.convert import convert
from spacy_bigbird.corpora.convert.writing import split


def write(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf8")
    return path


def read(path):
    return list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))


def run(*arguments):
    return CliRunner().invoke(app, ["bigbird", "convert", *map(str, arguments)])


def test_nothing_is_lost_in_silence(tmp_path):
    text = "Anna met Boris."
    entities = [[0, 4, "A"], [0, 14, "B"], [1, 4, "C"], [9, 99, "D"], "E"]
    source = write(
        tmp_path / "a.jsonl", {"text": text, "entities": entities}, {"text": 1}, {"text": text, "cats": {"X": 1}}
    )
    report = convert(source, tmp_path / "a.spacy")
    assert (report.records, report.merged) == (3, 1)
    assert report.taken == {"documents": 1, "entities": 1, "document labels": 1}
    assert report.problems.counts == {
        "records have no text under 'text'": 1,
        "entities are not [start, end, label] inside the text": 2,
        "entities are not at token boundaries": 1,
        "entities overlap longer ones": 1,
    }
    (doc,) = read(tmp_path / "a.spacy")
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("Anna met Boris", "B")] and doc.cats == {"X": 1.0}
    convert(source, tmp_path / "b.spacy", spans_key="sc")
    (doc,) = read(tmp_path / "b.spacy")
    assert [span.text for span in doc.spans["sc"]] == ["Anna", "Anna met Boris"] and not doc.ents


def test_values_of_several_annotators(tmp_path):
    records = [{"text": "a", "label": "X", "answer": answer} for answer in ("accept", "reject", "accept", "ignore")]
    report = convert(write(tmp_path / "a.jsonl", *records), tmp_path / "a.spacy")
    (doc,) = read(tmp_path / "a.spacy")
    assert doc.cats["X"] == pytest.approx(2 / 3) and report.merged == 2


def test_a_split_keeps_sources_together(tmp_path):
    sources = [str(number // 5) for number in range(100)]
    parts = dict(split(sources, (80, 10, 10), seed=1))
    assert {name: len(numbers) for name, numbers in parts.items()} == {"train": 80, "dev": 10, "test": 10}
    assert sorted(number for numbers in parts.values() for number in numbers) == list(range(100))
    for numbers in parts.values():
        assert all(n // 5 * 5 + k in numbers for n in numbers for k in range(5))
    assert dict(split(sources, (80, 10, 10), seed=1)) == parts != dict(split(sources, (80, 10, 10), seed=2))
    for shares in [(100,), (90, 20), (50, 50, 0), (25, 25, 25, 25)]:
        with pytest.raises(ValueError, match="BB510"):
            dict(split(sources, shares, seed=0))
    with pytest.raises(ValueError, match=r"BB511.*2 separate documents"):
        dict(split(["a", "a", "b"], (80, 10, 10), seed=0))


def test_the_command(tmp_path):
    records = [
        {"text": f"Anna met {n} men.", "spans": [{"start": 0, "end": 3 + n % 2, "label": "P"}]} for n in range(20)
    ]
    source = write(tmp_path / "a.jsonl", *records, records[0])
    result = run(
        source, tmp_path / "corpus", "--split", "80,20", "--misaligned", tmp_path / "lost.jsonl", "--to", "jsonl"
    )
    output = " ".join(result.output.split())
    assert result.exit_code == 0, output
    assert "in the format 'prodigy': 21 records" in output and "same text: 1 record" in output
    assert "same text: 1 records" not in output
    assert "20 documents, 10 entities" in output and "P (10)" in output
    assert "10 of 20 entities are not at token boundaries" in output
    assert len((tmp_path / "lost.jsonl").read_text(encoding="utf8").splitlines()) == 10
    parts = [(tmp_path / "corpus" / f"{part}.jsonl").read_text(encoding="utf8") for part in ("train", "dev")]
    assert [part.count("\n") for part in parts] == [16, 4]
    again = run(source, tmp_path / "corpus", "--split", "80,20")
    assert again.exit_code == 1 and "BB342" in again.output
    assert run(source, tmp_path / "corpus", "--split", "80,20", "--force").exit_code == 0


@pytest.mark.parametrize(
    ("content", "arguments", "code"),
    [
        (None, (), "BB505"),
        ("nothing known\n", (), "BB506"),
        ("", (), "BB506"),
        ('{"data": 1}', ("--from", "squad"), "BB507"),
        ("a b c\nd\n", ("--from", "conll"), "BB507"),
        ('{"no": "text"}', ("--from", "prodigy"), "BB513"),
        ('{"text": "a", "cats": {}}', ("--from", "nonsense"), "BB512"),
        ('{"text": "a", "cats": {}}', ("--to", "nonsense"), "BB512"),
        ('{"text": "a", "cats": {}}', ("--split", "a,b"), "BB510"),
        ('{"text": "a", "cats": {}}', ("--lang", "nonsense"), "BB322"),
    ],
)
def test_bad_input_is_named(tmp_path, content, arguments, code):
    if content is not None:
        (tmp_path / "a.jsonl").write_text(content, encoding="utf8")
    result = run(tmp_path / "a.jsonl", tmp_path / "out.spacy", *arguments)
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    assert re.search(code, result.output) and not (tmp_path / "out.spacy").exists()


def test_files_are_not_overwritten(tmp_path):
    source = write(tmp_path / "a.jsonl", {"text": "a", "cats": {}})
    (tmp_path / "out.spacy").write_bytes(b"old")
    result = run(source, tmp_path / "out.spacy")
    assert result.exit_code == 1 and "BB514" in result.output and (tmp_path / "out.spacy").read_bytes() == b"old"
    assert run(source, tmp_path / "out.spacy", "-F").exit_code == 0
