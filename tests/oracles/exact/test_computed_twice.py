"""What is computed twice is one number: recorded calls of the same operation on the same operands."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import torch

import gradproof
from oracles.exact.from_aten import record as record_torch
from oracles.exact.from_jaxpr import record as record_jax
from oracles.exact.from_numpy import record as record_numpy
from oracles.exact.program.primitives.arithmetic import detach, no_grad
from oracles.exact.program.program import Program
from oracles.exact.program.recording import Recorder

X = np.array([[0.5, -1.25], [0.75, 2.0], [0.1, 0.3]])
R = np.array(0.8)


def count(program: Program, name: str) -> int:
    return sum(e.primitive.name == name for e in program.equations)


def test_equal_calls_are_one_in_all_front_ends():
    def function(x, r):
        return (x / r) * (x / r)

    for record in (record_torch, record_numpy, record_jax):
        program = record(function, (X, R), {}).program
        (product,) = (e for e in program.equations if e.primitive.name == "mul")
        assert product.operands[0] is product.operands[1]
        assert count(program, "div") == 1


def test_other_operands_parameters_and_numbers_are_others():
    def function(x, r):
        return x.sum(0) + x.sum(1) + x * 0.1 + x * 0.2 + x / r + x / (r + 1)

    program = record_torch(function, (torch.from_numpy(X[:2]), torch.from_numpy(R))).program
    assert count(program, "reduce_sum") == count(program, "div") == 2
    assert count(program, "mul") == 2


def test_equal_constants_make_equal_calls():
    def function(x):
        return torch.nn.functional.softplus(x * 0.1) / torch.nn.functional.softplus(x * 0.1)

    program = record_torch(function, (torch.from_numpy(X),)).program
    (quotient,) = (
        e for e in program.equations if e.primitive.name == "div" and e.output is program.outputs[0]
    )
    assert quotient.operands[0] is quotient.operands[1]


def test_large_constants_are_one_only_as_the_same_array():
    x = torch.from_numpy(np.arange(100.0))
    c, again = torch.arange(1.0, 101.0, dtype=torch.float64), torch.arange(1.0, 101.0, dtype=torch.float64)
    assert count(record_torch(lambda x: (x / c) * (x / c), (x,)).program, "div") == 1
    assert count(record_torch(lambda x: (x / c) * (x / again), (x,)).program, "div") == 2


def test_what_a_call_makes_inside_stays_its_own():
    def function(x):
        return x**2 + (3 * x) ** 2

    program = record_numpy(function, (X,)).program
    calls = {e.output: e.origin.call for e in program.equations if e.primitive.name == "constant"}
    users = [(e, v) for e in program.equations for v in e.operands if v in calls]
    assert users
    assert all(e.origin.call == calls[v] for e, v in users)


def test_operations_that_round_otherwise_are_others():
    recorder = Recorder()
    x = recorder.input_at(X, "float64")
    made = []
    for name in ("logistic", "hand-written", "logistic"):
        recorder.calls(name, None)
        made.append(recorder.first(1.0 / (x + 1.0)))
    assert made[0] is not made[1]
    assert made[0] is made[2]


def test_what_is_held_fixed_is_told_apart_from_what_was_held_before():
    recorder = Recorder()
    x = recorder.input_at(X, "float64")
    made = [recorder.first(held(x) + 1.0) for held in (detach, detach, no_grad, no_grad)]
    assert len(set(made)) == 4


def test_what_moves_is_told_apart_from_what_is_held_fixed():
    def function(x):
        with torch.no_grad():
            fixed = x * x
        return x * x * fixed

    result = gradproof.check_gradient(function, (torch.from_numpy(X),))
    assert result.passed
    program = record_torch(function, (torch.from_numpy(X),)).program
    assert count(program, "mul") == 3


def of_gaussian_process(x, r):
    k = torch.exp(-0.5 * torch.cdist(x / r, x / r) ** 2) + 0.1 * torch.eye(3, dtype=x.dtype)
    return torch.linalg.cholesky(k).diagonal().log().sum()


def test_distances_of_rows_that_are_scaled_twice():
    x, r = torch.from_numpy(X), torch.from_numpy(R)
    result = gradproof.check_gradient(lambda r: of_gaussian_process(x, r), (r,))
    assert result.passed
    assert "not examined" not in str(result)
    assert gradproof.check_gradient(of_gaussian_process, (x, r)).passed


def test_numbers_computed_twice_are_equal():
    def of_jax(x):
        return jnp.where(jnp.all(jnp.exp(x) == jnp.exp(x)), x.sum(), 0.0)

    def of_numpy(x):
        return x.sum() if np.all(np.exp(x) == np.exp(x)) else 0.0

    assert gradproof.check_gradient(of_jax, (jnp.asarray(X, jnp.float32),)).passed
    assert gradproof.check_gradient(of_numpy, (X,), grad=np.ones_like).passed


def test_other_numbers_are_never_one():
    recorder = Recorder()
    x, y = (recorder.input_at(X, "float64") for _ in range(2))
    made = [x * x, x * y, y * x, y * y, detach(x) * detach(x), -x, -y, -(x * x)]
    made += [
        recorder.constant(np.ones(shape), dtype)
        for shape in ((1, 2), (2, 1))
        for dtype in ("float64", "float32")
    ]
    assert len(set(map(recorder.first, made))) == len(made)


def test_a_plain_array_that_changes_in_between_makes_other_numbers():
    k = np.arange(1.0, 101.0)
    x = np.linspace(1.0, 2.0, 100)

    def function(x):
        first = x / k
        k[...] = k + 1.0
        second = x / k
        k[...] = k - 1.0
        return first * second

    program = record_numpy(function, (x,), {}).program
    assert count(program, "div") == 2
    assert gradproof.check_gradient(function, (x,), vjp=lambda g, x: g * 2 * x / (k * (k + 1.0))).passed
