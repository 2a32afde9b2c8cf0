"""A report has every number."""

import json

import pytest
from matplotlib import pyplot

from project.workflows.library import systems, tasks
from project.workflows.library.charts import draw
from project.workflows.library.results import length_name, lengths_differ, read_results
from project.workflows.library.tables import summary_table
from project.workflows.steps import report

from ..stand_ins import PROJECT


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


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draws the charts of a task from its results, and gives the axes by their titles."""
    monkeypatch.setattr(pyplot, "close", lambda figure: None)
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda *arguments, **settings: None)
    yield lambda name, results: (
        draw(tmp_path / "chart.png", tasks.get_task(name), results),
        {axes.get_title(): axes for axes in pyplot.gcf().axes},
    )[1]
    monkeypatch.undo()
    pyplot.close("all")


def curves(axes):
    """RETURNS: how many curves with points there are in each color."""
    return [(line.get_color(), len(line.get_xdata())) for line in axes.get_lines() if len(line.get_xdata())]


def test_curves_are_scores_of_the_same_documents(drawn):
    """A curve that was scored on the beginnings of documents has no scores, and is not drawn beside the others."""
    whole, beginnings = make_result("bigbird", 0, 5), make_result("truncated", 0, 5)
    beginnings["curve"] = [{"seconds": 1.0}, {"seconds": 600.0}]
    charts = drawn("ner", {"bigbird": [whole], "truncated": [beginnings]})
    assert curves(charts["development documents, as time goes on"]) == [("#1b6ca8", 2)]
    # The scores on the test documents are comparable.
    assert [color for color, _ in curves(charts["F1 by position in the document"])] == ["#1b6ca8", "#8a8a8a"]


@pytest.mark.parametrize(("longest", "says_something"), [(2_072, False), (3_000, False), (3_100, True)])
def test_a_chart_of_lengths_that_are_all_the_same_is_not_drawn(drawn, longest, says_something):
    result = make_result("bigbird", 0, 5)
    for group, ends in zip(result["by_length"], ((2_049, 2_052), (2_060, longest)), strict=True):
        group.update(zip(("shortest", "longest"), ends, strict=True))
    assert ("F1 by length" in drawn("ner", {"bigbird": [result]})) == says_something


@pytest.mark.parametrize("name", ["ner", "cuad", "covid_qa"])
def test_results_that_were_scored_on_beginnings_have_no_curve_and_the_report_says_so(name, drawn):
    results = read_results(PROJECT, name)
    charts = drawn(name, results)
    colors = {color for color, _ in curves(charts["development documents, as time goes on"])}
    assert "#8a8a8a" not in colors and len(colors) == len(results) - 1
    text = (PROJECT / "results" / f"{name}.md").read_text(encoding="utf8")
    assert report.LEFT_OUT.format(systems="same encoder, first 512 pieces") in text
    # LitBank's excerpts are equally long, contracts and articles are not.
    assert lengths_differ(results) == ("F1 by length" in charts) == ("By length" in text) == (name != "ner")
