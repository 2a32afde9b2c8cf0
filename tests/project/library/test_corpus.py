"""How documents are split."""

from hypothesis import given
from hypothesis import strategies as st

from project.workflows.library.corpus import split_ids


@given(st.sets(st.integers(0, 10**6).map(str), min_size=3, max_size=60))
def test_a_split_has_all_parts_and_does_not_depend_on_the_order(names):
    split = split_ids(names)
    assert split == split_ids(sorted(names, reverse=True)) and set(split) == names
    held_out = max(1, len(names) // 10)
    assert [list(split.values()).count(part) for part in ("dev", "test")] == [held_out, held_out]
