"""Write results/summary.json, what is known about every task, and the tables that are made of it.

    python -m workflows.steps.summary output/models/bakeoff

takes the reports of `python -m spacy bigbird bakeoff` for authors, clauses and topics from this folder, and keeps what
summary.json has of those that are not there. Clauses of whole contracts are those of the pipeline for contracts. The
other tasks are those of the workflows, as in `results/`.
"""

from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from wasabi import msg

from spacy_bigbird.bakeoff.statistics import interval

from ..library.command import run
from ..library.results import pooled, read_results, score_of
from ..library.tables import markdown_table, with_ends
from ..library.tasks import get_task

Summary = dict[str, dict[str, dict[str, Any]]]
# Tasks of the workflows, and their names in the summary.
WORKFLOWS = {"ner": "litbank", "cuad": "cuad_questions", "multiple_choice": "openstax"}
SYSTEMS = {"bigbird": "whole", "strided": "windows_128", "truncated": "first_512", "tok2vec": "tok2vec"}
BAKEOFFS = ("authors", "clauses", "topics")
TITLES = {
    "authors": "Who wrote an excerpt of a novel (33 authors), accuracy",
    "clauses": "Which of 41 clauses a contract has (CUAD), micro F1",
    "topics": "What an encyclopedia article is about (14 subjects), accuracy",
    "litbank": "Entities of novels (LitBank), F1",
    "cuad_questions": "Seven questions about contracts (CUAD), F1",
    "openstax": "Multiple choice about sections of textbooks (OpenStax), accuracy",
}
COLUMNS = {
    "whole": "whole documents",
    "windows_512": "windows of 512",
    "windows_128": "windows of 128/96",
    "first_512": "first 512 pieces",
    "tfidf": "TF-IDF",
    "tok2vec": "spaCy tok2vec",
}
KEYS = ("metric", "score", "low", "high", "seeds", "seconds", "command")
START, END = "<!-- summary -->", "<!-- end of summary -->"


def from_bakeoff(task: str, report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Take the entry of each system from a report of `bakeoff`.

    task (str): name of the task in the recipe that writes such reports.
    report (dict[str, Any]): the report.
    RETURNS (dict[str, dict[str, Any]]): the entries.
    """
    entries = {}
    for system, entry in report["systems"].items():
        seeds = ",".join(map(str, entry["seeds"]))
        command = f"TASK={task} sh project/models/recipe.sh labels --systems {system} --seeds {seeds}"
        entries[system] = {**{key: entry[key] for key in KEYS}, "command": command}
    return entries


def from_workflow(root: Path, task_name: str) -> dict[str, dict[str, Any]]:
    """RETURNS (dict[str, dict[str, Any]]): the entry of each system in the results of a workflow."""
    entries = {}
    for system, results in read_results(root, task_name).items():
        found = interval(pooled(results), score_of(results[0]))
        entries[SYSTEMS[system]] = {
            "metric": get_task(task_name).metric,
            **found,
            "seeds": [result["seed"] for result in results],
            "seconds": results[0]["training"]["used_seconds"],
            "command": results[0]["command"],
        }
    return entries


def from_contracts(root: Path) -> dict[str, dict[str, Any]]:
    """RETURNS (dict[str, dict[str, Any]]): the entry of the pipeline for contracts."""
    path = root / "models" / "small" / "contracts" / "scores.json"
    if not path.is_file():
        return {}
    found = srsly.read_json(path)["clause_present"]
    entry = {"metric": "micro F1 of clauses with a span", "score": found["micro_f"]}
    entry |= {"low": found["low"], "high": found["high"], "seeds": [0], "seconds": None}
    return {"whole": entry | {"command": "sh project/models/recipe.sh contracts"}}


def summarize(root: Path, bakeoffs: Path | None) -> Summary:
    """Gather what is known.

    root (Path): the project's folder.
    bakeoffs (Path | None): folder with a folder for each task that was compared by `bakeoff`.
    RETURNS (Summary): the entries of all systems, by task.
    """
    path = root / "results" / "summary.json"
    known: Summary = srsly.read_json(path) if path.is_file() else {}
    summary = {name: known[name] for name in BAKEOFFS if name in known}
    for name in BAKEOFFS if bakeoffs is not None else ():
        report = Path(bakeoffs, name, "report.json")
        if report.is_file():
            summary[name] = from_bakeoff(name, srsly.read_json(report))
    if contracts := from_contracts(root):
        summary["clauses"] = summary.get("clauses", {}) | contracts
    ordered = {name: summary[name] for name in BAKEOFFS if name in summary}
    found = {name: from_workflow(root, task) for task, name in WORKFLOWS.items()}
    return ordered | {name: entries for name, entries in found.items() if entries}


def table(summary: Summary) -> str:
    """RETURNS (str): a Markdown table with a row for each task and a column for each system."""
    rows = []
    for name, entries in summary.items():
        seeds = max(len(entry["seeds"]) for entry in entries.values())
        cells = [with_ends(entries[system]) if system in entries else "–" for system in COLUMNS]
        rows.append([f"{TITLES[name]} ({seeds} seed{'s' * (seeds > 1)})", *cells])
    return markdown_table(["Task", *COLUMNS.values()], rows)


def fill_in(path: Path, content: str) -> bool:
    """Replace what stands between the markers of a file. RETURNS (bool): whether it has markers."""
    text = path.read_text(encoding="utf8")
    if START not in text or END not in text:
        return False
    before, after = text.partition(START)[0], text.partition(END)[2]
    path.write_text(f"{before}{START}\n{content.strip()}\n{END}{after}", encoding="utf8")
    return True


def main(
    bakeoffs: Annotated[
        Path | None, typer.Argument(help="Folder with a folder for each task, as bakeoff wrote it")
    ] = None,
    root: Annotated[Path, typer.Option(help="The project's folder")] = Path(),
) -> None:
    """Write results/summary.json, and its table between the markers of docs/measured.md and README.md."""
    root = root.resolve()
    summary = summarize(root, bakeoffs)
    path = root / "results" / "summary.json"
    srsly.write_json(path, summary)
    msg.good(str(path))
    for document in (root.parent / "docs" / "measured.md", root.parent / "README.md"):
        if fill_in(document, table(summary)):
            msg.good(str(document))


if __name__ == "__main__":
    run(main)
