"""Sums over all valid tag sequences of each document (forward-backward), in time linear in the number of tokens."""

from collections.abc import Sequence

import numpy as np

from .lattice import BEGIN, IN, LAST, UNIT, Floats, Lattice, Mask, Transitions, in_batches
from .passes import both_passes

# Replaces a maximum of minus infinity, because subtracting that from itself would be NaN.
LOWEST = -1e300


class PathSums:
    """Probabilities over all paths of one batch of documents. See `path_sums`.

    lattice (Lattice): the batch.
    """

    def __init__(self, lattice: Lattice) -> None:
        self.lattice = lattice
        forward, self.closed_rest, self.open_rest, self.start_rest = both_passes(lattice)
        self.closed, self.open, self.start = forward
        self.log_partition = np.logaddexp.reduce(lattice.at_ends(self.closed), axis=1)
        # Probabilities in documents without any path are all zero; otherwise they would be NaN.
        self.log_scale = np.where(np.isfinite(self.log_partition), self.log_partition, np.inf)

    def _probability(self, log_sums: Floats) -> Floats:
        """Divide by the sum over all paths. The documents must be on the second axis."""
        return np.exp(log_sums - self.log_scale.reshape(1, -1, *[1] * (log_sums.ndim - 2)))

    def marginals(self) -> list[Floats]:
        """Compute the probability of every tag at every token.

        RETURNS (list[Floats]): probabilities per document. Shape of each: (tokens, 1 + 4 labels).
        """
        steps, _, documents, labels = self.lattice.starting.shape
        table = np.empty((steps, documents, 1 + 4 * labels))
        table[..., 0] = self._probability(self.start[..., 0] + self.start_rest[..., 0])
        by_action = np.empty((steps, documents, labels, 4))
        closed = self.closed_rest[1:, :, 1:]
        before = self.open[:-1, :, None] + self.lattice.within
        ending = np.logaddexp(before[:, 0, 1], before[:, 1, 1])
        by_action[..., BEGIN] = self._probability(self.open[1:, 0] + self.open_rest[1:, 0])
        by_action[..., IN] = self._probability(self.open[1:, 1] + self.open_rest[1:, 1])
        by_action[..., LAST] = self._probability(ending + self.lattice.going[:, 1] + closed)
        by_action[..., UNIT] = self._probability(self.start[..., 1:] + self.lattice.starting[:, 0] + closed)
        table[..., 1:] = by_action.reshape(steps, documents, 4 * labels)
        return [table[:length, d] for d, length in enumerate(self.lattice.lengths)]

    def transition_counts(self, weights: Floats) -> Transitions:
        """Compute how often each transition is expected to be taken, summed over documents.

        weights (Floats): factor for each document. Shape: (documents,).
        RETURNS (Transitions): the expected counts.
        """
        lattice, transitions = self.lattice, self.lattice.transitions
        labels_and_none = len(transitions.follow)
        before, after = (states.reshape(-1, labels_and_none) for states in (self.closed[:-1], self.start_rest))
        # A matrix product over all tokens avoids a table of state pairs per token. It needs plain numbers, so these
        # are taken relative to the largest in each row.
        tops = [states.max(axis=1, initial=LOWEST) for states in (before, after)]
        shift = transitions.follow.max()
        log_scale, weight = (np.tile(per_document, len(self.start)) for per_document in (self.log_scale, weights))
        factors = np.exp(sum(tops) + shift - log_scale) * weight
        pairs = (np.exp(before - tops[0][:, None]) * factors[:, None]).T @ np.exp(after - tops[1][:, None])
        follow = np.exp(transitions.follow - shift) * pairs

        within = np.empty_like(transitions.within)
        inside, ending = self.open_rest[1:, 1], self.closed_rest[1:, :, 1:]
        for column, rest in enumerate((lattice.going[:, 0] + inside, lattice.going[:, 1] + ending)):
            for row in range(2):
                log_sums = self.open[:-1, row] + lattice.within[row, column] + rest
                within[:, row, column] = np.einsum("tdx,d->x", self._probability(log_sums), weights)
        return Transitions(follow, within)

    def entity_probability(self, d: int, start: int, end: int, label: int) -> float:
        """Compute the probability that a stretch of tokens is exactly one entity.

        d (int): index of the document in the batch.
        start (int): first token.
        end (int): one past the last token.
        label (int): number of the entity's label.
        RETURNS (float): the probability.
        """
        lattice = self.lattice
        log_sum = self.start[start, d, 1 + label] + self.closed_rest[end, d, 1 + label] - self.log_scale[d]
        if end - start == 1:
            return float(np.exp(log_sum + lattice.starting[start, 0, d, label]))
        (begin_in, begin_last), (in_in, in_last) = lattice.transitions.within[label]
        log_sum += lattice.starting[start, 1, d, label] + lattice.going[end - 1, 1, d, label]
        if end - start == 2:
            return float(np.exp(log_sum + begin_last))
        inner = lattice.going[start + 1 : end - 1, 0, d, label].sum() + (end - start - 3) * in_in
        return float(np.exp(log_sum + inner + begin_in + in_last))

    def probable_entities(self, d: int, threshold: float) -> list[tuple[int, int, int, float]]:
        """Find all entities with at least the given probability, including overlapping ones.

        d (int): index of the document in the batch.
        threshold (float): minimum probability, above 0.
        RETURNS (list[tuple[int, int, int, float]]): start, end, label number and probability, in the order of the text.
        """
        lattice = self.lattice
        found = []
        length = int(lattice.lengths[d])
        begun = np.exp(self.open[1 : length + 1, 0, d] + self.open_rest[1 : length + 1, 0, d] - self.log_scale[d])
        unit = self.start[:length, d, 1:] + lattice.starting[:length, 0, d] + self.closed_rest[1 : length + 1, d, 1:]
        for t, label in np.argwhere(np.exp(unit - self.log_scale[d]) >= threshold).tolist():
            found.append((t, t + 1, label, self.entity_probability(d, t, t + 1, label)))
        for t, label in np.argwhere(begun >= threshold).tolist():
            prefix = self.start[t, d, 1 + label] + lattice.starting[t, 1, d, label] - self.log_scale[d]
            for end in range(t + 2, length + 1):
                probability = self.entity_probability(d, t, end, label)
                if probability >= threshold:
                    found.append((t, end, label, probability))
                into = lattice.transitions.within[label, 0 if end == t + 2 else 1, 0]
                prefix += into + lattice.going[end - 1, 0, d, label]
                # The probability that an entity started here and is still open can only decrease.
                if np.exp(prefix + self.open_rest[end, 1, d, label]) < threshold:
                    break
        return sorted(found)


def path_sums(
    emissions: Sequence[Floats], allowed: Sequence[Mask], transitions: Transitions
) -> list[tuple[PathSums, int] | None]:
    """Sum over all valid tag sequences of each document (forward-backward).

    emissions (Sequence[Floats]): scores of the tags per document. Shape of each: (tokens, 1 + 4 labels).
    allowed (Sequence[Mask]): the tags that each token may have. Shape: as emissions.
    transitions (Transitions): scores of transitions between tags.
    RETURNS (list[tuple[PathSums, int] | None]): for each document the sums of its batch and its index there; None for a
        document without tokens.
    """
    sums: list[tuple[PathSums, int] | None] = [None] * len(emissions)

    def run(batch: list[int]) -> None:
        result = PathSums(Lattice([emissions[d] for d in batch], [allowed[d] for d in batch], transitions))
        for i, d in enumerate(batch):
            sums[d] = (result, i)

    in_batches(emissions, run)
    return sums
