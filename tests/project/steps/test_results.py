"""The results of the workflows in the repository: whole, of the planned budget, and what docs/measured.md says."""

import pytest
import srsly

from project.workflows.library import results, tables, tasks
from project.workflows.steps import run_all
from spacy_bigbird.bakeoff.statistics import interval

from ..stand_ins import PROJECT

MEASURED = PROJECT.parent / "docs" / "measured.md"
SECONDS = 600.0
FILES = sorted((PROJECT / "results").glob("*-seed*.json"))
PLANNED = {
    tasks.Paths(PROJECT, task).result(system, seed)
    for task, seeds in run_all.ORDER
    for system in tasks.get_task(task).systems
    for seed in seeds
}


def test_nothing_is_there_that_was_not_planned():
    assert FILES and set(FILES) <= PLANNED


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_result_is_what_its_counts_and_its_command_say(path):
    result = srsly.read_json(path)
    task, system, seed = result["task"], result["system"], result["seed"]
    assert path == tasks.Paths(PROJECT, task).result(system, seed)
    assert f"{task} --system {system} --seed {seed} --size tiny" in result["command"]
    training = result["training"]
    assert training["clock"] == "cpu" and training["budget_seconds"] == SECONDS
    # Pre-training ends after a number of steps, which was planned before.
    least, most = (0.93, 1.07) if task == "pretrain" else (1.0, 1.05)
    assert least * SECONDS <= training["used_seconds"] < most * SECONDS
    metric = tasks.get_task(task).metric
    assert interval(result["counts"], results.score_of(result)) == pytest.approx(result["scores"][metric])


def test_the_readme_has_the_table():
    there = [name for name in dict.fromkeys(task for task, _ in run_all.ORDER) if results.read_results(PROJECT, name)]
    table = MEASURED.read_text(encoding="utf8").partition("<!-- tasks -->")[2].partition("<!-- end of tasks -->")[0]
    assert table.strip() == tables.summary_table(PROJECT, there).strip()
