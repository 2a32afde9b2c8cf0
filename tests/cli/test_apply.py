"""`python -m spacy bigbird apply`: what it prints, and its exit codes."""

import json

import pytest
import spacy
from spacy.cli import app as spacy_app
from spacy.util import registry
from typer.testing import CliRunner

registry.cli.get_all()


@pytest.fixture
def folder(tmp_path):
    """A pipeline that finds nothing, and three records, one of them broken."""
    spacy.blank("en").to_disk(tmp_path / "pipeline")
    (tmp_path / "in.jsonl").write_text('{"text": "One."}\nbroken\n{"text": "Two."}\n')
    return tmp_path


def run(folder, *options, inputs="in.jsonl"):
    arguments = [str(folder / "pipeline"), str(folder / inputs), str(folder / "out"), *options]
    return CliRunner().invoke(spacy_app, ["bigbird", "apply", *arguments], catch_exceptions=False)


def test_exit_codes_say_what_happened(folder):
    result = run(folder, "--dry-run")
    assert result.exit_code == 0 and "Memory of each" in result.output and "Time, about" in result.output
    assert not (folder / "out").exists()
    result = run(folder, "--text")
    assert result.exit_code == 3 and "has 2 documents in 1 file" in " ".join(result.output.split())
    assert "1 document failed" in result.output
    rows = [json.loads(line) for line in (folder / "out" / "part-000000.jsonl").open()]
    assert [row["text"] for row in rows] == ["One.", "Two."]
    result = run(folder, "--text")
    assert result.exit_code == 3 and "1 of them done already" in result.output
    result = run(folder)
    assert result.exit_code == 1 and "BB403" in result.output and "text was True" in result.output


@pytest.mark.parametrize(
    "options, code",
    [
        (["--format", "xml"], "BB410"),
        (["--engine", "spark"], "BB410"),
        (["--workers", "0"], "BB410"),
        (["--vectors"], "BB411"),
        (["--questions", "missing.txt"], "BB320"),
    ],
)
def test_what_cannot_be_done(folder, options, code):
    result = run(folder, *options)
    assert result.exit_code == 1 and code in result.output


def test_inputs_that_are_not_there(folder):
    result = run(folder, inputs="nothing/*.jsonl")
    assert result.exit_code == 1 and "BB400" in result.output
