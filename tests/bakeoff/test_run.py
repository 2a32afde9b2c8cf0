"""A comparison on documents that only their ends tell apart, its report, and what happens when it is repeated."""

import importlib.util
import json

import pytest
from spacy.cli import app
from spacy.util import load_config
from typer.testing import CliRunner

from spacy_bigbird.bakeoff import run as running
from spacy_bigbird.bakeoff.budget import make_time_limit
from spacy_bigbird.bakeoff.report import as_markdown, summarize
from spacy_bigbird.bakeoff.run import Bakeoff
from spacy_bigbird.bakeoff.systems import READINGS, Reading
from spacy_bigbird.cli import bakeoff  # noqa: F401 (registers the command)

from .toy import write_config, write_corpora


@pytest.fixture
def folder(vocab_file, tmp_path, monkeypatch):
    write_corpora(tmp_path)
    write_config(tmp_path, vocab_file)
    # Documents have 72 pieces, the encoder reads 62: half of them is a beginning.
    monkeypatch.setitem(READINGS, "first_512", Reading(30, None, "truncate"))
    monkeypatch.setitem(READINGS, "windows_512", Reading(30, None, "window"))
    return tmp_path


def command(folder, *arguments):
    given = ["bigbird", "bakeoff", folder / "config.cfg", folder / "test.spacy", "-o", folder / "out", *arguments]
    return CliRunner().invoke(app, list(map(str, given)))


@pytest.mark.filterwarnings("ignore:.*BW131")
def test_whole_documents_tell_what_beginnings_do_not(folder, monkeypatch):
    result = command(folder, "--systems", "whole,windows_512,first_512", "--seeds", "0,1")
    assert result.exit_code == 0, result.output
    report = json.loads((folder / "out" / "report.json").read_text())
    whole, windows, first = (report["systems"][name] for name in ("whole", "windows_512", "first_512"))
    assert report["metric"] == "cats_micro_f"
    assert whole["score"] == windows["score"] == 1.0 and whole["scores"] == [1.0, 1.0] and whole["seeds"] == [0, 1]
    assert first["score"] < 0.9 and first["low"] <= first["score"] <= first["high"]
    assert first["minus_whole"]["score"] == pytest.approx(first["score"] - 1.0, abs=1e-4)
    assert whole["documents"] == 12 and sum(group["documents"] for group in whole["by_length"]) == 12
    assert "| whole documents | 1.000 [1.000, 1.000] |" in (folder / "out" / "report.md").read_text()
    assert (folder / "out" / "report.png").exists() == (importlib.util.find_spec("matplotlib") is not None)
    # What is there is not repeated; what would be trained otherwise is.
    trained = []
    monkeypatch.setattr(Bakeoff, "_train", lambda self, path: trained.append(path.name) or self.fake())
    monkeypatch.setattr(Bakeoff, "fake", lambda self: {"dev": 0, "seconds": 1, **FAKE}, raising=False)
    assert command(folder, "--systems", "whole,first_512", "--seeds", "0,1").exit_code == 0 and not trained
    assert command(folder, "--systems", "whole", "--seeds", "0,2").exit_code == 0 and trained == ["whole-2"]
    assert command(folder, "--systems", "whole", "--seeds", "2", "--training.max_steps", "20").exit_code == 0
    assert trained == ["whole-2", "whole-2"]


FAKE = {"score": 0.5, "counts": [[1.0, 1.0], [0.0, 1.0]] * 6, "lengths": [3, 4] * 6}


@pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="needs scikit-learn")
@pytest.mark.parametrize("factory", ["bigbird_textcat", "bigbird_textcat_multilabel"])
def test_words_and_pairs_of_words(folder, vocab_file, factory):
    config = write_config(folder, vocab_file, factory)
    # spaCy has defaults for these.
    for key in ("train_corpus", "dev_corpus", "batcher"):
        del config["training"][key]
    (result, *others) = Bakeoff(config, folder / "test.spacy", folder / "out", ["tfidf"], [0, 1]).run()
    assert (result["score"], result["dev"], result["system"], others) == (1.0, 1.0, "tfidf", [])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--systems", "whole,best"), "BB750"),
        (("--seeds", "0,0"), "BB758"),
        (("--seeds", "a"), "BB758"),
        (("--component", "bigbird"), "BB752"),
    ],
)
def test_mistakes_are_found_before_anything_is_trained(folder, arguments, code):
    result = command(folder, *arguments)
    assert result.exit_code == 1 and code in result.output
    assert not (folder / "out").exists()


def test_without_scikit_learn(folder, monkeypatch):
    monkeypatch.setattr(running.tfidf.importlib.util, "find_spec", lambda name: None)
    result = command(folder, "--systems", "tfidf,whole")
    assert result.exit_code == 1 and "BB754" in result.output and "--systems whole" in result.output


def test_seeds_are_added_up():
    runs = [
        {"system": "whole", "seed": seed, "score": score, "dev": 0.5, "seconds": 2.0 + seed, "command": "c",
         "counts": counts, "lengths": [5, 9]}
        for seed, score, counts in ((0, 1.0, [[1, 1], [1, 1]]), (1, 0.5, [[1, 1], [0, 1]]))
    ]  # fmt: skip
    task = running.find_task({"components": {"t": {"factory": "textcat"}}, "nlp": {"pipeline": ["t"]}})
    summary = summarize(task, runs)
    entry = summary["systems"]["whole"]
    assert (entry["score"], entry["low"], entry["high"], entry["seconds"]) == (0.75, 0.5, 1.0, 2.5)
    assert [group["score"] for group in entry["by_length"]] == [1.0, 0.5]
    assert "| 5 to 5 | 9 to 9 |" in as_markdown(summary)


def test_a_limit_on_the_time(monkeypatch):
    now = iter(range(100))
    monkeypatch.setattr("spacy_bigbird.bakeoff.budget.time.monotonic", lambda: next(now))
    batches = list(make_time_limit(lambda items: [[item] for item in items], 5)(iter("abc")))
    assert len(batches) == 5 and sorted(item for batch in batches[:3] for item in batch) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="BB757"):
        make_time_limit(list, 0)


def test_the_limit_is_part_of_the_config(folder, vocab_file, monkeypatch):
    config = write_config(folder, vocab_file)
    seen, fake = [], {"dev": 0, "seconds": 1, **FAKE}
    monkeypatch.setattr(Bakeoff, "_train", lambda self, path: seen.append(path) or dict(fake))
    Bakeoff(config, folder / "test.spacy", folder / "out", ["whole"], seconds=7).run()
    training = load_config(seen[0] / "config.cfg", interpolate=False)["training"]
    assert training["batcher"]["seconds"] == 7 and training["batcher"]["batcher"] == config["training"]["batcher"]
    assert (training["max_epochs"], training["max_steps"]) == (1, 0)
