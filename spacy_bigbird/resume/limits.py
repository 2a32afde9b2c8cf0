"""When a training ends, and whether one that has ended can go on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import srsly
from spacy import util

from ..errors import Errors
from .state import FINISHED, LIMITS, TrainingState, state_folder

MODEL_BEST, MODEL_LAST = "model-best", "model-last"


def is_over(limits: Mapping[str, Any], step: int, results: list[tuple[float, int]]) -> bool:
    """Determine if training ends after a step.

    limits (Mapping[str, Any]): the settings of the training.
    step (int): the last step.
    results (list[tuple[float, int]]): score and step of every evaluation.
    RETURNS (bool): whether it does.
    """
    if not results:
        return False
    # Among equal scores, the earliest counts as the best.
    best_step = -max((score, -at) for score, at in results)[1]
    patience, max_steps = limits["patience"], limits["max_steps"]
    return bool((patience and step - best_step >= patience) or (max_steps and step >= max_steps))


def check_unfinished(output: Path, state: TrainingState, settings: dict[str, Any]) -> None:
    """Check that there is anything left to train.

    RAISES ValueError: training has finished, and the current limits would end it at the same step again.
    """
    end = _read_end(state_folder(output, state.step) / FINISHED)
    limits = {name: settings[name] for name in LIMITS}
    if not all(isinstance(limit, int) for limit in limits.values()):
        # spaCy's schema reports this when the training is set up.
        return
    if end is None or not _would_end(end, limits, state.results):
        return
    try:
        util.load_model(output / MODEL_LAST)
    except Exception:  # nearly anything is raised if training was killed while writing: the end must be repeated
        return
    shown = ", ".join(f"{name} = {value}" for name, value in limits.items())
    raise ValueError(Errors.BB345.format(path=output, step=end["step"], limits=shown, more=2 * max(1, end["step"])))


def _read_end(path: Path) -> dict[str, int] | None:
    """Read how training ended. RETURNS (dict[str, int] | None): last step and limits; None if it has not ended."""
    try:
        end = srsly.read_json(path)
        return {name: int(end[name]) for name in ("step", *LIMITS)}
    except (OSError, ValueError, KeyError, TypeError):
        # Missing, or incomplete because the machine went down: the end must be repeated.
        return None


def _would_end(end: Mapping[str, int], limits: Mapping[str, int], results: list[tuple[float, int]]) -> bool:
    """Determine if a finished training run would end at the same step again.

    end (Mapping[str, int]): its last step and the limits that it had.
    limits (Mapping[str, int]): the current limits.
    results (list[tuple[float, int]]): score and step of every evaluation.
    RETURNS (bool): whether it would.
    """
    if is_over(limits, end["step"], results):
        return True
    # If neither max_steps nor patience was exhausted, max_epochs was. A max_epochs below 1 is not a limit.
    has_used_epochs = not is_over(end, end["step"], results)
    return has_used_epochs and 1 <= limits["max_epochs"] <= end["max_epochs"]
