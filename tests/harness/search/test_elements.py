"""Which programs act by element, so that an array holds many inputs."""

import numpy as np
import pytest

from harness.proof.question import Answer
from harness.search.elements import acts_by_element
from harness.search.hunt import Hunt
from harness.search.moves import Space
from harness.search.point import Point
from oracles.exact.from_numpy.record import record


@pytest.mark.parametrize(
    ("function", "does"),
    [
        (np.exp, True),
        (lambda x: np.where(x > 1, x * 2.0, np.sqrt(abs(x))), True),
        (lambda x: x.reshape(2, 2).reshape(4) + 1.0, True),
        (np.cumsum, False),
        (lambda x: x - x.mean(), False),
        (lambda x: x[::-1] * 1.0, False),
        (lambda x: x * x[:1], False),
        (lambda x: x @ np.eye(4), False),
        (lambda x: x.reshape(2, 2).T.reshape(4), False),
    ],
)
def test_it_is_read_from_the_program(function, does):
    program = record(function, [np.array([1.0, 2.0, 0.5, 3.0])]).program
    assert acts_by_element(program, 4) is does


def test_a_function_that_refuses_many_is_asked_one_by_one():
    asked = []

    def ask(point):
        asked.append(point.arrays[0].shape)
        return Answer(())

    def run(arrays):
        raise ValueError("one number, please")

    hunt = Hunt(ask, run, Space(), np.random.default_rng(0), 40)
    assert list(hunt.failures(Point((np.ones(1),)), [])) == []
    assert set(asked) == {(1,)}
    assert hunt.spent == len(asked) <= 40
