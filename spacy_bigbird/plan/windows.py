"""Windows over a sequence that is longer than the model: where they are, and which of them a piece is read from."""

from itertools import pairwise
from typing import NamedTuple


class Window(NamedTuple):
    """One stretch of a sequence that the encoder reads at once. Unit: pieces, without special ones.

    start (int): first piece of the window.
    end (int): one past its last piece.
    keep_start (int): first piece whose vector is taken from this window. Each piece is taken from one window only.
    keep_end (int): one past the last such piece.
    """

    start: int
    end: int
    keep_start: int
    keep_end: int


def usual_overlap(capacity: int) -> int:
    """Get the number of pieces that neighbouring windows share if nothing else is asked for.

    capacity (int): number of pieces in a window.
    RETURNS (int): an eighth of it.
    """
    return capacity // 8


def window_ranges(num_pieces: int, capacity: int, overlap: int) -> list[tuple[int, int]]:
    """Cut a sequence into windows of at most `capacity` pieces. The last one is shifted left so that it is full.

    num_pieces (int): number of pieces to cover. For 0, there is one empty window.
    capacity (int): longest window. Unit: pieces.
    overlap (int): number of pieces that a window shares with the one before it. The last window may share more.
    RETURNS (list[tuple[int, int]]): start and end of each window. Unit: pieces.
    """
    if num_pieces <= capacity:
        return [(0, num_pieces)]
    starts = [*range(0, num_pieces - capacity, capacity - overlap), num_pieces - capacity]
    return [(start, start + capacity) for start in starts]


def plan_windows(num_pieces: int, capacity: int, overlap: int) -> list[Window]:
    """Cut a sequence into windows as `window_ranges` does, and choose the window from which each piece is taken.

    A piece is taken from the window in which its distance to the nearer edge is largest, or the earlier one in a tie.
    Since all windows are equally long, that is the window whose middle is nearest.

    num_pieces (int): number of pieces in the sequence.
    capacity (int): number of pieces in a window.
    overlap (int): minimum number of pieces that neighbouring windows share.
    RETURNS (list[Window]): the windows, at least one even if there are no pieces.
    """
    ranges = window_ranges(num_pieces, capacity, overlap)
    cuts = [(start + next_start + capacity - 1) // 2 + 1 for (start, _), (next_start, _) in pairwise(ranges)]
    kept = pairwise([0, *cuts, num_pieces])
    return [Window(*stretch, *keep) for stretch, keep in zip(ranges, kept, strict=True)]
