"""The best valid tag sequence of each document (Viterbi), in time linear in the number of tokens."""

from collections.abc import Sequence

import numpy as np

from .lattice import BEGIN, IN, LAST, UNIT, Floats, Lattice, Mask, Transitions, go_forward, in_batches, tag_index


class BestPaths:
    """The best path of each document of one batch. See `best_paths`.

    lattice (Lattice): the batch.
    """

    def __init__(self, lattice: Lattice) -> None:
        self.lattice = lattice
        self.closed, self.open, self.start = go_forward(lattice, np.maximum)

    def best_path(self, d: int) -> list[int]:
        """Trace the best path of a document back from its end, by finding which state each maximum came from.

        d (int): index of the document in the batch.
        RETURNS (list[int]): the column of each token's tag.
        """
        lattice, follow, within = self.lattice, self.lattice.transitions.follow, self.lattice.transitions.within
        length = int(lattice.lengths[d])
        tags: list[int] = []
        label, state = int(self.closed[length, d].argmax()) - 1, LAST
        for t in range(length - 1, -1, -1):
            if state == BEGIN:
                action = BEGIN
            elif label < 0:
                action = UNIT
            else:
                begun, inside = self.open[t, :, d, label] + within[label, :, 0 if state == IN else 1]
                action = IN
                if state == LAST:
                    unit = self.start[t, d, 1 + label] + lattice.starting[t, 0, d, label]
                    action = UNIT if unit >= max(begun, inside) + lattice.going[t, 1, d, label] else LAST
                state = BEGIN if begun >= inside else IN
            tags.append(0 if label < 0 else tag_index(action, label))
            if label < 0 or action in (BEGIN, UNIT):
                label, state = int((self.closed[t, d] + follow[:, 1 + label]).argmax()) - 1, LAST
        return tags[::-1]


def best_paths(emissions: Sequence[Floats], allowed: Sequence[Mask], transitions: Transitions) -> list[list[int]]:
    """Find the best valid tag sequence of each document (Viterbi).

    emissions (Sequence[Floats]): scores of the tags per document. Shape of each: (tokens, 1 + 4 labels).
    allowed (Sequence[Mask]): the tags that each token may have. Shape: as emissions.
    transitions (Transitions): scores of transitions between tags.
    RETURNS (list[list[int]]): per document the column of each token's tag.
    """
    paths: list[list[int]] = [[] for _ in emissions]

    def decode(batch: list[int]) -> None:
        best = BestPaths(Lattice([emissions[d] for d in batch], [allowed[d] for d in batch], transitions))
        for i, d in enumerate(batch):
            paths[d] = best.best_path(i)

    in_batches(emissions, decode)
    return paths
