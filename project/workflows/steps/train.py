"""Train one system of one task for its time budget, and keep the better of its best and its last pipeline."""

import shutil
from pathlib import Path
from typing import Any

import spacy
import srsly
import torch
from spacy.cli.train import train as spacy_train
from spacy.util import load_config, registry, resolve_dot_names
from thinc.api import Config

from ..library import budget
from ..library.options import run_step
from ..library.systems import FIRST_PIECES, Settings
from ..library.tasks import Paths, get_task
from .configure import configure

assert budget.CLOCK  # Importing it registers the functions that the configs refer to.


def train(task_name: str, system: str, settings: Settings, root: Path) -> Path:
    """Train a system.

    task_name (str): name of the task.
    system (str): one of its systems.
    settings (Settings): the chosen settings.
    root (Path): the project's folder.
    RETURNS (Path): folder with config.cfg, record/ and pipeline/.
    """
    folder = Paths(root, task_name).training(system, settings.seed)
    shutil.rmtree(folder, ignore_errors=True)
    if settings.gpu < 0:
        torch.set_num_threads(1)
    task = get_task(task_name)
    if task.train is not None:
        task.train(folder, task.config(root, system), system, settings, Paths(root, task_name).corpus)
        return folder
    config = configure(folder / "config.cfg", task_name, system, settings, root)
    spacy_train(config, folder, use_gpu=settings.gpu)
    kept = _keep_better(folder, load_config(config))
    if task.finish is not None:
        nlp = spacy.load(folder / "pipeline")
        task.finish(nlp, Paths(root, task_name).corpus, FIRST_PIECES if system == "truncated" else None)
        nlp.to_disk(folder / "pipeline")
    record = {**srsly.read_json(folder / "record" / "training.json"), **kept}
    srsly.write_json(folder / "record" / "training.json", record)
    return folder


def _keep_better(folder: Path, config: Config) -> dict[str, Any]:
    """Score the last pipeline on the development corpus as well, since training rarely ends with an evaluation."""
    curve = list(srsly.read_jsonl(folder / "record" / "curve.jsonl"))
    training = registry.resolve({"weights": config.interpolate()["training"]["score_weights"]})
    (dev_corpus,) = resolve_dot_names(config.interpolate(), ["corpora.dev"])
    nlp = spacy.load(folder / "model-last")
    scores = nlp.evaluate(list(dev_corpus(nlp)))
    last = sum(weight * (scores.get(name) or 0.0) for name, weight in training["weights"].items() if weight)
    best = max(row["score"] for row in curve)
    keep = "last" if last >= best else "best"
    shutil.move(folder / f"model-{keep}", folder / "pipeline")
    shutil.rmtree(folder / ("model-best" if keep == "last" else "model-last"), ignore_errors=True)
    return {"kept": keep, "dev_score": round(max(last, best), 4), "dev_score_last": round(last, 4)}


def main(task: str, system: str, settings: Settings, root: Path) -> None:
    """Train one system of one task. The pipeline is in training/TASK-SYSTEM-seedN/pipeline."""
    train(task, system, settings, root)


if __name__ == "__main__":
    run_step(main)
