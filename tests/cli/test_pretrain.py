"""`python -m spacy bigbird pretrain`: the shipped config, overrides, and messages in place of tracebacks."""

from pathlib import Path

import pytest
import spacy.cli
from typer.testing import CliRunner

from spacy_bigbird.cli.pretrain import pretrain
from spacy_bigbird.model import BigBirdModel
from spacy_bigbird.pretraining.log import read_log
from spacy_bigbird.pretraining.run import Run

from ..pretraining.toy_run import write_corpus

SHIPPED = Path(__file__).parents[2] / "configs" / "pretrain.cfg"
TINY = [
    *("--corpus.one_per_line", "true", "--training.max_steps", "2", "--report.measure_limit", "false"),
    *("--training.batch_pieces", "256", "--training.lengths", "[[0, 32]]", "--training.device", "cpu"),
    *("--report.log-every=1", "--report.curves", "false", "--report.evaluate_sequences", "4"),
]


@pytest.fixture
def corpus(tmp_path) -> Path:
    return write_corpus(tmp_path / "corpus.txt")


def run(*arguments):
    return CliRunner().invoke(spacy.cli.app, ["bigbird", "pretrain", *map(str, arguments)])


def test_the_shipped_config_runs_with_overrides(corpus, vocab_file, tmp_path):
    output = tmp_path / "output"
    paths = ["--paths.train", corpus, "--paths.dev", corpus, "--paths.vocab", vocab_file]
    result = run(SHIPPED, output, *paths, *TINY)
    assert result.exit_code == 0, result.output
    assert "Wrote the checkpoint" in result.output
    assert [(line["kind"], line["step"]) for line in read_log(output / "log.jsonl")] == [
        ("train", 1),
        ("train", 2),
        ("dev", 2),
    ]
    assert BigBirdModel.from_pretrained(output).config.hidden_size == 128
    again = run(SHIPPED, output, *paths, *TINY)
    assert again.exit_code == 1 and "BB356" in again.output and "--resume" in again.output
    longer = run(SHIPPED, output, "--resume", *paths, *TINY, "--training.max_steps", "3")
    assert longer.exit_code == 0, longer.output
    assert [line["step"] for line in read_log(output / "log.jsonl") if line["kind"] == "train"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], ["BB350", "paths.train: must be given"]),
        (
            ["--training.max_steps", "0", "--masking.rate", "2"],
            ["training.max_steps = 0: expected a whole number of at least 1", "masking.rate = 2"],
        ),
        (
            ["--training.max_step", "1"],
            ["training.max_step: there is no such setting. Did you mean 'max_steps'", "Known here: max_steps"],
        ),
        (["--nothing.max_step", "1"], ["nothing"]),
    ],
)
def test_unfit_settings_are_explained(tmp_path, arguments, named):
    result = run(SHIPPED, tmp_path / "output", *arguments)
    assert result.exit_code == 1
    assert all(name in result.output for name in named), result.output
    assert not (tmp_path / "output").exists()


def test_stopping_by_hand_says_how_to_go_on(corpus, vocab_file, tmp_path, monkeypatch):
    def stopped(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "step", stopped)
    result = run(SHIPPED, tmp_path / "output", "--paths.train", corpus, "--paths.vocab", vocab_file, *TINY)
    assert result.exit_code == 1 and "--resume" in result.output


def test_missing_texts_are_explained(vocab_file, tmp_path):
    overrides = {"paths.train": str(tmp_path / "missing"), "paths.vocab": str(vocab_file)}
    with pytest.raises(FileNotFoundError, match=r"BB300.*missing"):
        pretrain(SHIPPED, tmp_path / "output", overrides=overrides)
    # Nothing was learned, so the directory is free for another try.
    with pytest.raises(FileNotFoundError, match="BB300"):
        pretrain(SHIPPED, tmp_path / "output", overrides=overrides)


def test_a_missing_config_is_explained(tmp_path):
    result = run(tmp_path / "none.cfg", tmp_path / "output")
    assert result.exit_code == 1 and "none.cfg" in result.output
    assert not isinstance(result.exception, FileNotFoundError)


@pytest.mark.parametrize("place", ["corpus.txt", "corpus.txt/inner"])
def test_a_file_in_the_place_of_the_directory_is_named(corpus, vocab_file, tmp_path, place):
    before = corpus.read_bytes()
    result = run(SHIPPED, tmp_path / place, "--paths.train", corpus, "--paths.vocab", vocab_file, *TINY)
    assert result.exit_code == 1 and "BB319" in result.output and "corpus.txt is a file" in result.output
    assert corpus.read_bytes() == before


def test_too_few_documents_for_the_streams(vocab_file, tmp_path):
    text = tmp_path / "one.txt"
    text.write_text("The king reads.", encoding="utf8")
    overrides = {"paths.train": str(text), "paths.vocab": str(vocab_file), "corpus.streams": 2}
    with pytest.raises(ValueError, match=r"BB351.*stream 2 of 2.*corpus\.streams"):
        pretrain(SHIPPED, tmp_path / "output", overrides=overrides)
