"""A pipeline to go on with, and what its config says about that."""

from pathlib import Path
from typing import IO, Any

from spacy import util
from spacy.language import Language
from spacy.util import registry
from wasabi import Printer

from ..errors import Errors
from ..schedules import find_schedule_problems
from .state import TrainingState


def schedule_problems(settings: dict[str, Any], step: int) -> list[str]:
    """Find out if the learning rate suits the limits, which may have been raised."""
    # The number of steps in an epoch is not known before the corpus is read: only the next step is.
    steps = settings["max_steps"] or (step + 2 if settings["max_epochs"] >= 1 else None)
    (optimizer,) = registry.resolve({"optimizer": settings["optimizer"]}).values()
    problems = find_schedule_problems(optimizer, steps)
    return problems if settings["max_steps"] else [problem for problem in problems if problem.startswith("[BB")]


def load(path: Path, overrides: dict[str, Any]) -> Language:
    """Load a saved pipeline. RAISES ValueError: it is damaged."""
    try:
        return util.load_model(path, config=overrides)
    except OSError as error:
        raise ValueError(Errors.BB344.format(path=path, reason=error)) from error


def announce(nlp: Language, state: TrainingState, config: Any, stdout: IO) -> None:
    """Write what goes on, and whether its schedule fits."""
    msg = Printer(no_print=True)
    for problem in schedule_problems(config["training"], state.step):
        stdout.write(msg.warn(problem) + "\n")
    stdout.write(msg.info(f"Pipeline: {nlp.pipe_names}") + "\n")
    stdout.write(msg.info(f"Training of {state.started}, resuming after step {state.step}") + "\n")
