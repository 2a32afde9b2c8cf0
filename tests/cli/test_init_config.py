"""Configs from the command line are complete, pass spaCy's own checks, and build what was asked for."""

import pytest
import spacy
from spacy import util
from spacy.cli import app as spacy_app
from spacy.cli.debug_config import debug_config
from spacy.cli.init_config import fill_config
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import registry
from typer.testing import CliRunner

from spacy_bigbird.check.listeners import find_listener_problems
from spacy_bigbird.cli.new_config import LARGE, Optimize, Size, Steps, make_config

from ..toy_text import toy_texts

registry.cli.get_all()
PIPELINES = [
    ["ner"],
    ["ner", "textcat"],
    ["textcat_multilabel"],
    ["span_qa"],
    ["ner", "span_qa", "multiple_choice"],
    ["fill_mask"],
    ["tagger", "parser", "span_finder", "spancat", "sentencizer", "textcat"],
]


def run(*arguments):
    return CliRunner().invoke(spacy_app, ["bigbird", "init-config", *map(str, arguments)], catch_exceptions=False)


@pytest.mark.parametrize("pipeline", PIPELINES, ids=",".join)
def test_configs_pass_debug_config_and_are_complete(pipeline, tmp_path):
    path = tmp_path / "config.cfg"
    assert run(path, "--pipeline", ",".join(pipeline), "--size", "small").exit_code == 0
    before = util.load_config(path, interpolate=False)
    fill_config(tmp_path / "filled.cfg", path)
    assert util.load_config(tmp_path / "filled.cfg", interpolate=False) == before
    # Nothing is read before training: neither corpora nor vocabulary have to be there.
    given = {"paths.train": str(tmp_path / "train.spacy"), "paths.dev": str(tmp_path / "dev.spacy")}
    for file in given.values():
        DocBin().to_disk(file)
    debug_config(path, overrides=given)
    assert find_listener_problems(util.load_model_from_config(before)) == []


def test_sizes_checkpoints_and_speed():
    encoder = make_config(["ner"])["components"]["bigbird"]["model"]
    assert (encoder["name"], encoder["vocab_file"], encoder["precision"]) == (
        "google/bigbird-roberta-base",
        None,
        "fp32",
    )
    large = make_config(["ner"], size=Size.large, optimize=Optimize.efficiency)
    encoder = large["components"]["bigbird"]["model"]
    assert (encoder["name"], encoder["precision"]) == ("google/bigbird-roberta-large", "bf16")
    assert encoder["mixed_precision"] is True and large["components"]["bigbird_ner"]["decoder"] == "constrained"
    small = make_config(["ner"], size=Size.small, vocab_file="my.model")
    encoder = small["components"]["bigbird"]["model"]
    assert encoder["name"] is None and encoder["transformer_config"]["hidden_size"] == 256
    assert encoder["vocab_file"] == "${paths.vocab_file}" and small["paths"]["vocab_file"] == "my.model"
    batcher = small["training"]["batcher"]
    assert (
        batcher["@batchers"] == "spacy-bigbird.stretches.v1" and batcher["until"][-1] <= small["training"]["patience"]
    )
    assert make_config(["multiple_choice"])["training"]["batcher"]["@batchers"] == "spacy-bigbird.batch_by_pieces.v1"
    assert batcher["batcher"]["vocab_file"] == "${paths.vocab_file}"
    mine = make_config(["ner"], size=Size.small, name="folder/of/mine")["components"]["bigbird"]["model"]
    assert mine["name"] == "folder/of/mine" and mine["transformer_config"] == {}
    rates = [config["training"]["optimizer"]["learn_rate"]["initial_rate"] for config in (small, large)]
    assert rates == [3e-4, 2e-5]


def test_components_and_readers():
    config = make_config(["ner", "tagger", "span_qa"])
    assert config["nlp"]["pipeline"] == ["bigbird", "bigbird_ner", "tagger", "bigbird_span_qa"]
    assert "TransformerListener" in config["components"]["tagger"]["model"]["tok2vec"]["@architectures"]
    assert config["corpora"]["train"]["@readers"] == "spacy-bigbird.QuestionCorpus.v1"
    assert make_config(["span_qa"])["corpora"]["dev"]["@readers"] == "spacy-bigbird.SquadCorpus.v1"
    assert make_config(["span_qa"])["nlp"]["pipeline"] == ["bigbird_span_qa"]
    assert sum(filter(None, config["training"]["score_weights"].values())) == pytest.approx(1.0, abs=0.02)
    assert config["training"]["logger"]["@loggers"] == "spacy-bigbird.ResumableLogger.v1"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--pipeline", ","], "pipeline = nothing"),
        (["--pipeline", "ner,ner"], "different components"),
        (["--name", "a", "--vocab-file", "b"], "brings its own"),
    ],
)
def test_what_makes_no_config_is_said(arguments, expected):
    result = run("-", *arguments)
    assert result.exit_code == 1 and "BB383" in result.output and expected in " ".join(result.output.split())


def test_unknown_components_are_named_beside_the_known(tmp_path):
    result = run("-", "--pipeline", "ner,textcatt")
    said = " ".join(result.output.split())
    assert result.exit_code == 1 and "[BB663] init-config: there is no component textcatt." in said
    assert "Did you mean 'textcat' for 'textcatt'?" in said
    assert "span_qa, multiple_choice" in said and "parser" in said and "bigbird_" not in said


def test_both_names_of_a_component():
    assert make_config(["bigbird_ner", "bigbird_span_qa"]) == make_config(["ner", "span_qa"])


def test_the_terminal_and_files_that_exist(tmp_path):
    result = run("-", "--lang", "de", "--pipeline", "textcat")
    assert util.load_config_from_str(result.output)["nlp"]["lang"] == "de"
    (tmp_path / "config.cfg").write_text("mine")
    assert run(tmp_path / "config.cfg").exit_code == 1
    assert (tmp_path / "config.cfg").read_text() == "mine"
    assert run(tmp_path / "config.cfg", "--force").exit_code == 0


def test_languages_that_spacy_has_not(monkeypatch):
    result = run("-", "--lang", "xq")
    assert result.exit_code == 1 and "BB322" in result.output and "'xq'" in result.output

    def blank(lang):
        raise ImportError("Install SudachiPy")

    monkeypatch.setattr(spacy, "blank", blank)
    with pytest.raises(ValueError, match=r"BB322.*'ja'.*Install SudachiPy"):
        make_config(["ner"], lang="ja")


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "a_file").write_text("mine")
    for place in (tmp_path, tmp_path / "a_file" / "config.cfg"):
        for options in ([], ["--force"]):
            result = run(place, *options)
            assert result.exit_code == 1 and "BB319" in result.output
    assert (tmp_path / "a_file").read_text() == "mine"


def test_a_small_config_trains(vocab_file, tmp_path):
    nlp = spacy.blank("en")
    docs = [nlp.make_doc(text) for text in toy_texts(4, 3)]
    for doc in docs:
        doc.ents = [doc.char_span(token.idx, token.idx + len(token), label="NAME") for token in doc if token.is_title]
        doc.cats = {"long": 1.0 if len(doc) > 25 else 0.0, "short": 0.0 if len(doc) > 25 else 1.0}
    DocBin(docs=docs).to_disk(tmp_path / "train.spacy")
    config = make_config(["ner", "textcat"], size=Size.small, vocab_file=str(vocab_file))
    path = str(tmp_path / "train.spacy")
    changes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    overrides = {"paths.train": path, "paths.dev": path, "training.max_steps": 2, "training.eval_frequency": 1}
    overrides["components.bigbird.model.transformer_config"] = changes
    (tmp_path / "output").mkdir()
    trained, _ = train(init_nlp(util.load_config_from_str(config.to_str(), overrides=overrides)), tmp_path / "output")
    assert trained.pipe_names == ["bigbird", "bigbird_ner", "bigbird_textcat"]
    doc = spacy.load(tmp_path / "output" / "model-last")(docs[0].text)
    assert sum(doc.cats.values()) == pytest.approx(1.0, abs=1e-4)


def test_corpora_of_json_lines(tmp_path):
    result = run(tmp_path / "a.cfg", "--pipeline", "ner,span_qa", "--size", "small", "--reader", "jsonl")
    assert "--paths.train train.jsonl --paths.dev dev.jsonl" in result.output
    config = util.load_config(tmp_path / "a.cfg", interpolate=False)
    for part in ("train", "dev"):
        assert config["corpora"][part]["@readers"] == "spacy-bigbird.JsonlCorpus.v1"
        assert config["corpora"][part]["path"] == f"${{paths.{part}}}"


def test_steps_follow_the_size_of_the_corpus(tmp_path):
    assert Steps.of(40 * 2_000) == Steps(batch=4096, total=800, evaluation=20, patience=160, warmup=40)
    assert Steps.of(10**8) == Steps(batch=8192, total=20000, evaluation=200, patience=1600, warmup=250) == LARGE
    docs = [spacy.blank("en").make_doc("tea " * 400) for _ in range(40)]
    DocBin(docs=docs).to_disk(tmp_path / "train.spacy")
    result = run(tmp_path / "a.cfg", "--train", tmp_path / "train.spacy")
    assert result.exit_code == 0, result.output
    training = util.load_config(tmp_path / "a.cfg", interpolate=False)["training"]
    assert (training["max_steps"], training["eval_frequency"], training["patience"]) == (400, 20, 160)
    assert training["batcher"]["until"] == [80, 160] and training["batcher"]["batcher"]["size"] == 4096
    assert training["optimizer"]["learn_rate"]["warmup_steps"] == 20
    result = run(tmp_path / "b.cfg", "--train", tmp_path / "missing.spacy")
    assert result.exit_code == 1 and "BB323" in result.output and not (tmp_path / "b.cfg").exists()
