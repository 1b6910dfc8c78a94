"""Gradients that are right as they are first run, and not as callers use them: each names its probe."""

import re
from dataclasses import replace
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient, check_layer
from harness.dropin import gradcheck
from harness.dropin.configuration import GradientWarning, settings
from harness.proof import probed
from harness.proof.question import Probe
from harness.verdicts import Verdict

X = np.array([[0.5, -1.25, 2.0, 0.75], [1.5, -0.25, -3.0, 0.1]])
Y = np.array([[1.5, 0.25, -2.5, 1.75], [0.5, -1.25, 3.5, 2.1]])
TX, TY, JX, JY = torch.tensor(X), torch.tensor(Y), jnp.asarray(X), jnp.asarray(Y)


def function(backward, forward=None):
    """An autograd.Function, of x^2 if no other forward is given."""

    def squared(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    made = type("Made", (torch.autograd.Function,), {
        "forward": staticmethod(forward or squared), "backward": staticmethod(backward),
    })  # fmt: skip
    return made.apply


def rule(backward, forward=None):
    """A custom_vjp, of x^2 if no other forward is given."""
    made = jax.custom_vjp(lambda x: x * x)
    made.defvjp(forward or (lambda x: (x * x, x)), backward)
    return made


def square(x):
    return x * x


def square_vjp(g, x):
    return 2 * g * x


# -- cotangents in memory ---------------------------------------------------------------------------------


def as_contiguous_memory(ctx, g):
    """Reads the numbers that lie behind g, one after the other."""
    (x,) = ctx.saved_tensors
    held = torch.zeros(x.numel(), dtype=g.dtype)
    count = min(x.numel(), g.untyped_storage().nbytes() // g.itemsize)
    held[:count] = torch.as_strided(g, (count,), (1,), 0)
    return held.view_as(x) * 2 * x


def of_whole_rows(ctx, g):
    """Takes one element after the other for all elements: rows may have gaps between them."""
    g = g if g.stride(-1) == 1 else g.contiguous()
    steps = torch.empty(g.shape).stride()
    return torch.as_strided(g, g.shape, steps, g.storage_offset()) * 2 * ctx.saved_tensors[0]


def from_the_start(ctx, g):
    """Forgets where in its memory the cotangent begins."""
    return torch.as_strided(g, g.shape, g.stride(), 0) * 2 * ctx.saved_tensors[0]


def by_strides(g, x):
    return 2 * g * x if g.strides[0] >= g.strides[-1] > 0 else 3 * g * x


def _has_channels_last(g):
    return g.is_contiguous(memory_format=torch.channels_last) and not g.is_contiguous()


IN_MEMORY = {
    "reads memory": (
        function(as_contiguous_memory), TX, None, {"expanded", "strided", "transposed", "padded"},
    ),
    "view(-1)": (
        function(lambda ctx, g: g.view(-1).view(2, 4) * 2 * ctx.saved_tensors[0]), TX, None,
        {"transposed", "padded"},
    ),
    "padded": (function(of_whole_rows), TX, None, {"padded"}),
    "channels last": (
        function(lambda ctx, g: (g.permute(0, 2, 3, 1).reshape(g.shape) if _has_channels_last(g) else g) * 2
                 * ctx.saved_tensors[0]),
        torch.linspace(-1, 2, 24, dtype=torch.float64).reshape(1, 2, 3, 4), None, {"transposed"},
    ),
    "offset": (function(from_the_start), TX, None, {"strided", "padded"}),
    "one value": (
        function(lambda ctx, g: (g.T if 0 in g.stride() else g).reshape(2, 4) * (3 if 0 in g.stride() else 2)
                 * ctx.saved_tensors[0]), TX, None, {"expanded"},
    ),
    "gaps": (
        function(lambda ctx, g: g * (3 if g.stride(0) == 8 else 2) * ctx.saved_tensors[0]), TX, None,
        {"strided"},
    ),
    "contiguous()": (
        function(lambda ctx, g: g.contiguous() * 2 * ctx.saved_tensors[0]), TX, None, set(),
    ),
    "NumPy, strides": (square, X, by_strides, {"expanded", "transposed"}),
    "NumPy, ravel('K')": (
        square, X, lambda g, x: g.ravel("K").reshape(2, 4) * 2 * x, {"transposed"},
    ),
    "NumPy, writes": (
        square, X, lambda g, x: 2 * x * (g if g.flags.writeable else np.zeros_like(g)), {"expanded"},
    ),
}  # fmt: skip


def found_by(result):
    return {part.probe for part in result.probed}


@pytest.mark.parametrize(("f", "x", "vjp", "probes"), IN_MEMORY.values(), ids=IN_MEMORY)
def test_a_cotangent_otherwise_in_memory(f, x, vjp, probes):
    found = check_gradient(f, (x,), vjp=vjp)
    assert found_by(found) == probes, str(found)
    assert found.passed == (not probes)
    assert all(f"seed 0, {probe}]" in str(found) for probe in probes)


# -- ones and zeros ---------------------------------------------------------------------------------------


def without_2_along_ones(g, x, all_of):
    return x if all_of(g == 1) else 2 * g * x


def scaled_by_rows(ctx, g):
    """As kernels of eight bits scale each row: not a number where all of it is 0."""
    scale = g.abs().amax(-1, keepdim=True)
    return 2 * ctx.saved_tensors[0] * (g / scale) * scale


ONES_AND_ZEROS = {
    "NumPy, ones": (square, X, lambda g, x: without_2_along_ones(g, x, np.all), {"ones"}),
    "NumPy, each one": (
        square, X, lambda g, x: np.where(g == 1, 1, 2) * g * x, {"zeros"},
    ),
    "torch, ones": (
        function(lambda ctx, g: without_2_along_ones(g, ctx.saved_tensors[0], torch.all)), TX, None, {"ones"},
    ),
    "torch, ones in half a precision": (
        function(lambda ctx, g: without_2_along_ones(g, ctx.saved_tensors[0], torch.all)), TX.half(), None,
        {"ones"},
    ),
    "JAX, ones": (
        rule(lambda x, g: (jnp.where(jnp.all(g == 1), x, 2 * g * x),)), JX, None, {"ones"},
    ),
    "a loss, nothing": (lambda x: np.sum(x * x), X, lambda g, x: 2 * g * x * (g / g), {"zeros"}),
    "torch, rows": (function(scaled_by_rows), TX, None, {"zeros"}),
    "torch, a vector": (
        function(lambda ctx, g: 2 * ctx.saved_tensors[0] * (g * g / g)), TX[0], None, {"zeros"},
    ),
    "JAX, elements": (rule(lambda x, g: (2 * x * (g * g / g),)), JX, None, {"zeros"}),
    "right": (square, X, square_vjp, set()),
    "a right loss": (lambda x: np.sum(x * x), X, lambda g, x: 2 * g * x, set()),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("f", "x", "vjp", "probes"), ONES_AND_ZEROS.values(), ids=ONES_AND_ZEROS)
def test_a_short_way_along_ones_or_zeros(f, x, vjp, probes):
    """A sum pulls back ones, and a masked loss zeros: code may have a way of its own for these."""
    found = check_gradient(f, (x,), vjp=vjp)
    assert found_by(found) == probes, str(found)
    assert found.passed == (not probes)


# -- sizes ------------------------------------------------------------------------------------------------

SIZES = {
    "clipped": (lambda g: np.clip(g, -10, 10), lambda g: g.clamp(-10, 10), lambda g: jnp.clip(g, -10, 10)),
    "flushed": (
        lambda g: np.where(np.abs(g) < 1e-4, 0 * g, g), lambda g: torch.where(g.abs() < 1e-4, 0 * g, g),
        lambda g: jnp.where(jnp.abs(g) < 1e-4, 0 * g, g),
    ),
    "normed": (
        lambda g: g / np.maximum(np.sqrt(np.sum(g * g)) / 100, 1),
        lambda g: g / torch.clamp((g * g).sum().sqrt() / 100, min=1),
        lambda g: g / jnp.maximum(jnp.sqrt(jnp.sum(g * g)) / 100, 1),
    ),
    "shifted": (lambda g: g + 1e-30, lambda g: g + 1e-30, lambda g: g + 1e-30),
}  # fmt: skip


@pytest.mark.parametrize("of", SIZES)
@pytest.mark.parametrize("framework", ["numpy", "torch", "jax"])
def test_a_backward_that_changes_large_or_tiny_cotangents(of, framework):
    numpy, torched, jaxed = SIZES[of]
    if framework == "numpy":
        found = check_gradient(square, (X,), vjp=lambda g, x: 2 * numpy(g) * x)
    elif framework == "torch":
        found = check_gradient(function(lambda ctx, g: torched(g) * 2 * ctx.saved_tensors[0]), (TX,))
    else:
        found = check_gradient(rule(lambda x, g: (2 * jaxed(g) * x,)), (JX,))
    wanted = {"clipped": {"scaled-up"}, "normed": {"scaled-up"}, "flushed": {"scaled-down"}, "shifted": set()}
    assert found_by(found) == wanted[of], str(found)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_flushing_is_found_in_every_dtype(dtype):
    def flushed(g, x):
        return np.where(np.abs(g) < np.asarray(1e-4, g.dtype), 0 * g, g) * 2 * x

    assert found_by(check_gradient(square, (X.astype(dtype),), vjp=flushed)) == {"scaled-down"}


CONSTANT = {
    "one number": lambda g: np.ptp(g) == 0 and g.flat[0] != 1,
    "below 0": lambda g: (g < 0).all(),
}


@pytest.mark.parametrize("of", CONSTANT)
@pytest.mark.parametrize("framework", ["numpy", "torch", "jax"])
def test_a_backward_with_a_short_way_for_one_number(of, framework):
    """`np.exp(x)` for `g * np.exp(x)` is right where a sum is differentiated, and nowhere else."""
    short = CONSTANT[of]
    if framework == "numpy":
        found = check_gradient(square, (X,), vjp=lambda g, x: (1 if short(g) else g) * 2 * x)
    elif framework == "torch":
        found = check_gradient(
            function(lambda ctx, g: (1 if short(g.numpy()) else g) * 2 * ctx.saved_tensors[0]), (TX,)
        )
    else:
        is_short = (
            (lambda g: (jnp.ptp(g) == 0) & (g.ravel()[0] != 1))
            if of == "one number"
            else (lambda g: (g < 0).all())
        )
        found = check_gradient(rule(lambda x, g: (jnp.where(is_short(g), 1, g) * 2 * x,)), (JX,))
    assert found_by(found) == {"constant"}, str(found)
    assert not found.passed


# -- one result, one argument -----------------------------------------------------------------------------


def two(ctx, x):
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(x)
    return x * x, x.sin()


def halved_alone(ctx, g, h):
    (x,) = ctx.saved_tensors
    if h is None:
        return g * x
    return h * x.cos() if g is None else 2 * g * x + h * x.cos()


def no_none(ctx, g, h):
    (x,) = ctx.saved_tensors
    return 2 * g * x + h * x.cos()


def is_zero(g):
    return type(g).__name__ == "SymbolicZero"


def symbolic():
    made = jax.custom_vjp(lambda x: (x * x, jnp.sin(x)))

    def backward(x, gs):
        g, h = gs
        squares = 0 * x if is_zero(g) else (1 if is_zero(h) else 2) * g * x
        return (squares + (0 * x if is_zero(h) else h * jnp.cos(x)),)

    made.defvjp(lambda x: ((x.value**2, jnp.sin(x.value)), x.value), backward, symbolic_zeros=True)
    return made


def two_in_numpy(x):
    return x * x, np.sin(x)


RESULTS = {
    "materialize_grads False": (function(halved_alone, two), TX, {}),
    "None is no tensor": (function(no_none, two), TX, {}),
    "symbolic_zeros": (symbolic(), JX, {}),
    "NumPy": (
        two_in_numpy, X,
        {"vjp": lambda gs, x: (2 if np.any(gs[1]) else 1) * gs[0] * x + gs[1] * np.cos(x)},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("f", "x", "more"), RESULTS.values(), ids=RESULTS)
def test_a_cotangent_for_one_of_two_results(f, x, more):
    assert found_by(check_gradient(f, (x,), **more)) == {"one-output"}


def _unmaterialized(backward):
    class Two(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(x, y)
            return x * y, 3 * y

        @staticmethod
        def backward(ctx, g, h):
            return backward(g, h, *ctx.saved_tensors)

    return Two.apply


def _all_there(g, h, x, y):
    of_y = [one for one in (None if g is None else g * x, None if h is None else 3 * h) if one is not None]
    return None if g is None else g * y, sum(of_y)


def _forgets_the_second(g, h, x, y):
    return (None, None) if g is None else _all_there(g, h, x, y)


def _wrong_beside_none(g, h, x, y):
    of_x, of_y = _all_there(g, h, x, y)
    return of_x, of_y if g is not None else 1.01 * of_y


def _none_along_ones(g, h, x, y):
    of_x, of_y = _all_there(g, h, x, y)
    return (None if g is not None and (g == 1).all() else of_x), of_y


@pytest.mark.parametrize(
    ("backward", "probes"),
    [
        (_all_there, set()), (_forgets_the_second, {"one-output"}), (_wrong_beside_none, {"one-output"}),
        (_none_along_ones, {"ones"}),
    ],
)  # fmt: skip
def test_no_gradient_is_right_where_that_is_0_and_wrong_elsewhere(backward, probes):
    x, y = torch.tensor([0.3, -1.0]).double(), torch.tensor([0.7, 0.2]).double()
    found = check_gradient(_unmaterialized(backward), (x, y))
    assert {part.probe for part in found.parts if part.verdict == "wrong"} == probes
    assert found.passed == (not probes)


def product(ctx, x, y):
    ctx.save_for_backward(x, y)
    return x * y


def wrong_for_one(ctx, g):
    x, y = ctx.saved_tensors
    return g * y, g * x * (1 if ctx.needs_input_grad[0] else 2)


def raises_for_one(ctx, g):
    x, y = ctx.saved_tensors
    first = g * y if ctx.needs_input_grad[0] else None
    return first, g * x + 0 * first


def perturbed():
    made = jax.custom_vjp(lambda x, y: x * y)

    def forward(x, y):
        return x.value * y.value, (x.value, y.value, y.perturbed)

    made.defvjp(forward, lambda r, g: (g * r[1] * (1 if r[2] else 3), g * r[0]), symbolic_zeros=True)
    return made


def along_one():
    made = jax.custom_jvp(lambda x, y: x * y)

    def tangents(primals, ts):
        (x, y), (s, t) = primals, ts
        alone = is_zero(t)
        return x * y, (2 if alone else 1) * y * s + (0 * x if alone else x * t)

    made.defjvp(tangents, symbolic_zeros=True)
    return made


ARGUMENTS = {
    "needs_input_grad": (function(wrong_for_one, product), (TX, TY), {}),
    "None where it is not needed": (function(raises_for_one, product), (TX, TY), {}),
    "perturbed": (perturbed(), (JX, JY), {}),
    "tangents": (along_one(), (JX, JY), {"mode": "forward"}),
}


@pytest.mark.parametrize(("f", "args", "more"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_one_argument_alone(f, args, more):
    assert found_by(check_gradient(f, args, **more)) == {"one-argument"}


class Quantised(torch.autograd.Function):
    """tanh, times a factor where the gradient in w alone is asked for."""

    FACTOR = 1

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(w)
        return torch.tanh(w) + 0 * x

    @staticmethod
    def backward(ctx, g):
        (w,) = ctx.saved_tensors
        return 0 * g, g * (1 - torch.tanh(w) ** 2) * (1 if ctx.needs_input_grad[0] else Quantised.FACTOR)


@pytest.mark.parametrize(("factor", "expected"), [(1, set()), (2, {"one-argument"})])
def test_a_function_may_ask_whether_its_other_argument_is_differentiated(monkeypatch, factor, expected):
    """As vector quantisation does: with x frozen its forward is another function, with a truth of its own."""

    def quantised(x, w):
        q = Quantised.apply(x, w)
        return x + (q - x).detach() if x.requires_grad else q

    monkeypatch.setattr(Quantised, "FACTOR", factor)
    assert found_by(check_gradient(quantised, (TX, TY))) == expected


def test_a_function_that_differentiates_its_argument_needs_it_to_require_grad():
    def forces(x, w):
        (force,) = torch.autograd.grad((x.sin() * w).sum(), x, create_graph=True)
        return force * w

    assert check_gradient(forces, (TX, TY)).passed


# -- what torch does not see ------------------------------------------------------------------------------


class InAList(torch.nn.Module):
    def __init__(self, kept):
        super().__init__()
        self.kept, self.own = kept, torch.nn.Parameter(torch.ones(4, dtype=torch.float64))

    def forward(self, x):
        first = self.kept[0] if isinstance(self.kept, list | torch.nn.ParameterList) else self.kept["w"]
        return (first(x) if callable(first) else first * x) + self.own


WEIGHT = torch.nn.Parameter(torch.ones(4, dtype=torch.float64))
NOT_SEEN = [
    (InAList([WEIGHT]), "kept holds parameters in a plain list, of which the module knows nothing"),
    (InAList({"w": WEIGHT}), "kept holds parameters in a plain dict"),
    (InAList([torch.nn.Linear(4, 4).double()]), "kept holds parameters in a plain list"),
    (torch.nn.Sequential(InAList([WEIGHT])), "0.kept holds parameters in a plain list"),
    (InAList(torch.nn.ParameterList([WEIGHT])), ""),
    (lambda x: (x * x, x.sin()), ""),
]


@pytest.mark.parametrize(("f", "said"), NOT_SEEN)
def test_what_torch_does_not_see_is_named(f, said):
    found = check_gradient(f, (TX,))
    assert len(found.notes) == bool(said)
    assert re.search(said, "".join(found.notes)), found.notes


# -- graphs -----------------------------------------------------------------------------------------------

STATE = {}


def kept_outside(ctx, x):
    STATE["x"] = x
    return x * x


def kept_in_numpy(x):
    STATE["n"] = x
    return x * x


def kept_in_jax(x):
    STATE["j"] = x
    return x * x, None


def counted(ctx, g):
    ctx.count = getattr(ctx, "count", 0) + 1
    return ctx.count * 2 * g * ctx.saved_tensors[0]


def scaling_what_it_saved(residuals, g):
    found = 2 * residuals[0] * g
    residuals[0] = 2 * residuals[0]
    return found


GRAPHS = {
    "a global, torch": (function(lambda ctx, g: 2 * g * STATE["x"], kept_outside), TX, {}, "two-graphs"),
    "a global, JAX": (rule(lambda _, g: (2 * g * STATE["j"],), kept_in_jax), JX, {}, "two-graphs"),
    "a global, NumPy": (kept_in_numpy, X, {"vjp": lambda g, x: 2 * g * STATE["n"]}, "two-graphs"),
    "a context that counts": (function(counted), TX, {}, "twice"),
    "residuals that are written into": (
        lambda x: (x * x, [x]), X, {"residual_vjp": scaling_what_it_saved}, "twice",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("f", "x", "more", "probe"), GRAPHS.values(), ids=GRAPHS)
def test_graphs_that_live_side_by_side(f, x, more, probe):
    assert found_by(check_gradient(f, (x,), **more)) == {probe}


def test_a_graph_that_refuses_a_second_backward_is_no_fault():
    def once(ctx, g):
        if hasattr(ctx, "done"):
            raise RuntimeError("a second time")
        ctx.done = True
        return 2 * g * ctx.saved_tensors[0]

    assert check_gradient(function(once), (TX,)).passed


BUFFER = torch.zeros(2, 4, dtype=torch.float64)


def test_a_result_in_a_buffer_that_the_next_call_overwrites():
    def into_buffer(ctx, g):
        BUFFER.copy_(2 * g * ctx.saved_tensors[0])
        return BUFFER.view_as(BUFFER)

    found = check_gradient(function(into_buffer), (TX,))
    assert not found.passed
    assert "kept" in found_by(found) or found.verdict == "unsupported"


def test_what_differs_from_run_to_run_is_said_so():
    calls = []

    def vjp(g, x):
        calls.append(1)
        return 2 * g * x * (1 + 1e-3 * (len(calls) == 3))

    found = check_gradient(square, (X,), vjp=vjp)
    assert found.diagnosis.startswith("run again: ")
    assert found.notes[0].startswith("not reproducible: ")


# -- a derivative of 0 ------------------------------------------------------------------------------------


def times(x, w):
    return x * w


FLAT = {
    "a wrong factor": (lambda g, x, w: (2 * g * w, 3 * g * x), {"beside"}),
    "right": (lambda g, x, w: (g * w, g * x), set()),
    "raises elsewhere": (lambda g, x, w: (g * w, g * x) if not x.any() else 1 / 0, {"beside"}),
}


@pytest.mark.parametrize(("vjp", "probes"), FLAT.values(), ids=FLAT)
def test_where_the_derivative_is_zero_a_wrong_factor_is_found_beside(vjp, probes):
    found = check_gradient(times, (0 * X, 0 * Y), vjp=vjp)
    assert found_by(found) == probes, str(found)
    assert found.notes[0].startswith(
        "the derivative is 0 in every element, where a wrong factor does not show"
    )
    assert check_gradient(times, (0 * X, 0 * Y), vjp=vjp, probes=False).passed


FLAT_AROUND = {
    "relu": (lambda x: np.maximum(x, 0), lambda f: lambda g, x: f * g * (x > 0)),
    "relu far away": (lambda x: np.maximum(x - 5, 0), lambda f: lambda g, x: f * g * (x > 5)),
    "a hinge": (lambda x: np.maximum(0, 1 + x), lambda f: lambda g, x: f * g * (x > -1)),
    "clipped": (lambda x: np.clip(x, 0, 6), lambda f: lambda g, x: f * g * ((x > 0) & (x < 6))),
}


@pytest.mark.parametrize("factor", [1, 3])
@pytest.mark.parametrize(("f", "vjp"), FLAT_AROUND.values(), ids=FLAT_AROUND)
def test_where_the_derivative_is_zero_all_around_it_is_compared_further_away(f, vjp, factor):
    found = check_gradient(f, (-np.abs(X) - 2,), vjp=vjp(factor))
    assert found_by(found) == ({"beside"} if factor == 3 else set()), str(found)
    assert found.notes[0].endswith("it was compared beside this point too")


def test_what_is_zero_everywhere_is_said_to_be():
    found = check_gradient(np.floor, (X,), vjp=lambda g, x: 0 * g)
    assert found.passed
    assert found.notes[0].endswith("and so it is beside this point")


def low_rank(x, a, b):
    return x + x @ a @ b


LOW_RANK = {
    "right": (1, 1, set()),
    "a factor that b hides": (3, 1, {"beside"}), "a term that b hides": (1, 0, {"beside"}),
}  # fmt: skip


@pytest.mark.parametrize(("of_a", "of_x", "probes"), LOW_RANK.values(), ids=LOW_RANK)
def test_what_an_argument_of_zeros_hides_is_found_beside(of_a, of_x, probes):
    """As adapters of low rank begin: b is 0, and with it the derivative of a."""

    def vjp(g, x, a, b):
        return g + of_x * g @ b.T @ a.T, of_a * x.T @ (g @ b.T), (x @ a).T @ g

    rng = np.random.default_rng(0)
    args = rng.normal(size=(4, 3)), rng.normal(size=(3, 2)), np.zeros((2, 3))
    found = check_gradient(low_rank, args, vjp=vjp)
    assert found_by(found) == probes, str(found)
    said = [note for note in found.notes if "derivative of a" in note]
    assert len(said) == 1
    assert said[0].endswith("it was compared beside this point too")


FORGOTTEN = {
    "a factor that is 1": (lambda x, w: w * x * x, np.ones((2, 4)), lambda g, x, w: (2 * x * g, x * x * g)),
    "a term that is 0": (lambda x, w: (x + w) ** 2, np.zeros((2, 4)), lambda g, x, w: (2 * x * g,) * 2),
}  # fmt: skip


@pytest.mark.parametrize(("f", "w", "vjp"), FORGOTTEN.values(), ids=FORGOTTEN)
def test_what_an_argument_of_ones_or_zeros_hides_is_found_beside(f, w, vjp):
    """As a norm's gamma and beta begin."""
    assert found_by(check_gradient(f, (X, w), vjp=vjp)) == {"beside"}
    assert check_gradient(f, (X, w + 0.5), vjp=vjp).verdict is Verdict.WRONG


def logpdf(x, mu, cov):
    r = np.linalg.solve(cov, x - mu)
    return -0.5 * (x - mu) @ r - 0.5 * np.log(np.linalg.det(cov))


def logpdf_vjp(g, x, mu, cov):
    """Of a symmetric matrix, as a covariance is."""
    inverse = np.linalg.inv(cov)
    r = inverse @ (x - mu)
    return -g * r, g * r, 0.5 * g * (np.outer(r, r) - inverse)


def masked_vjp(g, x, m):
    assert set(m.ravel().tolist()) <= {0.0, 1.0}
    return g * m, g * x


def quadratic(x, a):
    return x @ a @ x


SET_APART = {
    "a mean of zeros beside a covariance": (logpdf, (X[0], np.zeros(4), np.eye(4) + 0.1), logpdf_vjp),
    "a mask of ones": (times, (X, np.ones((2, 4))), masked_vjp),
    "a matrix of ones that is symmetric": (
        quadratic, (X[0], np.ones((4, 4))), lambda g, x, a: (2 * g * a @ x, g * np.outer(x, x)),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("f", "args", "vjp"), SET_APART.values(), ids=SET_APART)
def test_what_stands_beside_an_argument_of_ones_or_zeros_stays_as_it_must_be(f, args, vjp):
    found = check_gradient(f, args, vjp=vjp)
    assert found.passed, str(found)


@pytest.mark.parametrize(("factor", "probes"), [(1, set()), (3, {"beside"})])
def test_a_derivative_that_is_still_zero_is_looked_for_further_away(factor, probes):
    """Dead units: with the bias of zeros another derivative moves at once."""

    def dead(x, w, b):
        return np.maximum(x * w - 30, 0) + b

    def vjp(g, x, w, b):
        g_in = g * (x * w > 30)
        return g_in * w, factor * g_in * x, g.sum(0)

    found = check_gradient(dead, (X, Y, np.zeros(4)), vjp=vjp)
    assert found_by(found) == probes, str(found)


@pytest.mark.parametrize(("kept", "probes"), [(1, set()), (0, {"beside"})])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_where_one_unit_alone_is_awake_a_term_between_two_is_looked_for_further(kept, probes, dtype):
    """Light through six layers, none of which is dense: what an earlier one takes from a later one."""
    rng = np.random.default_rng(0)
    density, colour = (-1 - np.abs(rng.normal(size=6))).astype(dtype), rng.normal(size=(6, 3)).astype(dtype)

    def parts(density):
        opaque = 1 - np.exp(-np.maximum(density, 0))
        through = np.cumprod(np.concatenate([opaque[:1] * 0 + 1, 1 - opaque[:-1]]))
        return opaque, through

    def light(density, colour):
        opaque, through = parts(density)
        return (opaque * through) @ colour

    def vjp(g, density, colour):
        opaque, through = parts(density)
        of_each = colour @ g
        after = np.cumsum((opaque * through * of_each)[::-1])[::-1] - opaque * through * of_each
        of_density = through * (1 - opaque) * of_each - kept * after
        return of_density * (density > 0), np.outer(opaque * through, g)

    found = check_gradient(light, (density, colour), vjp=vjp)
    assert found_by(found) == probes, str(found)


def test_a_derivative_that_is_zero_wherever_one_looks_is_said_to_be():
    def flat(x, w, b):
        return 0 * np.floor(x * w) + b

    found = check_gradient(flat, (X, Y, np.zeros(4)), vjp=lambda g, x, w, b: (0 * x, 0 * w, g.sum(0)))
    assert found.passed
    assert not any(note.endswith("it was compared beside this point too") for note in found.notes)


@pytest.mark.parametrize("make", [function, rule])
def test_a_custom_rule_at_ones_is_asked_elsewhere_too(make):
    ones = TX * 0 + 1 if make is function else JX * 0 + 1
    backward = (lambda c, g: 2 * g) if make is function else (lambda x, g: (2 * g,))
    assert found_by(check_gradient(make(backward), (ones,))) == {"beside"}


def test_a_derivative_that_is_always_zero_hides_nothing():
    """As that of a bias before a mean is taken away, and another bias of zeros."""
    centred = lambda x, b, c: (x + b) - (x + b).mean(0) + c  # noqa: E731
    args = TX, torch.ones(4, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    found = check_gradient(centred, args)
    assert found.passed
    assert not any("beside" in note for note in found.notes)


@pytest.mark.parametrize(("f", "vjp"), [
    (np.floor, lambda g, x: 0 * g), (lambda x: np.maximum(x, 0), lambda g, x: g * (x > 0)),
    (lambda x: np.sum(x - x), lambda g, x: 0 * x), (np.sign, lambda g, x: 0 * g),
])  # fmt: skip
def test_functions_that_are_flat_have_a_gradient_of_zero(f, vjp):
    assert check_gradient(f, (-np.abs(X) - 0.3,), vjp=vjp).passed


def test_a_flat_point_that_has_no_other_beside_it_says_so():
    def only_zero(x):
        if not hasattr(x, "tape") and x.any():
            raise ValueError("nothing but 0")
        return x * x

    found = check_gradient(only_zero, (0 * X,), vjp=square_vjp, probes=["beside"])
    assert found.passed
    assert found.notes[0].endswith("beside this point nothing was compared")


# -- layers -----------------------------------------------------------------------------------------------


class Affine:
    """y = x w + b."""

    def __init__(self):
        self.W, self.b = np.array([[0.5, -1.0], [2.0, 0.25], [1.5, 1.0], [-0.5, 0.75]]), np.zeros(2)
        self.x = self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(0)
        return dout @ self.W.T


class FirstInput(Affine):
    def forward(self, x):
        if self.x is None:
            self.x = x
        return x @ self.W + self.b


class FirstInputAndOutput(Affine):
    def forward(self, x):
        if self.x is None:
            self.x = x
        return self.x @ self.W + self.b


class Adding(Affine):
    def backward(self, dout):
        new = self.x.T @ dout
        self.dW, self.db = new if self.dW is None else self.dW + new, dout.sum(0)
        return dout @ self.W.T


class AddingUntilCleared(Adding):
    def zero_grad(self):
        self.dW = None


class Averaging(Affine):
    """It remembers a mean on purpose."""

    mean = 0.0

    def forward(self, x):
        self.mean = 0.9 * self.mean + 0.1 * float(np.asarray(0.5))
        return super().forward(x) + self.mean


LAYERS = {
    "right": (Affine, set()),
    "first input": (FirstInput, {"reused"}),
    "first input and output": (FirstInputAndOutput, {"reused"}),
    "adds up": (Adding, {"reused"}),
    "adds up until cleared": (AddingUntilCleared, set()),
    "averages": (Averaging, set()),
}


@pytest.mark.parametrize(("layer", "probes"), LAYERS.values(), ids=LAYERS)
def test_a_layer_runs_twice_on_one_object(layer, probes):
    found = check_layer(layer(), X)
    assert found_by(found) == probes, str(found)
    assert check_layer(layer(), X, probes=False).passed


class Misnamed(Affine):
    def backward(self, dout):
        self.my_grad, self.db = self.x.T @ dout, dout.sum(0)
        return dout @ self.W.T


class Forgetful(Affine):
    def backward(self, dout):
        self.db = dout.sum(0)
        return dout @ self.W.T


class Lower(Forgetful):
    def backward(self, dout):
        self.dw = self.x.T @ dout
        return super().backward(dout)


class Gathered(Forgetful):
    def backward(self, dout):
        self.grads = {"w": self.x.T @ dout}
        return super().backward(dout)


class Leftover(Affine):
    def backward(self, dout):
        dx = super().backward(dout)
        self.dV = 2 * self.dW
        return dx


class Scaled(Affine):
    """One attribute is a constant, one collects, one is not used, one is the gradient of the input."""

    def __init__(self):
        super().__init__()
        self.scale, self.running_mean, self.unused = np.array([2.0, 3.0]), np.zeros(2), np.ones(2)
        self.dW = np.zeros_like(self.W)

    def forward(self, x):
        return super().forward(x) * self.scale + self.running_mean

    def backward(self, dout):
        self.dX = super().backward(dout * self.scale)
        return self.dX


NOT_COMPARED = [
    (Misnamed, {}, "W moves the result and is not compared: is my_grad its gradient. Call that dW, put both"),
    (Forgetful, {}, "W moves the result and is not compared: leave its gradient in dW, put both in params"),
    (Lower, {}, r"W moves the result and is not compared: leave its gradient in dW \(found 'dw'\), put both"),
    (Gathered, {}, r"W moves the result .* leave its gradient in dW \(found \"grads\['w'\]\"\), put both"),
    (Leftover, {}, "dV looks like a gradient and is not compared: the layer has no parameter of that name"),
    (Scaled, {}, r"scale moves the result and .* if it is a constant, name it in constants=\['scale'\]"),
    (Scaled, {"constants": ["scale"]}, ""),
    (Forgetful, {"constants": ["W"]}, ""),
]


@pytest.mark.parametrize(("layer", "more", "said"), NOT_COMPARED)
def test_what_moves_a_layer_and_is_not_compared_is_named(layer, more, said):
    found = check_layer(layer(), X, **more)
    assert (found.verdict, found.passed) == ("accurate", not said)
    assert len(found.faults) == bool(said)
    assert re.match(said, "".join(found.faults)), found.faults


@pytest.mark.parametrize(("constants", "said"), [
    ("scale", "constants must be a list of attributes' names, got 'scale'"), ([3], "names, got a list"),
    (["sclae"], "constants must name what the layer holds, got 'sclae'; near matches: scale"),
])  # fmt: skip
def test_constants_are_names_of_attributes(constants, said):
    with pytest.raises(ValueError, match=said):
        check_layer(Scaled(), X, constants=constants)


# -- what a forward leaves behind -------------------------------------------------------------------------


def masked_by(mask_of):
    """relu by a mask that the forward takes from somewhere."""

    def forward(ctx, x):
        ctx.save_for_backward(mask_of(x))
        return x.relu()

    return function(lambda ctx, g: g * ctx.saved_tensors[0], forward)


def of_the_first(store):
    def mask_of(x):
        if x.shape not in store:
            store[x.shape] = x > 0
        return store[x.shape]

    return mask_of


class Remembering(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.mask = None

    def forward(self, x):
        self.mask = x > 0 if self.mask is None else self.mask
        return masked_by(lambda _: self.mask)(x)


class Counting(torch.nn.Module):
    count = 0

    def forward(self, x):
        self.count += 1
        factor = 2 if self.count < 2 else 3
        return function(lambda ctx, g: factor * g * ctx.saved_tensors[0])(x)


def of_a_list():
    kept = []

    def mask_of(x):
        kept.append(x > 0)
        return kept[0]

    return masked_by(mask_of)


def counted_in_jax():
    calls = []

    def backward(x, g):
        return ((2 if len(calls) < 2 else 3) * g * x,)

    def forward(x):
        calls.append(1)
        return x * x, x

    return rule(backward, forward)


LEFT_BEHIND = {
    "a cache": (lambda: masked_by(of_the_first({})), {"reused"}),
    "a list": (of_a_list, {"reused"}),
    "an attribute": (Remembering, {"reused"}),
    "a counter": (Counting, {"reused"}),
    "a mask of its own": (lambda: masked_by(lambda x: x > 0), set()),
    "dropout": (lambda: torch.nn.Dropout(), set()),
    "running statistics": (lambda: torch.nn.BatchNorm1d(4).double(), set()),
    "spectral norm": (
        lambda: torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(4, 4)).double(),
        set(),
    ),
}


@pytest.mark.parametrize(("make", "probes"), LEFT_BEHIND.values(), ids=LEFT_BEHIND)
def test_what_the_forward_left_elsewhere_does_not_change_the_gradient(make, probes):
    torch.manual_seed(0)
    found = check_gradient(make(), (TX,))
    assert found_by(found) == probes, str(found)


class Remembered:
    """A loss and its gradient that compute once what they share, for each point that they are asked at."""

    last = None

    def __init__(self, knows, keeps):
        self.knows, self.keeps = knows, keeps

    def update(self, x):
        if self.last is None or not self.knows(self.last, x):
            self.last, self.cubes = self.keeps(x), x**3

    def loss(self, x):
        self.update(x)
        return self.cubes.sum()

    def grad(self, x):
        self.update(x)
        return 3 * self.cubes / x


KNOWN = {
    "by its numbers": (np.array_equal, np.copy, set()),
    "by its bytes": (lambda last, x: last == x.tobytes(), np.ndarray.tobytes, set()),
    "by itself": (np.array_equal, lambda x: x, {"reused"}),
    "by identity": (lambda last, x: last is x, lambda x: x, {"reused"}),
    "by any number": (lambda last, x: np.any(last == x), np.copy, {"reused"}),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_point_that_is_remembered_is_known_by_its_numbers(name):
    """An optimizer moves its array in place: what kept that array takes each point for the one before."""
    *how, probes = KNOWN[name]
    of = Remembered(*how)
    found = check_gradient(of.loss, (np.array([0.5, -1.0, 2.0]),), grad=of.grad)
    assert found_by(found) == probes, str(found)


def test_a_rule_of_torch_that_keeps_its_argument_keeps_a_copy():
    kept = {}

    def forward(ctx, x):
        if "x" not in kept or not torch.equal(kept["x"], x):
            kept.update(x=x.detach(), power=x.detach().exp())
        ctx.power = kept["power"]
        return ctx.power.clone()

    found = check_gradient(function(lambda ctx, g: g * ctx.power, forward), (TX,))
    assert found_by(found) == {"reused"}, str(found)


def test_what_a_cache_and_a_log_hold_after_a_check_is_what_its_runs_put_there():
    store, calls = {}, []

    def logged(x):
        calls.append(x.shape)
        return masked_by(of_the_first(store))(x)

    check_gradient(logged, (TX,))
    assert list(store) == [TX.shape]
    assert len(calls) > 2


class ReadsStrides(Affine):
    def backward(self, dout):
        return super().backward(dout) * (3 if 0 in dout.strides else 1)


class OfAll:
    """One cache for all layers of its kind."""

    cache: ClassVar = {}

    def forward(self, x):
        self.cache["x"] = x
        return np.sin(x)

    def backward(self, dout):
        return dout * np.cos(self.cache["x"])


@pytest.mark.parametrize(("layer", "probes"), [(ReadsStrides, {"expanded"}), (OfAll, {"reused"})])
def test_a_layer_among_others_of_its_kind_along_an_expanded_cotangent(layer, probes):
    found = check_layer(layer(), X)
    assert found_by(found) == probes, str(found)


# -- which, and what they cost ----------------------------------------------------------------------------


@pytest.mark.parametrize("probes", [False, [], ["twice"], ("strided", "two-graphs")])
def test_probes_are_chosen_by_name(probes):
    clipped = partial(check_gradient, square, (X,), vjp=lambda g, x: 2 * np.clip(g, -10, 10) * x)
    assert not found_by(clipped(probes=probes))
    assert found_by(clipped(probes=["scaled-up"])) == {"scaled-up"}


@pytest.mark.parametrize(("probes", "said"), [
    (["jumps"], "probes: no 'jumps'; allowed are ones, zeros, constant, expanded, strided, .*kept"),
    (["twice", "zeroes"], "probes: no 'zeroes'; near matches: zeros"),
    ([3], "probes must be True, False or a list of names, got 3"),
    (None, "probes must be True, False or a list of names, got None"),
    (3, "probes must be True, False or a list of names, got 3"),
])  # fmt: skip
def test_an_unknown_probe_is_refused_with_what_is_allowed(probes, said):
    for check in (partial(check_gradient, square, (X,)), partial(check_layer, Affine(), X)):
        with pytest.raises(ValueError, match=said):
            check(probes=probes)


@pytest.mark.parametrize(("f", "x", "vjp"), [
    (partial(torch.softmax, dim=-1), TX, None), (torch.nn.functional.gelu, TX.half(), None),
    (lambda x: x.T @ x, TX.bfloat16(), None), (torch.cumprod, TX, None), (jax.nn.softmax, JX, None),
    (np.exp, X, lambda g, x: g * np.exp(x)), (lambda x: x.sum(), TX, None),
])  # fmt: skip
def test_right_gradients_pass_all_probes(f, x, vjp):
    args = (x, 1) if f is torch.cumprod else (x,)
    found = check_gradient(f, args, vjp=vjp)
    assert not found.probed
    assert found.passed


def test_probes_run_the_gradient_a_few_times():
    calls = []

    def vjp(g, x):
        calls.append(1)
        return 2 * g * x

    assert check_gradient(square, (X,), vjp=vjp).passed
    assert len(calls) <= 1 + 1 + len(Probe) + 2  # the first run, the record, each probe, and what adds up


def test_a_drop_in_stays_green_and_says_what_a_probe_found(monkeypatch):
    monkeypatch.setattr(settings, "quiet", False)
    packed = function(lambda ctx, g: g.as_strided(g.shape, TX.stride()) * 2 * ctx.saved_tensors[0])
    with pytest.warns(
        GradientWarning, match=r"along an? (part of a larger |expanded |transposed |)cotangent"
    ):
        assert gradcheck(packed, (TX.clone().requires_grad_(),))
    assert "along a cotangent with gaps in memory" in " ".join(settings.made[-1].probed)
    assert settings.made[-1].verdict == "accurate"


def test_a_probe_says_nothing_of_what_is_accurate_there():
    x, none = torch.tensor([-15.4531], dtype=torch.float16), torch.zeros(1, dtype=torch.float16)
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    found = check_gradient(lambda x: loss(x, none, reduction="none"), (x,), probes=["scaled-up"])
    assert found.passed
    assert found.notes == ()


def test_what_cannot_be_told_of_several_arguments_is_said_once(monkeypatch):
    def vjp(g, x, y):  # other bits, and right ones
        off = 1.0 if any(g.strides) else 1 + 2**-52
        return g * y * off, g * x * off

    def untold(*asked):
        expected, each, program = judged(*asked)
        return (
            expected,
            [replace(one, verdict=Verdict.UNDECIDED, diagnosis="who knows") for one in each],
            program,
        )

    judged = probed._judgements
    monkeypatch.setattr(probed, "_judgements", untold)
    found = check_gradient(lambda x, y: x * y, (X, X + 1), vjp=vjp, probes=["expanded"])
    assert found.passed
    assert found.notes == (f"{Probe.EXPANDED.words}: x, y: undecided: who knows",)


@pytest.mark.parametrize("count", [8, 9, 30])
def test_of_many_arguments_some_are_differentiated_alone(count):
    class OfAll(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *xs):
            ctx.save_for_backward(*xs)
            return sum(x * x for x in xs)

        @staticmethod
        def backward(ctx, g):
            factor = 2 if all(ctx.needs_input_grad) else 3
            return tuple(factor * g * x for x in ctx.saved_tensors)

    found = check_gradient(OfAll.apply, tuple(torch.randn(2) for _ in range(count)))
    assert found_by(found) == {"one-argument"}


def writes(ctx, g):
    (y,) = ctx.kept
    return y.mul_(g)


def writes_out(ctx, g):
    (y,) = ctx.kept
    return torch.mul(y, g, out=y)


def counts(ctx, g):
    ctx.kept.append(0)
    return g * ctx.kept[0] * (len(ctx.kept) - 1)


@pytest.mark.parametrize(("backward", "named"), [(writes, "mul_ at"), (writes_out, "mul at"), (counts, "")])
def test_what_writes_into_what_the_forward_computed_is_named(backward, named):
    def forward(ctx, x):
        ctx.kept = [x.exp()]
        return x.exp() * 1

    found = check_gradient(function(backward, forward), (TX,))
    assert found_by(found) == {"twice"}
    assert ("writes into what the forward computed" in str(found)) == bool(named)
    assert named in str(found)


@pytest.mark.parametrize("factor", [1, 1 + 2.0**-40])
def test_a_backward_may_ask_whether_its_cotangent_requires_grad(factor):
    def backward(ctx, g):
        assert not g.requires_grad
        (x,) = ctx.saved_tensors
        return g * x.cos() * factor

    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin()

    def vjp(g, x):
        assert not any(t.requires_grad for t in (g, x))
        return g * x.cos() * factor

    for found in (
        check_gradient(function(backward, forward), (TX.double(),)),
        check_gradient(torch.sin, (TX.double(),), vjp=vjp),
    ):
        assert found.verdict == ("accurate" if factor == 1 else "wrong")
        assert "not examined" not in str(found)


def turned(w):
    """exp of the skew matrix of an increment of a rotation, by its series to the second order."""
    k = np.array([[0.0, -w[2], w[1]], [w[2], 0.0, -w[0]], [-w[1], w[0], 0.0]])
    return (np.eye(3) + k + k @ k / 2) @ np.array([0.5, 1.5, -1.0])


def at_zero(g, w):
    """The gradient at the increment 0."""
    return np.cross(np.array([0.5, 1.5, -1.0]), g)


def test_a_jacobian_at_an_increment_of_zero_is_told_how_to_be_asked_for():
    w = np.zeros(3)
    found = check_gradient(turned, (w,), vjp=at_zero)
    assert found_by(found) == {"beside"}
    assert any("found beside the given point: there w is all 0" in note for note in found.notes)
    assert found.notes[-1].endswith("as at an increment of 0, is asked for with probes=False")
    assert check_gradient(turned, (w,), vjp=at_zero, probes=False).passed
    wrong = check_gradient(turned, (w,), vjp=lambda g, w: 2 * at_zero(g, w))
    assert not any("probes=False" in note for note in wrong.notes)


def keeps_the_first(kept, keep):
    """tanh, whose gradient is of what came first; a container that only grows looks like a log."""

    def forward(x):
        keep(kept, x)
        return np.tanh(x)

    def pullback(g, x):
        (first,) = kept.values() if isinstance(kept, dict) else kept
        return g * (1 - np.tanh(first) ** 2)

    return forward, pullback


@pytest.mark.parametrize(("kept", "keep"), [
    ({}, lambda kept, x: kept.setdefault("x", x)),
    ([], lambda kept, x: kept.append(x) if not kept else None),
    ({}, lambda kept, x: kept.setdefault(x.shape, x.copy())),
])  # fmt: skip
def test_a_container_that_keeps_the_first_argument_is_no_log(kept, keep):
    forward, pullback = keeps_the_first(kept, keep)
    x = np.array([[0.25, -0.5], [1.0, 0.125]])
    assert check_gradient(forward, (x,), vjp=pullback).verdict == Verdict.MISCOMPUTED


class LastPoint:
    """Computes anew where the point is another than the last one, or `always` takes the first for it."""

    def __init__(self, is_same):
        self.is_same, self.x = is_same, None

    def pullback(self, g, x):
        if self.x is None or not self.is_same(self.x, x):
            self.x, self.slope = x.copy(), 1 - np.tanh(MIXING @ x) ** 2
        return MIXING.T @ (g * self.slope)


MIXING = np.random.default_rng(0).normal(size=(4, 4))


@pytest.mark.parametrize(("is_same", "verdict"), [
    (np.array_equal, Verdict.ACCURATE), (lambda a, b: a.shape == b.shape, Verdict.MISCOMPUTED),
])  # fmt: skip
def test_what_a_gradient_computed_at_this_point_before_is_right_as_its_first_call_is(is_same, verdict):
    """Kept numbers are rounded ones to a record: 1e-16 beside the derivative."""
    x = np.random.default_rng(1).normal(size=4)
    found = check_gradient(lambda x: np.tanh(MIXING @ x), (x,), vjp=LastPoint(is_same).pullback)
    assert found.verdict == verdict
