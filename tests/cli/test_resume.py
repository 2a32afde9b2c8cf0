"""`python -m spacy bigbird resume`: after a real kill, with overrides and code, and what it says when it cannot."""

import time

import numpy
import pytest
import spacy
from spacy.cli import app as spacy_app
from spacy.tokens import DocBin
from spacy.util import registry
from thinc.util import has_gpu
from typer.testing import CliRunner

from spacy_bigbird.cli.new_config import make_config
from spacy_bigbird.resume.state import TrainingState

from ..processes import start_spacy
from ..toy_pipelines import TINY_ENCODER, encoder_weights, make_examples

registry.cli.get_all()
# Waits before a step for which there is no file yet, so that a kill comes at a known place.
CODE = """
import time
from pathlib import Path
import spacy

@spacy.registry.callbacks("test_resume.waits.v1")
def make_waiter(step: int, folder: str):
    def before_update(nlp, where):
        if where["step"] == step and not Path(folder, "go").exists():
            Path(folder, "waiting").touch()
            time.sleep(600)
    return before_update
"""


def run(*arguments):
    return CliRunner().invoke(spacy_app, ["bigbird", "resume", *map(str, arguments)], catch_exceptions=False)


def spoken(result):
    return " ".join(result.output.split())


@pytest.fixture
def config(vocab_file, tmp_path):
    """The config that init-config writes, with a tiny encoder and few steps."""
    nlp = spacy.blank("xx")
    examples = make_examples(nlp)
    DocBin(docs=[example.reference for example in examples]).to_disk(tmp_path / "corpus.spacy")
    (tmp_path / "code.py").write_text(CODE)
    config = make_config(["ner"], lang="xx", vocab_file=str(vocab_file))
    config["paths"].update(train=str(tmp_path / "corpus.spacy"), dev=str(tmp_path / "corpus.spacy"))
    config["components"]["bigbird"]["model"]["transformer_config"] = {**TINY_ENCODER, "hidden_dropout_prob": 0.1}
    config["training"].update(max_steps=5, eval_frequency=2)
    config["training"]["before_update"] = {
        "@callbacks": "test_resume.waits.v1",
        "step": 3,
        "folder": str(tmp_path),
    }
    config.to_disk(tmp_path / "config.cfg")
    return tmp_path / "config.cfg"


def test_a_killed_training_goes_on(config, monkeypatch):
    folder = config.parent
    command = ["train", config, "--output", "killed", "--code", "code.py"]
    process = start_spacy(command, folder / "printed", folder)
    try:
        deadline = time.monotonic() + 300
        while not (folder / "waiting").exists() and process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (folder / "waiting").exists(), (folder / "printed").read_text()
    finally:
        process.kill()
        process.join()
    assert TrainingState.newest(folder / "killed").step == 2
    (folder / "go").touch()
    monkeypatch.chdir(folder)
    result = run("killed", "--code", "code.py")
    assert result.exit_code == 0, result.output
    assert "resuming after step 2" in spoken(result)
    whole = CliRunner().invoke(spacy_app, ["train", str(config), "--output", "whole", "--code", "code.py"])
    assert whole.exit_code == 0, whole.output
    # The same rows of scores and losses as a training that nobody killed.
    rows = {line.split()[1]: line for line in whole.output.splitlines() if line.split()[:1] == ["2"]}
    assert all(line in result.output for step, line in rows.items() if int(step) > 2)
    for name in ("model-last", "model-best"):
        found = [encoder_weights(spacy.load(folder / output / name)) for output in ("killed", "whole")]
        numpy.testing.assert_array_equal(*found)
    result = run("killed", "--code", "code.py")
    assert result.exit_code == 1 and "BB345" in result.output and "--training.max_steps" in result.output
    result = run("killed", "--code", "code.py", "--training.max_steps", "6")
    assert result.exit_code == 0 and TrainingState.newest(folder / "killed").step == 6


def test_what_it_says_when_it_cannot(tmp_path):
    result = run(tmp_path / "nothing")
    assert result.exit_code == 1 and "The training cannot be resumed" in result.output and "BB343" in result.output


@pytest.mark.skipif(has_gpu, reason="the GPU that is there is used")
def test_a_gpu_that_is_not_there(tmp_path):
    result = run(tmp_path, "-g", 0)
    assert result.exit_code == 1 and "BB321" in result.output and "--gpu-id" in result.output
