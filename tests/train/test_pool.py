# Licensed under a 3-clause BSD style license - see LICENSE
"""Work in processes: order, errors, deaths, and nothing left behind."""

import os
import signal
import time

import pytest

from astro_xlatent.core.errors import ParameterError, XlatentError
from astro_xlatent.train.pool import in_order


def offset(value):
    """State of a worker."""
    return value


def slow_first(state, item):
    """The first item takes longest."""
    time.sleep(0.3 if item == 0 else 0.0)
    return state + item, os.environ["OMP_NUM_THREADS"], os.getpid()


def fails_at(state, item):
    """One item is refused, one kills its process."""
    if item == state:
        msg = f"item is {item}"
        raise ParameterError(msg)
    if item < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def test_results_come_in_order():
    """Of two fresh processes of one thread, whatever their speed, with the environment restored."""
    before = os.environ.get("OMP_NUM_THREADS")
    results = list(in_order(slow_first, range(12), 2, offset, (10,)))
    assert [value for value, _, _ in results] == list(range(10, 22))
    assert {threads for _, threads, _ in results} == {"1"}
    assert os.getpid() not in {process for _, _, process in results}
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_no_workers_work_here():
    """Without workers nothing is made ahead."""
    made = []
    results = in_order(lambda state, item: made.append(item) or state * item, range(5), 0, offset, (3,))
    assert next(results) == 0 and next(results) == 3
    assert made == [0, 1]


def test_error_of_the_work_arrives():
    """As it was raised, after the results before it."""
    results = in_order(fails_at, [1, 2, 3], 1, offset, (2,))
    assert next(results) == 1
    with pytest.raises(ParameterError, match="item is 2"):
        next(results)


def test_dead_worker_is_an_error():
    """A killed process is named, with what to do."""
    with pytest.raises(XlatentError, match="one of 1 worker processes ended.*fewer workers"):
        list(in_order(fails_at, [1, -1, 3], 1, offset, (99,)))
