"""Backwards that nobody can look into: judged by their numbers, and what is still found in them."""

from __future__ import annotations

import array
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

import harness
from harness.proof import program
from harness.verdicts import RIGHT, Verdict
from oracles.exact.enclose.evaluate import RATE
from oracles.exact_oracle import LIMITS
from tests.harness.proof.torch_functions import pulled
from tests.meta.adversarial.test_limits import conjugate_gradients

FAILS = {Verdict.MISCOMPUTED, Verdict.IMPRECISE}
TARGETS, LONG, SHORT = torch.tensor([[1, 2, 3], [2, 2, 4]]), torch.tensor([6, 6]), torch.tensor([3, 3])
PLACES, OFFSETS = torch.tensor([1, 2, 4, 5, 4, 3]), torch.tensor([0, 3])


def drawn(*shape, dtype, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape)).to(dtype)


def lstm(dtype):
    torch.manual_seed(0)
    cell = torch.nn.LSTM(4, 5).to(dtype).requires_grad_(False)
    return lambda x: cell(x)[0], drawn(3, 2, 4, dtype=dtype)


def ctc(dtype):
    return lambda x: F.ctc_loss(x.log_softmax(-1), TARGETS, LONG, SHORT), drawn(6, 2, 5, dtype=dtype)


def bag(mode):
    return lambda dtype: (
        lambda w: F.embedding_bag(PLACES, w, OFFSETS, mode=mode),
        drawn(10, 3, dtype=dtype),
    )


KERNELS = {"lstm": lstm, "ctc": ctc, "sum": bag("sum"), "mean": bag("mean"), "max": bag("max")}
FLOATS = (torch.float64, torch.float32)


def changed(function, change):
    """The function, with its own gradient changed."""

    class Changed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            with torch.enable_grad():
                leaf = x.detach().clone().requires_grad_()
                value = function(leaf)
            ctx.save_for_backward(leaf, value)
            return value.detach().clone()

        @staticmethod
        def backward(ctx, g):
            leaf, value = ctx.saved_tensors
            return change(torch.autograd.grad(value, leaf, g, retain_graph=True)[0])

    return Changed.apply


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", KERNELS)
def test_a_native_backward_is_accurate(name, dtype):
    function, x = KERNELS[name](dtype)
    result = harness.check_gradient(function, (x,))
    assert result.verdict is Verdict.ACCURATE, result
    assert result.worst.bits_lost < 5
    if not (name == "lstm" and dtype is torch.float64):  # which torch runs in operations that have rules
        assert not result.is_examined
        assert "the formula was not examined, so the numbers alone decide: " in str(result)


def first_zero(gradient):
    found = gradient.clone()
    found.view(-1)[gradient.abs().argmax()] = 0
    return found


def row_dropped(gradient):
    found = gradient.clone()
    found[int(gradient.abs().flatten(1).sum(1).argmax())] = 0
    return found


CHANGES = {
    "sign": lambda gradient: -gradient,
    "one element": first_zero,
    "a row": row_dropped,
    "1 %": lambda gradient: 1.01 * gradient,
    "0.1 %": lambda gradient: 1.001 * gradient,
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["lstm", "ctc", "sum", "max"])
def test_what_is_wrong_in_one_is_found(name, change, dtype):
    function, x = KERNELS[name](dtype)
    result = harness.check_gradient(changed(function, CHANGES[change]), (x,))
    assert result.verdict in {*FAILS, Verdict.WRONG}, result


# The least scale 1 + 2^-k that is found, by kernel and dtype: published in docs/verdicts.md.
LEAST = {("ctc", 0): 42, ("ctc", 1): 13, ("sum", 0): 51, ("sum", 1): 22, ("lstm", 1): 15}


@pytest.mark.parametrize(("name", "which"), LEAST)
def test_the_least_scale_that_is_found_is_what_is_published(name, which):
    dtype, least = FLOATS[which], LEAST[name, which]
    function, x = KERNELS[name](dtype)

    def found(k):
        scaled = changed(function, lambda gradient: gradient * (1 + 2.0**-k))
        return harness.check_gradient(scaled, (x,), probes=False).verdict in FAILS

    assert found(least)
    assert not found(least + 3)


# -- narrow formats ------------------------------------------------------------------------------------------


def outside(factor):
    """A kernel outside torch, in a narrow dtype."""

    def backward(g, x):
        g32, x32 = (np.array(t.tolist(), np.float32) for t in (g, x))
        numbers = factor * g32 * np.cos(x32)
        return torch.tensor(numbers).to(x.dtype)

    return pulled(torch.sin, backward)


@pytest.mark.parametrize(("dtype", "least"), [(torch.float16, 2.0**-8), (torch.bfloat16, 2.0**-5)])
def test_in_a_narrow_format_a_few_ulps_are_found_and_not_half_of_the_digits(dtype, least):
    x = drawn(40, dtype=dtype)
    assert harness.check_gradient(outside(1), (x,)).verdict is Verdict.ACCURATE
    result = harness.check_gradient(outside(1 + least), (x,))
    assert result.verdict in FAILS, result
    budget = 5 if dtype is torch.float16 else 4
    assert result.worst.bits_lost < budget, "the budget alone would let it pass"
    assert "the formula was not examined" in str(result)


def test_a_right_gradient_by_another_algorithm_is_not_accused_where_the_truths_own_does_not_round():
    """The truth of a cumulative sum adds short numbers exactly; through a transform each is rounded."""

    def backward(g, x):
        flipped = np.fft.fft(np.cumsum(g[::-1])[::-1])
        return np.fft.ifft(flipped).real

    result = harness.check_gradient(np.cumsum, (np.arange(8.0),), vjp=backward)
    assert result.verdict is Verdict.ACCURATE, result


def test_a_gradient_in_python_numbers_is_judged_by_its_numbers():
    def backward(g, x):
        return g * np.array([math.exp(v) for v in array.array("d", x)])

    x = np.linspace(-1, 1, 5)
    assert harness.check_gradient(np.exp, (x,), vjp=backward).verdict is Verdict.ACCURATE
    wrong = harness.check_gradient(np.exp, (x,), vjp=lambda g, x: 1.0001 * backward(g, x))
    assert wrong.verdict is Verdict.MISCOMPUTED
    assert "the formula was not examined: float() would take" in str(wrong)


# -- what is kept in a narrower format -----------------------------------------------------------------------


def keeping(factor):
    """log(sum(exp(x + 40))), whose backward takes the totals from float32 memory, and writes into it."""

    class Running(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            numbers = x.detach().numpy() + 40
            totals = [numbers[0]]
            for one in numbers[1:]:
                totals.append(np.logaddexp(totals[-1], one))
            kept = torch.Tensor(np.stack(totals))
            ctx.save_for_backward(x, kept)
            return kept[-1].to(x.dtype)

        @staticmethod
        def backward(ctx, g):
            x, kept = ctx.saved_tensors
            totals = kept.numpy()
            found = np.exp(x.detach().numpy() + 40 - totals[-1]) * g.numpy() * factor
            totals[0] = 0
            return torch.as_tensor(found).to(x.dtype)

    return Running.apply


@pytest.mark.parametrize("seed", range(3))
def test_an_opaque_backward_may_keep_what_its_function_casts_to(seed):
    x = 0.1 * drawn(6, dtype=torch.float64, seed=seed)
    result = harness.check_gradient(keeping(1), (x,))
    assert result.verdict is Verdict.ACCURATE, result
    assert "the formula was not examined" in str(result)
    for factor in (1.01, 1.001, -1):
        assert harness.check_gradient(keeping(factor), (x,)).verdict in FAILS


def test_an_opaque_backward_of_a_wide_function_may_not_be_narrow():
    def backward(g, x):
        return torch.tensor(np.float32(g.tolist()) * np.cos(np.float32(x.tolist()))).to(x.dtype)

    result = harness.check_gradient(pulled(torch.sin, backward), (drawn(9, dtype=torch.float64),))
    assert result.verdict in FAILS, result


@pytest.mark.parametrize("factor", [1, 1.0001])
def test_where_nothing_bounds_the_narrower_format_no_error_passes(factor):
    """exp(200) is no number of float32, to which log(1 + exp(x)) is cast."""

    def function(x):
        return torch.log(1 + torch.exp(x)).float()

    def backward(g, x):
        return torch.tensor(factor * np.float64(g.tolist()) / (1 + np.exp(-np.float64(x.tolist()))))

    result = harness.check_gradient(pulled(function, backward), (200 + drawn(5, dtype=torch.float64),))
    assert result.verdict is (Verdict.ACCURATE if factor == 1 else Verdict.UNDECIDED), result
    assert factor == 1 or "unless it keeps its narrower format, in which nothing bounds it" in str(result)


# -- what no precision decides -------------------------------------------------------------------------------

ADVANTAGES, BEFORE = np.array([1.0, -2.0, 0.5, 1.5]), np.array([0.1, -0.3, 0.2, 0.5])
LOG_RATIOS = np.array([0.15, -0.2, 0.25, -0.4])


def ppo_in_torch(x):
    ratio = torch.exp(x - torch.tensor(BEFORE, dtype=x.dtype))
    advantage = torch.tensor(ADVANTAGES, dtype=x.dtype)
    return -torch.min(ratio * advantage, torch.clamp(ratio, 0.8, 1.2) * advantage).mean()


def ppo_in_jax(x):
    ratio = jnp.exp(x - jnp.asarray(BEFORE, x.dtype))
    advantage = jnp.asarray(ADVANTAGES, x.dtype)
    return -jnp.minimum(ratio * advantage, jnp.clip(ratio, 0.8, 1.2) * advantage).mean()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_loss_of_ppo_is_judged_by_its_numbers_where_two_sides_are_one_number(dtype):
    """Within the clip both sides of the minimum are the same number, which no precision can tell."""
    result = harness.check_gradient(ppo_in_torch, (torch.tensor(LOG_RATIOS).to(getattr(torch, dtype)),))
    assert result.verdict is Verdict.ACCURATE, result
    assert "the gradient program cannot be evaluated exactly: cannot compare" in str(result)
    with jax.enable_x64(True):
        of_jax = harness.check_gradient(ppo_in_jax, (jnp.asarray(LOG_RATIOS, dtype),))
    assert of_jax.verdict in RIGHT, of_jax


@pytest.mark.parametrize("factor", [0.4, 1.001, -1.0])
def test_a_wrong_gradient_of_it_is_found(factor):
    x = torch.tensor(LOG_RATIOS)
    result = harness.check_gradient(changed(ppo_in_torch, lambda gradient: factor * gradient), (x,))
    assert result.verdict in {*FAILS, Verdict.WRONG}, result


def test_the_bound_of_what_was_not_examined_takes_as_much_work_as_any(monkeypatch):
    given, bound = [], program.bound
    monkeypatch.setattr(program, "bound", lambda *args: given.append(args[3:]) or bound(*args))
    function, x = bag("sum")(torch.float64)
    found = harness.check_gradient(function, (x,), probes=False)
    assert found.notes
    ((work,),) = given
    assert work.left <= LIMITS.seconds * RATE


# -- what was recorded, and has no exact value ---------------------------------------------------------------


def matrix_of_rank_two(seed):
    draws = np.random.default_rng(seed)
    return (draws.integers(-3, 4, size=(3, 2)) @ draws.integers(-3, 4, size=(2, 3))).astype(float)


def determinant(change):
    """By its singular values, whose vectors are 0 / 0 in exact arithmetic where one of them is 0."""
    det = jax.custom_vjp(jnp.linalg.det)

    def forward(a):
        u, s, vt = jnp.linalg.svd(a)
        others = jnp.stack([s[1] * s[2], s[0] * s[2], s[0] * s[1]])
        return det(a), jnp.linalg.det(u) * jnp.linalg.det(vt) * (u * others) @ vt

    det.defvjp(forward, lambda cofactors, g: (change(g * cofactors),))
    return det


WRONG = {
    "twice": lambda g: 2 * g,
    "1 %": lambda g: 1.01 * g,
    "sign": lambda g: -g,
    "0": lambda g: 0 * g,
    "a millionth": lambda g: g * (1 + 1e-6),
    "where it is 0": lambda g: g + 1e-3,
}


@pytest.mark.parametrize("seed", range(6))
def test_the_bound_of_the_truths_program_accuses_no_other_one(seed):
    """Minors of whole numbers do not round; an SVD does, by a few ulps, of what is 0 too."""
    with jax.enable_x64(True):
        a = jnp.asarray(matrix_of_rank_two(seed))
        right = harness.check_gradient(determinant(lambda g: g), (a,))
        assert right.verdict in {Verdict.ACCURATE, Verdict.UNDECIDED}, right
        assert right.passed or "the truth's own program rounds, which is not what ran" in str(right)
        for change in WRONG.values():
            assert harness.check_gradient(determinant(change), (a,), probes=False).verdict in FAILS


def along_a_circle(factor):
    """Through a Fourier transform, and a branch at 1 of what is 1."""

    def backward(g, x):
        sums = np.fft.ifft(np.fft.fft(np.cumsum(g[::-1])[::-1])).real
        one = np.sin(x) ** 2 + np.cos(x) ** 2
        return factor * np.where(one > 1, sums, sums * 1.0)

    return backward


def test_nor_does_it_in_numpy():
    x = np.arange(8.0)
    for off, verdicts in (
        (0, RIGHT),
        (2e-14, {Verdict.UNDECIDED}),
        (1e-6, FAILS),
        (0.01, FAILS),
        (-1, FAILS),
    ):
        result = harness.check_gradient(np.cumsum, (x,), vjp=along_a_circle(1 + off))
        assert result.verdict in verdicts, (off, result)


@pytest.mark.parametrize(
    ("off", "verdicts"), [(0.0, RIGHT), (1e-12, {Verdict.UNDECIDED}), (1e-5, FAILS), (-2, FAILS)]
)
def test_nor_does_it_where_an_iteration_ends_by_its_residual(off, verdicts):
    def pullback(g, a, b):
        along_b = (1 + off) * conjugate_gradients(a.T, g)
        return -np.outer(along_b, conjugate_gradients(a, b)), along_b

    draws = np.random.default_rng(0)
    half, b = draws.normal(size=(4, 4)), draws.normal(size=4)
    args = (half @ half.T + 4 * np.eye(4), b)
    result = harness.check_gradient(conjugate_gradients, args, vjp=pullback, spec=np.linalg.solve)
    assert result.verdict in verdicts, result
