"""The charts of the report, as SVG that is part of its page."""

from collections.abc import Mapping, Sequence
from io import StringIO

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

# A system has the same color in all charts, and nothing else has it.
SYSTEM_COLORS = {"BigBird": "#1f6f8b", "spaCy tok2vec": "#c8553d", "first": "#6a994e"}
OTHER_COLORS = ["#8e6c8a", "#b08968", "#5c677d", "#d4a373"]
SIZE = (4.3, 2.8)

Points = Sequence[tuple[float, float]]


def curve_chart(title: str, curves: Mapping[str, Points], unit: str = "seconds", top: float | None = None) -> str:
    """Draw lines over time.

    title (str): title above the chart.
    curves (Mapping[str, Points]): points of each line, by name.
    unit (str): unit of the horizontal axis.
    top (float | None): end of the vertical axis; None for the largest value.
    RETURNS (str): the SVG.
    """
    figure, axes = _new(title, unit)
    others = iter(OTHER_COLORS * len(curves))
    for name, curve in curves.items():
        system = "first" if "first" in name else name
        color = SYSTEM_COLORS[system] if system in SYSTEM_COLORS else next(others)
        axes.plot([x for x, _ in curve], [y for _, y in curve], "o-", color=color, label=name, markersize=3)
    axes.set_xlim(left=0)
    axes.set_ylim(0, top)
    if curves:
        axes.legend(fontsize=8, frameon=False)
    return _svg(figure, title)


def histogram(values: Sequence[float], title: str, unit: str, bins: int = 12) -> str:
    """Draw a histogram.

    values (Sequence[float]): the values to count.
    title (str): title above the chart.
    unit (str): unit of the values.
    bins (int): number of bars.
    RETURNS (str): the SVG.
    """
    title = f"{title} ({len(values)})"
    figure, axes = _new(title, unit)
    axes.hist(values, bins=bins, range=(0, max(values, default=1) or 1), color=OTHER_COLORS[2], rwidth=0.9)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("documents", fontsize=9)
    return _svg(figure, title)


def _new(title: str, unit: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize=11, loc="left")
    axes.set_xlabel(unit, fontsize=9)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color="#e8e8e8")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure, title: str) -> str:
    written = StringIO()
    # Text stays text, and the same data give the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": title}):
        figure.savefig(written, format="svg", metadata={"Date": None, "Title": title})
    return written.getvalue()[written.getvalue().index("<svg") :]
