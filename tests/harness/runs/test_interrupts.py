"""An interrupt waits while a lock is held that another thread needs, and comes right after."""

import random
import signal
import subprocess
import sys
from threading import Thread

import pytest

from harness.runs.interrupts import held_back
from harness.runs.processes import Processes
from tests.harness.runs.interrupting import LIMIT_S
from tests.sampling import draws


@pytest.fixture
def handled():
    """What came of SIGINT and SIGTERM, as a handler of theirs notes it."""
    came = []
    own = {n: signal.signal(n, lambda n, _: came.append(n)) for n in (signal.SIGINT, signal.SIGTERM)}
    yield came
    for number, handler in own.items():
        signal.signal(number, handler)


def test_handlers_run_at_the_end_in_the_order_of_the_signals(handled):
    with held_back():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert not handled
    assert handled == [signal.SIGTERM, signal.SIGINT]
    signal.raise_signal(signal.SIGINT)
    assert len(handled) == 3  # as before


def test_who_asks_twice_does_not_wait(handled):
    with held_back():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert not handled
        signal.raise_signal(signal.SIGINT)
        assert handled == [signal.SIGINT]


def test_inside_another_it_waits_for_the_outer_one(handled):
    with held_back():
        with held_back():
            signal.raise_signal(signal.SIGINT)
        assert not handled
    assert handled == [signal.SIGINT]


def test_an_error_inside_does_not_swallow_the_interrupt(handled):
    def failing():
        with held_back():
            signal.raise_signal(signal.SIGINT)
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        failing()
    assert handled == [signal.SIGINT]


def test_another_thread_leaves_the_handlers_alone(handled):
    def inside():
        with held_back():
            found.append(signal.getsignal(signal.SIGINT))

    own, found = signal.getsignal(signal.SIGINT), []
    thread = Thread(target=inside)
    thread.start()
    thread.join()
    assert found == [own]


def test_an_interrupt_as_the_processes_end_comes_when_they_have_ended(monkeypatch, handled):
    with Processes(1) as pool:
        stop = pool._pool.stop
        monkeypatch.setattr(pool._pool, "stop", lambda: (signal.raise_signal(signal.SIGINT), stop()))
        join = pool._pool.join
        monkeypatch.setattr(pool._pool, "join", lambda: (join(), handled.append("joined")))
    assert handled == ["joined", signal.SIGINT]


def test_an_interrupt_at_any_step_ends_a_run():
    steps = [str(random.randrange(1, 150)) for _ in range(draws(6, 200))]
    done = subprocess.run(
        [sys.executable, "-m", "tests.harness.runs.interrupting", *steps],
        capture_output=True, text=True, timeout=LIMIT_S * (1 + len(steps)), check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == [f"{step} interrupted" for step in steps], done.stderr
