"""Run a trained system on the test documents, and write its scores to results/TASK-SYSTEM-seedN.json."""

import sys
from pathlib import Path
from typing import Any

import spacy
import srsly
import torch

from ..library.machines import describe_machine
from ..library.options import run_step
from ..library.systems import FIRST_PIECES, SIZES, Settings
from ..library.tasks import Paths, get_task


def evaluate(task_name: str, system: str, settings: Settings, root: Path) -> dict[str, Any]:
    """Evaluate a trained system, and write the results.

    task_name (str): name of the task.
    system (str): one of its systems.
    settings (Settings): the settings that it was trained with.
    root (Path): the project's folder.
    RETURNS (dict[str, Any]): the results.
    RAISES FileNotFoundError: the system has not been trained.
    """
    task, paths = get_task(task_name), Paths(root, task_name)
    folder = paths.training(system, settings.seed)
    if not (folder / "pipeline").exists():
        raise FileNotFoundError(
            f"{folder} contains no finished training: run workflows.steps.train with the same options first"
        )
    if settings.gpu >= 0:
        spacy.require_gpu(settings.gpu)
    else:
        torch.set_num_threads(1)
    found = task.measure(task.load(folder / "pipeline"), paths.corpus, FIRST_PIECES if system == "truncated" else None)
    results = {
        "task": task_name,
        "system": system,
        "seed": settings.seed,
        "size": None if settings.checkpoint or system == "tok2vec" else settings.size,
        "encoder": None if settings.checkpoint or system == "tok2vec" else SIZES[settings.size],
        "checkpoint": settings.checkpoint,
        "max_length": settings.max_length,
        "command": command(task_name, system, settings),
        "machine": describe_machine(settings.gpu),
        "threads": torch.get_num_threads(),
        "training": srsly.read_json(folder / "record" / "training.json"),
        "curve": list(srsly.read_jsonl(folder / "record" / "curve.jsonl")),
        **found,
    }
    path = paths.result(system, settings.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written under another name first, so that a result that exists is complete.
    beside = path.with_suffix(".part")
    srsly.write_json(beside, results)
    beside.replace(path)
    return srsly.read_json(path)


def command(task: str, system: str, settings: Settings) -> str:
    """RETURNS (str): the command that reproduces a result, in the project's folder."""
    options = f"{task} --system {system} --seed {settings.seed}"
    options += f" --checkpoint {settings.checkpoint}" if settings.checkpoint else f" --size {settings.size}"
    options += f" --max-length {settings.max_length} --seconds {settings.seconds:g} --gpu {settings.gpu}"
    return f"python -m workflows.steps.train {options} && python -m workflows.steps.evaluate {options}"


def main(task: str, system: str, settings: Settings, root: Path) -> None:
    """Evaluate one trained system of one task on the test documents."""
    results = evaluate(task, system, settings, root)
    for name, score in results["scores"].items():
        interval = f"{score['score']:.3f} ({score['low']:.3f} to {score['high']:.3f})"
        print(f"{task} {system} seed {settings.seed}: {name} {interval}")
    sys.stdout.flush()


if __name__ == "__main__":
    run_step(main)
