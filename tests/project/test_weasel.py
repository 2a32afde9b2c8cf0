"""The project as weasel sees it."""

import importlib.util
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import srsly
from weasel.cli.document import project_document
from weasel.util import load_project_config

from project.workflows.library import sources

from .stand_ins import PROJECT, copy_project, write_litbank_converted

STEPS = ["assets", "preprocess", "check", "train", "evaluate", "report", "package"]


def test_the_readme_is_what_weasel_writes(tmp_path):
    """`python -m weasel document . --output README.md` in the project's folder brings it up to date."""
    readme = Path(shutil.copy(PROJECT / "README.md", tmp_path))
    project_document(PROJECT, readme)
    assert readme.read_text(encoding="utf8") == (PROJECT / "README.md").read_text(encoding="utf8")


def test_every_workflow_has_all_steps_and_every_script_is_there():
    config = load_project_config(PROJECT)
    commands = {command["name"]: command for command in config["commands"]}
    for name, steps in config["workflows"].items():
        assert [step.removeprefix(f"{name}-") for step in steps][:1] == ["assets"]
        assert set(steps) <= set(commands)
    for name in ("ner", "textcat"):
        assert config["workflows"][name] == [f"{name}-{step}" for step in STEPS]
    for command in commands.values():
        for line in command["script"]:
            words = line.split()
            assert words[:2] == ["python", "-m"]
            if words[2].startswith("workflows."):
                path = PROJECT / words[2].replace(".", "/")
                assert path.with_suffix(".py").exists() or (path / "__main__.py").exists()
        for path in command.get("deps", []):
            if path.startswith(("workflows/", "configs/")):
                assert (PROJECT / path).exists()
    assert {"size", "checkpoint", "gpu", "seed", "max_length", "seconds"} <= set(config["vars"])


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("workflow", load_project_config(PROJECT)["workflows"])
def test_a_workflow_without_matplotlib_ends_in_its_first_step(workflow, monkeypatch, tmp_path, capsys):
    """Its report, after all trainings, would draw a chart. The first step has no outputs, so it is never skipped."""
    config = load_project_config(PROJECT)
    (first,) = [one for one in config["commands"] if one["name"] == config["workflows"][workflow][0]]
    assert not first.get("outputs")
    _, _, module, *arguments = first["script"][0].split()
    find_spec = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "matplotlib" else find_spec(name))
    monkeypatch.setenv(sources.VARIABLE, str(tmp_path))
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module(f"project.{module}", run_name="__main__")
    said = " ".join(capsys.readouterr().out.split())
    assert stopped.value.code == 1 and "pip install 'spacy-bigbird[plot]'" in said


@pytest.mark.slow
def test_a_workflow_from_the_assets_to_the_package(tmp_path):
    root = copy_project(tmp_path)
    write_litbank_converted(tmp_path / "data", repeats=50)
    environment = {**os.environ, sources.VARIABLE: str(tmp_path / "data"), "OMP_NUM_THREADS": "1"}
    run = [sys.executable, "-m", "weasel", "run", "ner", ".", "--vars.seconds", "3", "--vars.seed", "7"]
    done = subprocess.run(run, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for system in ("bigbird", "tok2vec", "strided", "truncated"):
        results = srsly.read_json(root / "results" / f"ner-{system}-seed7.json")
        assert results["training"]["budget_seconds"] == 3 and results["documents"] == 1
    page = (root / "results" / "ner.html").read_text(encoding="utf8")
    assert "same encoder, windows of 128/96" in page
    (package,) = (root / "packages").glob("en_bigbird_ner-0.0.0")
    assert "spacy-bigbird" in (package / "setup.py").read_text(encoding="utf8") + (package / "meta.json").read_text()
    again = subprocess.run(run, cwd=root, env=environment, capture_output=True, text=True)
    assert again.returncode == 0 and "Skipping 'ner-train': nothing changed" in again.stdout
