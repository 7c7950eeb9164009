# Licensed under a 3-clause BSD style license - see LICENSE
"""What is remembered of responses: one cache for files read and for what is made of them."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

__all__ = ["CACHE", "size_of_matrix"]


class _Cache:
    """Least-recently-used cache, bounded in bytes, safe for threads."""

    def __init__(self, max_bytes: int):
        self._max_bytes = max_bytes
        self._items: OrderedDict = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def of(self, owners: tuple, key: Hashable, make: Callable, size: Callable) -> Any:
        """What ``make()`` gives, of ``size`` bytes, kept with ``owners``, which must not change."""
        key = (*map(id, owners), key)
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
                return self._items[key][0]
        value = make()
        # The owners are kept too, so that no other object can get their ids.
        item = (value, size(value), owners)
        with self._lock:
            if key in self._items:
                return self._items[key][0]
            if item[1] <= self._max_bytes:
                self._items[key] = item
                self._bytes += item[1]
            while self._bytes > self._max_bytes:
                self._bytes -= self._items.popitem(last=False)[1][1]
        return value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._items.clear()
            self._bytes = 0


#: Of the whole process; 256 MB.
CACHE = _Cache(256 * 1024**2)


def size_of_matrix(matrix: Any) -> int:
    """Bytes of a sparse matrix."""
    return matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes
