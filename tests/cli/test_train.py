"""`python -m spacy bigbird train`: what `spacy train` does, and on with --resume."""

import numpy
import pytest
import spacy
from spacy.cli import app as spacy_app
from spacy.tokens import DocBin
from spacy.util import registry
from typer.testing import CliRunner

from spacy_bigbird.cli.new_config import make_config

from ..toy_pipelines import TINY_ENCODER, encoder_weights, make_examples

registry.cli.get_all()


@pytest.fixture
def config(vocab_file, tmp_path):
    """The config that init-config writes, with a tiny encoder, few steps and spaCy's own logger."""
    examples = make_examples(spacy.blank("xx"))
    DocBin(docs=[example.reference for example in examples]).to_disk(tmp_path / "corpus.spacy")
    config = make_config(["ner"], lang="xx", vocab_file=str(vocab_file))
    config["paths"].update(train=str(tmp_path / "corpus.spacy"), dev=str(tmp_path / "corpus.spacy"))
    config["components"]["bigbird"]["model"]["transformer_config"] = {**TINY_ENCODER, "hidden_dropout_prob": 0.1}
    config["training"].update(max_steps=3, eval_frequency=2)
    config["training"]["optimizer"]["learn_rate"] = 0.001
    config["training"]["logger"] = {"@loggers": "spacy.ConsoleLogger.v1"}
    config.to_disk(tmp_path / "config.cfg")
    return tmp_path / "config.cfg"


def run(*arguments):
    return CliRunner().invoke(spacy_app, [str(argument) for argument in arguments])


def test_it_trains_what_spacy_trains_and_goes_on(config, tmp_path):
    ours = run("bigbird", "train", config, "--output", tmp_path / "ours")
    assert ours.exit_code == 0, ours.output
    theirs = run("train", config, "--output", tmp_path / "theirs", "--training.max_steps", 5)
    assert theirs.exit_code == 0, theirs.output
    rows = [line for line in theirs.output.splitlines() if line.split()[1:2] in (["0"], ["2"])]
    assert len(rows) == 2 and all(row in ours.output for row in rows)
    command = ["bigbird", "train", config, "--output", tmp_path / "ours", "--resume", "--training.max_steps", 5]
    more = run(*command)
    assert more.exit_code == 0, more.output
    assert "resuming after step 2" in " ".join(more.output.split())
    found = [encoder_weights(spacy.load(tmp_path / name / "model-last")) for name in ("ours", "theirs")]
    numpy.testing.assert_array_equal(*found)
    again = run(*command)
    assert again.exit_code == 1 and "BB345" in again.output
