"""A curriculum of lengths: stretches of documents first, longer ones then, whole documents last."""

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from spacy.training import Example

from ..errors import Errors
from .cutting import cut


class Phase(NamedTuple):
    """An epoch with stretches of one length.

    length (int): length of a stretch. Unit: spaCy tokens.
    until (int): the step at which the next phase begins.
    stretches (int): number of stretches of the corpus.
    updates (int): number of batches that they make.
    """

    length: int
    until: int
    stretches: int
    updates: int


# Documents that are cut and shuffled at a time: enough to mix them, and few enough to go on to the next length in time.
DOCUMENTS_AT_ONCE = 64


def make_stretch_batcher(
    batcher: Callable[[Iterable[Any]], Iterable[list[Any]]],
    lengths: list[int] = [400, 1600],  # noqa: B006 (a default in a config)
    until: list[float] = [800, 1600],  # noqa: B006
    total_steps: int = 0,
) -> "StretchBatcher":
    """Create a batcher that begins with stretches of documents.

    Registered as `spacy-bigbird.stretches.v1`, for `[training.batcher]`. A head that starts from random weights needs
    many updates, and whole long documents are few. Context is for the end of the training.

    batcher (Callable): makes the batches, of stretches and of whole documents.
    lengths (list[int]): length of the stretches, one length after the other. Unit: spaCy tokens.
    until (list[float]): for each length, the step up to which it is used; below 1, the share of `total_steps`.
    total_steps (int): number of steps of the training, `${training.max_steps}`; only needed for shares.
    RETURNS (StretchBatcher): the batcher.
    RAISES ValueError: a setting is not allowed.
    """
    return StretchBatcher(batcher, lengths, until, total_steps)


class StretchBatcher:
    """Cuts documents until the last of some steps is reached, then leaves them whole.

    Within an epoch, nothing is lost and nothing comes twice. The arguments are those of `make_stretch_batcher`.
    """

    def __init__(
        self,
        batcher: Callable[[Iterable[Any]], Iterable[list[Any]]],
        lengths: list[int],
        until: list[float],
        total_steps: int,
    ) -> None:
        self.batcher = batcher
        self.lengths = list(lengths)
        self.until = [round(end * total_steps) if 0 < end < 1 else end for end in until]
        if not all(_is_count(length) for length in lengths):
            raise ValueError(Errors.BB475.format(name="lengths", value=lengths, expected="numbers of tokens above 0"))
        if any(0 < end < 1 for end in until) and not total_steps:
            expected = "steps, or shares along with total_steps = ${training.max_steps} above 0"
            raise ValueError(Errors.BB475.format(name="until", value=until, expected=expected))
        if len(until) != len(lengths) or self.until != sorted(self.until) or min(self.until, default=0) < 0:
            expected = f"{len(lengths)} rising numbers, one for each of `lengths`"
            raise ValueError(Errors.BB475.format(name="until", value=until, expected=expected))
        self.step = 0

    @property
    def length(self) -> int | None:
        """Length of the stretches at the current step; None for whole documents."""
        return next((length for length, end in zip(self.lengths, self.until, strict=True) if self.step < end), None)

    def __call__(self, items: Iterable[Any]) -> Iterator[list[Any]]:
        """Batch the examples of an epoch.

        items (Iterable[Example]): the examples.
        YIELDS (list[Example]): batches of stretches or whole examples.
        """
        stream = iter(items)
        while self.length is not None:
            documents = list(islice(stream, DOCUMENTS_AT_ONCE))
            if not documents:
                return
            parts = [part for item in documents for part in self.cut(item, self.length)]
            random.shuffle(parts)
            yield from self._counted(parts)
        yield from self._counted(stream)

    def plan(self, examples: list[Example]) -> list["Phase"]:
        """Count what an epoch would be at each length.

        examples (list[Example]): the corpus.
        RETURNS (list[Phase]): the phases of the training, without that of whole documents.
        """
        phases = []
        for length, until in zip(self.lengths, self.until, strict=True):
            parts = [part for item in examples for part in self.cut(item, length)]
            phases.append(Phase(length, int(until), len(parts), sum(1 for _ in self.batcher(parts))))
        return phases

    def _counted(self, items: Iterable[Any]) -> Iterator[list[Any]]:
        for batch in self.batcher(items):
            self.step += 1
            yield batch

    def cut(self, item: Any, length: int | None) -> list[Any]:
        """Cut an item.

        item (Any): an example; anything else stays whole.
        length (int | None): length of the stretches; None to leave examples whole too. Unit: spaCy tokens.
        RETURNS (list[Any]): the stretches.
        """
        return cut(item, length) if length is not None and isinstance(item, Example) else [item]


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
