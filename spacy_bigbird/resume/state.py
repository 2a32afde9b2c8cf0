"""What `spacy train` needs to resume: a pipeline, its best version, and the state of everything else."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import spacy
from safetensors.numpy import save_file
from spacy.language import Language
from thinc.api import Optimizer

from ..atomic import flush_to_disk
from ..errors import Errors
from ..thinc_layers.shim import EncoderShim
from .optimizer_state import OPTIMIZER, STATE, components_of, optimizer_state

FOLDER = "resume"
PIPELINE, BEST, FINISHED = "pipeline", "best", "finished.json"
# The settings that may end training.
LIMITS = ("max_steps", "max_epochs", "patience")


@dataclass
class TrainingState:
    """The state of a training run after an evaluation.

    step (int): the last completed step, counted from 0 as in spaCy.
    epoch (int): the epoch of that step.
    results (list[tuple[float, int]]): score and step of every evaluation.
    words (int): number of tokens trained on.
    seconds (int): elapsed training time. Unit: seconds.
    started (str): when training began.
    random_start (dict[str, Any]): random states before the first document was read.
    random_now (dict[str, Any]): random states after the step.
    max_length (int): `max_length` of the pipeline, which its folder does not store. Unit: characters.
    spacy_version (str): the spaCy version, as returned by `spacy_version`.
    directory (str): the working directory, which relative corpus paths refer to.
    processes (int): number of processes that trained together.
    """

    step: int
    epoch: int
    results: list[tuple[float, int]]
    words: int
    seconds: int
    started: str
    random_start: dict[str, Any]
    random_now: dict[str, Any]
    max_length: int
    spacy_version: str
    directory: str
    processes: int = 1

    def save(self, output: Path, nlp: Language, optimizer: Optimizer) -> Path:
        """Write the state to disk. Earlier states are deleted once it is complete.

        output (Path): output directory of the training, which contains a model-best.
        nlp (Language): the pipeline, with its trained weights (not their averages).
        optimizer (Optimizer): the optimizer.
        RETURNS (Path): folder of the state.
        """
        path = state_folder(output, self.step)
        arrays, parameters = optimizer_state(nlp, optimizer)

        def write(folder: Path) -> None:
            with _full_precision(nlp):
                nlp.to_disk(folder / PIPELINE)
            # Linking is safe: spaCy deletes model-best before it writes a new one, so its files never change.
            shutil.copytree(output / "model-best", folder / BEST, copy_function=_link)
            save_file(arrays, folder / OPTIMIZER)
            content = {**asdict(self), "parameters": parameters}
            # Scores may be NumPy numbers, which JSON does not support.
            (folder / STATE).write_text(json.dumps(content, default=float), encoding="utf8")

        replace_folder(path, write)
        for old in _folders(output):
            if old != path:
                shutil.rmtree(old, ignore_errors=True)
        return path

    @classmethod
    def newest(cls, output: Path) -> TrainingState:
        """Load the newest state of a training run, without pipeline and optimizer.

        output (Path): output directory of the training.
        RETURNS (TrainingState): the state.
        RAISES ValueError: there is none, or it is damaged.
        """
        folders = _folders(output)
        if folders:
            return cls.load(folders[-1])
        found = f"there is no {output / FOLDER}" if output.exists() else "there is no such directory"
        raise ValueError(Errors.BB343.format(path=output, found=found))

    @classmethod
    def load(cls, path: Path) -> TrainingState:
        """Load a state, without pipeline and optimizer.

        path (Path): folder of the state.
        RETURNS (TrainingState): the state.
        RAISES ValueError: it is damaged.
        """
        try:
            content = json.loads((path / STATE).read_text(encoding="utf8"))
            content.pop("parameters")
            content["results"] = [(score, step) for score, step in content["results"]]
            return cls(**content)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(Errors.BB344.format(path=path, reason=error)) from error


def state_folder(output: Path, step: int) -> Path:
    """Get the folder of the state after a step.

    output (Path): output directory of the training.
    step (int): the step.
    RETURNS (Path): the folder.
    """
    return output / FOLDER / f"step-{step:09d}"


def _folders(output: Path) -> list[Path]:
    return sorted((output / FOLDER).glob("step-*"))


def replace_folder(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a folder under a temporary name, then move it into place. An existing folder is kept until then.

    path (Path): the folder.
    write (Callable[[Path], Any]): writes the contents to the path that it is called with.
    """
    part, old = (path.with_name(f".{path.name}.{ending}") for ending in ("part", "old"))
    for rest in (part, old):
        if rest.exists():
            shutil.rmtree(rest)
    part.mkdir(parents=True)
    write(part)
    for file in part.rglob("*"):
        if file.is_file():
            flush_to_disk(file)
    if path.exists():
        path.rename(old)
    part.rename(path)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _full_precision(nlp: Language) -> Iterator[None]:
    """Save weights in full precision, as they are trained, even if the pipeline stores them in half precision."""
    found: list[tuple[Any, Any]] = []
    for nodes in components_of(nlp).values():
        for shim in (shim for node in nodes for shim in node.shims if isinstance(shim, EncoderShim)):
            found.append((shim, shim.settings))
    try:
        for shim, settings in found:
            shim.settings = settings.model_copy(update={"save_as": "float32"})
        yield
    finally:
        for shim, settings in found:
            shim.settings = settings


def spacy_version() -> str:
    """Get the version of spaCy that the training loop belongs to.

    RETURNS (str): major and minor version, such as "3.8".
    """
    return ".".join(spacy.__version__.split(".")[:2])


def _link(source: str, target: str) -> None:
    """Create a hard link to a file, or a copy if the file system does not support links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
