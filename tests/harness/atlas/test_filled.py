"""Few numbers run in arrays of one size, so that JAX compiles once; what is asked about are the few."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness.asking import question_of
from harness.atlas.filled import Filled, Size, asked_filled
from harness.subject.derivative import GRADIENT
from harness.subject.target import target_of
from harness.subject.tested import under_test

X = np.array([0.1, 0.7, -2.0], np.float32)
EIGHT = Size(own=3, room=8)


@pytest.fixture(params=["torch", "jax"])
def target(request):
    sin = {"torch": torch.sin, "jax": jnp.sin}[request.param]
    return target_of(lambda x: sin(x) * x, (X,), {}, None, request.param, True)


def test_three_numbers_run_as_eight(target):
    subject = Filled.of(under_test(target, GRADIENT), EIGHT).subject()
    x = subject.load(X)
    assert x.shape == (8,)
    assert np.asarray(x).tolist() == [*X, *[X[-1]] * 5]
    (value,) = subject.fetch_value(subject.value(x))
    found = subject.fetch_gradient(subject.gradient((subject.load(np.ones(3, np.float32)),), x))
    np.testing.assert_allclose(value, np.sin(X) * X, rtol=1e-6)
    np.testing.assert_allclose(found.arrays[0], np.cos(X) * X + np.sin(X), rtol=1e-6)
    assert all(primal.shape == (3,) for primal in found.primal or ())


def test_what_is_recorded_is_of_three_and_what_it_gives_of_eight(target):
    question, shapes = question_of(target, GRADIENT), []
    plain = question.specify

    def specify(arrays):
        shapes.append([a.shape for a in arrays])
        return plain(arrays)

    recording = asked_filled(replace(question, specify=specify), EIGHT).specify([X])
    assert [v.shape for v in recording.program.inputs] == [(3,)]
    assert shapes == [[(3,)]]
    (given,) = recording.executed()
    assert shapes == [[(3,)], [(8,)]]
    np.testing.assert_allclose(given, np.sin(X) * X, rtol=1e-6)


def test_the_derivative_s_own_program_gives_its_value_at_three(target):
    tested = Filled.of(under_test(target, GRADIENT), EIGHT)
    programs = tested.record((np.ones(3, np.float32),), [X], False)
    assert [v.shape for v in programs.gradient.program.outputs] == [(3,)]
    if target.framework.gives_primal:
        (given,) = programs.value.executed()
        np.testing.assert_allclose(given, np.sin(X) * X, rtol=1e-6)
    else:
        assert programs.value is None
