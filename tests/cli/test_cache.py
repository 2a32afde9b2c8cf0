"""`spacy bigbird cache`: what is filled is read by training, measured and cleared."""

import pytest
from spacy.cli import app
from spacy.tokens import DocBin
from spacy.training import Corpus
from spacy.util import load_config, load_model_from_config
from typer.testing import CliRunner

from spacy_bigbird.cache.frozen_layers import FrozenLayers
from spacy_bigbird.cli import cache  # noqa: F401 (registers the command)
from tests.toy_pipelines import add_head, make_examples, make_pipeline


def run(*arguments):
    return CliRunner().invoke(app, ["bigbird", "cache", *map(str, arguments)])


@pytest.fixture
def config(vocab_file, tmp_path):
    """A config with corpora, whose encoder is frozen and has a cache."""
    nlp = make_pipeline(vocab_file, freeze_layers=2)
    add_head(nlp, "tagger")
    DocBin(docs=[example.reference for example in make_examples(nlp)]).to_disk(tmp_path / "train.spacy")
    nlp.get_pipe("bigbird").model.initialize()
    nlp.get_pipe("bigbird").to_disk(tmp_path / "encoder")
    config = nlp.config.copy()
    model = config["components"]["bigbird"]["model"]
    model |= {"name": str(tmp_path / "encoder"), "vocab_file": None, "transformer_config": {}}
    config["components"]["bigbird"]["cache_dir"] = str(tmp_path / "cache")
    config["paths"] |= {name: str(tmp_path / "train.spacy") for name in ("train", "dev")}
    config.to_disk(tmp_path / "config.cfg")
    return tmp_path / "config.cfg"


def test_filled_measured_cleared(config, tmp_path, monkeypatch):
    result = run("fill", config)
    assert result.exit_code == 0, result.output
    count = 2 * len(list(Corpus(tmp_path / "train.spacy")(load_model_from_config(load_config(config), auto_fill=True))))
    assert f"{count} documents" in result.output and str(tmp_path / "cache") in result.output.replace("\n", "")
    # Nothing is left to compute.
    monkeypatch.setattr(FrozenLayers, "_compute", None)
    assert run("fill", config).exit_code == 0
    assert run("size", tmp_path / "cache").output.endswith(" GB\n")
    assert run("clear", tmp_path / "cache").exit_code == 0 and not (tmp_path / "cache").exists()
    assert run("size", tmp_path / "cache").output == "0.000 GB\n"
    result = run("clear", tmp_path)
    assert result.exit_code == 1 and "BB465" in result.output


@pytest.mark.parametrize(
    ("override", "code"),
    [
        (("--components.bigbird.cache_dir", "null"), "BB466"),
        (("--components.bigbird.model.freeze_layers", "0"), "BB468"),
    ],
)
def test_what_would_be_of_no_use_is_said(config, override, code):
    result = run("fill", config, *override)
    assert result.exit_code == 1 and code in result.output
