# Licensed under a 3-clause BSD style license - see LICENSE
"""Warnings of others that a user can do nothing about, silenced without traces in other threads."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet"]

_FILTERS = threading.RLock()


@contextmanager
def quiet(*kinds: type | str) -> Iterator[None]:
    """Silence warnings, by class or pattern of their text, in one thread at a time: filters are global."""
    with _FILTERS, warnings.catch_warnings():
        for kind in kinds:
            if isinstance(kind, str):
                warnings.filterwarnings("ignore", message=kind)
            else:
                warnings.simplefilter("ignore", kind)
        yield
