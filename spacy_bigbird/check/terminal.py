"""How findings and results look on a terminal: histograms, durations, numbers, headlines."""

from collections.abc import Sequence
from textwrap import shorten

import numpy as np
from wasabi.util import can_render

BAR_WIDTH = 40
MOST_BARS = 12
HEADLINE_WIDTH = 100


def headline(text: str) -> str:
    """Shorten a message to what it says first.

    text (str): the message.
    RETURNS (str): one line.
    """
    return shorten(text, HEADLINE_WIDTH, placeholder=" ...")


def histogram(lengths: Sequence[int]) -> list[str]:
    """Draw a histogram of document lengths for a terminal.

    lengths (Sequence[int]): length of each document; at least one.
    RETURNS (list[str]): one line per range of lengths.
    """
    width = 64
    while max(lengths) >= width * MOST_BARS:
        width *= 2
    counts = np.bincount(np.asarray(lengths) // width)
    lines = []
    label = len(f"{width * len(counts):,}")
    for number, count in enumerate(counts.tolist()):
        start, end = f"{number * width:,}", f"{(number + 1) * width - 1:,}"
        lines.append(f"{start:>{label}} - {end:>{label}} {bar(count / max(counts))} {count:,}".rstrip())
    return lines


def bar(share: float) -> str:
    """Draw a bar in eighths of a character, or in whole characters if the terminal cannot render these.

    share (float): length of the bar, as a share of the longest one.
    RETURNS (str): the bar.
    """
    eighths = round(share * BAR_WIDTH * 8)
    if share > 0:
        eighths = max(1, eighths)
    if not can_render("█▏"):
        return "#" * -(-eighths // 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def counted(number: int, things: str) -> str:
    """Say how many there are of something.

    number (int): how many.
    things (str): their name in the plural, in -s or -ies.
    RETURNS (str): the number and the name, which is in the singular for one.
    """
    one = things.removesuffix("ies") + "y" if things.endswith("ies") else things.removesuffix("s")
    return f"{number:,} {one if number == 1 else things}"


def duration(seconds: float) -> str:
    """Format a duration. RETURNS (str): seconds, minutes or hours, with one decimal."""
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} seconds"
