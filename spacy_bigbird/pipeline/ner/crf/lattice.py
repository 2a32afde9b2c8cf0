"""The lattice of the BILUO paths of a batch of documents: all valid sequences of tags, and only those.

The columns of an emission array are O, then B, I, L, U of the first label, of the second, and so on. After each token,
a path is in one of these states: outside or at the end of an entity with label x (`closed`), or inside x (`open`),
either after its first token (begun) or further inside. Only `closed` states are followed by something new, so a token
takes (1 + labels)^2 instead of (1 + 4 labels)^2 steps, and sequences that are not valid BILUO have no path.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

BEGIN, IN, LAST, UNIT = range(4)
# Documents of similar length share one loop over tokens; more of them, or much shorter ones, only take more memory.
DOCUMENTS_PER_BATCH = 16
ROWS_PER_BATCH = 32_768
SHORTEST_SHARE = 0.5


def tag_index(action: int, label: int) -> int:
    """Find the column of a tag.

    action (int): BEGIN, IN, LAST or UNIT.
    label (int): number of the label.
    RETURNS (int): the column.
    """
    return 1 + 4 * label + action


@dataclass
class Transitions:
    """Scores of transitions between tags.

    follow (Floats): from O or the end of label k - 1 (row k) to O or the start of label j - 1 (column j). A document
        starts from row 0. Shape: (1 + labels, 1 + labels).
    within (Floats): for each label, from B (row 0) or I (row 1) to I (column 0) or L (column 1). Shape: (labels, 2, 2).
    """

    follow: Floats
    within: Floats

    @classmethod
    def zeros(cls, labels: int) -> "Transitions":
        """Make transitions with scores of zero.

        labels (int): number of labels.
        RETURNS (Transitions): the transitions.
        """
        return cls(np.zeros((1 + labels, 1 + labels)), np.zeros((labels, 2, 2)))

    def scaled(self, factor: float) -> "Transitions":
        """Multiply all scores by a factor.

        factor (float): the factor.
        RETURNS (Transitions): new transitions.
        """
        return Transitions(self.follow * factor, self.within * factor)


class Lattice:
    """The scores of one batch of documents, arranged for loops over tokens.

    Documents are sorted by length, so those that have not ended at a token are the first `running[token]`. Scores of
    tags are arranged like the states that they are added to: `outside`, `starting` (U in row 0, B in row 1) and `going`
    (I in row 0, L in row 1). `scores` has them in the order of the columns.

    emissions (Sequence[Floats]): scores of the tags per document, longest first. Shape of each: (tokens, 1 + 4 labels).
    allowed (Sequence[Mask]): the tags that each token may have. Shape: as emissions.
    transitions (Transitions): scores of transitions between tags.
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
        # From open (axis 0) to going (axis 1), the same for all documents.
        self.within = transitions.within.transpose(1, 2, 0)[:, :, None]
        self.running: list[int] = (self.lengths[None] > np.arange(steps)[:, None]).sum(axis=1).tolist()

    def at_ends(self, states: Floats) -> Floats:
        """Select the states after each document's last token.

        states (Floats): values by position and document. Shape: (steps + 1, documents, ...).
        RETURNS (Floats): the selected values. Shape: (documents, ...).
        """
        return states[self.lengths, np.arange(len(self.lengths))]


class Forward(NamedTuple):
    """Scores of reaching each state, by all paths or by the best one. Position t is the state before token t.

    closed (Floats): outside (column 0) or at the end of an entity. Shape: (steps + 1, documents, 1 + labels).
    open (Floats): in an entity, just begun (row 0) or further inside (row 1). Shape: (steps + 1, 2, documents, labels).
    start (Floats): about to enter O or an entity at a token. Shape: (steps, documents, 1 + labels).
    """

    closed: Floats
    open: Floats
    start: Floats

    @classmethod
    def empty(cls, lattice: Lattice) -> "Forward":
        """Make arrays filled with minus infinity.

        lattice (Lattice): the batch that they are for.
        RETURNS (Forward): the arrays.
        """
        steps, _, documents, labels = lattice.going.shape
        shapes = (steps + 1, documents, 1 + labels), (steps + 1, 2, documents, labels), (steps, documents, 1 + labels)
        return cls(*(np.full(shape, -np.inf) for shape in shapes))


def go_forward(lattice: Lattice, combine: np.ufunc) -> Forward:
    """Follow all paths at once, from the first token to the last.

    lattice (Lattice): the batch.
    combine (np.ufunc): combines paths that meet: `np.logaddexp` sums over them, `np.maximum` selects the best.
    RETURNS (Forward): the score of each state.
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
    """Call a function with batches of documents of similar length, longest first. Empty documents are omitted.

    emissions (Sequence[Floats]): scores per document. Shape of each: (tokens, 1 + 4 labels).
    use (Callable[[list[int]], None]): takes the indices of a batch's documents.
    rows_per_token (int): number of lattice rows that `use` needs for each token.
    """
    order = sorted((d for d, rows in enumerate(emissions) if len(rows)), key=lambda d: -len(emissions[d]))
    while order:
        longest = len(emissions[order[0]])
        number = max(1, min(DOCUMENTS_PER_BATCH, ROWS_PER_BATCH // (rows_per_token * longest)))
        batch = [d for d in order[:number] if len(emissions[d]) >= SHORTEST_SHARE * longest]
        use(batch)
        order = order[len(batch) :]
