"""A report of all results of a task: results/TASK.md, TASK.html and TASK.png, and the table of all tasks."""

import base64
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import srsly
import typer
from wasabi import msg

from .command import run
from .machines import describe_machines
from .options import DEFAULT, Checkpoint, Gpu, MaxLength, Seconds, Size, make_settings
from .statistics import CONFIDENCE, Score, difference, f_score, interval, mean
from .systems import NAMES, SYSTEMS, Settings
from .tasks import Task, get_task

Result = dict[str, Any]
COLORS = {"bigbird": "#1b6ca8", "strided": "#e08a1e", "truncated": "#8a8a8a", "tok2vec": "#3d9a50"}
STYLE = """
body { font: 16px/1.5 Georgia, serif; color: #222; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: .6rem 0 1.4rem } th { background: #f1f1f1 }
.wide { overflow-x: auto } img { min-width: 50rem; width: 100% }
td, th { padding: .3rem .8rem; border-bottom: 1px solid #ddd; text-align: right }
td:first-child, th:first-child { text-align: left }
"""
TIME = "Every system was trained for the same time ({budget:g} seconds of {clock} time, one thread)"
# Only for what spaCy's training loop trains.
KEPT = """, not counting setup, evaluation and saving. Of its best and its last pipeline, the one that is better on the
development documents is used"""
ABOUT = """. Scores are computed from the counts of all seeds together; in brackets is the {confidence:.0%} interval
(bootstrap over documents), followed by the scores of the individual seeds. The speed is in tokens per second of CPU
time in `nlp.pipe`; the memory is that of the process."""

# Results from before all systems were scored on whole development documents.
LEFT_OUT = (
    "Scores on development documents are left out for: {systems}. They were computed on the beginnings only, so they "
    "cannot be compared with the others."
)


def read_results(root: Path, task: str, settings: Settings = DEFAULT) -> dict[str, list[Result]]:
    """Read comparable results: those of all seeds with otherwise equal settings.

    root (Path): the project's folder. task (str): name of the task. settings (Settings): settings; ignores the seed.
    RETURNS (dict[str, list[Result]]): results of each system, by seed, in the order of SYSTEMS.
    """
    found: dict[str, list[Result]] = defaultdict(list)
    for system in SYSTEMS:
        read = map(srsly.read_json, sorted((root / "results").glob(f"{task}-{system}-seed*.json")))
        found[system] = sorted((one for one in read if has(one, settings)), key=lambda result: result["seed"])
    return {system: results for system, results in found.items() if results}


def has(result: Result, settings: Settings) -> bool:
    """RETURNS (bool): whether a result was produced with these settings. tok2vec has no size."""
    training = result["training"]
    return (
        (result["checkpoint"], result["max_length"]) == (settings.checkpoint, settings.max_length)
        and training["clock"] == settings.clock
        # srsly does not write numbers with full precision.
        and math.isclose(training["budget_seconds"], settings.seconds)
        and result["size"] in (None, settings.size)
    )


def score_of(result: Result) -> Score:
    """RETURNS (Score): the function from `counts` to the score: F1 for three numbers, or a mean for two."""
    return f_score if np.shape(result["counts"])[-1] == 3 else mean


def pooled(results: Sequence[Result]) -> np.ndarray:
    """RETURNS (ndarray): counts of each document, summed over the seeds."""
    return np.sum([result["counts"] for result in results], axis=0)


def tables(task: Task, results: dict[str, list[Result]]) -> list[tuple[str, list[str], list[list[str]]]]:
    """RETURNS (list): title, header and rows of each table."""
    made = [("Scores", *_main_table(task, results))]
    if len(next(iter(results.values()))[0]["scores"]) > 1:
        made.append(("Other scores", *_other_scores(task, results)))
    if "bigbird" in results and len(results) > 1:
        made.append(("How much better the whole document is", *_differences(results)))
    if lengths_differ(results):
        made.append(("By length of the document", *_groups(results, "by_length", _length)))
    made.append(("By position in the document", *_groups(results, "by_position", _position)))
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
        rows.append([NAMES[system], _with_ends(found), single, f"{speed:,.0f}", f"{memory:,.0f}"])
    # Baselines need no training, so they are the same for every system and seed.
    for name, found in next(iter(results.values()))[0].get("baselines", {}).items():
        rows.append([name, _with_ends(found), *["–"] * (len(header) - 2)])
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
            rows.append([f"than: {NAMES[system]}", _with_ends(found, "+.3f"), str(len(other))])
    return ["BigBird is better", "difference", "seeds"], rows


def _with_ends(found: dict[str, float], form: str = ".3f") -> str:
    return f"{found['score']:{form}} [{found['low']:{form}}, {found['high']:{form}}]"


def _groups(
    results: dict[str, list[Result]], key: str, name: Callable[[dict[str, Any]], str]
) -> tuple[list[str], list[list[str]]]:
    first = next(iter(results.values()))[0]
    header = ["System", *(name(group) for group in first[key])]
    rows = [[NAMES[system], *(f"{score:.3f}" for score in _group_scores(of, key))] for system, of in results.items()]
    return header, rows


def _group_scores(results: Sequence[Result], key: str) -> list[float]:
    return [float(np.mean(scores)) for scores in zip(*([g["score"] for g in r[key]] for r in results), strict=True)]


def lengths_differ(results: dict[str, list[Result]]) -> bool:
    """RETURNS (bool): whether the longest documents are much longer than the shortest, so that length can matter."""
    groups = next(iter(results.values()))[0]["by_length"]
    return "shortest" not in groups[0] or groups[-1]["longest"] >= 1.5 * groups[0]["shortest"]


def _length(group: dict[str, Any]) -> str:
    if "shortest" in group:
        ends = dict.fromkeys((group["shortest"], group["longest"]))
        return " to ".join(f"{end:,}" for end in ends) + " tokens"
    return group["longest"] if isinstance(group["longest"], str) else f"first {group['longest']:,} pieces"


def _position(group: dict[str, Any]) -> str:
    return f"{group['start']:.0%} to {group['end']:.0%}"


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
            cells.append(_with_ends(interval(pooled(of_system), score_of(of_system[0]))) if of_system else "–")
        if results:
            seeds = max(len(of_system) for of_system in results.values())
            rows.append([f"{task.title}, {task.metric_name} ({seeds} seed{'s' * (seeds > 1)})", *cells])
    return markdown_table(["Task", *(NAMES[system] for system in SYSTEMS)], rows)


def draw(path: Path, task: Task, results: dict[str, list[Result]]) -> None:
    """Draw the scores by length, by position and over training time. path (Path): a PNG file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    groups_of = [("by_length", "by length", _length)] if lengths_differ(results) else []
    groups_of.append(("by_position", "by position in the document", _position))
    number = len(groups_of) + 1
    figure, all_axes = pyplot.subplots(1, number, figsize=(5 * number, 4.5), sharey=True, layout="constrained")
    for axes, (key, title, name) in zip(all_axes, groups_of, strict=False):
        for system, of_system in results.items():
            groups, scores = of_system[0][key], _group_scores(of_system, key)
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


def write_report(root: Path, task_name: str, settings: Settings = DEFAULT) -> list[Path]:
    """Write the report of a task.

    root (Path): the project's folder, with results. task_name (str): name of the task.
    settings (Settings): settings of the results to include.
    RETURNS (list[Path]): the Markdown file, the HTML file and the figure.
    RAISES FileNotFoundError: there are no results with these settings.
    """
    task, results = get_task(task_name), read_results(root, task_name, settings)
    if not results:
        wanted = f"checkpoint {settings.checkpoint}" if settings.checkpoint else f"size {settings.size}"
        wanted += f", {settings.max_length} pieces and {settings.seconds:g} seconds of {settings.clock} time"
        raise FileNotFoundError(
            f"results/ has no {task_name}-SYSTEM-seedN.json with {wanted}: train and evaluate a system first."
        )
    markdown, html, figure = (root / "results" / f"{task_name}.{end}" for end in ("md", "html", "png"))
    draw(figure, task, results)
    budget = (TIME + (KEPT if task.train is None else "") + ABOUT).format(
        budget=settings.seconds, clock=settings.clock.upper(), confidence=CONFIDENCE
    )
    machine = describe_machines([result for of_system in results.values() for result in of_system])
    made = tables(task, results)
    notes = [task.about, budget.replace("\n", " "), machine]
    unscored = [system for system, of in results.items() if any("dev_score" not in one["training"] for one in of)]
    if unscored:
        notes.insert(2, LEFT_OUT.format(systems=", ".join(NAMES[system] for system in unscored)))
    sections = [f"# {task.title}", *notes]
    sections += [f"## {title}\n\n{markdown_table(header, rows)}" for title, header, rows in made]
    commands = "\n".join(f"    {result['command']}" for of_system in results.values() for result in of_system)
    sections += [f"![Scores]({figure.name})", f"## Commands\n\nIn the project's folder:\n\n{commands}"]
    markdown.write_text("\n\n".join(sections) + "\n", encoding="utf8")
    html.write_text(_page(task, notes, made, figure), encoding="utf8")
    return [markdown, html, figure]


def _page(
    task: Task, notes: Sequence[str], made: Sequence[tuple[str, list[str], list[list[str]]]], figure: Path
) -> str:
    picture = base64.b64encode(figure.read_bytes()).decode()
    body = [f"<h1>{escape(task.title)}</h1>", *(f"<p>{escape(note)}</p>" for note in notes)]
    body.append(f"<div class='wide'><img alt='Scores' src='data:image/png;base64,{picture}'></div>")
    for title, header, rows in made:
        head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
        lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        body.append(f"<h2>{escape(title)}</h2><div class='wide'><table><tr>{head}</tr>{lines}</table></div>")
    head = "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
    head += f"<meta name='viewport' content='width=device-width'><title>{escape(task.title)}</title>"
    return f"{head}<style>{STYLE}</style></head><body>{''.join(body)}</body></html>"


def main(
    tasks: Annotated[list[str], typer.Argument(help="Names of tasks")],
    summary: Annotated[
        bool, typer.Option(help="Print the table of all tasks instead, as docs/measured.md has it")
    ] = False,
    size: Size = "tiny",
    checkpoint: Checkpoint = "none",
    gpu: Gpu = -1,
    max_length: MaxLength = 4096,
    seconds: Seconds = 600.0,
    root: Annotated[Path, typer.Option(help="The project's folder")] = Path(),
) -> None:
    """Write the report of one or more tasks from the results of all seeds with these settings."""
    settings = make_settings(size, checkpoint, gpu, max_length=max_length, seconds=seconds)
    if summary:
        print(summary_table(root.resolve(), tasks, settings))
        return
    for name in tasks:
        for path in write_report(root.resolve(), name, settings):
            msg.good(str(path))


if __name__ == "__main__":
    run(main)
