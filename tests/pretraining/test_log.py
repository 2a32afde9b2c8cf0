"""The log of a run: one line per report, nothing twice after a resumption, curves drawn from it."""

import json
import sys

import pytest

from spacy_bigbird.pretraining.log import RunLog, read_log

TRAIN = {"loss": 2.5, "masked_accuracy": 0.25, "pieces_per_second": 1000.0}


def test_lines_come_back(tmp_path):
    log = RunLog(tmp_path, 0, 10, show_progress=False)
    log.write("train", 5, TRAIN)
    log.write("dev", 5, {"loss": 3.0})
    log.close()
    expected = [{"kind": "train", "step": 5, **TRAIN}, {"kind": "dev", "step": 5, "loss": 3.0}]
    assert read_log(tmp_path / "log.jsonl") == expected


def test_a_resumed_run_drops_what_it_does_again(tmp_path):
    lines = [{"kind": "train", "step": step, **TRAIN} for step in (2, 4, 6)]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"kind": "train", "st'
    (tmp_path / "log.jsonl").write_text(text, encoding="utf8")
    log = RunLog(tmp_path, 4, 10, show_progress=False)
    log.write("train", 6, {"loss": 1.0})
    log.close()
    assert [(line["step"], line["loss"]) for line in read_log(tmp_path / "log.jsonl")] == [(2, 2.5), (4, 2.5), (6, 1.0)]


def test_a_new_run_begins_with_an_empty_log(tmp_path):
    RunLog(tmp_path, 0, 10, show_progress=False).close()
    assert (tmp_path / "log.jsonl").read_text(encoding="utf8") == ""
    assert read_log(tmp_path / "nothing.jsonl") == []


def test_reports_are_shown_where_there_is_no_terminal(tmp_path, capsys):
    log = RunLog(tmp_path, 0, 10, show_progress=True)
    log.step()
    log.write("train", 1, {**TRAIN, "waiting": 0.013})
    log.close()
    shown = capsys.readouterr().out
    assert "train step       1  loss 2.500  accuracy 0.250  1,000 pieces/s  1.3% waiting" in shown


def test_curves(tmp_path, monkeypatch):
    log = RunLog(tmp_path, 0, 10, show_progress=False)
    for step in (1, 2, 3):
        log.write("train", step, TRAIN)
    log.write("dev", 3, {"loss": 2.0, "masked_accuracy": 0.5})
    path = log.draw_curves()
    log.close()
    assert path is not None and path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5000
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert log.draw_curves() is None


@pytest.mark.parametrize("lines", [[], [("dev", 1, {"loss": 1.0})]])
def test_curves_of_a_short_log(tmp_path, lines):
    log = RunLog(tmp_path, 0, 10, show_progress=False)
    for line in lines:
        log.write(*line)
    log.close()
    assert log.draw_curves() is not None
