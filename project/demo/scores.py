"""Runs the trained pipelines on held-out contracts, and scores them."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from tqdm import tqdm

from benchmarks.machine import machine
from spacy_bigbird.annotations.questions import install_question_extensions, without_gold

from .corpus import first_part

# Scores that the demonstration should reach on held-out contracts.
TARGETS = {"ents_f": 0.85, "cats_macro_auc": 0.85, "cats_macro_f": 0.85, "qa_f1": 0.6}


def stream(nlp: Language, references: Sequence[Doc], description: str, tokens: int | None = None) -> list[Example]:
    """Run a pipeline on documents, as a user would, with a progress bar.

    nlp (Language): the pipeline.
    references (Sequence[Doc]): gold documents, of which the pipeline sees the texts and the questions.
    description (str): label of the progress bar.
    tokens (int | None): maximum number of tokens to read of each document; None for all.
    RETURNS (list[Example]): the predictions along with the references.
    """
    install_question_extensions()
    if tokens is not None:
        references = [first_part(reference, tokens) for reference in references]
    total = sum(len(reference) for reference in references)
    examples = []
    with tqdm(total=total, desc=description, unit=" tokens", unit_scale=True) as bar:
        docs = (_asked(nlp, reference) for reference in references)
        for reference, doc in zip(references, nlp.pipe(docs, batch_size=4), strict=True):
            examples.append(Example(doc, reference))
            bar.update(len(doc))
    return examples


def _asked(nlp: Language, reference: Doc) -> Doc:
    doc = nlp.make_doc(reference.text)
    if reference._.questions:
        doc._.questions = without_gold(reference._.questions)
    return doc


def score(nlp: Language, examples: Sequence[Example]) -> dict[str, Any]:
    """RETURNS (dict[str, Any]): the scores of all components, including those of single labels."""
    found: dict[str, Any] = {}
    for _, component in nlp.pipeline:
        if hasattr(component, "score"):
            found.update(component.score(examples))
    wanted = ("ents_", "cats_", "qa_")
    return {key: _plain(value) for key, value in found.items() if key.startswith(wanted)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return float(value) if isinstance(value, int | float | np.floating) else value


def evidence_score(examples: Iterable[Example]) -> dict[str, float | None]:
    """Compute how often the evidence of a correctly predicted category overlaps its clauses.

    RETURNS (dict[str, float | None]): `evidence_one`: at least one of the two clauses; `evidence_both`: both of them.
    """
    touched = []
    for example in examples:
        clauses = example.reference.user_data["clauses"]
        for key, group in example.predicted.spans.items():
            label = key.removeprefix("evidence:")
            if key.startswith("evidence:") and example.reference.cats[label]:
                places = [(start, end) for start, end, name in clauses if name.startswith(label)]
                touched.append(
                    sum(any(s.start_char < end and s.end_char > start for s in group) for start, end in places)
                )
    if not touched:
        return {"evidence_one": None, "evidence_both": None}
    return {f"evidence_{name}": float(np.mean([n >= k for n in touched])) for name, k in (("one", 1), ("both", 2))}


def answers_by_question(examples: Iterable[Example]) -> dict[str, float]:
    """RETURNS (dict[str, float]): the share of exact answers to each question."""
    right: dict[str, list[bool]] = {}
    for example in examples:
        for question, answer in zip(example.reference._.questions, example.predicted._.answers, strict=True):
            is_right = answer.text in [gold["text"] for gold in question["answers"]]
            right.setdefault(question["question"], []).append(is_right)
    return {question: float(np.mean(values)) for question, values in sorted(right.items())}


def folder_size(path: Path) -> float:
    """RETURNS (float): total size of the files in a folder. Unit: megabytes."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e6


def processor_seconds() -> float:
    """RETURNS (float): CPU time of this process and of the child processes it has waited for. Unit: seconds."""
    return sum(os.times()[:4])


def record(path: Path, size: str, results: dict[str, Any]) -> None:
    """Add the scores of a seed to a file, replacing earlier scores of this seed. If the file has results for another
    size or machine, it is started anew.

    path (Path): the JSON file.
    size (str): size of the demonstration.
    results (dict[str, Any]): the results, as returned by `run`.
    """
    head = {
        "command": f"make demo DEMO='--size {size} --seed SEED --record {path.as_posix()}'",
        "targets": TARGETS,
        "machine": machine(),
    }
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf8")) if path.exists() else {}
    runs = {run["seed"]: run for run in kept.get("runs", ()) if head == {key: kept.get(key) for key in head}}
    scores = results["scores"]
    reached = {**scores["span_qa"], **scores["shared"]}
    runs[results["seed"]] = {
        "seed": results["seed"],
        "seconds": round(results["seconds"]),
        "processor_seconds": round(results["processor_seconds"]),
        "bigbird": {key: round(reached[key], 4) for key in TARGETS},
        "tok2vec": {key: round(scores["tok2vec"][key], 4) for key in TARGETS if key in scores["tok2vec"]},
        "first_part": {key: round(scores["first_part"][key], 4) for key in TARGETS if key in scores["first_part"]},
        "documents": {name: found["documents"] for name, found in scores.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {**head, "runs": [runs[seed] for seed in sorted(runs)]}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf8")
