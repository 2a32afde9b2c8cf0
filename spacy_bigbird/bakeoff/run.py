"""Train and score every system with every seed. What is there already is not repeated."""

import hashlib
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import srsly
from spacy import util
from spacy.language import DEFAULT_CONFIG, Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Config
from tqdm import tqdm

from ..atomic import replace_file
from ..errors import Errors
from . import tfidf
from .counting import Task, count, find_task, thresholds_of
from .systems import TFIDF, check_systems, variant

CONFIG, RESULT = "config.cfg", "result.json"
# To be raised when something else is counted, or results have another form.
VERSION = 1


@dataclass(frozen=True)
class Bakeoff:
    """A comparison.

    config (Config): the training config of `whole`, not interpolated.
    test (Path): the test documents, which are read as those for development are.
    output (Path): folder with a folder for each system and seed.
    systems (Sequence[str]): the systems.
    seeds (Sequence[int]): seeds of the trainings.
    seconds (float): limit on the time of each training; 0 to train until the config ends it.
    component (str | None): the component to score; None for the first that can be.
    use_gpu (int): id of the GPU, or -1 for the CPU.
    """

    config: Config
    test: Path
    output: Path
    systems: Sequence[str]
    seeds: Sequence[int] = (0,)
    seconds: float = 0.0
    component: str | None = None
    use_gpu: int = -1

    @property
    def task(self) -> Task:
        """What is scored."""
        return find_task(self.config, self.component)

    def run(self, *, show_progress: bool = False) -> list[dict[str, Any]]:
        """Train and score what is missing.

        show_progress (bool): whether to show a progress bar on standard error.
        RETURNS (list[dict[str, Any]]): the result of every system and seed.
        RAISES ValueError: the config does not allow the comparison.
        RAISES ModuleNotFoundError: scikit-learn is needed, and not installed.
        """
        jobs = self._checked()
        results = []
        progress = tqdm(jobs, unit="run", disable=not show_progress, file=sys.stderr)
        for system, seed, config in progress:
            progress.set_description(f"{system}, seed {seed}")
            results.append(self._result(system, seed, config))
        return results

    def _checked(self) -> list[tuple[str, int, Config]]:
        """Make the configs of all trainings, so that mistakes are found before the first one."""
        check_systems(self.systems)
        others = [system for system in self.systems if system != TFIDF]
        if TFIDF in self.systems:
            if not self.task.labels_documents:
                raise ValueError(Errors.BB753.format(name=self.task.component, others=",".join(others)))
            tfidf.check_available(others)
        if "path" not in self.config["corpora"].get("dev", {}):
            raise ValueError(Errors.BB756)
        jobs = []
        for system in self.systems:
            # There is nothing random in a logistic regression.
            for seed in self.seeds[:1] if system == TFIDF else self.seeds:
                config = self.config.copy() if system == TFIDF else variant(self.config, system)
                config["system"]["seed"] = config["training"]["seed"] = seed
                if self.seconds and system != TFIDF:
                    _limit(config, self.seconds)
                jobs.append((system, seed, config))
        return jobs

    def _result(self, system: str, seed: int, config: Config) -> dict[str, Any]:
        folder = self.output / f"{system}-{seed}"
        written = config.to_str(interpolate=False)
        key = hashlib.blake2b(f"{VERSION} {self.task.component} {self.test} {written}".encode(), digest_size=12)
        path = folder / RESULT
        if path.is_file():
            known = srsly.read_json(path)
            if known["key"] == key.hexdigest():
                return known
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / CONFIG).write_text(written, encoding="utf8")
        found = self._label(config) if system == TFIDF else self._train(folder)
        command = f"python -m spacy train {folder / CONFIG} --output {folder}"
        result = {
            "key": key.hexdigest(),
            "system": system,
            "seed": seed,
            "metric": self.task.metric,
            "command": "scikit-learn, as in spacy_bigbird/bakeoff/tfidf.py" if system == TFIDF else command,
            "seconds": round(found.pop("seconds"), 1),
            **found,
        }
        replace_file(path, lambda temporary: srsly.write_json(temporary, result))
        return result

    def _label(self, config: Config) -> dict[str, Any]:
        """Label the test documents with TF-IDF. RETURNS (dict[str, Any]): scores and counts."""
        blank = config.copy()
        blank["components"], blank["nlp"]["pipeline"] = {}, []
        nlp = util.load_model_from_config(blank, auto_fill=True)
        # The given config may lack what spaCy has defaults for.
        corpora = nlp.config["training"]["train_corpus"], nlp.config["training"]["dev_corpus"], self._test(nlp.config)
        train, dev, test = ([example.reference for example in _read(nlp, nlp.config, name)] for name in corpora)
        if not any(doc.cats for doc in train):
            raise ValueError(Errors.BB755.format(path=corpora[0]))
        start = time.perf_counter()
        found, dev_score = tfidf.label(self.task, train, dev, test)
        seconds = time.perf_counter() - start
        return {"dev": round(dev_score, 4), "seconds": seconds, **self._counted(test, found, lambda label: 0.5)}

    def _train(self, folder: Path) -> dict[str, Any]:
        """Train with spaCy, and label the test documents with the best pipeline. RETURNS: scores and counts."""
        from spacy.cli.train import train

        start = time.perf_counter()
        train(folder / CONFIG, folder, use_gpu=self.use_gpu)
        seconds = time.perf_counter() - start
        best = next(path for name in ("model-best", "model-last") if (path := folder / name).is_dir())
        if best.name == "model-best":
            shutil.rmtree(folder / "model-last", ignore_errors=True)
        nlp = util.load_model(best)
        examples = list(_read(nlp, nlp.config, self._test(nlp.config)))
        found = list(nlp.pipe(example.predicted for example in examples))
        counted = self._counted([example.reference for example in examples], found, thresholds_of(nlp, self.task))
        return {"dev": nlp.meta.get("performance", {}).get(self.task.metric), "seconds": seconds, **counted}

    def _test(self, config: Config) -> str:
        """Put the test documents into a config, to be read as those for development are. RETURNS (str): their name."""
        config["corpora"]["test"] = {**config["corpora"]["dev"], "path": str(self.test)}
        return "corpora.test"

    def _counted(self, gold: list[Doc], found: list[Doc], thresholds: Any) -> dict[str, Any]:
        counts = count(self.task, gold, found, thresholds)
        return {
            "score": round(float(self.task.score(counts.sum(0))), 4),
            "counts": counts.tolist(),
            "lengths": [len(doc) for doc in gold],
        }


def _read(nlp: Language, config: Config, name: str) -> Iterator[Example]:
    """YIELDS (Example): the documents of a corpus in a config."""
    (corpus,) = util.resolve_dot_names(config.interpolate(), [name])
    yield from corpus(nlp)


def _limit(config: Config, seconds: float) -> None:
    """Let a training end after some time."""
    training = config["training"]
    batcher = training.get("batcher", DEFAULT_CONFIG["training"]["batcher"])
    batcher = {"@batchers": "spacy-bigbird.within_seconds.v1", "batcher": batcher, "seconds": seconds}
    training |= {"batcher": batcher, "max_epochs": 1, "max_steps": 0}
