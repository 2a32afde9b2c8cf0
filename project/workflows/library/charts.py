"""Charts of results."""

from pathlib import Path

import numpy as np

from .results import Result, group_scores, length_name, lengths_differ, position_name
from .systems import NAMES
from .tasks import Task

COLORS = {"bigbird": "#1b6ca8", "strided": "#e08a1e", "truncated": "#8a8a8a", "tok2vec": "#3d9a50"}


def draw(path: Path, task: Task, results: dict[str, list[Result]]) -> None:
    """Draw the scores by length, by position and over training time. path (Path): a PNG file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    groups_of = [("by_length", "by length", length_name)] if lengths_differ(results) else []
    groups_of.append(("by_position", "by position in the document", position_name))
    number = len(groups_of) + 1
    figure, all_axes = pyplot.subplots(1, number, figsize=(5 * number, 4.5), sharey=True, layout="constrained")
    for axes, (key, title, name) in zip(all_axes, groups_of, strict=False):
        for system, of_system in results.items():
            groups, scores = of_system[0][key], group_scores(of_system, key)
            ends = [
                [np.mean([r[key][i][end] for r in of_system]) for i in range(len(groups))] for end in ("low", "high")
            ]
            names = [name(group).replace(" to ", "–").replace(" tokens", "") for group in groups]
            # Groups can have the same name, if no document is longer than what is read of it.
            axes.plot(range(len(names)), scores, marker="o", color=COLORS[system], label=NAMES[system])
            axes.fill_between(range(len(names)), *ends, color=COLORS[system], alpha=0.12, linewidth=0)
        axes.set_xticks(range(len(names)), names, fontsize=8)
        axes.set_title(f"{task.metric_name} {title}")
        axes.grid(alpha=0.3)
        axes.yaxis.set_tick_params(labelleft=True)
    all_axes[0].legend(fontsize=8)
    curves = all_axes[-1]
    for system, of_system in results.items():
        for result in of_system:
            points = [(row["seconds"], row["score"]) for row in result["curve"] if "score" in row]
            curves.plot([x for x, _ in points], [y for _, y in points], color=COLORS[system], alpha=0.7)
    curves.yaxis.set_tick_params(labelleft=True)
    curves.set_title("development documents, as time goes on")
    curves.set_xlabel("seconds of training")
    curves.grid(alpha=0.3)
    curves.set_ylim(0, min(1.0, curves.get_ylim()[1]))
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
