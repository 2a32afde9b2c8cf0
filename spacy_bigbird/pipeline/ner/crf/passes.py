"""The forward and backward pass over a lattice: sums over paths up to each state and from it on, as logarithms.

Plain numbers are much faster than logarithms: a token takes one matrix product. They are rescaled at every token, so
only paths that are hundreds of orders of magnitude less probable than others can be lost. To detect whether that
mattered, the sum over all paths is compared at every token, since it must be the same everywhere. If it is not, the
passes are computed again in logarithms.
"""

from typing import NamedTuple

import numpy as np

from .lattice import BEGIN, IN, LAST, UNIT, Floats, Forward, Lattice, Transitions, go_forward, tag_index

# Tolerated difference between logarithms of the sum: a negligible lost part, and the rounding of large values.
TOLERANCE = 1e-7
ROUNDING = 1e-12


class Passes(NamedTuple):
    """Logarithms of sums over the paths up to each state, and from it to the end.

    forward (Forward): up to each state.
    closed_rest (Floats): from the states in `forward.closed`. Shape: (steps + 1, documents, 1 + labels).
    open_rest (Floats): from the states in `forward.open`. Shape: (steps + 1, 2, documents, labels).
    start_rest (Floats): from the states in `forward.start`. Shape: (steps, documents, 1 + labels).
    """

    forward: Forward
    closed_rest: Floats
    open_rest: Floats
    start_rest: Floats


def both_passes(lattice: Lattice) -> Passes:
    """Compute both passes in the fastest way that is accurate enough.

    lattice (Lattice): the batch.
    RETURNS (Passes): the sums.
    """
    return scaled_passes(lattice) or log_passes(lattice)


def log_passes(lattice: Lattice) -> Passes:
    """Compute both passes entirely in logarithms, which handles score differences of any size.

    lattice (Lattice): the batch.
    RETURNS (Passes): the sums.
    """
    closed_rest, open_rest, start_rest = Forward.empty(lattice)
    closed_rest[lattice.lengths, np.arange(len(lattice.lengths))] = 0.0
    follow, within = lattice.transitions.follow, lattice.within
    for t in range(len(lattice.running) - 1, -1, -1):
        a = lattice.running[t]
        closed, (begun, inside), rest = closed_rest[t + 1, :a], open_rest[t + 1, :, :a], start_rest[t, :a]
        unit, begin = lattice.starting[t, :, :a]
        inner, last = lattice.going[t, :, :a]
        rest[:, 0] = lattice.outside[t, :a] + closed[:, 0]
        np.logaddexp(unit + closed[:, 1:], begin + begun, out=rest[:, 1:])
        closed_rest[t, :a] = np.logaddexp.reduce(rest[:, None, :] + follow, axis=2)
        ways = within[:, 0] + (inner + inside), within[:, 1] + (last + closed[:, 1:])
        np.logaddexp(*ways, out=open_rest[t, :, :a])
    return Passes(go_forward(lattice, np.logaddexp), closed_rest, open_rest, start_rest)


def scaled_passes(lattice: Lattice) -> Passes | None:
    """Compute both passes in plain numbers that are rescaled at every token.

    lattice (Lattice): the batch.
    RETURNS (Passes | None): the sums; None if a document has no path, or if plain numbers may not be accurate enough.
    """
    steps, documents, _ = lattice.scores.shape
    there = lattice.lengths > np.arange(steps)[:, None]
    highest = np.where(there, lattice.scores.max(axis=2), 0.0)
    matrix, shift = _matrix(lattice.transitions)
    with np.errstate(all="ignore"):
        factors = np.exp(lattice.scores - highest[:, :, None])
        entered, reached, scale = _scaled_forward(lattice, factors, matrix)
        left, rest, scale_rest = _scaled_backward(lattice, factors, matrix)
        # Logarithms of the divisors, accumulated up to each token and from each token to the end.
        per_token = np.where(there, highest + shift, 0.0)
        up_to = np.cumsum(np.log(scale) + per_token, axis=0)
        onwards = np.zeros((steps + 1, documents))
        onwards[:-1] = np.cumsum((np.log(scale_rest) + per_token)[::-1], axis=0)[::-1]
        everywhere = np.log((reached * rest[1:]).sum(axis=2)) + up_to + onwards[1:]
        at_end = everywhere[lattice.lengths - 1, np.arange(documents)]
        # NaN if all paths were lost; the comparison is then false.
        if not (np.abs(everywhere - at_end) <= TOLERANCE + ROUNDING * np.abs(at_end))[there].all():
            return None
        forward = Forward.empty(lattice)
        forward.closed[0, :, 0] = 0.0
        forward.closed[1:] = np.log(_sums(reached, LAST, UNIT)) + up_to[:, :, None]
        forward.open[1:] = np.log(_open(reached)) + up_to[:, None, :, None]
        before_token = up_to - np.log(scale) - highest
        forward.start[:] = np.log(_sums(entered, UNIT)) + before_token[:, :, None]
        closed_rest = np.log(_sums(rest, LAST)) + onwards[:, :, None]
        open_rest = np.log(_open(rest)) + onwards[:, None, :, None]
        start_rest = np.log(_sums(left, UNIT, BEGIN)) + (onwards[1:] + highest)[:, :, None]
    return Passes(forward, closed_rest, open_rest, start_rest)


def _scaled_forward(lattice: Lattice, factors: Floats, matrix: Floats) -> tuple[Floats, Floats, Floats]:
    """Compute the scaled forward pass.

    RETURNS (tuple[Floats, Floats, Floats]): the values that arrive at each token; the same times the factors of the
        token's tags, divided by their sum; that sum. Shapes: (steps, documents, tags) twice, (steps, documents).
    """
    steps, documents, tags = factors.shape
    entered, reached = np.zeros((2, steps, documents, tags))
    scale = np.ones((steps, documents))
    before = np.zeros((documents, tags))
    before[:, 0] = 1.0
    for t, a in enumerate(lattice.running):
        into = np.matmul(before[:a], matrix, out=entered[t, :a])
        before = np.multiply(into, factors[t, :a], out=reached[t, :a])
        before /= np.add.reduce(before, axis=1, out=scale[t, :a])[:, None]
    return entered, reached, scale


def _scaled_backward(lattice: Lattice, factors: Floats, matrix: Floats) -> tuple[Floats, Floats, Floats]:
    """Compute the scaled backward pass.

    RETURNS (tuple[Floats, Floats, Floats]): the values from each token on; the values after the token before it,
        divided by their sum; that sum. Shapes: (steps, documents, tags), (steps + 1, documents, tags),
        (steps, documents).
    """
    steps, documents, tags = factors.shape
    left, rest = np.zeros((steps, documents, tags)), np.zeros((steps + 1, documents, tags))
    scale = np.ones((steps, documents))
    is_end = np.ones(tags)
    is_end[1:].reshape(-1, 4)[:, [BEGIN, IN]] = 0.0
    rest[lattice.lengths, np.arange(documents)] = is_end
    backwards = np.ascontiguousarray(matrix.T)
    for t in range(steps - 1, -1, -1):
        a = lattice.running[t]
        ahead = np.multiply(rest[t + 1, :a], factors[t, :a], out=left[t, :a])
        behind = np.matmul(ahead, backwards, out=rest[t, :a])
        behind /= np.add.reduce(behind, axis=1, out=scale[t, :a])[:, None]
    return left, rest, scale


def _matrix(transitions: Transitions) -> tuple[Floats, float]:
    """Compute the factors between all pairs of tags, which are zero for sequences that are not valid BILUO.

    RETURNS (tuple[Floats, float]): the factors, and the logarithm of what they were divided by. Shape:
        (1 + 4 labels, 1 + 4 labels).
    """
    labels = len(transitions.within)
    scores = np.full((1 + 4 * labels, 1 + 4 * labels), -np.inf)
    columns = {action: [tag_index(action, label) for label in range(labels)] for action in (BEGIN, IN, LAST, UNIT)}
    for ending in (LAST, UNIT):
        for starting in (BEGIN, UNIT):
            scores[np.ix_([0, *columns[ending]], [0, *columns[starting]])] = transitions.follow
    for row, before in enumerate((BEGIN, IN)):
        for column, after in enumerate((IN, LAST)):
            scores[columns[before], columns[after]] = transitions.within[:, row, column]
    shift = float(scores.max())
    return np.exp(scores - shift), shift


def _sums(table: Floats, *actions: int) -> Floats:
    """Sum over some of each label's tags.

    RETURNS (Floats): O, then the sum for each label. Shape: (..., 1 + labels).
    """
    by_action = table[..., 1:].reshape(*table.shape[:-1], -1, 4)
    return np.concatenate([table[..., :1], sum(by_action[..., action] for action in actions)], axis=-1)


def _open(table: Floats) -> Floats:
    """Select B and I of each label.

    RETURNS (Floats): the selected values. Shape: (steps, 2, documents, labels).
    """
    by_action = table[..., 1:].reshape(*table.shape[:-1], -1, 4)
    return np.stack([by_action[..., BEGIN], by_action[..., IN]], axis=1)
