"""Which machines results come from."""

from project.workflows.library.machines import describe_machines


def test_machines_of_results():
    old, new = {"processor": "A", "gpu": None}, {"processor": "B", "gpu": None}
    results = [{"machine": old, "seed": 0}, {"machine": old, "seed": 0}]
    assert describe_machines(results) == "Machine: processor A."
    results += [{"machine": new, "seed": seed} for seed in (2, 1)]
    assert describe_machines(results) == "Machines: processor A (seeds 0); processor B (seeds 1, 2)."
