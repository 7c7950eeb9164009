# Licensed under a 3-clause BSD style license - see LICENSE
"""The number of threads of torch, set for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import torch

__all__ = ["torch_threads"]

_LOCK = Lock()
_before: list[int] = []


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """
    Let torch use a number of threads, 0 for as many as it does; of several inside the last restores.

    The number belongs to the process: what the first found is restored.
    """
    if not number:
        yield
        return
    with _LOCK:
        _before.append(torch.get_num_threads())
        torch.set_num_threads(number)
    try:
        yield
    finally:
        with _LOCK:
            first = _before.pop(0) if len(_before) == 1 else _before.pop()
            if not _before:
                torch.set_num_threads(first)
