"""The lattice of BILUO paths of many documents: every valid sequence of tags, and no other.

The columns of an emission array are O, then B, I, L, U of the first label, of the second, and so on. After every token
a path is in one of these states: outside or at the end of an entity of label x (`closed`), or within x (`open`), just
after its first token (begun) or further inside. Only `closed` states start something new, so a token costs
(1 + labels)^2 instead of (1 + 4 labels)^2 steps, and a sequence that is not BILUO has no path at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

BEGIN, IN, LAST, UNIT = range(4)
# Documents of similar length share the loop over tokens: more of them, or much shorter ones, only cost memory.
DOCUMENTS_PER_BATCH = 16
ROWS_PER_BATCH = 32_768
SHORTEST_SHARE = 0.5


def tag_index(action: int, label: int) -> int:
    """RETURNS (int): the column of a tag. action: BEGIN, IN, LAST or UNIT; label: number of the label."""
    return 1 + 4 * label + action


@dataclass
class Transitions:
    """Scores of what follows what.

    follow (Floats): from O or the end of label k - 1 (row k) to O or the start of label j - 1 (column j); the document
        starts from row 0. Shape: (1 + labels, 1 + labels).
    within (Floats): per label from B (row 0) or I (row 1) to I (column 0) or L (column 1). Shape: (labels, 2, 2).
    """

    follow: Floats
    within: Floats

    @classmethod
    def zeros(cls, labels: int) -> "Transitions":
        return cls(np.zeros((1 + labels, 1 + labels)), np.zeros((labels, 2, 2)))

    def scaled(self, factor: float) -> "Transitions":
        return Transitions(self.follow * factor, self.within * factor)


class Lattice:
    """Scores of one batch of documents, laid out for loops over tokens.

    Documents are sorted by length, so that those still running at a token are the first `running[token]`. Scores of
    tags stand beside what they are added to: `outside`, `starting` (U in row 0, B in row 1) and `going` (I in row 0,
    L in row 1), and in `scores` in the order of their columns.

    emissions (Sequence[Floats]): scores of the tags per document, longest first. Shape: (tokens, 1 + 4 labels).
    allowed (Sequence[Mask]): the tags that a token may have. Shape: as emissions.
    transitions (Transitions): scores of what follows what.
    """

    def __init__(self, emissions: Sequence[Floats], allowed: Sequence[Mask], transitions: Transitions) -> None:
        self.lengths = np.asarray([len(rows) for rows in emissions])
        self.transitions = transitions
        steps, documents, labels = int(self.lengths.max()), len(emissions), len(transitions.within)
        self.scores = np.full((steps, documents, 1 + 4 * labels), -np.inf)
        for d, (rows, mask) in enumerate(zip(emissions, allowed, strict=True)):
            np.copyto(self.scores[: len(rows), d], rows, where=mask)
        self.outside = self.scores[:, :, 0]
        by_action = self.scores[:, :, 1:].reshape(steps, documents, labels, 4).transpose(3, 0, 1, 2)
        self.starting = np.stack([by_action[UNIT], by_action[BEGIN]], axis=1)
        self.going = np.stack([by_action[IN], by_action[LAST]], axis=1)
        # From open (axis 0) to going (axis 1), for all documents alike.
        self.within = transitions.within.transpose(1, 2, 0)[:, :, None]
        self.running: list[int] = (self.lengths[None] > np.arange(steps)[:, None]).sum(axis=1).tolist()

    def at_ends(self, states: Floats) -> Floats:
        """RETURNS (Floats): of something by position and document what stands behind each document's last token."""
        return states[self.lengths, np.arange(len(self.lengths))]


class Forward(NamedTuple):
    """What all paths together, or the best one, reach. A position is the state before the token of that number.

    closed (Floats): outside (column 0) or at the end of an entity. Shape: (steps + 1, documents, 1 + labels).
    open (Floats): in an entity, begun in row 0 and inside in row 1. Shape: (steps + 1, 2, documents, labels).
    start (Floats): on the way into O or an entity at a token. Shape: (steps, documents, 1 + labels).
    """

    closed: Floats
    open: Floats
    start: Floats

    @classmethod
    def empty(cls, lattice: Lattice) -> "Forward":
        """RETURNS (Forward): minus infinity everywhere."""
        steps, _, documents, labels = lattice.going.shape
        shapes = (steps + 1, documents, 1 + labels), (steps + 1, 2, documents, labels), (steps, documents, 1 + labels)
        return cls(*(np.full(shape, -np.inf) for shape in shapes))


def go_forward(lattice: Lattice, combine: np.ufunc) -> Forward:
    """Go through all paths at once.

    lattice (Lattice): one batch.
    combine (np.ufunc): brings ways together: `np.logaddexp` sums, `np.maximum` takes the best.
    RETURNS (Forward): what is reached.
    """
    closed, opened, start = forward = Forward.empty(lattice)
    closed[0, :, 0] = 0.0
    follow, within = lattice.transitions.follow, lattice.within
    for t, a in enumerate(lattice.running):
        entry = combine.reduce(closed[t, :a, :, None] + follow, axis=1)
        before = opened[t, :, None, :a] + within
        inside, ending = combine(before[0], before[1]) + lattice.going[t, :, :a]
        units, begun = lattice.starting[t, :, :a] + entry[:, 1:]
        start[t, :a] = entry
        closed[t + 1, :a, 0] = entry[:, 0] + lattice.outside[t, :a]
        combine(units, ending, out=closed[t + 1, :a, 1:])
        opened[t + 1, 0, :a], opened[t + 1, 1, :a] = begun, inside
    return forward


def in_batches(emissions: Sequence[Floats], use: Callable[[list[int]], None], rows_per_token: int = 1) -> None:
    """Call `use` with the numbers of documents of similar length, longest first. Empty documents are left out.

    emissions (Sequence[Floats]): scores per document. Shape: (tokens, 1 + 4 labels).
    use (Callable[[list[int]], None]): works on some documents.
    rows_per_token (int): rows of a lattice that it makes of a token.
    """
    order = sorted((d for d, rows in enumerate(emissions) if len(rows)), key=lambda d: -len(emissions[d]))
    while order:
        longest = len(emissions[order[0]])
        number = max(1, min(DOCUMENTS_PER_BATCH, ROWS_PER_BATCH // (rows_per_token * longest)))
        batch = [d for d in order[:number] if len(emissions[d]) >= SHORTEST_SHARE * longest]
        use(batch)
        order = order[len(batch) :]
