"""Records of a corpus that cannot be used, or not wholly: counted by kind, with examples, and reported once."""

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
    """Gather every problem that readers find inside, where a report shows a few examples.

    YIELDS (list[dict]): grows as problems are found: what it is ("kind"), what is wrong ("problem"), "where", and
        what stands there ("text").
    """
    found: list[dict[str, str]] = []
    _collections.append(found)
    try:
        yield found
    finally:
        _collections[:] = [collection for collection in _collections if collection is not found]


class Problems:
    """Gathers what is wrong in one reading of a corpus.

    path (Path): the corpus.
    strict (bool): whether it is an error that stops, instead of a warning.
    """

    def __init__(self, path: Path, strict: bool = False) -> None:
        self.path = path
        self.strict = strict
        self.counts: Counter[str] = Counter()
        self.totals: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}

    def seen(self, what: str, number: int = 1) -> None:
        """Count what there is, right or wrong.

        what (str): "records", "entities", "answers" ...
        number (int): how many.
        """
        self.totals[what] += number

    def add(self, what: str, problem: str, where: str, found: object) -> None:
        """One more that is wrong.

        what (str): what it is, as in `seen`.
        problem (str): what is wrong with it, as in "overlap others".
        where (str): its place, such as a file with the number of the line.
        found (object): what stands there.
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
        """Say what was found, if anything.

        RAISES ValueError: something was found, and `strict` is set.
        """
        if self.counts and self.strict:
            raise ValueError(Errors.BB318.format(path=self.path, report=self))
        if self.counts:
            warnings.warn(Warnings.BW310.format(path=self.path, report=self), stacklevel=3)
