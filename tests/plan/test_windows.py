"""Windows over a long sequence: they cover it, and each piece is taken from the one with most context."""

import itertools
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from spacy_bigbird.plan.windows import plan_windows


def test_the_plan_needs_no_torch():
    """Engines in other frameworks read it too."""
    modules = ", ".join(f"spacy_bigbird.plan.{name}" for name in ("config", "packing", "pattern", "windows"))
    code = f"import sys, {modules}; print(sorted({{'torch', 'spacy', 'thinc', 'transformers'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@st.composite
def window_settings(draw):
    capacity = draw(st.integers(1, 40))
    overlap = draw(st.integers(0, max(0, capacity // 2 - 1)))
    return draw(st.integers(0, 200)), capacity, overlap


@given(window_settings())
def test_every_piece_is_kept_once_in_the_window_with_most_context(case):
    num_pieces, capacity, overlap = case
    windows = plan_windows(num_pieces, capacity, overlap)
    kept = [piece for window in windows for piece in range(window.keep_start, window.keep_end)]
    assert kept == list(range(num_pieces))

    def context(window, piece):
        return min(piece - window.start, window.end - 1 - piece)

    for window in windows:
        assert window.end - window.start == min(capacity, num_pieces)
        for piece in range(window.keep_start, window.keep_end):
            around = [other for other in windows if other.start <= piece < other.end]
            assert window in around
            assert context(window, piece) == max(context(other, piece) for other in around)


@given(window_settings())
def test_neighbours_share_the_overlap_and_the_last_window_is_full(case):
    num_pieces, capacity, overlap = case
    windows = plan_windows(num_pieces, capacity, overlap)
    assert windows[0].start == 0 and windows[-1].end == num_pieces
    shared = [first.end - second.start for first, second in itertools.pairwise(windows)]
    assert all(value == overlap for value in shared[:-1])
    assert all(value >= overlap for value in shared)
