"""What the demonstration adds to spaCy's training: batches in phases, and a log that a progress bar can follow.

It does not import the other files, so that `python -m spacy train CONFIG --code project/demo/training.py` can repeat a
training run.
"""

import itertools
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import spacy
import srsly
from spacy.language import Language
from spacy.training import Example

STEPS, CURVE = "steps", "curve.jsonl"


@spacy.registry.batchers("demo.phases.v1")
def make_phases(
    phases: list[dict[str, int]], seconds: float | None = None, stop_file: str | None = None
) -> Callable[[Sequence[Example]], Iterator[list[Example]]]:
    """Create a batcher that runs in phases, such as short documents before long ones. For `[training.batcher]`, with
    `max_epochs = 1`.

    phases (list[dict[str, int]]): phases with a number of `batches` of `documents` each, drawn from the documents with
        `shortest` to `longest` tokens. All of these are used before any is repeated. The last phase is endless if it
        has no `batches`.
    seconds (float | None): training time after which to stop.
    stop_file (str | None): path of a file whose existence ends training.
    """
    started: list[float] = []

    def is_over() -> bool:
        if stop_file is not None and Path(stop_file).exists():
            return True
        return seconds is not None and time.monotonic() - started[0] > seconds

    def batch(examples: Sequence[Example]) -> Iterator[list[Example]]:
        started.append(time.monotonic())
        for phase in phases:
            shortest, longest = phase.get("shortest", 0), phase.get("longest", math.inf)
            stream = _endless([one for one in examples if shortest <= len(one.predicted) <= longest])
            for _ in range(phase["batches"]) if "batches" in phase else itertools.count():
                if is_over():
                    return
                yield list(itertools.islice(stream, phase["documents"]))

    return batch


def _endless(examples: list[Example]) -> Iterator[Example]:
    if not examples:
        raise ValueError("A phase finds no document as long as it wants them: change its `shortest` or `longest`.")
    while True:
        yield from random.sample(examples, len(examples))


@spacy.registry.loggers("demo.curve.v1")
def make_curve_logger(folder: str) -> Callable[..., tuple[Callable[[dict[str, Any] | None], None], Callable[[], None]]]:
    """Create a logger that writes losses and scores of each evaluation, and one byte per step.

    folder (str): folder for `curve.jsonl` and `steps`.
    """

    steps, curve = Path(folder) / STEPS, Path(folder) / CURVE

    def setup(nlp: Language, *streams: Any) -> tuple[Callable[[dict[str, Any] | None], None], Callable[[], None]]:
        steps.parent.mkdir(parents=True, exist_ok=True)
        for file in (steps, curve):
            file.write_bytes(b"")
        last_step = -1

        def log_step(info: dict[str, Any] | None) -> None:
            nonlocal last_step
            with steps.open("ab") as file:
                file.write(b".")
            if info is not None:
                number, last_step = info["step"] - last_step, info["step"]
                losses = {name: float(loss) / number for name, loss in info["losses"].items()}
                scores = {name: float(s) for name, s in info["other_scores"].items() if isinstance(s, int | float)}
                row = {"step": info["step"], "seconds": info["seconds"], "losses": losses, "scores": scores}
                with curve.open("a", encoding="utf8") as lines:
                    lines.write(srsly.json_dumps(row) + "\n")

        return log_step, lambda: None

    return setup


def steps_done(folder: Path) -> int:
    """RETURNS (int): number of steps taken by the training run that logs to this folder."""
    return (folder / STEPS).stat().st_size if (folder / STEPS).exists() else 0


def read_curve(folder: Path) -> list[dict[str, Any]]:
    """RETURNS (list[dict]): step, seconds, losses per step and scores of each evaluation."""
    return list(srsly.read_jsonl(folder / CURVE)) if (folder / CURVE).exists() else []
