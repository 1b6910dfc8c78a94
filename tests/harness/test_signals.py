"""What a signal's handler raises leaves the check that it meets, as it is."""

import signal
import threading
import types

import numpy as np
import pytest

from gradproof import check_gradient, check_layer, exact_gradient
from harness.subject.state import state
from oracles.exact.from_numpy import proxy

X = np.array([0.5, 1.5])
own = getattr(signal, "SIGUSR1", None)
pytestmark = pytest.mark.skipif(own is None, reason="no signals of one's own here")


class Late(Exception):
    """A user's."""


def late(*args):
    raise Late("too late")


@pytest.fixture(autouse=True)
def handled():
    before = signal.signal(own, late)
    yield
    signal.signal(own, before)


def interrupted(function, run):
    """The function, which is met by the signal in this run of it."""
    runs = []

    def met(*args):
        runs.append(1)
        if len(runs) == run:
            signal.raise_signal(own)
        return function(*args)

    return met


def cosine(g, x):
    return g * np.cos(x)


class Layer:
    def forward(self, x):
        self.x = x
        return np.sin(x)

    def backward(self, dout):
        signal.raise_signal(own)
        return dout * np.cos(self.x)


CHECKS = {
    "the first run": lambda: check_gradient(interrupted(np.sin, 1), (X,), vjp=cosine),
    "the recording": lambda: check_gradient(interrupted(np.sin, 2), (X,), vjp=cosine),
    "a gradient": lambda: check_gradient(np.sin, (X,), vjp=interrupted(cosine, 1)),
    "a probe": lambda: check_gradient(np.sin, (X,), vjp=interrupted(cosine, 6)),
    "a layer": lambda: check_layer(Layer(), X),
    "a truth": lambda: exact_gradient(interrupted(np.sin, 1), (X,), cotangent=X),
}


@pytest.mark.parametrize("name", CHECKS)
def test_it_leaves_the_check(name):
    with pytest.raises(Late, match="too late"):
        CHECKS[name]()
    assert signal.getsignal(own) is late


def test_also_past_code_that_catches_it():
    def catching(x):
        try:
            signal.raise_signal(own)
        except Exception:
            return x
        return np.sin(x)

    with pytest.raises(Late):
        check_gradient(catching, (X,), vjp=cosine)


def test_a_handler_that_raises_nothing_changes_nothing():
    met = []
    signal.signal(own, lambda *args: met.append(1))
    assert check_gradient(interrupted(np.sin, 1), (X,), vjp=cosine).passed
    assert met


def test_a_check_in_another_thread_has_no_signals():
    found = []
    thread = threading.Thread(target=lambda: found.append(check_gradient(np.sin, (X,), vjp=cosine).passed))
    thread.start()
    thread.join()
    assert found == [True]


PUT_BACK = {
    "NumPy's stand-ins": (proxy._Places, "empty"),
    "what the code changed": (state.State, "restore"),
    "what is put in place": (proxy._Places, "fill"),
}


@pytest.mark.parametrize("number", ["SIGINT", "SIGUSR1"])
@pytest.mark.parametrize("name", PUT_BACK)
def test_what_is_put_back_is_put_back_whole(name, number, monkeypatch):
    """An interrupt that comes meanwhile waits; the next check finds everything as it was."""
    owner, method = PUT_BACK[name]
    done, original = [], getattr(owner, method)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell runs us behind

    def interrupted(self):
        if not done:
            signal.raise_signal(getattr(signal, number))
            done.append("not yet raised")
        return original(self)

    monkeypatch.setattr(owner, method, interrupted)
    try:
        with pytest.raises(KeyboardInterrupt if number == "SIGINT" else Late):
            check_gradient(lambda x: np.sin(x), (X,), vjp=cosine)
        assert done
        assert type(np) is types.ModuleType
        assert check_gradient(np.sin, (X,), vjp=cosine).passed
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
