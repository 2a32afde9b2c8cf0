"""Sums and maxima over all valid BILUO paths of many documents, in log space and in time linear in the tokens.

The columns of an emission array are O, then B, I, L, U of the first label, of the second, and so on. After every token
a path is in one of these states: outside or at the end of an entity of label x (`closed`), just after the first token
of x (`begun`), or further inside x (`inside`). Only `closed` states start something new, so a token costs
(1 + labels)^2 instead of (1 + 4 labels)^2 steps, and a sequence that is not BILUO has no path at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

BEGIN, IN, LAST, UNIT = range(4)
# Documents of similar length share the loop over tokens; more of them at once only cost memory.
DOCUMENTS_PER_BATCH = 16
TOKENS_PER_BATCH = 65_536
ELEMENTS_PER_CHUNK = 2_000_000


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


class _States:
    """The forward variables of one batch under a semiring: `np.logaddexp` sums over paths, `np.maximum` takes the best.

    Documents are sorted by length, so that those still running at a token are the first `running[token]`. Position
    t of `closed`, `begun`, `inside` is the state before token t; `start` is the way into O or an entity at token t.
    """

    def __init__(
        self, emissions: Sequence[Floats], allowed: Sequence[Mask], transitions: Transitions, combine: np.ufunc
    ):
        self.lengths = np.asarray([len(rows) for rows in emissions])
        self.transitions = transitions
        self.combine = combine
        steps, documents, labels = int(self.lengths.max()), len(emissions), len(transitions.within)
        scores = np.full((steps, documents, 1 + 4 * labels), -np.inf)
        for d, (rows, mask) in enumerate(zip(emissions, allowed, strict=True)):
            scores[: len(rows), d] = np.where(mask, rows, -np.inf)
        self.outside = scores[:, :, 0]
        by_action = scores[:, :, 1:].reshape(steps, documents, labels, 4)
        self.begin, self.inner, self.last, self.unit = (np.ascontiguousarray(by_action[..., a]) for a in range(4))
        self.running = (self.lengths[None] > np.arange(steps)[:, None]).sum(axis=1)
        self.closed = np.full((steps + 1, documents, 1 + labels), -np.inf)
        self.closed[0, :, 0] = 0.0
        self.begun = np.full((steps + 1, documents, labels), -np.inf)
        self.inside = np.full((steps + 1, documents, labels), -np.inf)
        self.start = np.full((steps, documents, 1 + labels), -np.inf)
        within = transitions.within
        (self.begin_in, self.begin_last), (self.in_in, self.in_last) = within.transpose(1, 2, 0)
        for t, a in enumerate(self.running):
            start = combine.reduce(self.closed[t, :a, :, None] + transitions.follow, axis=1)
            begun, inside = self.begun[t, :a], self.inside[t, :a]
            self.start[t, :a] = start
            self.closed[t + 1, :a, 0] = start[:, 0] + self.outside[t, :a]
            ending = combine(begun + self.begin_last, inside + self.in_last) + self.last[t, :a]
            self.closed[t + 1, :a, 1:] = combine(start[:, 1:] + self.unit[t, :a], ending)
            self.begun[t + 1, :a] = start[:, 1:] + self.begin[t, :a]
            self.inside[t + 1, :a] = combine(begun + self.begin_in, inside + self.in_in) + self.inner[t, :a]
        self.final = self.closed[self.lengths, np.arange(documents)]

    def best_path(self, d: int) -> list[int]:
        """The tags of the best path of a document, by looking from the end for where each maximum came from."""
        follow = self.transitions.follow
        tags: list[int] = []
        label, state = int(self.final[d].argmax()) - 1, LAST
        for t in range(int(self.lengths[d]) - 1, -1, -1):
            if state == LAST and label >= 0:
                unit = self.start[t, d, 1 + label] + self.unit[t, d, label]
                begun = self.begun[t, d, label] + self.begin_last[label] + self.last[t, d, label]
                inside = self.inside[t, d, label] + self.in_last[label] + self.last[t, d, label]
                action = UNIT if unit >= max(begun, inside) else LAST
                before = BEGIN if begun >= inside else IN
            elif state == IN:
                action = IN
                begun = self.begun[t, d, label] + self.begin_in[label]
                before = BEGIN if begun >= self.inside[t, d, label] + self.in_in[label] else IN
            else:
                action = BEGIN
            tags.append(0 if label < 0 else tag_index(action, label))
            if label < 0 or action in (BEGIN, UNIT):
                label, state = int((self.closed[t, d] + follow[:, 1 + label]).argmax()) - 1, LAST
            else:
                state = before
        return tags[::-1]


class PathSums(_States):
    """Probabilities over all paths of one batch of documents sorted by length, longest first. See `path_sums`."""

    def __init__(self, emissions: Sequence[Floats], allowed: Sequence[Mask], transitions: Transitions):
        super().__init__(emissions, allowed, transitions, np.logaddexp)
        self.log_partition = np.logaddexp.reduce(self.final, axis=1)
        # Documents without any path would turn into nan: their probabilities are all zero instead.
        self.log_scale = np.where(np.isfinite(self.log_partition), self.log_partition, np.inf)
        steps, documents = self.outside.shape
        self.closed_rest = np.full_like(self.closed, -np.inf)
        self.begun_rest = np.full_like(self.begun, -np.inf)
        self.inside_rest = np.full_like(self.inside, -np.inf)
        self.closed_rest[self.lengths, np.arange(documents)] = 0.0
        self.start_rest = np.full_like(self.start, -np.inf)
        follow = transitions.follow
        for t in range(steps - 1, -1, -1):
            a = self.running[t]
            closed = self.closed_rest[t + 1, :a]
            rest = self.start_rest[t, :a]
            rest[:, 0] = self.outside[t, :a] + closed[:, 0]
            begin = self.begin[t, :a] + self.begun_rest[t + 1, :a]
            rest[:, 1:] = np.logaddexp(self.unit[t, :a] + closed[:, 1:], begin)
            self.closed_rest[t, :a] = np.logaddexp.reduce(rest[:, None, :] + follow, axis=2)
            last, inner = self.last[t, :a] + closed[:, 1:], self.inner[t, :a] + self.inside_rest[t + 1, :a]
            self.begun_rest[t, :a] = np.logaddexp(self.begin_last + last, self.begin_in + inner)
            self.inside_rest[t, :a] = np.logaddexp(self.in_last + last, self.in_in + inner)

    def _probability(self, log_sums: Floats) -> Floats:
        """Divide by the sum over all paths. log_sums has the documents on its second axis."""
        return np.exp(log_sums - self.log_scale.reshape(1, -1, *[1] * (log_sums.ndim - 2)))

    def marginals(self) -> list[Floats]:
        """RETURNS (list[Floats]): the probability of every tag, per document. Shape: (tokens, 1 + 4 labels)."""
        steps, documents, labels = self.begin.shape
        table = np.empty((steps, documents, 1 + 4 * labels))
        table[..., 0] = self._probability(self.start[..., 0] + self.start_rest[..., 0])
        by_action = np.empty((steps, documents, labels, 4))
        closed = self.closed_rest[1:, :, 1:]
        ending = np.logaddexp(self.begun[:-1] + self.begin_last, self.inside[:-1] + self.in_last)
        by_action[..., BEGIN] = self._probability(self.begun[1:] + self.begun_rest[1:])
        by_action[..., IN] = self._probability(self.inside[1:] + self.inside_rest[1:])
        by_action[..., LAST] = self._probability(ending + self.last + closed)
        by_action[..., UNIT] = self._probability(self.start[..., 1:] + self.unit + closed)
        table[..., 1:] = by_action.reshape(steps, documents, 4 * labels)
        return [table[:length, d] for d, length in enumerate(self.lengths)]

    def transition_counts(self, weights: Floats) -> Transitions:
        """RETURNS (Transitions): how often each transition is taken, expected over the paths, summed with a weight per
        document. Shape of weights: (documents,)."""
        follow = np.zeros_like(self.transitions.follow)
        chunk = max(1, ELEMENTS_PER_CHUNK // (len(weights) * follow.size))
        for t in range(0, len(self.start), chunk):
            here = slice(t, t + chunk)
            pairs = self.closed[:-1][here][..., None] + self.transitions.follow + self.start_rest[here][:, :, None]
            follow += np.einsum("tdkj,d->kj", self._probability(pairs), weights)
        inner, last = self.inner + self.inside_rest[1:], self.last + self.closed_rest[1:, :, 1:]
        within = np.empty_like(self.transitions.within)
        for row, before in enumerate((self.begun[:-1], self.inside[:-1])):
            for column, after in enumerate((inner, last)):
                pairs = before + self.transitions.within[:, row, column] + after
                within[:, row, column] = np.einsum("tdx,d->x", self._probability(pairs), weights)
        return Transitions(follow, within)

    def entity_probability(self, d: int, start: int, end: int, label: int) -> float:
        """RETURNS (float): the probability that tokens start .. end - 1 are exactly one entity of a label."""
        log_sum = self.start[start, d, 1 + label] + self.closed_rest[end, d, 1 + label] - self.log_scale[d]
        if end - start == 1:
            return float(np.exp(log_sum + self.unit[start, d, label]))
        log_sum += self.begin[start, d, label] + self.last[end - 1, d, label]
        if end - start == 2:
            return float(np.exp(log_sum + self.begin_last[label]))
        inner = self.inner[start + 1 : end - 1, d, label].sum() + (end - start - 3) * self.in_in[label]
        return float(np.exp(log_sum + inner + self.begin_in[label] + self.in_last[label]))

    def probable_entities(self, d: int, threshold: float) -> list[tuple[int, int, int, float]]:
        """Find every entity of at least a probability, overlapping ones included.

        RETURNS (list): (start, end, label, probability), in the order of the text.
        """
        found = []
        length = int(self.lengths[d])
        begun = np.exp(self.begun[1 : length + 1, d] + self.begun_rest[1 : length + 1, d] - self.log_scale[d])
        unit = self.start[:length, d, 1:] + self.unit[:length, d] + self.closed_rest[1 : length + 1, d, 1:]
        for t, label in np.argwhere(np.exp(unit - self.log_scale[d]) >= threshold).tolist():
            found.append((t, t + 1, label, self.entity_probability(d, t, t + 1, label)))
        for t, label in np.argwhere(begun >= threshold).tolist():
            prefix = self.start[t, d, 1 + label] + self.begin[t, d, label] - self.log_scale[d]
            for end in range(t + 2, length + 1):
                probability = self.entity_probability(d, t, end, label)
                if probability >= threshold:
                    found.append((t, end, label, probability))
                prefix += (self.begin_in if end == t + 2 else self.in_in)[label] + self.inner[end - 1, d, label]
                # What starts here and is still open after this token becomes ever less probable.
                if np.exp(prefix + self.inside_rest[end, d, label]) < threshold:
                    break
        return sorted(found)


def _in_batches(emissions: Sequence[Floats], use: Callable[[list[int]], None]) -> None:
    """Call `use` with the numbers of documents of similar length, longest first. Empty documents are left out."""
    order = sorted((d for d, rows in enumerate(emissions) if len(rows)), key=lambda d: -len(emissions[d]))
    while order:
        number = max(1, min(DOCUMENTS_PER_BATCH, TOKENS_PER_BATCH // len(emissions[order[0]])))
        use(order[:number])
        order = order[number:]


def best_paths(emissions: Sequence[Floats], allowed: Sequence[Mask], transitions: Transitions) -> list[list[int]]:
    """Find the best valid tag sequence of each document (Viterbi).

    emissions (Sequence[Floats]): scores of the tags per document. Shape: (tokens, 1 + 4 labels).
    allowed (Sequence[Mask]): the tags that a token may have. Shape: as emissions.
    transitions (Transitions): scores of what follows what.
    RETURNS (list[list[int]]): the tags' columns.
    """
    paths: list[list[int]] = [[] for _ in emissions]

    def decode(batch: list[int]) -> None:
        best = _States([emissions[d] for d in batch], [allowed[d] for d in batch], transitions, np.maximum)
        for i, d in enumerate(batch):
            paths[d] = best.best_path(i)

    _in_batches(emissions, decode)
    return paths


def path_sums(
    emissions: Sequence[Floats], allowed: Sequence[Mask], transitions: Transitions
) -> list[tuple[PathSums, int] | None]:
    """Sum over all valid tag sequences of each document (forward-backward). Arguments as in `best_paths`.

    RETURNS (list): per document the sums of its batch and its number in there; None for a document without tokens.
    """
    sums: list[tuple[PathSums, int] | None] = [None] * len(emissions)

    def run(batch: list[int]) -> None:
        result = PathSums([emissions[d] for d in batch], [allowed[d] for d in batch], transitions)
        for i, d in enumerate(batch):
            sums[d] = (result, i)

    _in_batches(emissions, run)
    return sums


@dataclass
class PathLoss:
    """Negative log likelihood of the annotation, summed over documents, and its gradients.

    impossible (list[int]): documents whose annotation no allowed path meets. They count nothing.
    """

    loss: float
    d_emissions: list[Floats]
    d_transitions: Transitions
    impossible: list[int]


def path_loss(
    emissions: Sequence[Floats], gold: Sequence[Mask], allowed: Sequence[Mask], transitions: Transitions
) -> PathLoss:
    """Compare the paths that agree with the annotation to all valid paths. Other arguments as in `best_paths`.

    gold (Sequence[Mask]): the tags that agree with the annotation: one for an annotated token, all allowed ones for a
        token that may be anything. Shape: as emissions.
    """
    result = PathLoss(0.0, [np.zeros_like(rows) for rows in emissions], Transitions.zeros(len(transitions.within)), [])

    def compare(batch: list[int]) -> None:
        scores = [emissions[d] for d in batch]
        every = PathSums(scores, [allowed[d] for d in batch], transitions)
        agreeing = PathSums(scores, [gold[d] & allowed[d] for d in batch], transitions)
        possible = np.isfinite(agreeing.log_partition)
        result.loss += float((every.log_partition - agreeing.log_partition)[possible].sum())
        for i, (expected, annotated) in enumerate(zip(every.marginals(), agreeing.marginals(), strict=True)):
            if possible[i]:
                result.d_emissions[batch[i]] = expected - annotated
            else:
                result.impossible.append(batch[i])
        expected_counts, annotated_counts = (s.transition_counts(possible.astype(float)) for s in (every, agreeing))
        result.d_transitions.follow += expected_counts.follow - annotated_counts.follow
        result.d_transitions.within += expected_counts.within - annotated_counts.within

    _in_batches(emissions, compare)
    return result
