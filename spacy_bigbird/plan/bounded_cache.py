"""A cache of results that is limited by their size instead of their number."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class BoundedCache(Generic[Value]):
    """Keeps the results that were used last, for all threads.

    largest (int): what the results may take together. Unit: bytes.
    size_of (Callable[[Value], int]): size of a result. Unit: bytes.
    """

    def __init__(self, largest: int, size_of: Callable[[Value], int]) -> None:
        self.largest = largest
        self._size_of = size_of
        self._kept: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._lock = Lock()
        self.size = 0

    def get(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """Look up a result, or compute it.

        key (Hashable): what the result depends on.
        compute (Callable[[], Value]): computes the result, outside of the lock.
        RETURNS (Value): the result, which must not be changed.
        """
        value = self.find(key)
        if value is None:
            value = compute()
            self.put(key, value)
        return value

    def find(self, key: Hashable) -> Value | None:
        """Look up a result.

        key (Hashable): what the result depends on.
        RETURNS (Value | None): the result, which must not be changed; None if it is not kept.
        """
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: Hashable, value: Value) -> None:
        """Keep a result in the place of any earlier one, and let go of those that were not used for the longest time.

        key (Hashable): what the result depends on.
        value (Value): the result. One that is larger than all may be together is not kept.
        """
        size = self._size_of(value)
        with self._lock:
            self.size -= self._kept.pop(key, (None, 0))[1]
            if size > self.largest:
                return
            self._kept[key] = value, size
            self.size += size
            while self.size > self.largest:
                self.size -= self._kept.popitem(last=False)[1][1]
