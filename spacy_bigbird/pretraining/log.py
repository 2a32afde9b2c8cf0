"""The progress of a run: a log with a line per report, a progress bar, and curves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..atomic import replace_file

LOG_NAME = "log.jsonl"
CURVES_NAME = "curves.png"
# (label of the y-axis, key in the training lines, key in the evaluation lines)
_CURVES = (
    ("loss (nats per masked piece)", "loss", "loss"),
    ("masked accuracy", "masked_accuracy", "masked_accuracy"),
    ("pieces per second", "pieces_per_second", None),
)


def read_log(path: Path) -> list[dict[str, Any]]:
    """Read a log.

    path (Path): the log, which may be missing.
    RETURNS (list[dict[str, Any]]): its lines, up to the first that is not complete because its process was killed.
    """
    if not path.is_file():
        return []
    lines = []
    for line in path.read_text(encoding="utf8").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines


class RunLog:
    """Writes the log of a run and shows its progress.

    output (Path): directory of the run.
    first_step (int): number of completed steps. Later lines of an interrupted run are dropped.
    max_steps (int): total number of steps.
    show_progress (bool): whether to show a progress bar (on a terminal) and the reports.
    """

    def __init__(self, output: Path, first_step: int, max_steps: int, show_progress: bool) -> None:
        self._output = output
        kept = [line for line in read_log(output / LOG_NAME) if line["step"] <= first_step]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        replace_file(output / LOG_NAME, lambda path: path.write_text(text, encoding="utf8"))
        self._show = show_progress
        hidden = None if show_progress else True
        self._bar = tqdm(total=max_steps, initial=first_step, unit="step", disable=hidden)

    def step(self) -> None:
        """Count one step."""
        self._bar.update()

    def write(self, kind: str, step: int, values: dict[str, Any]) -> None:
        """Add a line to the log and show its most informative numbers.

        kind (str): "train" or "dev".
        step (int): number of completed steps.
        values (dict[str, Any]): the measured values.
        """
        line = {"kind": kind, "step": step, **values}
        with (self._output / LOG_NAME).open("a", encoding="utf8") as file:
            file.write(json.dumps(line) + "\n")
        if self._show and (kind == "dev" or self._bar.disable):
            self._bar.write(f"{kind:<5} step {step:>7}  {_shown(values)}")
        elif self._show:
            self._bar.set_postfix_str(f"loss {values['loss']:.3f}, {values['pieces_per_second']:,.0f} pieces/s")

    def close(self) -> None:
        """Close the progress bar."""
        self._bar.close()

    def draw_curves(self) -> Path | None:
        """Draw the curves of the whole run.

        RETURNS (Path | None): the figure's file; None if Matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError:
            return None
        lines = read_log(self._output / LOG_NAME)
        figure = Figure(figsize=(8, 9), layout="constrained")
        for axes, (title, train_key, dev_key) in zip(figure.subplots(len(_CURVES), sharex=True), _CURVES, strict=True):
            for kind, key, label in (("train", train_key, "training"), ("dev", dev_key, "held out")):
                points = [(line["step"], line[key]) for line in lines if key and line["kind"] == kind and key in line]
                if points:
                    axes.plot(*zip(*points, strict=True), label=label, marker="." if kind == "dev" else None)
            axes.set_ylabel(title)
            axes.grid(alpha=0.3)
            if axes.has_data():
                axes.legend()
        axes.set_xlabel("step")
        path = self._output / CURVES_NAME
        replace_file(path, lambda temporary: figure.savefig(temporary, dpi=120, format="png"))
        return path


def _shown(values: dict[str, Any]) -> str:
    names = {
        "loss": "loss {:.3f}",
        "masked_accuracy": "accuracy {:.3f}",
        "bits_per_character": "{:.3f} bits/character",
        "pieces_per_second": "{:,.0f} pieces/s",
        "waiting": "{:.1%} waiting",
        "share_of_limit": "{:.0%} of the limit",
    }
    return "  ".join(text.format(values[name]) for name, text in names.items() if values.get(name) is not None)
