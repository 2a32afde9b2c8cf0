"""The report of a comparison: report.json, report.md and, with Matplotlib, report.png."""

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import srsly

from .counting import METRIC_NAMES, Task
from .statistics import Counts, by_length, difference, interval
from .systems import NAMES, WHOLE


def summarize(task: Task, results: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Put the seeds of each system together.

    Counts are added over seeds, and intervals are over documents.

    task (Task): what was scored.
    results (Iterable[dict[str, Any]]): the results of all runs.
    RETURNS (dict[str, Any]): `metric`, and `systems` with the entry of each.
    """
    by_system: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        by_system.setdefault(result["system"], []).append(result)
    whole = _sum(by_system[WHOLE]) if WHOLE in by_system else None
    return {
        "metric": task.metric,
        "systems": {name: _entry(task, name, runs, whole) for name, runs in by_system.items()},
    }


def _entry(task: Task, name: str, runs: Sequence[dict[str, Any]], whole: Counts | None) -> dict[str, Any]:
    counts = _sum(runs)
    entry = {
        "metric": task.metric,
        **interval(counts, task.score),
        "seeds": [run["seed"] for run in runs],
        "scores": [run["score"] for run in runs],
        "dev": [run["dev"] for run in runs],
        "documents": len(counts),
        "seconds": round(sum(run["seconds"] for run in runs) / len(runs), 1),
        "command": runs[0]["command"],
        "by_length": by_length(counts, runs[0]["lengths"], task.score),
    }
    if whole is not None and name != WHOLE and len(whole) == len(counts):
        entry["minus_whole"] = difference(counts, whole, task.score)
    return entry


def _sum(runs: Sequence[dict[str, Any]]) -> Counts:
    return np.sum([np.array(run["counts"], dtype=np.float64) for run in runs], axis=0)


def write_report(folder: Path, summary: dict[str, Any]) -> list[Path]:
    """Write the report.

    folder (Path): the folder.
    summary (dict[str, Any]): the result of `summarize`.
    RETURNS (list[Path]): the files. There is no plot without Matplotlib.
    """
    paths = [folder / "report.json", folder / "report.md"]
    srsly.write_json(paths[0], summary)
    paths[1].write_text(as_markdown(summary), encoding="utf8")
    if importlib.util.find_spec("matplotlib") is not None:
        paths.append(folder / "report.png")
        _draw(paths[-1], summary)
    return paths


def as_markdown(summary: dict[str, Any]) -> str:
    """Show a comparison as tables.

    summary (dict[str, Any]): the result of `summarize`.
    RETURNS (str): the tables, in Markdown.
    """
    systems: dict[str, dict[str, Any]] = summary["systems"]
    documents = max((entry["documents"] for entry in systems.values()), default=0)
    lines = [
        f"# {METRIC_NAMES[summary['metric']]} on {documents:,} test documents",
        "",
        "In brackets are 95% intervals over documents.",
        "",
        *_table(
            ("", "score", "difference to whole documents", "seeds", "seconds of training"),
            [
                (
                    NAMES[name],
                    _shown(entry),
                    _shown(entry["minus_whole"], "+.3f") if "minus_whole" in entry else "",
                    " ".join(f"{score:.3f}" for score in entry["scores"]),
                    f"{entry['seconds']:,.0f}",
                )
                for name, entry in systems.items()
            ],
        ),
        "",
        "By length of the documents, in tokens:",
        "",
    ]
    groups = next(iter(systems.values()))["by_length"] if systems else []
    header = ("", *(f"{group['shortest']:,} to {group['longest']:,}" for group in groups))
    rows = [(NAMES[name], *map(_shown, entry["by_length"])) for name, entry in systems.items()]
    return "\n".join([*lines, *_table(header, rows), ""])


def _shown(found: dict[str, float], form: str = ".3f") -> str:
    return f"{found['score']:{form}} [{found['low']:{form}}, {found['high']:{form}}]"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    line = ["---", *["---:"] * (len(header) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (header, line, *rows)]


def _draw(path: Path, summary: dict[str, Any]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    systems: dict[str, dict[str, Any]] = summary["systems"]
    entries = list(systems.values())
    figure, axes = pyplot.subplots(figsize=(8, 0.8 + 0.5 * len(entries)), layout="constrained")
    scores = [entry["score"] for entry in entries]
    ends = [[entry["score"] - entry["low"] for entry in entries], [e["high"] - e["score"] for e in entries]]
    axes.barh([NAMES[name] for name in systems], scores, xerr=np.maximum(0, ends), color="#4477aa", capsize=3)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel(METRIC_NAMES[summary["metric"]])
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
