"""Trains two pipelines side by side, each for the same time with half of the cores, under one progress bar."""

import contextlib
import multiprocessing
import os
import threading
import time
import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from spacy.cli.init_config import fill_config
from spacy.cli.train import train
from spacy.util import load_config
from tqdm import tqdm

from .training import read_curve, steps_done

CONFIGS = Path(__file__).parent / "configs"
POLL_SECONDS = 0.5


@dataclass
class Training:
    """A training run.

    name (str): name of its file in `configs/`.
    output (Path): folder of the demonstration.
    overrides (dict): settings to change.
    description (str): label of the progress bar.
    """

    name: str
    output: Path
    overrides: dict[str, Any] = field(default_factory=dict)
    description: str = ""

    @property
    def folder(self) -> Path:
        """Folder of the trained pipelines."""
        return self.output / "training" / self.name

    @property
    def log(self) -> Path:
        """Folder of the log, the curve and the errors."""
        return self.output / "logs" / self.name

    @property
    def steps(self) -> int | None:
        """Number of steps; None if another training run determines when to stop."""
        phases = load_config(CONFIGS / f"{self.name}.cfg", self.overrides)["training"]["batcher"]["phases"]
        return sum(phase["batches"] for phase in phases) if all("batches" in phase for phase in phases) else None

    def write_config(self, **more: Any) -> Path:
        """Write the complete config. RETURNS (Path): the file."""
        overrides = {"paths.log": str(self.log), **self.overrides, **more}
        path = self.output / "configs" / f"{self.name}.cfg"
        path.parent.mkdir(parents=True, exist_ok=True)
        load_config(CONFIGS / f"{self.name}.cfg", overrides, interpolate=False).to_disk(path)
        fill_config(path, path, silent=True)
        return path


def train_quietly(config: Path, folder: Path, log: Path, threads: int) -> None:
    """Train with spaCy's own command, and write its output to a file.

    config (Path): the config file.
    folder (Path): folder for the pipelines.
    log (Path): folder for `log.txt`.
    threads (int): number of cores to use.
    """
    log.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with (
        open(log / "log.txt", "w", encoding="utf8", buffering=1) as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
        warnings.catch_warnings(),
    ):
        try:
            train(config, folder)
        except BaseException:
            traceback.print_exc()
            raise


def _end_with_parent() -> None:
    """Make this process end when the demonstration that started it is killed."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def train_side_by_side(first: Training, second: Training) -> None:
    """Train two pipelines in separate processes. The second stops when the first has finished.

    first (Training): a training run with a fixed number of steps.
    second (Training): a training run with `paths.stop_file` in its config.
    RAISES RuntimeError: one of them failed.
    """
    stop_file = second.log / "stop"
    stop_file.parent.mkdir(parents=True, exist_ok=True)
    stop_file.unlink(missing_ok=True)
    threads = max(1, (os.cpu_count() or 1) // 2)
    context = multiprocessing.get_context("spawn")
    configs = [first.write_config(), second.write_config(**{"paths.stop_file": str(stop_file)})]
    runs = {
        training.name: context.Process(
            target=train_quietly, args=(config, training.folder, training.log, threads), daemon=True
        )
        for training, config in zip((first, second), configs, strict=True)
    }
    for process in runs.values():
        process.start()
    try:
        _follow(first, list(runs.values()))
        stop_file.touch()
        for training in (first, second):
            if not any(process.exitcode for process in runs.values()):
                runs[training.name].join()
            if runs[training.name].exitcode:
                lines = (training.log / "log.txt").read_text(encoding="utf8").splitlines()[-10:]
                raise RuntimeError(f"The training of {training.name} failed:\n" + "\n".join(lines))
    finally:
        for process in runs.values():
            process.terminate()


def _follow(training: Training, processes: list[Any]) -> None:
    """Show the progress of a training run until its process, the first, ends or any process fails."""
    with tqdm(total=training.steps, desc=training.description, unit=" steps") as bar:
        while processes[0].is_alive() and not any(process.exitcode for process in processes):
            _show(bar, training)
            time.sleep(POLL_SECONDS)
        _show(bar, training)


def _show(bar: tqdm, training: Training) -> None:
    bar.update(steps_done(training.log) - bar.n)
    if curve := read_curve(training.log):
        shown = {"ents_f": "entities", "cats_macro_auc": "categories", "qa_f1": "answers"}
        scores = curve[-1]["scores"]
        bar.set_postfix({shown[key]: f"{scores[key]:.2f}" for key in shown if key in scores})


def train_one_after_the_other(first: Training, second: Training) -> None:
    """Like `train_side_by_side`, but in this process: the second gets as many seconds as the first took."""
    start = time.monotonic()
    train_quietly(first.write_config(), first.folder, first.log, torch.get_num_threads())
    seconds = time.monotonic() - start
    config = second.write_config(**{"training.batcher.seconds": seconds})
    train_quietly(config, second.folder, second.log, torch.get_num_threads())
