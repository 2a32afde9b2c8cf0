"""Small SVG charts, drawn without any library."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 440, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 34, 54
PALETTE = ["#1f6f8b", "#c8553d", "#6a994e", "#8e6c8a"]
TICKS = 4

Points = Sequence[tuple[float, float]]


def _text(x: float, y: float, text: str, anchor: str = "middle", size: int = 11, color: str = "#444") -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-size='{size}' fill='{color}' "
        f"font-family='sans-serif'>{escape(text)}</text>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, color: str) -> str:
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{color}'/>"


def _frame(title: str, unit: str, right: float, top: float) -> list[str]:
    """Draw title, axes and ticks, from zero to `right` and `top`."""
    parts = [_text(LEFT, 20, title, "start", 13, "#111")]
    decimals = 2 if top <= 2 else 0
    for tick in range(TICKS + 1):
        share = tick / TICKS
        x, y = _place(share, share)
        parts.append(_line(LEFT, y, WIDTH - RIGHT, y, "#e8e8e8"))
        parts.append(_text(LEFT - 5, y + 4, f"{share * top:.{decimals}f}", "end"))
        parts.append(_text(x, HEIGHT - BOTTOM + 16, f"{share * right:,.0f}"))
    parts.append(_text(WIDTH - RIGHT, HEIGHT - BOTTOM + 30, unit, "end"))
    return parts


def _place(x: float, y: float) -> tuple[float, float]:
    """Map a point, with both coordinates from 0 to 1, to its place in the picture."""
    return LEFT + x * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM)


def _svg(title: str, parts: Sequence[str]) -> str:
    return (
        f"<svg width='{WIDTH}' height='{HEIGHT}' viewBox='0 0 {WIDTH} {HEIGHT}' role='img' "
        f"aria-label='{escape(title, quote=True)}'>{''.join(parts)}</svg>"
    )


def curve_chart(title: str, curves: Mapping[str, Points], unit: str = "seconds", top: float | None = None) -> str:
    """Draw lines over time.

    title (str): title above the chart.
    curves (Mapping[str, Points]): points of each line, by name.
    unit (str): unit of the horizontal axis.
    top (float | None): end of the vertical axis; None for the largest value.
    RETURNS (str): the SVG.
    """
    points = [point for curve in curves.values() for point in curve]
    right = max([x for x, _ in points] or [1.0]) or 1.0
    top = top or max([y for _, y in points] or [1.0]) or 1.0
    parts = _frame(title, unit, right, top)
    for number, (name, curve) in enumerate(curves.items()):
        color = PALETTE[number % len(PALETTE)]
        places = [_place(x / right, min(1.0, y / top)) for x, y in curve]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f"<polyline points='{line}' fill='none' stroke='{color}' stroke-width='2'/>")
        parts += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='2.5' fill='{color}'/>" for x, y in places]
        x = LEFT + number * (WIDTH - LEFT - RIGHT) / max(1, len(curves))
        parts.append(_text(x, HEIGHT - 8, name, "start", 10, color))
    return _svg(title, parts)


def histogram(values: Sequence[float], title: str, unit: str, bins: int = 12) -> str:
    """Draw a histogram.

    values (Sequence[float]): the values to count.
    title (str): title above the chart.
    unit (str): unit of the values.
    bins (int): number of bars.
    RETURNS (str): the SVG.
    """
    right = float(max(values, default=1.0)) or 1.0
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, int(bins * value / right))] += 1
    top = max(counts) or 1
    parts = _frame(f"{title} ({len(values)})", unit, right, top)
    for number, count in enumerate(counts):
        (x, y), (end, base) = _place(number / bins, count / top), _place((number + 1) / bins, 0.0)
        parts.append(
            f"<rect x='{x + 1:.1f}' y='{y:.1f}' width='{end - x - 2:.1f}' height='{base - y:.1f}' fill='{PALETTE[0]}'/>"
        )
    return _svg(title, parts)
