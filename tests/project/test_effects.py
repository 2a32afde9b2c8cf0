"""What a pre-trained encoder changes in the tasks of the project."""

import argparse
import json

import numpy as np
import pytest

from project.models.recipes import card, effects

from .stand_ins import MODELS


def test_seeds_are_put_together():
    def result(counts):
        right, wrong, missed = np.sum(counts, axis=0)
        score = 2 * right / (2 * right + wrong + missed)
        return {"scores": {"ents_f": {"score": score}}, "counts": counts, "training": {}, "rate": 0.1}

    better, worse = [[8, 1, 1], [6, 2, 2]], [[4, 4, 4], [2, 6, 6]]
    found = {"model": {0: result(better), 1: result(worse)}, "random": {0: result(worse)}, "tok2vec": {}}
    summary = effects.summarize("ner", found)
    assert set(summary["systems"]) == {"model", "random"}
    model, random = summary["systems"]["model"], summary["systems"]["random"]
    assert model["mean"] == pytest.approx((0.8235 + 0.375) / 2, abs=1e-4)
    assert model["all_seeds"]["score"] == pytest.approx(40 / 66, abs=1e-4)
    # The only seed that both have.
    assert random["model_minus_this"]["seeds"] == [0]
    assert random["model_minus_this"]["score"] == pytest.approx(28 / 34 - 12 / 32, abs=1e-4)
    assert "model_minus_this" not in model


def test_wrong_paths_of_the_effects_are_named_and_nothing_is_written(tmp_path, capsys):
    options = ["--work", str(tmp_path), "--output", str(tmp_path / "effects.json"), "--only-report"]
    for arguments in (["nowhere", *options], [str(MODELS / "tiny"), *options, "--source", "nowhere"]):
        with pytest.raises(SystemExit):
            effects.main(arguments)
        assert "nowhere is not a folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        effects.main([str(MODELS / "tiny"), "--work", str(tmp_path)])
    assert "--output is missing" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_report_keeps_the_tasks_that_were_measured_elsewhere(tmp_path):
    output, elsewhere = tmp_path / "effects.json", {"machine": {"processor": "another"}, "systems": {}}
    output.write_text(json.dumps({"tasks": {"ner": elsewhere, "authors": elsewhere}}))
    scores = {"cats_accuracy": {"score": 0.5}}
    result = {"scores": scores, "counts": [[1, 1], [0, 1]], "training": {"budget_seconds": 9}, "rate": 0.1}
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "authors-model-seed4.json").write_text(json.dumps(result))
    effects.report(argparse.Namespace(work=tmp_path, output=output))
    tasks = json.loads(output.read_text())["tasks"]
    assert tasks["ner"] == elsewhere
    assert tasks["authors"]["machine"]["cores"] >= 1
    assert tasks["authors"]["systems"]["model"]["by_seed"] == {"4": 0.5}
    row = card.effect_table("authors", tasks["authors"]).splitlines()[-1]
    assert row == "| this model | 0.500 | 0.500 | 9 s |  |"
