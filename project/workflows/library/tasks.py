"""What `train`, `evaluate` and `report` need to know about a task. Each task is defined in its own file."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language

from .systems import Settings

# The module of each task in `workflows`, which has the task in its dictionary TASKS.
FILES = {
    "ner": "ner",
    "authors": "textcat.task",
    "topics": "textcat.task",
    "cuad": "qa.task",
    "covid_qa": "qa.task",
    "multiple_choice": "multiple_choice.task",
    "pretrain": "pretrain.task",
}


@dataclass(frozen=True)
class Paths:
    """The paths of a task's files. root (Path): the project's folder. task (str): name of the task."""

    root: Path
    task: str

    @property
    def corpus(self) -> Path:
        """Folder of train.spacy, dev.spacy, test.spacy, spiece.model and split.json."""
        return self.root / "corpus" / self.task

    def training(self, system: str, seed: int) -> Path:
        """RETURNS (Path): folder of the config, record and pipelines of a training run."""
        return self.root / "training" / f"{self.task}-{system}-seed{seed}"

    def result(self, system: str, seed: int) -> Path:
        """RETURNS (Path): file with the results of a system."""
        return self.root / "results" / f"{self.task}-{system}-seed{seed}.json"


@dataclass(frozen=True)
class Task:
    """A task.

    name (str): name of its folders and results.
    title (str): title for display.
    metric (str): the main score, a key of the `scores` that `measure` returns.
    metric_name (str): name of the main score for display.
    configs (dict[str, str]): file in `configs/` for each system; the key "" is for all others.
    preprocess (Callable[[Path, Settings], None]): writes the corpus; called with the project's folder.
    measure (Callable[[Language, Path, int | None], dict[str, Any]]): runs a pipeline on the test documents of a corpus
        folder, or on their first pieces if a number of them is given, and returns the entries for the results:
        `documents`, `scores`, `by_length`, `by_position`, `speed`, and others that depend on the task.
    knows_neighbours (bool): whether random weights are initialized as in `positions`.
    encoder (str): name of the component with the encoder's settings.
    changes (Callable[[str, Settings], dict[str, Any]]): further settings for a system's config, by their dotted names.
    systems (tuple[str, ...]): the systems to compare.
    question (int): room for a question in every window. Unit: pieces.
    about (str): what readers of the results need to know.
    train (Callable[[Path, Path, str, Settings, Path], None] | None): replaces spaCy's training: called with the
        training folder, the config, the system, the settings and the corpus, and writes `pipeline` and `record`.
    load (Callable[[Path], Any]): loads `pipeline` for `measure`.
    finish (Callable[[Language, Path, int | None], None] | None): sets what is chosen on the development documents in a
        trained pipeline; takes the same arguments as `measure`.
    """

    name: str
    title: str
    metric: str
    metric_name: str
    configs: dict[str, str]
    preprocess: Callable[[Path, Settings], None]
    measure: Callable[[Language, Path, int | None], dict[str, Any]]
    knows_neighbours: bool = False
    question: int = 0
    encoder: str = "bigbird"
    changes: Callable[[str, Settings], dict[str, Any]] = lambda system, settings: {}
    systems: tuple[str, ...] = ("bigbird", "tok2vec", "strided", "truncated")
    about: str = ""
    train: Callable[[Path, Path, str, Settings, Path], None] | None = None
    load: Callable[[Path], Any] = spacy.load
    finish: Callable[[Language, Path, int | None], None] | None = None

    def config(self, root: Path, system: str) -> Path:
        """RETURNS (Path): the base config of a system. RAISES ValueError: the task does not have this system."""
        if system not in self.systems:
            raise ValueError(f"{self.name} has no system {system!r}. Choose from {', '.join(self.systems)}.")
        return root / "configs" / self.configs.get(system, self.configs[""])


def get_task(name: str) -> Task:
    """Get a task by its name. RAISES ValueError: there is no task with this name."""
    if name not in FILES:
        raise ValueError(f"There is no task {name!r}. Choose from {', '.join(FILES)}.")
    tasks: dict[str, Task] = import_module(f"..{FILES[name]}", __package__).TASKS
    return tasks[name]
