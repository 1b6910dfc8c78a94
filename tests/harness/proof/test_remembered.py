"""What was proven is remembered, of the same program at the same numbers alone."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient
from harness.proof import remembered
from harness.proof.remembered import SMALL, forget
from harness.verdicts import Verdict
from oracles.exact.core import library
from oracles.exact.core.plans import structure
from oracles.exact.enclose.evaluate import Work
from oracles.exact.program.program import Program, Var

X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def pullback(g, x, factor=1.0):
    y = softmax(x)
    return y * (g - factor * (g * y).sum(-1, keepdims=True))


CHECKS = {
    "numpy": lambda x, **more: check_gradient(softmax, (x,), vjp=pullback, **more),
    "jax": lambda x, **more: check_gradient(lambda x: jnp.tanh(x) * jnp.exp(x), (jnp.asarray(x),), **more),
    "torch": lambda x, **more: check_gradient(torch.nn.functional.silu, (torch.from_numpy(x),), **more),
}


def proofs(monkeypatch):
    """How many enclosures are computed from now on."""
    runs = []

    def counted(code, arena, run=library.run):
        runs.append(code)
        return run(code, arena)

    monkeypatch.setattr(library, "run", counted)
    return runs


@pytest.mark.parametrize("framework", CHECKS)
def test_a_check_that_is_repeated_proves_nothing_twice_and_says_the_same(monkeypatch, framework):
    check = CHECKS[framework]
    first = check(X)
    runs = proofs(monkeypatch)
    again = check(X.copy())
    assert not runs
    assert (str(again), again.rows.drop(columns="time_ratio", errors="ignore").to_dict()) == (
        str(first),
        first.rows.drop(columns="time_ratio", errors="ignore").to_dict(),
    )
    forget()
    assert str(check(X)) == str(first)
    assert runs


@pytest.mark.parametrize("framework", CHECKS)
def test_other_numbers_or_cotangents_are_proven_anew(monkeypatch, framework):
    check = CHECKS[framework]
    check(X)
    runs = proofs(monkeypatch)
    near = X.copy()
    near[1, 2] = np.nextafter(near[1, 2], np.float32(9))
    for x, more in ((near, {}), (X, {"seed": 1}), (X[:, :3], {}), (X, {"mode": "forward"})):
        if more.get("mode") and framework == "numpy":
            continue  # a rule by hand is one of reverse mode
        runs.clear()
        assert check(x, **more).passed
        assert runs


def test_zeros_of_another_sign_are_other_numbers(monkeypatch):
    def reciprocal(x):
        return 1.0 / (x + 1.0) + 0.0 * x

    def rule(g, x):
        return -g / (x + 1.0) ** 2

    x = np.array([0.0, 1.0])
    assert check_gradient(reciprocal, (x,), vjp=rule).passed
    runs = proofs(monkeypatch)
    assert check_gradient(reciprocal, (-x * [1, -1],), vjp=rule).passed
    assert runs


def test_a_constant_of_the_code_that_has_changed_is_seen():
    weight = np.array([2.0, 3.0])

    def check():
        return check_gradient(lambda x: weight * x * x, (np.array([0.3, 0.7]),), vjp=lambda g, x: g * w * x)

    w = 2 * weight
    assert check().verdict is Verdict.ACCURATE
    weight[1] = 3.5
    assert check().verdict is Verdict.WRONG
    w = 2 * weight
    assert check().verdict is Verdict.ACCURATE


def test_a_wrong_gradient_after_a_right_one_is_wrong_and_the_other_way_round():
    for factor in (1.0, 0.99, 1.0):
        found = check_gradient(softmax, (X,), vjp=lambda g, x, f=factor: pullback(g, x, f))
        assert found.verdict is (Verdict.ACCURATE if factor == 1.0 else Verdict.WRONG)


def test_arb_proves_what_the_core_has_proven(monkeypatch):
    first = CHECKS["torch"](X)
    runs = proofs(monkeypatch)
    with library.without():
        found = CHECKS["torch"](X)
    assert found.verdict is first.verdict
    assert not runs
    assert found.rows["bits_lost"].tolist() == pytest.approx(first.rows["bits_lost"].tolist(), abs=0.01)


def test_kinks_are_looked_at_each_time(monkeypatch):
    def check():
        return check_gradient(np.abs, (np.array([0.0, 2.0]),), vjp=lambda g, x: g * np.sign(x))

    assert check().verdict is Verdict.CONVENTION
    kept = [found for found, _ in remembered._proven.values()]
    assert not any(getattr(found, "sides", None) for found in kept)
    assert check().verdict is Verdict.CONVENTION


def program(*shape):
    x = Var(0, shape, "float64")
    return Program((x,), [], (x,))


def of(prove, numbers, *settings, work=None, balls=lambda found: ()):
    return remembered.remembered(prove, balls, program(*numbers.shape), [numbers], *settings, work=work)


def test_what_is_large_what_has_balls_and_what_may_not_last_is_proven_each_time():
    ran = []
    for numbers, balls in (
        (np.zeros(SMALL), lambda found: ()),
        (np.full(2, 0.5, object), lambda found: ()),
        (np.zeros(3), lambda found: None),
    ):
        for _ in range(2):
            of(lambda: ran.append(1), numbers, balls=balls)
    assert len(ran) == 6
    assert not remembered._proven


def test_a_long_program_is_proven_each_time(monkeypatch):
    monkeypatch.setattr(remembered, "SHORT", 2)
    check = CHECKS["torch"]
    check(X)
    assert not remembered._proven


def test_settings_and_numbers_tell_proofs_apart_and_the_oldest_is_forgotten(monkeypatch):
    monkeypatch.setattr(remembered, "MOST", 3)
    ran = []

    def ask(number, *settings):
        return of(lambda: ran.append((number, *settings)), np.array([number]), *settings)

    for number, setting in ((1.0, "a"), (1.0, "b"), (2.0, "a"), (1.0, "a")):
        ask(number, setting)
    assert ran == [(1.0, "a"), (1.0, "b"), (2.0, "a")]
    ask(3.0, "a")  # for it goes what was asked longest ago
    ran.clear()
    ask(1.0, "a")
    ask(1.0, "b")
    assert ran == [(1.0, "b")]


def test_what_it_costs_is_counted_though_it_is_not_proven_again():
    def prove():
        return work.pays(0.6e-3 * 1e9) or "not affordable"

    work = Work(1.0)
    whole = work.left
    work.left = 1e6
    assert of(prove, np.zeros(1), "bound", work=work) is True
    spent = 1e6 - work.left
    assert spent > 0
    work = Work(1.0)
    assert of(prove, np.zeros(1), "bound", work=work) is True
    assert whole - work.left == pytest.approx(spent)
    work.left = spent / 2
    assert of(prove, np.zeros(1), "bound", work=work) == "not affordable"


def test_nobody_writes_into_what_is_remembered():
    found = of(lambda: np.ones(2), np.zeros(2), balls=lambda found: [found])
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 2.0


def test_programs_of_one_structure_are_one():
    assert structure(program(2)) == structure(program(2)) != structure(program(3))
