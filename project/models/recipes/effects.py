"""Evaluate a model on LitBank's entities and on author attribution, compared with the same encoder with random weights,
spaCy's tok2vec, and the source of "small" in strided windows. All are trained for the same time, by the workflows.
Existing results are kept, so a run that was stopped can be continued.

For entities, everything is trained. For authors, the encoders are frozen and only a classifier on the mean of their
vectors is trained, on parts of the excerpts: it takes many steps of several documents, for which training an encoder is
too slow. tok2vec is trained as a whole.

The source requires the package spacy-transformers and the source's folder. It is left out without --source.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import spacy
import srsly
import torch
from spacy.cli.init_config import fill_config
from spacy.cli.train import train as spacy_train
from spacy.util import load_config, load_model_from_config

from spacy_bigbird.bakeoff.statistics import difference, f_score, interval, mean
from spacy_bigbird.model import BigBirdModel
from spacy_bigbird.tokenizer import BigBirdTokenizer

from ...workflows import ner
from ...workflows.library import budget
from ...workflows.library.machines import describe_machine
from ...workflows.library.systems import Settings, write_config
from ...workflows.library.tasks import Paths, get_task
from ...workflows.textcat import task as textcat

PROJECT = Path(__file__).parents[2]
CONFIGS = Path(__file__).parents[1] / "configs"
SYSTEMS = {
    "model": "this model",
    "random": "the same with random weights",
    "tok2vec": "spaCy tok2vec",
    "source": "source encoder, windows of 128/96",
}
SCORES = {"ner": ("ents_f", f_score), "authors": ("cats_accuracy", mean)}
# Authors: parts of documents to learn from, so that a batch has several. Unit: tokens.
PART = 256
MEASURES = {"ner": ner.measure, "authors": textcat.measure_whole}

assert budget.CLOCK  # Importing it registers the functions that the configs refer to.


def random_weights(checkpoint: Path, folder: Path, seed: int) -> Path:
    """Write a copy of a checkpoint with random weights.

    checkpoint (Path): the checkpoint.
    folder (Path): the folder to write to.
    seed (int): seed of the weights.
    RETURNS (Path): the folder.
    """
    torch.manual_seed(seed)
    BigBirdModel(BigBirdModel.from_pretrained(checkpoint).config).save_pretrained(folder)
    BigBirdTokenizer.from_pretrained(checkpoint).save_pretrained(folder)
    return folder


def make_config(task_name: str, system: str, seed: int, folder: Path, given: argparse.Namespace) -> Path:
    """Write the config of a training run.

    task_name (str): "ner" or "authors".
    system (str): one of SYSTEMS.
    seed (int): seed of the training run.
    folder (Path): its folder.
    given (Namespace): the command-line options.
    RETURNS (Path): the config.
    """
    task, corpus = get_task(task_name), Paths(given.work, task_name).corpus
    path = folder / "config.cfg"
    # Evaluations do not count towards the budget, but they do take time.
    changes: dict[str, Any] = {"training.eval_frequency": 1_000_000}
    is_frozen = task_name == "authors" and system != "tok2vec"
    if task_name == "authors":
        changes |= {"corpora.train.stretch": PART, "training.batcher.phases": [{"longest": PART}]}
    if system == "source":
        changes |= {
            "paths.train": str(corpus / "train.spacy"),
            "paths.dev": str(corpus / "dev.spacy"),
            "paths.source": str(given.source),
            "paths.record": str(folder / "record"),
            "system.seed": seed,
            "training.batcher.seconds": given.seconds,
            "training.optimizer.learn_rate.rate": given.head_rate if is_frozen else given.source_rate,
        }
        folder.mkdir(parents=True, exist_ok=True)
        load_config(CONFIGS / f"source_{task_name}.cfg", changes, interpolate=False).to_disk(path)
        fill_config(path, path, silent=True)
    else:
        kind = "tok2vec" if system == "tok2vec" else "bigbird"
        checkpoint = given.model.resolve()
        if system == "random":
            checkpoint = random_weights(given.model, folder / "random", seed)
        settings = Settings(checkpoint=str(checkpoint), seed=seed, seconds=given.seconds)
        if kind == "bigbird":
            rate = given.random_rate if system == "random" else given.rate
            changes["training.optimizer.learn_rate.rate"] = given.head_rate if is_frozen else rate
        write_config(path, task.config(PROJECT, kind), kind, settings, corpus, task.encoder, changes)
    if is_frozen:
        freeze_encoder(path, folder / "encoder")
    return path


def freeze_encoder(path: Path, folder: Path) -> None:
    """Change a config so that the first component of the pipeline, its encoder, keeps its initial weights.

    path (Path): the config.
    folder (Path): folder to save the encoder to, since spaCy takes frozen components from a saved pipeline.
    """
    config, whole = load_config(path, interpolate=False), load_config(path, interpolate=True)
    encoder = whole["nlp"]["pipeline"][0]
    whole["nlp"]["pipeline"] = [encoder]
    whole["components"] = {encoder: whole["components"][encoder]}
    nlp = load_model_from_config(whole)
    nlp.initialize()
    nlp.to_disk(folder)
    config["components"][encoder] = {"source": str(folder)}
    config["training"] |= {"frozen_components": [encoder], "annotating_components": [encoder]}
    config.to_disk(path)


def measure(task_name: str, system: str, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """Train a system and evaluate it on the test documents, unless there already is a result.

    task_name (str): "ner" or "authors".
    system (str): one of SYSTEMS.
    seed (int): seed of the training run.
    given (Namespace): the command-line options.
    RETURNS (dict[str, Any]): scores, counts per document and facts about training.
    """
    # The other systems do not depend on the model, except for how documents are split.
    folder = given.work / "training" / f"{task_name}-{system}-seed{seed}"
    path = given.work / "results" / f"{task_name}-{system}-seed{seed}.json"
    if path.exists():
        return srsly.read_json(path)
    shutil.rmtree(folder, ignore_errors=True)
    spacy_train(make_config(task_name, system, seed, folder, given), folder)
    nlp = spacy.load(folder / "model-last")
    found = MEASURES[task_name](nlp, Paths(given.work, task_name).corpus, None)
    result = {
        "scores": found["scores"],
        "counts": found["counts"],
        "speed": found["speed"],
        "training": srsly.read_json(folder / "record" / "training.json"),
        "rate": load_config(folder / "config.cfg")["training"]["optimizer"]["learn_rate"],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    srsly.write_json(path, result)
    for name in ("model-last", "model-best", "encoder", "random"):
        shutil.rmtree(folder / name, ignore_errors=True)
    return result


def summarize(task_name: str, found: dict[str, dict[int, dict[str, Any]]]) -> dict[str, Any]:
    """Combine the seeds of a task.

    task_name (str): name of the task.
    found (dict[str, dict[int, dict[str, Any]]]): results by system and seed.
    RETURNS (dict[str, Any]): for each system the scores by seed, their mean with its interval over documents, and how
        much better the model is, if both have the same seeds.
    """
    name, score = SCORES[task_name]
    systems = {}
    for system, results in found.items():
        if not results:
            continue
        counts = {seed: np.array(result["counts"]) for seed, result in results.items()}
        by_seed = {str(seed): result["scores"][name]["score"] for seed, result in results.items()}
        row = {
            "name": SYSTEMS[system],
            "by_seed": by_seed,
            "mean": round(float(np.mean(list(by_seed.values()))), 4),
            "all_seeds": interval(sum(counts.values()), score),
            "training": {str(seed): result["training"] for seed, result in results.items()},
            "rate": next(iter(results.values()))["rate"],
        }
        shared = sorted(set(counts) & set(found.get("model", {})))
        if system != "model" and shared:
            ours = sum(np.array(found["model"][seed]["counts"]) for seed in shared)
            row["model_minus_this"] = {
                "seeds": shared,
                **difference(ours, sum(counts[seed] for seed in shared), score),
            }
        systems[system] = row
    return {"score": name, "systems": systems}


def main(arguments: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("model", type=Path, help="checkpoint, such as project/models/tiny")
    options.add_argument("--work", type=Path, required=True, help="folder for corpora, trainings and single results")
    options.add_argument("--output", type=Path, help="the JSON file, made of all results that are there")
    options.add_argument("--tasks", nargs="+", choices=SCORES, default=list(SCORES))
    options.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    options.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options.add_argument("--seconds", type=float, default=300.0, help="CPU time of each training (default: 300)")
    options.add_argument("--rate", type=float, default=1e-3, help="of the model (default: 0.001)")
    options.add_argument("--random-rate", type=float, default=1e-3, help="of random weights (default: 0.001)")
    options.add_argument("--source-rate", type=float, default=2e-4, help="of the source (default: 0.0002)")
    options.add_argument("--head-rate", type=float, default=0.02, help="of heads on frozen encoders (default: 0.02)")
    options.add_argument("--source", type=Path, help="folder of the source encoder")
    options.add_argument("--only-corpora", action="store_true", help="write the corpora that are missing, and stop")
    options.add_argument("--only-report", action="store_true", help="train nothing")
    given = options.parse_args(arguments)
    if given.output is None and not given.only_corpora:
        options.error("--output is missing")
    for path in (given.model, given.source):
        if path is not None and not path.is_dir():
            options.error(f"{path} is not a folder")
    given.work = given.work.resolve()
    systems = [system for system in given.systems if system != "source" or given.source is not None]
    torch.set_num_threads(1)
    for task_name in given.tasks:
        if not given.only_report and not Paths(given.work, task_name).corpus.exists():
            get_task(task_name).preprocess(given.work, Settings(checkpoint=str(given.model.resolve())))
    if given.only_corpora:
        return
    if not given.only_report:
        for seed in given.seeds:
            for task_name in given.tasks:
                for system in systems:
                    result = measure(task_name, system, seed, given)
                    print(f"{task_name} {system} seed {seed}: {result['scores']}", flush=True)
                    report(given)
    report(given)


def report(given: argparse.Namespace) -> None:
    """Write the JSON file. A task without results keeps what the file says of it. given (Namespace): the options."""
    tasks = json.loads(given.output.read_text())["tasks"] if given.output.exists() else {}
    for task_name in SCORES:
        found: dict[str, dict[int, dict[str, Any]]] = {system: {} for system in SYSTEMS}
        for path in sorted((given.work / "results").glob(f"{task_name}-*-seed*.json")):
            _, system, seed = path.stem.split("-")
            found[system][int(seed.removeprefix("seed"))] = srsly.read_json(path)
        if any(found.values()):
            tasks[task_name] = {"machine": describe_machine(), "threads": 1, **summarize(task_name, found)}
    given.output.write_text(json.dumps({"tasks": tasks}, indent=2) + "\n")


if __name__ == "__main__":
    main()
