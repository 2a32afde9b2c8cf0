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
        self._kept: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = Lock()
        self.size = 0

    def get(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """Look up a result, or compute it.

        key (Hashable): what the result depends on.
        compute (Callable[[], Value]): computes the result, outside of the lock.
        RETURNS (Value): the result, which must not be changed.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        value = compute()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = value
                self.size += self._size_of(value)
            while self.size > self.largest and self._kept:
                self.size -= self._size_of(self._kept.popitem(last=False)[1])
        return value
