"""The README and the first page of the docs are true: examples run, commands, targets and settings exist."""

import inspect
import re
import shlex
from typing import Any

import pytest
import spacy
from spacy import util
from spacy.cli import app as spacy_app
from spacy.language import Language
from spacy.training import Example
from spacy.util import registry
from thinc.api import Config
from typer.testing import CliRunner

from project.demo.agreement import find_clauses
from project.demo.names import find_names

from .documentation import DOCS, FACTORIES, ROOT, SENTENCE, blocks, check_command_line, prepare, section, shell_lines

README = ROOT / "README.md"
FIRST_PAGE = DOCS / "index.md"
LINES = list(shell_lines(README))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, vocab_file):
    path = tmp_path_factory.mktemp("readme")
    prepare(path, vocab_file)
    return path


def run(line: str) -> str:
    """Run a command line of spaCy in this process. RETURNS: what it printed."""
    registry.cli.get_all()
    result = CliRunner().invoke(spacy_app, shlex.split(line.removeprefix("python -m spacy ")), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def code_that_names(word: str) -> str:
    (found,) = [text for text in blocks(README, "python") if word in text]
    return found


def execute(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(text, README.name, "exec"), names)
    return names


def test_all_examples_are_executed_here():
    assert len(blocks(README, "python")) == 3 and len(blocks(README, "ini")) == 1


def test_clauses_of_a_contract(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    find_clauses(tmp_path / "demo_output" / "pipelines" / "clauses", "Nothing.")
    text = "This Agreement shall be governed by the laws of the State of Delaware, whatever its conflict rules."
    (tmp_path / "contract.txt").write_text(f"DISTRIBUTION AGREEMENT\n\n12. Governing Law. {text}", encoding="utf8")
    names = execute(code_that_names("pipelines/clauses"))
    assert "Governing Law" in {clause.label_ for clause in names["clauses"]}
    assert "laws of the State of Delaware" in capsys.readouterr().out


def test_names_in_a_novel(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    find_names(tmp_path / "demo_output" / "pipelines" / "names", "Nothing.")
    (tmp_path / "novel.txt").write_text("Call me Ishmael. I sailed from Nantucket to London.", encoding="utf8")
    names = execute(code_that_names("novel.txt"))
    assert {"Nantucket", "London"} <= {ent.text for ent in names["doc"].ents if ent.label_ == "GPE"}
    assert "('London', 'GPE', " in capsys.readouterr().out


def test_a_question_about_a_long_text(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    import_line, ask_line = (
        next(line for line in LINES if f"bigbird {command} " in line) for command in ("import", "ask")
    )
    run(import_line)
    execute(code_that_names("my_qa_pipeline"))
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(" ->")[0] for line in printed] == ["Who signs?", "When does it end?"]
    run(ask_line)
    assert "Who signs?" in (folder / "answers.html").read_text(encoding="utf8")


def test_the_config_trains(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (text,) = blocks(README, "ini")
    nlp = util.load_model_from_config(Config().from_str(text), auto_fill=True)
    example = Example.from_dict(nlp.make_doc(SENTENCE), {"entities": [(0, 4, "PER"), (9, 14, "PER"), (18, 24, "LOC")]})
    nlp.initialize(lambda: [example])
    losses = nlp.update([example], sgd=nlp.create_optimizer())
    assert losses["ner"] > 0.0 and losses["bigbird"] > 0.0
    nlp.to_disk("trained")
    assert spacy.load("trained").batch_size == 16


def test_command_lines_name_what_there_is():
    lines = [line for line in LINES if line.startswith("python -m spacy ")]
    assert len(lines) >= 6
    for line in lines:
        check_command_line(line)
    assert {line.split()[0] for line in LINES} <= {"python", "git", "make", "pip"}


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf8"), flags=re.MULTILINE))
    named = {line.split()[1] for line in LINES if line.startswith("make ")}
    named |= set(re.findall(r"`make ([a-z-]+)`", README.read_text(encoding="utf8")))
    assert named and named <= targets


def test_configs_are_listed():
    text = FIRST_PAGE.read_text(encoding="utf8")
    assert [path.name for path in (ROOT / "configs").glob("*.cfg") if f"`{path.name}`" not in text] == []


def test_settings_and_methods_of_the_components_exist():
    rows = section(FIRST_PAGE, "Components").rows
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(listed) == sorted(FACTORIES)
    for row in rows:
        (name, *_) = re.findall(r"`(\w+)`", row[0])
        factory = registry.factories.get(name)
        model = Language.get_factory_meta(name).default_config["model"]["@architectures"]
        known = {
            *inspect.signature(factory).parameters,
            *inspect.signature(registry.architectures.get(model)).parameters,
        }
        component = inspect.get_annotations(factory, eval_str=True)["return"]
        assert set(re.findall(r"`(\w+)`", row[3])) <= known, name
        assert all(hasattr(component, method) for method in re.findall(r"`(\w+)\(\)`", row[3])), name
