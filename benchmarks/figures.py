"""The figures that benchmarks draw."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from spacy_bigbird.check.plot import check_can_plot


def figure_path(path: str) -> Path:
    """Read the option --plot. RAISES ArgumentTypeError: no figure could be drawn of what is to be measured."""
    try:
        check_can_plot()
    except ModuleNotFoundError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return Path(path)


def mark_lengths(axes: Any, lengths: Iterable[int]) -> None:
    """Place the ticks of a logarithmic axis of lengths at the measurements only.

    axes (Axes): Matplotlib axes.
    lengths (Iterable[int]): the measured lengths.
    """
    axes.set_xticks(sorted(lengths))
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter("{x:.0f}")


def figure_file(path: Path, title: str, draw: Callable[[Any], None]) -> None:
    """Write a figure.

    path (Path): the PNG file.
    title (str): title above the axes.
    draw (Callable[[Axes], None]): draws on Matplotlib axes.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    axes.set_title(title)
    axes.grid(axis="y", alpha=0.3)
    draw(axes)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
