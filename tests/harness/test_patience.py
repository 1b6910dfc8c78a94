"""Code that does not end is stopped, and what is said of it."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from harness import check_gradient
from harness.proof import pulls
from harness.subject import patience
from harness.subject.patience import Endless, ending
from tests.harness.proof.torch_functions import pulled

X = np.array([0.3, -1.7])


def waiting():
    """Without end, for us: a watch that does not work fails a test, and does not hang it."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        pass


def stubborn():
    """It goes on whatever it catches."""
    while True:
        try:
            time.sleep(0.001)
        except Exception:
            time.sleep(0.002)


@pytest.mark.parametrize("code", [waiting, stubborn])
def test_code_that_does_not_end_is_stopped(code):
    with pytest.raises(Endless):
        ending(code, 0.1)


def test_what_ends_gives_its_result_or_its_error_and_is_not_stopped_later():
    assert ending(lambda: 3, 0.05) == 3
    with pytest.raises(ZeroDivisionError):
        ending(lambda: 1 / 0, 0.05)
    time.sleep(0.1)


def test_what_ends_just_as_it_is_stopped_is_one_of_the_two():
    """Never is the code after it stopped."""
    found = []
    for k in range(60):
        seconds = 0.0005 + k * 2e-6
        try:
            found.append(ending(lambda seconds=seconds: time.sleep(seconds), 0.0005))
        except Endless:
            found.append("stopped")
        sum(range(2000))
    assert len(found) == 60


class Interrupting:
    """Raises Endless at the k-th place of a thread where one that is set from outside may come."""

    def __init__(self, k):
        self.left = k

    def __call__(self, frame, event, _):
        if event in {"call", "c_return", "c_exception"} and frame.f_code.co_filename != __file__:
            self.left -= 1
            if self.left == 0:
                raise Endless

    def runs(self, code):
        """Whether it was raised in it."""
        sys.setprofile(self)
        try:
            code()
        except Endless:
            return True
        finally:
            sys.setprofile(None)
        return self.left <= 0


def test_wherever_a_run_is_stopped_the_next_ones_are_too():
    """Stopped while it held the watch's lock, it kept it: nothing was stopped any more."""

    def places():
        k = 1
        while Interrupting(k).runs(lambda: ending(lambda: None, 0.001)):
            assert stopped_after(0.01) < 30
            k += 1
        return k

    assert ending(places, 600) > 5


def test_what_a_destructor_swallows_is_raised_again(monkeypatch):
    monkeypatch.setattr(patience, "LOOKS_S", 0.05)

    def deaf():
        with contextlib.suppress(Endless):
            waiting()
        waiting()

    with pytest.raises(Endless):
        ending(deaf, 0.01)


def stopped_after(seconds):
    begin = time.monotonic()
    with pytest.raises(Endless):
        ending(waiting, seconds)
    return time.monotonic() - begin


def test_a_run_inside_another_is_stopped_alone_and_the_outer_one_goes_on():
    assert ending(lambda: stopped_after(0.05), 60) < 30


def test_the_inner_run_does_not_keep_the_outer_one_from_being_stopped():
    with pytest.raises(Endless):
        ending(lambda: ending(waiting, 60), 0.05)


def test_each_thread_is_stopped_by_its_own_clock():
    with ThreadPoolExecutor(3) as pool:
        slow = pool.submit(ending, lambda: time.sleep(0.4) or "ended", 60)
        assert all(t < 30 for t in pool.map(stopped_after, (0.05, 0.1)))
        assert slow.result() == "ended"


def test_one_thread_watches_all_runs_and_ends_after_the_last(monkeypatch):
    monkeypatch.setattr(patience, "LOOKS_S", 0.05)
    monkeypatch.setattr(patience, "_watch", patience._Watch())
    before = set(threading.enumerate())
    for _ in range(20):
        ending(lambda: None, 60)
    (one,) = set(threading.enumerate()) - before
    one.join(timeout=30)
    assert not one.is_alive()
    assert stopped_after(0.01) < 30


FORKS = """
import os
from harness.subject.patience import Endless, ending

def waiting():
    while True:
        pass

ending(lambda: None, 60)  # the watching thread is not in the child
child = os.fork()
if not child:
    try:
        ending(waiting, 0.05)
    except Endless:
        os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="it forks")
def test_a_forked_process_watches_too():
    """In a process of its own: a fork of this one may wait for a lock that a thread of JAX's held."""
    subprocess.run([sys.executable, "-W", "ignore:.*fork", "-c", FORKS], check=True, timeout=120)


def endless_far_along(g, *_):
    while abs(g).max() > 100:
        pass
    return g * 2


waits = pulled(lambda x: 2 * x, endless_far_along)
GRADIENTS = {
    "numpy": lambda: check_gradient(lambda x: 2 * x, (X,), vjp=endless_far_along),
    "torch": lambda: check_gradient(waits, (torch.tensor(X, requires_grad=True),)),
}


@pytest.mark.parametrize("framework", GRADIENTS)
def test_a_gradient_that_does_not_end_along_a_large_cotangent_is_noted(framework, monkeypatch):
    monkeypatch.setattr(pulls, "PATIENCE_S", 0.2)
    monkeypatch.setattr(pulls, "OF_FIRST", 0.0)
    found = GRADIENTS[framework]()
    assert found.passed
    assert found.notes[-1] == (
        "along a large cotangent: the gradient did not end within 0.2 s, and was stopped; nothing is proven "
        "there"
    )


def test_code_that_is_profiled_is_not_disturbed():
    """An exception that is set and taken back would leave the interpreter looking for it, at each step."""
    sys.setprofile(lambda *_: None)
    try:
        found = [ending(lambda: 3, 5.0) for _ in range(3)]
    finally:
        sys.setprofile(None)
    assert found == [3, 3, 3]
