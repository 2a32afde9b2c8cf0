"""The figure that `spacy bigbird check --plot` writes."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import Errors


def check_can_plot() -> None:
    """Check that figures can be drawn, before the work whose results they are to show.

    RAISES ModuleNotFoundError: Matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ModuleNotFoundError(Errors.BB668)


def plot_lengths(path: Path, lengths: Mapping[str, Sequence[int]], window: int) -> None:
    """Draw the document lengths of each corpus, and how much of a document fits into one window.

    path (Path): the file to write: a PNG, unless its suffix names another format that Matplotlib can write.
    lengths (Mapping[str, Sequence[int]]): number of pieces in each document, by corpus.
    window (int): number of pieces of a document that fit into one window.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    filled = {name: values for name, values in lengths.items() if len(values)}
    longest = max((max(values) for values in filled.values()), default=1)
    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    names = [f"{name} ({len(values):,})" for name, values in filled.items()]
    shares = [np.full(len(values), 100 / len(values)).tolist() for values in filled.values()]
    axes.hist(list(filled.values()), bins=np.linspace(0, longest + 1, 41).tolist(), label=names, weights=shares)
    axes.axvline(window, color="gray", linestyle=":", label=f"one window ({window:,})")
    axes.set_xlabel("pieces per document")
    axes.set_ylabel("documents (%)")
    axes.legend()
    kind = path.suffix[1:].lower()
    figure.savefig(path, dpi=150, format=kind if kind in figure.canvas.get_supported_filetypes() else "png")
    pyplot.close(figure)
