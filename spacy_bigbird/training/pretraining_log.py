"""What a run leaves behind to read: a log with a line per report, a progress bar, and curves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..checkpoint.files import replace_file

LOG_NAME = "log.jsonl"
CURVES_NAME = "curves.png"
# (title of the vertical axis, key in the lines of the training, key in those of the evaluation)
_CURVES = (
    ("loss (nats per masked piece)", "loss", "loss"),
    ("masked accuracy", "masked_accuracy", "masked_accuracy"),
    ("pieces per second", "pieces_per_second", None),
)


def read_log(path: Path) -> list[dict[str, Any]]:
    """path (Path): a log.
    RETURNS (list[dict[str, Any]]): its lines. One that was cut off by the end of its process is left out.
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
    """Writes the log of a run and shows how far it is.

    output (Path): the run's directory.
    first_step (int): steps that are done; later lines of an interrupted run are dropped.
    max_steps (int): steps in all.
    show_progress (bool): whether to show a bar (on a terminal) and the reports.
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
        """Add a line, and show the most telling numbers.

        kind (str): "train" or "dev".
        step (int): steps that are done.
        values (dict[str, Any]): what was measured.
        """
        line = {"kind": kind, "step": step, **values}
        with (self._output / LOG_NAME).open("a", encoding="utf8") as file:
            file.write(json.dumps(line) + "\n")
        if self._show and (kind == "dev" or self._bar.disable):
            self._bar.write(f"{kind:<5} step {step:>7}  {_shown(values)}")
        elif self._show:
            self._bar.set_postfix_str(f"loss {values['loss']:.3f}, {values['pieces_per_second']:,.0f} pieces/s")

    def close(self) -> None:
        """Take the bar down."""
        self._bar.close()

    def draw_curves(self) -> Path | None:
        """RETURNS (Path | None): a figure with the curves of the whole run; None where Matplotlib is not installed."""
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
