"""Write the numbers of a model to its card, README.md, between the marks `<!-- numbers -->` and `<!-- end -->`."""

import argparse
import json
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- numbers -->", "<!-- end -->"
TITLES = {"ner": "LitBank test, F1 of innermost mentions", "authors": "Author attribution, accuracy (33 authors)"}


def numbers(folder: Path) -> str:
    """Format the numbers of a model.

    folder (Path): the model's folder.
    RETURNS (str): the contents of run.json, warm_start.json, evaluation.json and effects.json, and of scores.json of
        its heads, as Markdown, as far as these files exist.
    """
    parts = [run_table(folder, read(folder / "run.json"), read(folder / "warm_start.json"))]
    if evaluation := read(folder / "evaluation.json"):
        parts.append(context_table(evaluation))
    if effects := read(folder / "effects.json"):
        parts += [effect_table(name, task) for name, task in effects["tasks"].items()]
    if head := read(folder / "entities" / "scores.json"):
        parts.append(head_table(head))
    if head := read(folder / "contracts" / "scores.json"):
        parts.append(clause_table(head))
    if head := read(folder / "questions" / "scores.json"):
        parts.append(question_table(head))
    return "\n\n".join(parts)


def read(path: Path) -> dict[str, Any]:
    """RETURNS (dict[str, Any]): the contents of a JSON file; empty if there is none."""
    return json.loads(path.read_text(encoding="utf8")) if path.exists() else {}


def run_table(folder: Path, run: dict[str, Any], start: dict[str, Any]) -> str:
    """RETURNS (str): a table of the training run, from run.json and warm_start.json."""
    by_length = ", ".join(f"{steps:,} of {int(length):,}" for length, steps in run["steps_by_length"].items())
    weights = (folder / "model.safetensors").stat().st_size
    rows = {
        "Parameters": f"{run['parameters']:,}, {weights / 1e6:.2f} MB in float16",
        "Steps": f"{run['steps']:,} of 4,096 pieces each, by length of the sequences: {by_length}",
        "Pieces seen": f"{run['pieces'] / 1e6:.1f} million, in {run['hours']:.2f} hours on one shared core",
    }
    if start:
        share = f"{start['copied']:,} of {start['pieces']:,} ({start['share_copied']:.1%})"
        rows["Pieces whose vector was copied"] = f"{share}; {start['averaged']:,} began as the mean of their parts"
    if "development" in run:
        scores = run["development"]
        rows["Development texts"] = (
            f"{scores['bits_per_character']:.3f} bits per character of masked pieces, {scores['masked_accuracy']:.1%} "
            f"guessed (after step {scores['step']:,})"
        )
    return table(["", ""], [[name, value] for name, value in rows.items()])


def context_table(evaluation: dict[str, Any]) -> str:
    """RETURNS (str): a table of bits per character by position, from evaluation.json."""
    rows = []
    for name, found in evaluation["corpora"].items():
        where = [("whole", found["all"])]
        where += [(f"{row['start']:,} to {row['end']:,}", row) for row in found["by_position"]]
        for position, row in where:
            gain = row["gain"]
            label = f"{name}, {found['documents']} documents" if position == "whole" else ""
            scores = [f"{row[key]['score']:.3f}" for key in ("near", "far")]
            rows.append([label, position, *scores, f"{gain['score']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f})"])
    head = ["bits per character of masked pieces", "pieces", "512 pieces seen", "4,096 seen", "gain (95 %)"]
    return table(head, rows)


def effect_table(name: str, task: dict[str, Any]) -> str:
    """RETURNS (str): a table of the scores of all systems of a task, from effects.json."""
    rows = []
    for system in task["systems"].values():
        seeds = ", ".join(f"{score:.3f}" for score in system["by_seed"].values())
        minus = system.get("model_minus_this")
        gain = f"{minus['score']:+.3f} ({minus['low']:+.3f} to {minus['high']:+.3f})" if minus else ""
        seconds = {training["budget_seconds"] for training in system["training"].values()}
        rows.append(
            [system["name"], f"{system['mean']:.3f}", seeds, "/".join(f"{s:.0f} s" for s in sorted(seconds)), gain]
        )
    title = f"{TITLES[name]}, on one core of {task['machine']['processor']}"
    return table([title, "mean", "by seed", "CPU time of training", "this model minus it (95 %)"], rows)


def head_table(found: dict[str, Any]) -> str:
    """RETURNS (str): a table of the scores of the head for entities, from entities/scores.json."""
    by_type = sorted(found["by_type"].items(), key=lambda item: -item[1]["mentions"])
    of_all = found["scores"]["ents_f"] | {"mentions": sum(row["mentions"] for _, row in by_type)}
    rows = [
        [name, f"{row['mentions']:,}", f"{row['score']:.3f} ({row['low']:.3f} to {row['high']:.3f})"]
        for name, row in [("all", of_all), *by_type]
    ]
    return table(["head for entities, LitBank test", "mentions", "F1 (95 %)"], rows)


def clause_table(found: dict[str, Any]) -> str:
    """RETURNS (str): a table of the scores of the head for clauses, from contracts/scores.json."""
    present = found["clause_present"]
    of_all = {**found["scores"], "present": present["micro_f"]}
    rows = [("all", of_all)] + [
        (label, {**row, "present": present["by_type"][label]["f"]})
        for label, row in sorted(found["by_type"].items(), key=lambda item: -item[1]["spans"])
    ]
    numbers = ("p", "r", "f", "aupr", "p80r", "present")
    head = ["head for clauses, CUAD test", "spans", "precision", "recall", "F1", "area under the curve"]
    head += ["precision at 80 % recall", "clause present, F1"]
    return table(
        head, [[name, f"{row['spans']:,}", *(f"{row[number]:.3f}" for number in numbers)] for name, row in rows]
    )


def question_table(found: dict[str, Any]) -> str:
    """RETURNS (str): a table of the scores of the answers to questions, from questions/scores.json."""
    rows = []
    for part, name in (("paragraphs", "single paragraphs"), ("articles", "whole articles")):
        row = found[part]
        known = [row[key] for key in ("f1", "exact")]
        scores = [f"{one['score']:.3f} ({one['low']:.3f} to {one['high']:.3f})" for one in known]
        others = [row["hasans_f1"], row["noans_f1"], row["sentence_f1"]["score"]]
        rows.append([name, f"{row['questions']:,}", *scores, *("" if one is None else f"{one:.3f}" for one in others)])
    head = ["questions, SQuAD by article, test", "number", "F1 (95 %)", "exact (95 %)", "F1 with an answer"]
    return table([*head, "F1 without", "F1 of the sentence with the most words in common"], rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    """RETURNS (str): a Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def update(folder: Path) -> None:
    """Update the numbers in README.md. folder (Path): the model's folder."""
    path = folder / "README.md"
    before, _, rest = path.read_text(encoding="utf8").partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n{numbers(folder)}\n{END}{after}", encoding="utf8")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("model", type=Path, nargs="+", help="folders of models")
    for folder in options.parse_args().model:
        update(folder)


if __name__ == "__main__":
    main()
