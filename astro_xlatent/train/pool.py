# Licensed under a 3-clause BSD style license - see LICENSE
"""Work done by other processes, with results in the order of the work."""

import os
import signal
import threading
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import connection, get_context, parent_process

from astro_xlatent.core.errors import XlatentError

__all__ = ["in_order"]

# Read by the BLAS and OpenMP libraries of numpy and torch when they are loaded.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# What `setup` returned in this worker.
_state = None


def in_order(work, items, workers, setup, arguments=()):
    """
    Yield ``work(setup(*arguments), item)`` in order, by ``workers`` processes of one thread, or here if 0. At
    most two results a worker are made ahead. `XlatentError` if a worker ends before its work is done.
    """
    if not workers:
        yield from map(partial(work, setup(*arguments)), items)
        return
    with _single_threaded():
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (setup, arguments))
        try:
            waiting = deque()
            for item in items:
                waiting.append(pool.submit(_do, work, item))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            msg = (f"one of {workers} worker processes ended before its work was done: killed, out of "
                   "memory, or its message is above; try fewer workers")
            raise XlatentError(msg) from error
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _single_threaded():
    """Let processes that are started meanwhile use one thread each."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name in _THREADS:
            del os.environ[name]
        os.environ.update({name: value for name, value in before.items() if value is not None})


def _begin(setup, arguments):
    global _state
    # The parent decides what an interrupt means; without a parent there is nothing to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _state = setup(*arguments)


def _end_with_parent():
    connection.wait([parent_process().sentinel])
    os._exit(1)


def _do(work, item):
    return work(_state, item)
