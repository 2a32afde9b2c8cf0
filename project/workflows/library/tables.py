"""Tables of results."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spacy_bigbird.bakeoff.statistics import difference, interval

from .options import DEFAULT
from .results import Result, group_scores, length_name, lengths_differ, pooled, position_name, read_results, score_of
from .systems import NAMES, SYSTEMS, Settings
from .tasks import Task, get_task


def tables(task: Task, results: dict[str, list[Result]]) -> list[tuple[str, list[str], list[list[str]]]]:
    """RETURNS (list): title, header and rows of each table."""
    made = [("Scores", *_main_table(task, results))]
    if len(next(iter(results.values()))[0]["scores"]) > 1:
        made.append(("Other scores", *_other_scores(task, results)))
    if "bigbird" in results and len(results) > 1:
        made.append(("How much better the whole document is", *_differences(results)))
    if lengths_differ(results):
        made.append(("By length of the document", *_groups(results, "by_length", length_name)))
    made.append(("By position in the document", *_groups(results, "by_position", position_name)))
    if any("by_type" in result for of_system in results.values() for result in of_system):
        made.append(("By type", *_by_type(results)))
    made.append(("Training", *_training(results)))
    return made


def _main_table(task: Task, results: dict[str, list[Result]]) -> tuple[list[str], list[list[str]]]:
    header = ["System", task.metric_name, "seeds", "tokens/s", "peak MB"]
    rows = []
    for system, of_system in results.items():
        found = interval(pooled(of_system), score_of(of_system[0]))
        single = ", ".join(f"{result['scores'][task.metric]['score']:.3f}" for result in of_system)
        speed = np.median([result["speed"]["tokens_per_cpu_second"] for result in of_system])
        memory = max(result["memory"]["peak_mb"] for result in of_system)
        rows.append([NAMES[system], with_ends(found), single, f"{speed:,.0f}", f"{memory:,.0f}"])
    # Baselines need no training, so they are the same for every system and seed.
    for name, found in next(iter(results.values()))[0].get("baselines", {}).items():
        rows.append([name, with_ends(found), *["–"] * (len(header) - 2)])
    return header, rows


def _other_scores(task: Task, results: dict[str, list[Result]]) -> tuple[list[str], list[list[str]]]:
    """Compute all scores except the main one, as means over the seeds."""
    names = [name for name in next(iter(results.values()))[0]["scores"] if name != task.metric]
    rows = []
    for system, of_system in results.items():
        means = [np.mean([result["scores"][name]["score"] for result in of_system]) for name in names]
        rows.append([NAMES[system], *(f"{score:.3f}" for score in means)])
    for name, found in next(iter(results.values()))[0].get("baselines", {}).items():
        if any(one in found for one in names):
            rows.append([name, *(f"{found[one]['score']:.3f}" if one in found else "–" for one in names)])
    return ["System", *names], rows


def _differences(results: dict[str, list[Result]]) -> tuple[list[str], list[list[str]]]:
    """Compare systems over the seeds that both have, with each document drawn for both at once."""
    rows = []
    ours = {result["seed"]: result for result in results["bigbird"]}
    for system, of_system in results.items():
        other = [result for result in of_system if result["seed"] in ours]
        if system != "bigbird" and other:
            same = [ours[result["seed"]] for result in other]
            found = difference(pooled(same), pooled(other), score_of(other[0]))
            rows.append([f"than: {NAMES[system]}", with_ends(found, "+.3f"), str(len(other))])
    return ["BigBird is better", "difference", "seeds"], rows


def with_ends(found: dict[str, float], form: str = ".3f") -> str:
    """RETURNS (str): a score with the ends of its interval."""
    # Four digits are stored, and not every reader of JSON makes the nearest number of them.
    score, low, high = (round(found[key], 4) for key in ("score", "low", "high"))
    return f"{score:{form}} [{low:{form}}, {high:{form}}]"


def _groups(
    results: dict[str, list[Result]], key: str, name: Callable[[dict[str, Any]], str]
) -> tuple[list[str], list[list[str]]]:
    first = next(iter(results.values()))[0]
    header = ["System", *(name(group) for group in first[key])]
    rows = [[NAMES[system], *(f"{score:.3f}" for score in group_scores(of, key))] for system, of in results.items()]
    return header, rows


def _by_type(results: dict[str, list[Result]]) -> tuple[list[str], list[list[str]]]:
    labels = next(iter(results.values()))[0]["by_type"]
    header = ["System", *(f"{label} ({facts['mentions']:,})" for label, facts in labels.items())]
    rows = []
    for system, of_system in results.items():
        means = [np.mean([result["by_type"][label]["score"] for result in of_system]) for label in labels]
        rows.append([NAMES[system], *(f"{score:.3f}" for score in means)])
    return header, rows


def _training(results: dict[str, list[Result]]) -> tuple[list[str], list[list[str]]]:
    header = ["System", "seconds", "steps", "documents", "tokens", "loss, first to last", "dev score"]
    rows = []
    for system, of_system in results.items():
        facts = [result["training"] for result in of_system]
        numbers = [f"{np.mean([fact[key] for fact in facts]):,.0f}" for key in ("steps", "documents", "tokens")]
        seconds = ", ".join(f"{fact['used_seconds']:.0f}" for fact in facts)
        losses = ", ".join(_losses(result["curve"]) for result in of_system)
        scores = ", ".join(f"{fact['dev_score']:.3f}" if "dev_score" in fact else "–" for fact in facts)
        rows.append([NAMES[system], seconds, *numbers, losses, scores])
    return header, rows


def _losses(curve: Sequence[dict[str, Any]]) -> str:
    """Format the loss of the first step, and the mean loss of the steps before the last evaluation."""
    sums = [sum(row["losses"].values()) for row in curve if row.get("losses")]
    return f"{sums[0]:.3g} to {sums[-1]:.3g}" if sums else "–"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """RETURNS (str): a Markdown table, its first column left-aligned and the others right-aligned."""
    lines = [header, ["---", *("---:" for _ in header[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def summary_table(root: Path, task_names: Sequence[str], settings: Settings = DEFAULT) -> str:
    """Create the table of all tasks, with a row for each task and a column for each system.

    root (Path): the project's folder. task_names (Sequence[str]): tasks; those without results are left out.
    settings (Settings): settings of the results to include.
    RETURNS (str): a Markdown table.
    """
    rows = []
    for name in task_names:
        task, results = get_task(name), read_results(root, name, settings)
        cells = []
        for system in SYSTEMS:
            of_system = results.get(system)
            cells.append(with_ends(interval(pooled(of_system), score_of(of_system[0]))) if of_system else "–")
        if results:
            seeds = max(len(of_system) for of_system in results.values())
            rows.append([f"{task.title}, {task.metric_name} ({seeds} seed{'s' * (seeds > 1)})", *cells])
    return markdown_table(["Task", *(NAMES[system] for system in SYSTEMS)], rows)
