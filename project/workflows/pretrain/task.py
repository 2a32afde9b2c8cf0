"""Masked language modelling on encyclopedia articles: your own encoder, as a starting point for other tasks.

spaCy's training loop is not used here: `python -m spacy bigbird train-vocab` and `python -m spacy bigbird pretrain` do
the work. The systems differ in the length of the sequences that they learn from and read. All of them begin with 128
pieces, which `strided` keeps. After half of the time, `truncated` changes to 512 pieces, `bigbird` to whole articles.
"""

import math
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import srsly
import torch
from spacy.util import load_config

from spacy_bigbird.cli.pretrain import pretrain
from spacy_bigbird.cli.train_vocab import train_vocab
from spacy_bigbird.model import BigBirdConfig, BigBirdForMaskedLM
from spacy_bigbird.pretraining.log import LOG_NAME, read_log
from spacy_bigbird.tokenizer import BigBirdTokenizer

from ..library.corpus import PARTS, SPLIT_SEED, VOCABULARY_SENTENCES, split_ids
from ..library.positions import add_neighbours
from ..library.sources import find
from ..library.systems import FIRST_PIECES, RATES, SIZES, WINDOW, Settings
from ..library.tasks import Paths, Task
from ..library.wikispeedia import read_articles
from .scores import measure

VOCABULARY = 8000
CHECKPOINT_RATE = 1e-4
# Share of the time in which sequences are short: which words occur together is learned first, and from many batches.
# Numbers of steps of the two runs that measure the cost of a step, since the first steps cost more.
SHORT_SHARE, TRIED = 0.5, (5, 35)
WARMUP_SHARE = 0.08


def preprocess(root: Path, settings: Settings) -> None:
    """Write the texts of each split as JSON Lines, and train a vocabulary on the training texts.

    root (Path): the project's folder.
    settings (Settings): name the checkpoint.
    """
    corpus = Paths(root, "pretrain").corpus
    corpus.mkdir(parents=True, exist_ok=True)
    articles = {article.name: article for article in read_articles(find("wikispeedia", root))}
    dealt = split_ids(articles)
    split = {name: article.part or dealt[name] for name, article in articles.items()}
    facts = {}
    for part in PARTS:
        texts = [{"text": articles[name].text} for name in sorted(articles) if split[name] == part]
        srsly.write_jsonl(corpus / f"{part}.jsonl", texts)
        facts[part] = {"documents": len(texts), "characters": sum(len(row["text"]) for row in texts)}
    srsly.write_json(corpus / "split.json", {"seed": SPLIT_SEED, "facts": facts, "split": dict(sorted(split.items()))})
    if settings.checkpoint is not None:
        BigBirdTokenizer.from_pretrained(settings.checkpoint).save_pretrained(corpus)
        return
    pieces = VOCABULARY
    while True:
        try:
            sample = {"max_sentences": VOCABULARY_SENTENCES, "num_threads": 1}
            train_vocab([corpus / "train.jsonl"], corpus, pieces, force=True, **sample)
            break
        except ValueError as error:
            # A small corpus has few different pieces.
            allowed = re.search(r"a value <= (\d+)", str(error))
            if allowed is None:
                raise
            pieces = int(allowed[1])


def sequence_length(system: str, settings: Settings) -> int:
    """RETURNS (int): maximum length of the sequences that a system reads. Unit: pieces."""
    return {"strided": WINDOW, "truncated": FIRST_PIECES}.get(system, settings.max_length)


def overrides(corpus: Path, settings: Settings, folder: Path) -> dict[str, Any]:
    """Get the config settings that all systems share.

    corpus (Path): folder of the texts and the vocabulary.
    settings (Settings): the chosen settings.
    folder (Path): folder for the initial weights if there is no checkpoint: random ones that attend to neighbours.
    RETURNS (dict[str, Any]): the settings by their dotted names.
    """
    common = {
        "paths.train": str(corpus / "train.jsonl"),
        "paths.dev": str(corpus / "dev.jsonl"),
        "training.seed": settings.seed,
        "training.device": "cpu" if settings.gpu < 0 else "cuda",
    }
    if settings.checkpoint is not None:
        return {**common, "model.name": settings.checkpoint, "training.optimizer.learning_rate": CHECKPOINT_RATE}
    tokenizer = BigBirdTokenizer(str(corpus / "spiece.model"))
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos", "sep")}
    # No text is seen twice, so dropout is not needed against overfitting.
    shape = {**SIZES[settings.size], "hidden_dropout_prob": 0.0, "max_position_embeddings": settings.max_length}
    torch.manual_seed(settings.seed)
    model = BigBirdForMaskedLM(BigBirdConfig(**shape, **ids, vocab_size=tokenizer.vocab_size))
    add_neighbours(model.bigbird)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return {**common, "model.name": str(folder), "training.optimizer.learning_rate": RATES[settings.size]}


def plan(length: int, costs: dict[int, float], seconds: float) -> dict[str, Any]:
    """Plan the steps that fit into a given time, all with one length, or with short sequences first.

    length (int): maximum length of the sequences. Unit: pieces.
    costs (dict[int, float]): duration of a step for each length in use. Unit: seconds.
    seconds (float): the available time. Unit: seconds.
    RETURNS (dict[str, Any]): settings for the config.
    """
    if length <= WINDOW:
        lengths, steps = [[0, length]], max(1, round(seconds / costs[length]))
    else:
        short = max(1, round(seconds * SHORT_SHARE / costs[WINDOW]))
        lengths = [[0, WINDOW], [short, length]]
        steps = short + max(1, round(seconds * (1 - SHORT_SHARE) / costs[length]))
    warmup = max(1, round(WARMUP_SHARE * steps))
    return {"training.lengths": lengths, "training.max_steps": steps, "training.schedule.warmup_steps": warmup}


def cost_of_step(config: Path, folder: Path, length: int, changes: dict[str, Any], clock: Any) -> float:
    """RETURNS (float): seconds per step with sequences of this length, from the difference of two short runs."""
    taken = []
    for steps in TRIED:
        short = {"training.lengths": [[0, length]], "training.max_steps": steps, "paths.dev": None}
        start = clock()
        pretrain(config, folder / f"{length}-{steps}", overrides={**changes, **short, "report.curves": False})
        taken.append(clock() - start)
    return max(1e-3, (taken[1] - taken[0]) / (TRIED[1] - TRIED[0]))


def train(folder: Path, base: Path, system: str, settings: Settings, corpus: Path) -> None:
    """Pre-train a system for about its time budget; see `tasks.Task.train`.

    The number of steps that fit is estimated beforehand. The recorded time is that of the whole run.
    """
    clock = time.process_time if settings.gpu < 0 else time.monotonic
    length, changes = sequence_length(system, settings), overrides(corpus, settings, folder / "start")
    used = sorted({length, WINDOW}) if length > WINDOW else [length]
    costs = {one: cost_of_step(base, folder / "tried", one, changes, clock) for one in used}
    planned = {**changes, **plan(length, costs, settings.seconds)}
    config = folder / "config.cfg"
    load_config(base, planned, interpolate=False).to_disk(config)
    start, wall = clock(), time.monotonic()
    pretrain(config, folder / "pipeline", show_progress=True)
    seconds = clock() - start
    lines = read_log(folder / "pipeline" / LOG_NAME)
    curve, steps = curve_of(lines, seconds), int(planned["training.max_steps"])
    pieces = load_config(config)["training"]["batch_pieces"]
    lengths = planned["training.lengths"]
    ends = [first for first, _ in lengths[1:]] + [steps]
    facts = {
        "clock": "cpu" if settings.gpu < 0 else "wall",
        "budget_seconds": settings.seconds,
        "used_seconds": round(seconds, 2),
        "steps": steps,
        "documents": sum((end - first) * (pieces // each) for (first, each), end in zip(lengths, ends, strict=True)),
        "tokens": steps * pieces,
        "wall_seconds": round(time.monotonic() - wall, 1),
        "dev_score": round(curve[-1]["score"], 4),
        "lengths": lengths,
    }
    srsly.write_jsonl(_made(folder / "record") / "curve.jsonl", curve)
    srsly.write_json(folder / "record" / "training.json", facts)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def curve_of(lines: Sequence[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
    """Convert the log of a pre-training run to the learning curve that the other tasks have.

    lines (Sequence[dict]): the log.
    seconds (float): duration of the whole run. Unit: seconds.
    RETURNS (list[dict[str, Any]]): for each evaluation its step, its time (estimated from the share of steps), the
        share of masked pieces predicted correctly as `score`, and the last training loss before it.
    """
    steps, loss, curve = max(line["step"] for line in lines), math.nan, []
    for line in lines:
        if line["kind"] == "train":
            loss = line["loss"]
        elif line["kind"] == "dev":
            row = {"step": line["step"], "seconds": round(seconds * line["step"] / steps, 1)}
            curve.append({**row, "score": line["masked_accuracy"], "losses": {"masked": loss}})
    return curve


TASKS = {
    "pretrain": Task(
        name="pretrain",
        title="Masked language modelling on encyclopedia articles",
        metric="masked_accuracy",
        metric_name="masked accuracy",
        configs={"": "pretrain.cfg"},
        preprocess=preprocess,
        measure=measure,
        train=train,
        load=Path,
        systems=("bigbird", "strided", "truncated"),
        about="3,678 articles for training, 200 for testing. All systems predict the same masked pieces of the same "
        "articles (15 %), which they read in sequences of up to 4,096, 128 (`strided`, here without overlap) or 512 "
        "pieces (`truncated`: the whole article, in such parts); for half of the time, all of them train on 128. "
        "The score is the share that is predicted correctly, followed by the bits per character of the masked "
        "pieces. Here, documents are sequences and tokens are pieces. The time is that of the whole run with its "
        "evaluations; how many steps fill it is measured beforehand.",
    )
}
