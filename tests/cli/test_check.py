"""`spacy bigbird check` through spaCy's own command line: findings, files, exit codes."""

import pytest
import srsly
from spacy.cli import app as spacy_app
from typer.testing import CliRunner

from spacy_bigbird.cli.new_config import Size, make_config

from .checked import flat, run


def test_a_sound_config_passes_and_its_cost_is_estimated(checked_folder, tmp_path):
    result = run(checked_folder, "--plot", str(tmp_path / "lengths.png"))
    assert result.exit_code == 0, result.output
    output = flat(result)
    assert "Encoder of bigbird" in output and "62 pieces; neighbours share at least 7" in output
    assert "Gold in train" in output and "tagger 4" in output
    assert "4 documents with" in output and "Every document is in a batch" in output
    assert "pieces per second" in output and "Nothing would be lost" in output
    assert (tmp_path / "lengths.png").read_bytes().startswith(b"\x89PNG")


def test_a_schedule_of_another_length_is_said(checked_folder):
    """There are four batches of one document each in an epoch."""
    arguments = ["--no-measure", "--training.batcher.size=1", "--training.optimizer.learn_rate.total_steps=400"]
    result = run(checked_folder, *arguments, "--training.max_epochs=1000")
    assert result.exit_code == 1 and "[BB660] The learning rate is 0 from step 400 on" in flat(result)
    assert "goes on until step 4,000" in flat(result)
    result = run(checked_folder, *arguments, "--training.max_epochs=20")
    assert result.exit_code == 0 and "[BW661] The training ends after 80 steps" in flat(result)
    result = run(checked_folder, *arguments, "--training.max_epochs=0")
    assert result.exit_code == 1 and "is not limited to a number of steps" in flat(result)


def test_an_option_that_is_misspelled(checked_folder):
    result = run(checked_folder, "--no-measure", "--paths.trian", "x.spacy")
    assert result.exit_code == 1 and "[BB664] --paths.trian: [paths] of the config has no such setting" in flat(result)
    assert "only train, dev. Did you mean 'train' for 'trian'?" in flat(result)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ('--components.bigbird_textcat.class_weights={"SHRT": 2.0}', "Did you mean 'SHORT' for 'SHRT'?"),
        ("--initialize.components.bigbird_textcat.positive_label=SHRT", "E920"),
        ('--components.bigbird_textcat.class_weights={"SHORT": 2.0}', "Nothing would be lost"),
    ],
)
def test_settings_that_name_labels(checked_folder, tmp_path, vocab_file, setting, expected):
    config = make_config(["textcat"], size=Size.small, vocab_file=str(vocab_file))
    config["initialize"]["components"]["bigbird_textcat"] = {"positive_label": None}
    config["components"]["bigbird"]["model"]["transformer_config"].update(hidden_size=16, num_attention_heads=2)
    config["corpora"]["train"] = config["corpora"]["dev"] = {
        "@readers": "spacy-bigbird.JsonlCorpus.v1",
        "path": "${paths.train}",
    }
    config.to_disk(tmp_path / "config.cfg", interpolate=False)
    srsly.write_jsonl(tmp_path / "train.jsonl", [{"text": "x", "cats": {"LONG": 0, "SHORT": 1}}] * 2)
    arguments = ["bigbird", "check", str(tmp_path / "config.cfg"), "--no-measure", setting]
    arguments += ["--paths.train", str(tmp_path / "train.jsonl")]
    result = CliRunner().invoke(spacy_app, arguments, catch_exceptions=False)
    assert expected in flat(result) and result.exit_code == ("Nothing" not in expected)


def test_a_plot_without_matplotlib_is_refused_at_once(checked_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = run(checked_folder, "--plot", str(tmp_path / "lengths.png"))
    assert result.exit_code == 1 and "pip install 'spacy-bigbird[plot]'" in flat(result)
    assert "Encoder of" not in flat(result)


def test_the_summary_repeats_the_findings(checked_folder):
    result = run(
        checked_folder, "--no-measure", "--corpora.train.max_length=10", '--training.frozen_components=["bigbird"]'
    )
    _, summary = flat(result).split(" Summary ")
    assert "[BB385] Component 'bigbird' is in frozen_components" in summary and "fail: 4" in summary
    assert "4. train: the corpus setting max_length = 10 leaves out" in summary


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("--components.bigbird.model.on_oversize=truncate", 'on_oversize = "truncate" cuts'),
        ("--components.bigbird.model.on_oversize=error", "longer than one window"),
        ("--components.tagger.model.tok2vec.upstream=bigbrid", "Set upstream = 'bigbird'"),
        ("--corpora.train.max_length=10", "leaves out"),
        ("--paths.train=null", "E913"),
        ("--components.bigbird.model.vocab_file=null", "BB137"),
        ('--nlp.pipeline=["tagger"]', "BB381"),
        ("--components.bigbird.model.freeze_layers=2", "BB135"),
        ('--training.frozen_components=["bigbird"]', "BB385"),
        ("--components.bigbird.model.precision=fp16", "precision = 'fp16' is not allowed"),
        ("--components.bigbird.keep_vectors=nix", "keep_vectors = 'nix' is not allowed"),
        ("--components.bigbird.factory=nix", "E002"),
        ("--components.bigbird.model.@architectures=nix", "E893"),
        ('--components.bigbird.model.transformer_config={"hidden_size": 33}', "BB001"),
        ("--training.batcher.size=0", "BB380"),
        ("--nlp.lang=xq", "E048"),
    ],
)
def test_what_would_fail_or_lose_data_is_said_and_fails(checked_folder, override, expected):
    result = run(checked_folder, override, "--no-measure")
    assert result.exit_code == 1 and expected in flat(result), result.output


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "it has no [nlp] section"),
        (b"[masking]\nrate = 0.15\n", "it has no [nlp] section"),
        (b"\x9c\xff", "it is not UTF-8 text"),
        (b"lang = 1\n", "File contains no section headers"),
        (b"[nlp]\nlang = ${nix.da}\n", "nix"),
        (b'[nlp]\nlang = "en"\npipeline = ["x"]\n[components]\n[components.x]\nsource = "nix"\n', "E050"),
        (b'[nlp]\nlang = "en"\npipeline = ["x"]\n', "E956"),
    ],
)
def test_a_file_that_is_no_config_gets_a_message(tmp_path, content, expected):
    (tmp_path / "config.cfg").write_bytes(content)
    arguments = ["bigbird", "check", str(tmp_path / "config.cfg")]
    result = CliRunner().invoke(spacy_app, arguments, catch_exceptions=False)
    assert result.exit_code == 1 and expected in flat(result), result.output


def test_folders_of_outputs_are_made_and_places_are_looked_at_first(checked_folder, tmp_path):
    lost, plot = tmp_path / "new" / "lost.jsonl", tmp_path / "other" / "plot"
    result = run(checked_folder, "--misaligned", str(lost), "--plot", str(plot), "--no-measure")
    assert result.exit_code == 0, result.output
    assert lost.read_bytes().strip() == b"" and plot.read_bytes().startswith(b"\x89PNG")
    for option, place in (("--plot", plot / "x.png"), ("--misaligned", tmp_path)):
        result = run(checked_folder, option, str(place))
        assert result.exit_code == 1 and "BB319" in flat(result) and "Encoder of" not in result.output


def test_a_gpu_that_is_not_there(checked_folder, monkeypatch):
    def fail(number):
        raise ValueError("No GPU devices detected")

    monkeypatch.setattr("spacy.cli._util.require_gpu", fail)
    result = run(checked_folder, "-g", "0")
    assert result.exit_code == 1 and "GPU 0 cannot be used: No GPU devices detected" in flat(result)
