"""Saved states of a run, from each of which it continues as if it had never stopped."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..atomic import replace_file
from ..errors import Errors
from .sequences import Cursor
from .settings import PretrainingSettings

FOLDER = "resume"


@dataclass(frozen=True, eq=False)
class RunState:
    """What a run needs to continue. It holds no random state, because each step derives its own from the seed.

    step (int): number of completed steps.
    cursors (dict[int, Cursor]): where each stream of the corpus continues.
    model (Mapping[str, Any]): state dict of the model.
    optimizer (Mapping[str, Any]): state dict of the optimizer.
    settings (dict[str, Any]): the settings of the run.
    """

    step: int
    cursors: dict[int, Cursor]
    model: Mapping[str, Any]
    optimizer: Mapping[str, Any]
    settings: dict[str, Any]

    @classmethod
    def of(
        cls,
        step: int,
        cursors: dict[int, Cursor],
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        settings: PretrainingSettings,
    ) -> RunState:
        """Capture the current state of a run.

        step (int): number of completed steps.
        cursors (dict[int, Cursor]): where each stream of the corpus continues.
        model (Module): the model.
        optimizer (Optimizer): its optimizer.
        settings (PretrainingSettings): the settings of the run.
        RETURNS (RunState): the state. It shares memory with the model, so save it before the next step.
        """
        return cls(step, cursors, model.state_dict(), optimizer.state_dict(), settings.to_dict())

    def save(self, output: Path, keep: int) -> Path:
        """Write the state to disk. Older states are deleted only once it is complete.

        output (Path): directory of the run.
        keep (int): number of newest states to keep.
        RETURNS (Path): the file.
        """
        folder = output / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            "step": self.step,
            "cursors": {number: list(cursor) for number, cursor in self.cursors.items()},
            "model": dict(self.model),
            "optimizer": dict(self.optimizer),
            "settings": json.dumps(self.settings),
        }
        path = folder / f"step-{self.step:09d}.pt"
        replace_file(path, lambda temporary: torch.save(content, temporary))
        for old in _states(output)[:-keep]:
            old.unlink()
        return path

    @classmethod
    def newest(cls, output: Path) -> RunState | None:
        """Load the newest state of a run.

        output (Path): directory of the run.
        RETURNS (RunState | None): the state, on the CPU; None if there is none.
        RAISES ValueError: the file is not a valid state.
        """
        paths = _states(output)
        if not paths:
            return None
        try:
            content = torch.load(paths[-1], map_location="cpu", weights_only=True)
            cursors = {number: Cursor(*cursor) for number, cursor in content["cursors"].items()}
            settings = json.loads(content["settings"])
            return cls(content["step"], cursors, content["model"], content["optimizer"], settings)
        except (RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
            raise ValueError(Errors.BB354.format(path=paths[-1], reason=error)) from error

    def check(self, settings: PretrainingSettings) -> None:
        """Check that a run can continue from this state.

        settings (PretrainingSettings): the settings to continue with. Learning rates, reports, the number of steps, and
            lengths that apply from a later step on may differ.
        RAISES ValueError: settings that determine the data or the shapes have changed.
        """
        before, now = _deciding(self.settings, self.step), _deciding(settings.to_dict(), self.step)
        changed = [
            f"{name}: {before.get(name)!r} -> {now.get(name)!r}" for name in now if before.get(name) != now[name]
        ]
        if changed:
            raise ValueError(Errors.BB355.format(step=self.step, changed="; ".join(changed)))


def _deciding(settings: dict[str, Any], step: int) -> dict[str, Any]:
    """Get the settings that must not change after a number of steps, by their full names."""
    wanted = {
        "corpus": ("streams", "shuffle_documents", "shuffle_characters", "join_documents", "one_per_line"),
        "training": ("batch_pieces", "lengths", "next_sentence", "seed"),
        "masking": tuple(settings["masking"]),
        "model": ("transformer_config",),
    }
    named = {f"{block}.{name}": settings[block].get(name) for block, names in wanted.items() for name in names}
    named["training.lengths"] = [entry for entry in named["training.lengths"] if entry[0] < step]
    # A round trip through JSON makes tuples and lists compare equal.
    return json.loads(json.dumps(named))


def _states(output: Path) -> list[Path]:
    return sorted((output / FOLDER).glob("step-*.pt"))
