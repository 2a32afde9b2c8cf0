"""All results, those that are missing."""

from project.workflows.library import systems, tasks
from project.workflows.steps import run_all


def test_what_is_there_is_not_made_again(tmp_path):
    everything = run_all.missing(tmp_path)
    assert everything[:4] == [run_all.Job("ner", system, 0) for system in systems.SYSTEMS]
    assert {job.seed for job in everything if job.task == "authors"} == {0, 1, 2}
    (tmp_path / "results").mkdir()
    tasks.Paths(tmp_path, "ner").result("bigbird", 0).touch()
    assert run_all.missing(tmp_path) == everything[1:]
