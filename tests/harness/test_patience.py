"""Code that does not end is stopped, and what is said of it."""

import sys
import time

import numpy as np
import pytest
import torch

from harness import check_gradient
from harness.proof import probes
from harness.subject.patience import Endless, ending
from tests.harness.proof.torch_functions import pulled

X = np.array([0.3, -1.7])


def waiting():
    while True:
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
    monkeypatch.setattr(probes, "PATIENCE_S", 0.2)
    monkeypatch.setattr(probes, "OF_FIRST", 0.0)
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
