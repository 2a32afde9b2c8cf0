"""Scripts say what an earlier step should have written."""

import sys

import pytest

from project.workflows.library.command import run


def _missing() -> None:
    raise FileNotFoundError("corpus/ner has no split.json: preprocess first")


def _broken() -> None:
    raise ValueError("a mistake of the program")


def test_a_missing_file_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["script"])
    with pytest.raises(SystemExit) as stopped:
        run(_missing)
    assert stopped.value.code == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "corpus/ner has no split.json: preprocess first" in said and "Traceback" not in said


def test_any_other_error_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["script"])
    with pytest.raises(ValueError, match="a mistake of the program"):
        run(_broken)


def test_a_missing_package_is_said_before_the_first_step(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        run(_broken)
    assert "pip install 'spacy-bigbird[plot]'" in " ".join(capsys.readouterr().out.split())
