"""Which machines results come from."""

from collections.abc import Sequence
from typing import Any


def describe_machines(results: Sequence[dict[str, Any]]) -> str:
    """Describe where results come from.

    results (Sequence[dict[str, Any]]): results with `machine` and `seed`.
    RETURNS (str): a sentence with the machine, or with several and the seeds of each.
    """
    seeds: dict[str, set[int]] = {}
    for result in results:
        facts = ", ".join(f"{key} {value}" for key, value in result["machine"].items() if value is not None)
        seeds.setdefault(facts, set()).add(result["seed"])
    if len(seeds) == 1:
        return f"Machine: {next(iter(seeds))}."
    named = (f"{facts} (seeds {', '.join(map(str, sorted(found)))})" for facts, found in seeds.items())
    return f"Machines: {'; '.join(named)}."
