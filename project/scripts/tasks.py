"""What `train`, `evaluate` and `report` must know of a task. Each task's own file makes one of these."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language

from .systems import Settings

# The file of each task. It has a dictionary TASKS with the task in it.
FILES = {
    "ner": "ner",
    "authors": "textcat",
    "topics": "textcat",
    "cuad": "qa",
    "covid_qa": "qa",
    "multiple_choice": "multiple_choice",
    "pretrain": "pretrain",
}


@dataclass(frozen=True)
class Paths:
    """Where a task's files lie. root (Path): the project's folder. task (str): its name."""

    root: Path
    task: str

    @property
    def corpus(self) -> Path:
        """train.spacy, dev.spacy, test.spacy, spiece.model and split.json."""
        return self.root / "corpus" / self.task

    def training(self, system: str, seed: int) -> Path:
        """RETURNS (Path): config, record and pipelines of one training."""
        return self.root / "training" / f"{self.task}-{system}-seed{seed}"

    def result(self, system: str, seed: int) -> Path:
        """RETURNS (Path): what one system reached."""
        return self.root / "results" / f"{self.task}-{system}-seed{seed}.json"


@dataclass(frozen=True)
class Task:
    """One task.

    name (str): of its folders and results. title (str): for people.
    metric (str): the score that counts, a key of what `measure` gives under `scores`. metric_name (str): for people.
    configs (dict[str, str]): file in `configs/` of a system; "" for those not named.
    preprocess (Callable[[Path, Settings], None]): writes the corpus; gets the project's folder.
    measure (Callable[[Language, Path, int | None], dict[str, Any]]): sends the test documents of a corpus folder
        through a pipeline, which is given only the first so many pieces unless None, and gives what stands in the
        results: `documents`, `scores`, `by_length`, `by_position`, `speed`, and what the task has besides.
    knows_neighbours (bool): whether random weights are those of `positions`.
    encoder (str): name of the component with the encoder's settings.
    changes (Callable[[str, Settings], dict[str, Any]]): more settings of a system's config, by dotted names.
    systems (tuple[str, ...]): what is compared.
    question (int): room for a question in every window. Unit: pieces.
    about (str): what a reader of the results must know.
    train (Callable[[Path, Path, str, Settings, Path], None] | None): for what is not trained by spaCy: gets the folder
        of the training, the config, the system, the settings and the corpus, and writes `pipeline` and `record`.
    load (Callable[[Path], Any]): reads `pipeline` for `measure`.
    finish (Callable[[Language, Path, int | None], None] | None): settles in a trained pipeline what is chosen on the
        development documents; arguments as of `measure`.
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
        """RETURNS (Path): the config that a system's is written from. RAISES ValueError: it is none of the task's."""
        if system not in self.systems:
            raise ValueError(f"{self.name} has no system {system!r}. Choose from {', '.join(self.systems)}.")
        return root / "configs" / self.configs.get(system, self.configs[""])


def get_task(name: str) -> Task:
    """RETURNS (Task): by its name. RAISES ValueError: there is none of this name."""
    if name not in FILES:
        raise ValueError(f"There is no task {name!r}. Choose from {', '.join(FILES)}.")
    tasks: dict[str, Task] = import_module(f".{FILES[name]}", __package__).TASKS
    return tasks[name]
