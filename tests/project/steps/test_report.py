"""A report has every number."""

import json

import pytest

from project.workflows.library import systems, tasks
from project.workflows.library.results import length_name, read_results
from project.workflows.library.tables import summary_table
from project.workflows.steps import report


def make_result(system, seed, right):
    group = {"score": right / 10, "low": 0.1, "high": 0.9}
    return {
        "task": "ner",
        "system": system,
        "seed": seed,
        "size": None if system == "tok2vec" else "tiny",
        "checkpoint": None,
        "max_length": 4096,
        "command": f"python -m workflows.steps.train ner --system {system} --seed {seed}",
        "machine": {"processor": "A & B", "gpu": None},
        "training": {
            "budget_seconds": 600.0,
            "clock": "cpu",
            "used_seconds": 600.1,
            "steps": 10,
            "documents": 20,
            "tokens": 3000,
            "dev_score": 0.5,
        },
        "curve": [{"seconds": 1.0, "score": 0.1}, {"seconds": 600.0, "score": 0.5}],
        "scores": {"ents_f": group},
        "by_type": {"PER": {**group, "mentions": 12}},
        "by_length": [{"shortest": 5, "longest": 9, **group}, {"shortest": 10, "longest": 20, **group}],
        "by_position": [{"start": 0.0, "end": 0.5, **group}, {"start": 0.5, "end": 1.0, **group}],
        "counts": [[right, 10 - right, 10 - right], [right, 10 - right, 10 - right]],
        "speed": {"tokens_per_cpu_second": 1000},
        "memory": {"peak_mb": 500.0},
    }


def test_a_report_has_every_number(tmp_path):
    with pytest.raises(FileNotFoundError, match="train and evaluate"):
        report.write_report(tmp_path, "ner")
    (tmp_path / "results").mkdir()
    for system, seed, right in (("bigbird", 0, 8), ("bigbird", 1, 6), ("tok2vec", 0, 5), ("tok2vec", 1, 5)):
        path = tasks.Paths(tmp_path, "ner").result(system, seed)
        path.write_text(json.dumps(make_result(system, seed, right)), encoding="utf8")
    markdown, html, figure = report.write_report(tmp_path, "ner")
    text, page = markdown.read_text(encoding="utf8"), html.read_text(encoding="utf8")
    # Of both seeds' counts together: (8 + 6) of 20 right.
    assert "| BigBird, whole documents | 0.700 [0.700, 0.700] | 0.800, 0.600 | 1,000 | 500 |" in text
    assert "| than: spaCy tok2vec | +0.200 [+0.200, +0.200] | 2 |" in text
    assert "5 to 9 tokens" in text and "0% to 50%" in text and "PER (12)" in text and "A & B" in text
    assert text.count("    python -m workflows.steps.train ner") == 4 and "600 seconds of CPU time" in text
    assert "A &amp; B" in page and "data:image/png;base64," in page and figure.stat().st_size > 10_000
    assert not any(part in page for part in ("src='http", "<script", "{budget"))
    table = summary_table(tmp_path, ["ner", "authors"])
    # What was made with other settings is another table.
    path = tasks.Paths(tmp_path, "ner").result("bigbird", 2)
    path.write_text(json.dumps({**make_result("bigbird", 2, 1), "size": "small"}), encoding="utf8")
    assert summary_table(tmp_path, ["ner", "authors"]) == table
    small = read_results(tmp_path, "ner", systems.Settings(size="small"))
    assert [[one["seed"] for one in small[system]] for system in ("bigbird", "tok2vec")] == [[2], [0, 1]]
    with pytest.raises(FileNotFoundError, match="with size tiny, 4096 pieces and 60 seconds of cpu time"):
        report.write_report(tmp_path, "ner", systems.Settings(seconds=60.0))
    assert table.count("\n") == 2 and "(2 seeds) | 0.700 [0.700, 0.700] | 0.500 [0.500, 0.500] | – | – |" in table


def test_a_report_leaves_out_what_says_nothing_and_what_cannot_be_compared(tmp_path):
    (tmp_path / "results").mkdir()
    for system in ("bigbird", "truncated"):
        result = make_result(system, 0, 5)
        result["by_length"][0].update(shortest=15, longest=15)
        if system == "truncated":
            del result["training"]["dev_score"]
            result["curve"] = [{"seconds": 1.0}]
        tasks.Paths(tmp_path, "ner").result(system, 0).write_text(json.dumps(result), encoding="utf8")
    text = report.write_report(tmp_path, "ner")[0].read_text(encoding="utf8")
    assert "By length" not in text and "By position" in text
    assert "left out for: same encoder, first 512 pieces." in text and "| 3,000 | – | – |" in text
    assert length_name({"shortest": 1500, "longest": 1500}) == "1,500 tokens"
