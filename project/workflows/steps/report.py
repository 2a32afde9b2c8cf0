"""Write a report of all results of a task: results/TASK.md, TASK.html and TASK.png, or print the table of all tasks."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from spacy_bigbird.bakeoff.statistics import CONFIDENCE

from ..library.charts import draw
from ..library.command import run
from ..library.machines import describe_machines
from ..library.options import DEFAULT, Checkpoint, Gpu, MaxLength, Seconds, Size, make_settings
from ..library.results import read_results
from ..library.systems import NAMES, Settings
from ..library.tables import markdown_table, summary_table, tables
from ..library.tasks import Task, get_task

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
