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

    def get(self, key: Hashable) -> Any:
        """What is kept under a key, or None."""
        with self._lock:
            if key not in self._items:
                return None
            self._items.move_to_end(key)
            return self._items[key][0]

    def put(self, key: Hashable, value: Any, size: int) -> Any:
        """Keep a value of so many bytes, and give it back; what another thread has put before stays."""
        with self._lock:
            if key in self._items:
                return self._items[key][0]
            if size <= self._max_bytes:
                self._items[key] = (value, size)
                self._bytes += size
            while self._bytes > self._max_bytes:
                self._bytes -= self._items.popitem(last=False)[1][1]
            return value

    def of(self, owners: tuple, key: Hashable, make: Callable, size: Callable) -> Any:
        """What ``make()`` gives for these objects, which must not change; they live as long as it is kept."""
        key = (*map(id, owners), key)
        kept = self.get(key)
        if kept is None:
            # The owners are kept too, so that no other object can get their ids.
            value = make()
            kept = self.put(key, (owners, value), size(value))
        return kept[1]

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
