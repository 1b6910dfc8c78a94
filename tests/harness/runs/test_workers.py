"""Work over processes: whatever happens to one of them, every item has exactly one result."""

import os
import signal
import time
from itertools import islice

import pytest

from harness.runs import workers
from harness.runs.workers import spread


def square(items):
    return [item * item for item in items]


def treacherous(items):
    """Item 4 kills its process, 9 hangs."""
    for item in items:
        if item == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        if item == 9:
            time.sleep(60)
    return square(items)


def raising(items):
    raise ArithmeticError(f"cannot do {items}")


def said(item, why):
    return item, why


def batches(count):
    return ([3 * k, 3 * k + 1, 3 * k + 2] for k in range(count))


def test_a_process_that_dies_or_hangs_costs_its_item_alone():
    results = list(spread(treacherous, batches(4), 2, said, timeout_s=2.0))
    lost = dict(r for r in results if isinstance(r, tuple))
    assert sorted(r for r in results if isinstance(r, int)) == [n * n for n in range(12) if n not in (4, 9)]
    assert lost.keys() == {4, 9}
    assert "was killed by SIGKILL" in lost[4]
    assert "took longer than 2 s and was stopped; --timeout allows more" in lost[9]


def test_what_the_work_itself_raises_ends_the_run():
    with pytest.raises(ArithmeticError, match=r"cannot do \[0, 1, 2\]"):
        list(spread(raising, batches(1), 1, said))


def test_batches_are_read_as_they_are_needed_and_a_run_can_stop():
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield [len(taken)]

    rows = spread(square, endless(), 1, said)
    assert list(islice(rows, 2)) == [1, 4]
    rows.close()
    assert len(taken) <= 5


def test_an_exit_code_is_told():
    problem = workers.ProcessExpired("gone", code=3)
    assert workers._why(problem, 1.0) == "the process that ran it ended with exit code 3"
