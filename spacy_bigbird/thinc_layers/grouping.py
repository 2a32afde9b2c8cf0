"""As much at one time as a limit allows."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def group_by_size(items: Iterable[Item], size_of: Callable[[Item], int], limit: int) -> Iterator[list[Item]]:
    """Group neighbours so that no group is larger than a limit; an item that is larger alone is a group of its own.

    items (Iterable[Item]): what to group, in order.
    size_of (Callable[[Item], int]): an item's size, such as its pieces.
    limit (int): the largest group.
    YIELDS (list[Item]): the next items.
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
