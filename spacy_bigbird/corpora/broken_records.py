"""Collects corpus records that cannot be used, or only in part: counted by kind, with examples, and reported once."""

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import Errors
from ..warnings import Warnings

MOST_EXAMPLES = 3
SHOWN = 60
_collections: list[list[dict[str, str]]] = []


@contextmanager
def collected() -> Iterator[list[dict[str, str]]]:
    """Collect every problem that readers find inside the `with` block. Their own reports show only a few examples.

    YIELDS (list[dict[str, str]]): grows as problems are found. Each has the kind of item ("kind"), what is wrong with
        it ("problem"), its place ("where") and its content, shortened ("text").
    """
    found: list[dict[str, str]] = []
    _collections.append(found)
    try:
        yield found
    finally:
        _collections[:] = [collection for collection in _collections if collection is not found]


class Problems:
    """Collects what is wrong in one pass over a corpus.

    path (Path): the corpus.
    strict (bool): whether to raise an error instead of a warning.
    """

    def __init__(self, path: Path, strict: bool = False) -> None:
        self.path = path
        self.strict = strict
        self.counts: Counter[str] = Counter()
        self.totals: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}

    def seen(self, what: str, number: int = 1) -> None:
        """Count items, whether they are valid or not.

        what (str): kind of item, such as "records", "entities" or "answers".
        number (int): how many.
        """
        self.totals[what] += number

    def add(self, what: str, problem: str, where: str, found: object) -> None:
        """Add an item that is wrong.

        what (str): kind of item, as in `seen`.
        problem (str): what is wrong with it, such as "overlap others".
        where (str): its place, such as a file and line number.
        found (object): its content.
        """
        kind = f"{what} {problem}"
        self.counts[kind] += 1
        shown = found if isinstance(found, str) else repr(found)
        shown = shown[:SHOWN] + ("..." if len(shown) > SHOWN else "")
        examples = self.examples.setdefault(kind, [])
        if len(examples) < MOST_EXAMPLES:
            examples.append(f"{where}: {shown}")
        for collection in _collections:
            collection.append({"kind": what, "problem": problem, "where": where, "text": shown})

    def __str__(self) -> str:
        lines = []
        for kind, count in self.counts.items():
            what, _, problem = kind.partition(" ")
            lines.append(f"{count} of {self.totals[what]} {what} {problem}")
            lines += [f"  {example}" for example in self.examples[kind]]
        return "\n".join(lines)

    def report(self) -> None:
        """Warn about the problems that were found, if any.

        RAISES ValueError: there are problems, and `strict` is set.
        """
        if self.counts and self.strict:
            raise ValueError(Errors.BB318.format(path=self.path, report=self))
        if self.counts:
            warnings.warn(Warnings.BW310.format(path=self.path, report=self), stacklevel=3)
