"""Split work into groups of limited size."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def group_by_size(items: Iterable[Item], size_of: Callable[[Item], int], limit: int) -> Iterator[list[Item]]:
    """Group consecutive items so that no group exceeds a limit. An item that alone exceeds it forms its own group.

    items (Iterable[Item]): the items, in order.
    size_of (Callable[[Item], int]): returns the size of an item, such as its number of pieces.
    limit (int): the maximum total size of a group.
    YIELDS (list[Item]): the next group.
    """
    group: list[Item] = []
    total = 0
    for item in items:
        size = size_of(item)
        if group and total + size > limit:
            yield group
            group, total = [], 0
        group.append(item)
        total += size
    if group:
        yield group
