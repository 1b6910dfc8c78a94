"""Gradients that are right as they are first run, and not as callers use them: each names its probe."""

import re
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient, check_layer
from harness.dropin import gradcheck
from harness.dropin.made import GradientWarning, settings
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


IN_MEMORY = {
    "reads memory": (
        function(as_contiguous_memory), TX, None, {"expanded", "strided", "transposed", "padded"},
    ),
    "view(-1)": (
        function(lambda ctx, g: g.view(-1).view(2, 4) * 2 * ctx.saved_tensors[0]), TX, None,
        {"transposed", "padded"},
    ),
    "padded": (function(of_whole_rows), TX, None, {"padded"}),
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


@pytest.mark.parametrize(("f", "vjp"), [
    (np.floor, lambda g, x: 0 * g), (lambda x: np.maximum(x, 0), lambda g, x: g * (x > 0)),
    (lambda x: np.sum(x - x), lambda g, x: 0 * x), (np.sign, lambda g, x: 0 * g),
])  # fmt: skip
def test_functions_that_are_flat_have_a_gradient_of_zero(f, vjp):
    assert check_gradient(f, (-np.abs(X) - 0.3,), vjp=vjp).passed


def test_a_flat_point_that_has_no_other_beside_it_says_so():
    def only_zero(x):
        if type(x) is np.ndarray and x.any():
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
    "adds up": (Adding, {"reused", "twice"}),
    "adds up until cleared": (AddingUntilCleared, {"twice"}),
    "averages": (Averaging, set()),
}


@pytest.mark.parametrize(("layer", "probes"), LAYERS.values(), ids=LAYERS)
def test_a_layer_runs_twice_on_one_object(layer, probes):
    found = check_layer(layer(), X)
    assert found_by(found) == probes, str(found)
    assert check_layer(layer(), X, probes=False).passed


class Misnamed(Affine):
    def backward(self, dout):
        self.grad_W, self.db = self.x.T @ dout, dout.sum(0)
        return dout @ self.W.T


class Forgetful(Affine):
    def backward(self, dout):
        self.db = dout.sum(0)
        return dout @ self.W.T


class Weights(Affine):
    """Its weights stand in a dictionary of another name."""

    def __init__(self):
        super().__init__()
        self.weights = {"W": self.W}
        del self.W

    def forward(self, x):
        self.x = x
        return x @ self.weights["W"] + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(0)
        return dout @ self.weights["W"].T


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
    (Misnamed, {}, "W moves the result and is not compared: is grad_W its gradient. Call that dW, put both"),
    (Forgetful, {}, "W moves the result and is not compared: leave its gradient in dW, put both in params"),
    (Weights, {}, "dW looks like a gradient and is not compared: the layer has no parameter of that name"),
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
    ("scale", "constants is 'scale'; write a list"), ([3], "write a list of attributes' names"),
    (["sclae"], "constants has 'sclae', which the layer has not"),
])  # fmt: skip
def test_constants_are_names_of_attributes(constants, said):
    with pytest.raises(ValueError, match=said):
        check_layer(Scaled(), X, constants=constants)


# -- which, and what they cost ----------------------------------------------------------------------------


@pytest.mark.parametrize("probes", [False, [], ["twice"], ("strided", "two-graphs")])
def test_probes_are_chosen_by_name(probes):
    clipped = partial(check_gradient, square, (X,), vjp=lambda g, x: 2 * np.clip(g, -10, 10) * x)
    assert not found_by(clipped(probes=probes))
    assert found_by(clipped(probes=["scaled-up"])) == {"scaled-up"}


@pytest.mark.parametrize("probes", [["clipped"], ["twice", "clipped"], [3], None, 3])
def test_an_unknown_probe_is_refused_with_what_is_allowed(probes):
    said = r"probes has .*; allowed are True, False, and expanded, strided, .*kept"
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
    assert len(calls) <= 1 + 1 + len(Probe)  # the first run, the record, and each probe


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
