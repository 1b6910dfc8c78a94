"""Functions of torch that take gradients inside: what runs is judged, and nothing crashes."""

import re
import warnings
from contextlib import nullcontext
from functools import partial

import ml_dtypes
import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import forward_ad, functional, grad
from torch.utils.checkpoint import checkpoint

from harness import Unsupported, check_gradient, exact_gradient
from harness.dropin import gradcheck, settings
from harness.subject.derivative import dtype_named

pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning"),  # torch.func's own
    pytest.mark.filterwarnings("ignore:Using backward\\(\\) with create_graph=True:UserWarning"),
]
D = torch.float64
X = torch.tensor([0.3, -0.7, 1.1], dtype=D)
ROWS = torch.tensor([[0.3, -0.7, 1.1], [0.2, 0.5, -0.4]], dtype=D)
W = torch.tensor([0.3, 0.2, -0.1], dtype=D)


def pinn(w):
    t = torch.linspace(0, 1, 3, dtype=D).requires_grad_()
    (slope,) = grad(torch.tanh(t * w).sum(), t, create_graph=True)
    return (slope**2).sum()


def penalty(w, x):
    between = (x * 0.5).requires_grad_()
    (slope,) = grad(torch.tanh(between @ w).sum(), between, create_graph=True)
    return ((slope.norm(dim=1) - 1) ** 2).mean()


def adapted(w, x, create_graph):
    (step,) = grad(((x @ w) ** 2).mean(), w, create_graph=create_graph)
    return ((x @ (w - 0.1 * step) - 1) ** 2).mean()


def quartic(x):
    return (x**4).sum()


def force(x):
    return grad(quartic(x), x, create_graph=True)[0]


def curvature(x):
    return grad(force(x).sum(), x, create_graph=True)[0]


def stored(w):
    t = torch.ones(3, dtype=D, requires_grad=True)
    (t * w).sin().sum().backward(create_graph=True)
    return t.grad


def stored_as_constant(w):
    t = torch.ones(3, dtype=D, requires_grad=True)
    (t * w.detach()).sin().sum().backward()
    return t.grad * w


def turned_on(x):
    x = x * 2
    y = x.detach().requires_grad_()
    (slope,) = grad(y.sin().sum(), y)
    return x * slope


def batched(x):
    rows = torch.eye(3, dtype=D)
    return grad(x**3, x, grad_outputs=rows, create_graph=True, is_grads_batched=True)[0]


def unused(x):
    other = torch.ones(2, dtype=D, requires_grad=True)
    return grad((x**3).sum(), [x, other], create_graph=True, allow_unused=True)[0]


INSIDE = {
    "PINN": (pinn, (W,)),
    "gradient penalty": (penalty, (W, ROWS)),
    "MAML": (lambda w, x: adapted(w, x, True), (W, ROWS)),
    "first-order MAML": (lambda w, x: adapted(w, x, False), (W, ROWS)),
    "forces": (force, (X,)),
    "a gradient as a constant": (lambda x: grad((x**3).sum(), x)[0] * x, (X,)),
    "a second derivative": (curvature, (X,)),
    ".backward(create_graph=True)": (stored, (W,)),
    ".backward()": (stored_as_constant, (W,)),
    "requires_grad_ of a part": (turned_on, (X,)),
    "grad_outputs": (lambda x: grad(x**3, x, grad_outputs=x, create_graph=True)[0], (X,)),
    "is_grads_batched": (batched, (X,)),
    "allow_unused": (unused, (X,)),
    "functional.jacobian": (lambda x: functional.jacobian(force, x, create_graph=True).sum(0), (X,)),
    "functional.hvp": (lambda x: functional.hvp(quartic, x, W, create_graph=True)[1], (X,)),
    "func.grad": (torch.func.grad(lambda y: (y**3).sum()), (X,)),
    "func.jvp": (lambda x: torch.func.jvp(torch.sin, (x,), (W,))[1], (X,)),
    "func.vjp": (lambda x: torch.func.vjp(torch.sin, x)[1](W)[0], (X,)),
    "func.hessian": (torch.func.hessian(lambda y: (y**3).sum()), (X,)),
    "func.jacfwd": (torch.func.jacfwd(torch.sin), (X,)),
}  # fmt: skip


@pytest.mark.parametrize("name", INSIDE)
def test_a_gradient_inside_a_function_is_part_of_it(name):
    function, args = INSIDE[name]
    assert check_gradient(function, args).passed


@pytest.mark.parametrize("name", ["PINN", "MAML", "forces", "a gradient as a constant"])
def test_a_wrong_gradient_of_a_function_that_takes_one_inside_is_wrong(name):
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, g):
            return 2 * g

    function, args = INSIDE[name]
    found = check_gradient(lambda *own: Doubled.apply(function(*own)), args)
    assert found.verdict == "wrong"
    assert "(relative error 1)" in found.diagnosis


@pytest.mark.parametrize("mode", ["forward", "forward-over-reverse"])
def test_forces_in_other_modes(mode):
    assert check_gradient(force, (X,), mode=mode).passed


def test_forces_to_the_third_order():
    assert check_gradient(force, (X,), order=2).passed


def test_what_is_held_fixed_inside_has_no_slope():
    found = exact_gradient(lambda x: grad((x**3).sum(), x)[0] * x, (X,), cotangent=torch.ones(3, dtype=D))
    assert abs(found.mid - (3 * X**2).numpy()).max() < 1e-15  # and not 9 x^2


READS = {
    "requires_grad": lambda x: x * 2 if x.requires_grad else x * x,
    "grad_fn": lambda x: x * 2 if x.grad_fn is None else x * x,
    "is_leaf": lambda x: x * 2 if x.is_leaf else x * x,
    "requires_grad of arguments": lambda x: next(t * t for t in (x, W) if t.requires_grad),
}
DEPENDS = {
    "grad mode": lambda x: x * 2 if torch.is_grad_enabled() else x * x,
    "requires_grad of a result": lambda x: x * 2 if x.sin().requires_grad else x * x,
    "grad_fn of a result": lambda x: x * 2 if x.sin().grad_fn is not None else x * x,
}


@pytest.mark.parametrize("name", READS)
def test_an_input_requires_grad_where_the_run_has_it_so(name):
    assert check_gradient(READS[name], (X,)).passed


@pytest.mark.parametrize("name", DEPENDS)
def test_a_function_that_is_another_one_under_no_grad_is_undecided(name):
    found = check_gradient(DEPENDS[name], (X,))
    assert found.verdict == "undecided"
    assert "the recorded run " in str(found)


def test_an_input_that_is_not_differentiated_does_not_require_grad():
    def function(x, w):
        assert x.requires_grad
        assert not w.requires_grad
        return x * w

    assert check_gradient(function, (X, W), argnums=0).passed


class Energy(nn.Module):
    """The square of the slope of a network."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 2, dtype=D), nn.Tanh(), nn.Linear(2, 1, bias=False, dtype=D))

    def forward(self, x):
        x = x if x.requires_grad else x.requires_grad_()
        return (grad(self.net(x).sum(), x, create_graph=True)[0] ** 2).mean()


def test_a_module_that_takes_a_gradient_inside():
    module = Energy()
    assert check_gradient(module, (ROWS,)).passed
    assert check_gradient(module, (ROWS,), argnums=0).passed


class Potential(nn.Module):
    """A network whose last bias moves the value and not its slope."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 2, dtype=D), nn.Tanh(), nn.Linear(2, 1, dtype=D))

    def forward(self, x):
        return grad(self.net(x).sum(), x, create_graph=True)[0]


def test_a_parameter_without_a_gradient_is_named_and_is_no_fault():
    found = check_gradient(Potential(), (ROWS,))
    assert found.passed
    assert found.notes == ("no gradient, since nothing here depends on it: parameters['net.2.bias']",)


def test_a_parameter_whose_gradient_is_lost_is_wrong():
    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, w, x):
            return w * x

        @staticmethod
        def backward(ctx, g):
            return None, g

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.ones(3, dtype=D))

        def forward(self, x):
            return Scaled.apply(self.w, x)

    assert check_gradient(Layer(), (X,)).verdict == "wrong"


def forced(backward, forward=lambda x: x**3, save=None):
    """x times the slope of a custom function, as its backward has it."""

    class Custom(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            ctx.saved = None if save is None else save(x)
            return forward(x)

        @staticmethod
        def backward(ctx, g):
            return backward(g, ctx.saved_tensors[0], ctx.saved)

    class Apart(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return forward(x)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.saved = None if save is None else save(*inputs)

        backward = Custom.backward

    def of(function):
        return lambda x: grad(function.apply(x).sum(), x, create_graph=True)[0] * x

    return of(Custom), of(Apart)


TWICE = {
    "the formula": forced(lambda g, x, _: g * 3 * x**2),
    "a mask, detached": forced(lambda g, x, _: g * (x.detach() > 0), lambda x: x.clamp(min=0)),
    "a saved mask": forced(lambda g, x, m: g * m, lambda x: x.clamp(min=0), lambda x: (x > 0).to(x.dtype)),
    "a sign, detached": forced(lambda g, x, _: g * x.detach().sign(), torch.abs),
    "a constant": forced(lambda g, x, _: g * 2, lambda x: x * 2),
}
ONCE = {
    "detached": forced(lambda g, x, _: g * 3 * x.detach() ** 2),
    "a saved intermediate": forced(lambda g, x, s: g * s, save=lambda x: 3 * x**2),
    "half of it detached": forced(lambda g, x, _: g * 3 * x * x.detach()),
}


@pytest.mark.parametrize("apart", [False, True], ids=["forward", "setup_context"])
@pytest.mark.parametrize("name", TWICE)
def test_a_custom_backward_inside_a_function_is_differentiated(name, apart):
    assert check_gradient(TWICE[name][apart], (X,)).passed


@pytest.mark.parametrize("apart", [False, True], ids=["forward", "setup_context"])
@pytest.mark.parametrize("name", ONCE)
def test_a_custom_backward_inside_that_loses_its_own_derivative_is_no_pass(name, apart):
    found = check_gradient(ONCE[name][apart], (X,))
    assert found.verdict == "unsupported"
    assert (
        "a custom backward, or jvp, that is differentiated again uses what autograd does not follow"
        in found.diagnosis
    )


def test_a_function_that_asserts_what_gradcheck_gives_it():
    """xitorch, torchmd: the drop-in proves it, and does not fall back."""
    settings.made.clear()
    assert gradcheck(force, (X.clone().requires_grad_(),))
    assert [made.unproven for made in settings.made] == [""]


def test_a_hand_written_gradient_may_leave_torch_if_the_function_is_specified():
    def outside(x):
        return torch.from_numpy(x.numpy() ** 2)

    found = check_gradient(outside, (X,), vjp=lambda g, x: 2 * g * x, spec=lambda x: x**2)
    assert found.passed


# -- nothing crashes --------------------------------------------------------------------------------------


def sine(x):
    return x.sin() * x


def tanh_layer():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2, dtype=D), nn.Tanh())


class Once(torch.autograd.Function):
    """Its backward is for one derivative alone."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()


class OfItsOwn(torch.Tensor):
    """A tensor by another name."""


def quietly(make, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(*args)


def quantized():
    return quietly(torch.quantize_per_tensor, X.float(), 0.1, 0, torch.quint8)


def scripted(what):
    return quietly(torch.jit.script, what)


def traced(what, *args):
    return quietly(torch.jit.trace, what, args)


class OwnCheckpoint(torch.autograd.Function):
    """As those of fairscale and memcnn."""

    @staticmethod
    def forward(ctx, x):
        return x.sin()

    @staticmethod
    def backward(ctx, g):
        raise RuntimeError("Checkpointing is not compatible with .grad(), please use .backward() if possible")


UNSUPPORTED = {
    "a scripted module": (lambda: scripted(tanh_layer()), (ROWS,), "of a torch.jit module cannot"),
    "a traced module": (lambda: traced(tanh_layer(), ROWS), (ROWS,), "of a torch.jit module cannot"),
    "a scripted module inside": (lambda: nn.Sequential(scripted(tanh_layer())), (ROWS,), "torch.jit module"),
    "a quantized tensor inside": (
        lambda: partial(lambda q, x: x * q.dequantize().double(), quantized()), (X,), "a quantized tensor"),
    "complex numbers without a rule": (
        lambda: lambda z: torch.geqrf(z)[0],
        (torch.ones(2, 2).to(torch.cdouble),), "of complex numbers has no rule"),
    "a reentrant checkpoint": (
        lambda: lambda x: checkpoint(sine, x, use_reentrant=True), (X,), "use_reentrant=False has"),
    "another's reentrant checkpoint": (lambda: OwnCheckpoint.apply, (X,), "use_reentrant=False has"),
    "a class of its own": (
        lambda: torch.sin, (X.as_subclass(OfItsOwn),), "OfItsOwn, a subclass of torch.Tensor: not yet"),
    "eight bits inside": (lambda: lambda x: x.to(torch.float8_e4m3fn).double(), (X,), "float8_e4m3fn: not"),
    "random numbers in a layer": (lambda: nn.RReLU(), (X,), r"called at .*test_torch_inside.py"),
    "one point alone": (
        lambda: lambda x: x * 2 if x[0] == 0.3 else 1 / 0, (X,), "the function raises at each point nearby"),
    "its input written into": (lambda: lambda x: x.mul_(2), (X,), "changes its input in place"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_not_supported_is_so_by_name(name):
    function, args, says = UNSUPPORTED[name]
    found = check_gradient(function(), args)
    assert found.verdict == "unsupported"
    assert re.search(says, found.diagnosis), found.diagnosis
    with pytest.raises(Unsupported) if "reentrant" not in name else nullcontext():
        exact_gradient(function(), args)


RUNS = {
    "a scripted function": (lambda: scripted(sine), (X,), {}),
    "a traced function": (lambda: traced(sine, X), (X,), {}),
    "a scripted module's input": (lambda: scripted(tanh_layer()), (ROWS,), {"argnums": 0}),
    "a checkpoint": (lambda: lambda x: checkpoint(sine, x, use_reentrant=False), (X,), {}),
    "to float16": (lambda: lambda x: x.half(), (X,), {}),
    "to bfloat16": (lambda: lambda x: x.bfloat16(), (X,), {}),
    "a parameter as an argument": (lambda: torch.sin, (nn.Parameter(X),), {}),
    "NumPy arrays": (lambda: sine, (X.numpy(),), {"framework": "torch"}),
    "a layer of NumPy arrays": (tanh_layer, (ROWS.numpy(),), {}),
    "a meta tensor inside": (lambda: lambda x: x * torch.zeros(3, device="meta").numel(), (X,), {}),
    "a simplex": (
        lambda: lambda p: torch.distributions.Categorical(probs=p, validate_args=True).entropy(),
        (torch.tensor([0.2, 0.3, 0.5], dtype=D),), {}),
    "softmax, reverse of reverse": (lambda: lambda x: x.softmax(0), (X,), {"mode": ("reverse", "reverse")}),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_what_runs_is_judged(name):
    function, args, options = RUNS[name]
    assert check_gradient(function(), args, **options).passed


ERRORS = {
    "NumPy arrays": (lambda x: torch.sin(x), (X.numpy(),), 'pass framework="torch"'),
    "NumPy arrays that become tensors": (
        lambda x: torch.as_tensor(x).sin(), (X.numpy(),), 'pass framework="torch"'),
    "quantized": (lambda q: q.dequantize(), (quantized(),), "must be an array of .*, got quint8"),
    "eight bits": (lambda x: x.double(), (X.to(torch.float8_e4m3fn),), "an array of .*, got float8_e4m3fn"),
    "without numbers": (torch.sin, (torch.zeros(2, device="meta"),), "which has a shape and no numbers"),
    "nothing": (lambda: X, (), "an argument must be an array of"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_what_cannot_be_asked_is_a_clear_error(name):
    function, args, says = ERRORS[name]
    with pytest.raises(ValueError, match=says):
        check_gradient(function, args)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_nested_tensors():
    nested = torch.nested.nested_tensor([X, X[:2]])
    assert check_gradient(lambda n: n * 2, (nested,)).verdict == "unsupported"
    inside = check_gradient(lambda x: (nested * x.sum()).to_padded_tensor(0.0), (X,))
    assert inside.verdict == "unsupported"
    assert "a nested tensor: not yet" in inside.diagnosis


def test_bfloat16_is_found_though_nothing_loaded_ml_dtypes(monkeypatch):
    """NumPy knows the name only where that package is loaded."""
    monkeypatch.setattr(ml_dtypes, "bfloat16", np.float16)
    assert dtype_named("bfloat16", [np.zeros(1)]) == np.float16


@pytest.mark.parametrize("mode", ["forward", "forward-over-reverse", ("forward", "reverse")])
def test_forward_mode_of_a_function_without_it(mode):
    found = check_gradient(lambda x: Once.apply(x), (X,), mode=mode)
    assert found.verdict == "unsupported"
    assert "forward mode needs a jvp" in found.diagnosis


@pytest.mark.parametrize("order", [2, 3])
def test_a_second_derivative_that_is_not_there_is_no_pass(order):
    assert check_gradient(lambda x: Once.apply(x), (X,)).passed
    assert check_gradient(lambda x: Once.apply(x), (X,), order=order).verdict == "wrong"


def test_torchs_own_refusal_of_a_nested_derivative():
    found = check_gradient(lambda x: torch.softmax(x, -1), (X,), mode=("forward", "reverse"))
    assert found.verdict == "unsupported"
    assert "was written into meanwhile (one of the variables needed" in found.diagnosis


def test_a_function_with_a_domain_is_still_run_nearby():
    def function(x):
        if x[0] < 0.3:
            raise ValueError("outside")
        return x * x.detach().tolist()[1]

    found = check_gradient(function, (X,))
    assert found.verdict == "unsupported"
    assert "computes something outside torch" in found.diagnosis


# -- the drop-in raises what the original raises ------------------------------------------------------------


def tripled(raises):
    """Three times the gradient of twice x; and what comes for a gradient that is not there."""

    class Custom(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.set_materialize_grads(False)
            ctx.factor = factor
            return x * 2

        @staticmethod
        def backward(ctx, g):
            if g is None and raises:
                raise TypeError("no gradient here")
            return None if g is None else g * ctx.factor, None

    return Custom.apply


def outcome(checker, function, **options):
    try:
        return checker(function, (X.clone().requires_grad_(),), **options)
    except Exception as error:
        return type(error).__name__, str(error).splitlines()[0]


@pytest.mark.parametrize("options", [{}, {"raise_exception": False}, {"check_batched_grad": True}])
@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("raises", [True, False])
def test_a_wrong_gradient_comes_before_what_else_the_original_finds(raises, factor, options):
    apply = tripled(raises)

    def function(x):
        return apply(x, factor)

    assert outcome(gradcheck, function, **options) == outcome(torch.autograd.gradcheck, function, **options)


def test_what_the_function_raises_is_raised():
    def function(x):
        raise ZeroDivisionError("here")

    assert outcome(gradcheck, function) == ("ZeroDivisionError", "here")


class Cube(torch.autograd.Function):
    """torch makes its vmap of its own code; `factor` is 3."""

    generate_vmap_rule = True
    factor = 3

    @staticmethod
    def forward(x):
        return x**3

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @classmethod
    def backward(cls, ctx, g):
        return g * cls.factor * ctx.saved_tensors[0] ** 2


class OffCube(Cube):
    factor = 2


@pytest.mark.parametrize(("rule", "verdict"), [(Cube, "accurate"), (OffCube, "wrong")])
def test_a_rule_under_a_vmap_that_torch_makes(rule, verdict):
    assert check_gradient(torch.func.vmap(rule.apply), (ROWS,)).verdict == verdict


@pytest.mark.parametrize("join", [torch.cat, torch.stack])
def test_what_moves_elements_writes_into_a_buffer(join):
    buffer = torch.zeros(2 * X.numel(), dtype=X.dtype).view(*((2,) if join is torch.stack else ()), -1)
    found = check_gradient(lambda x: join([x.detach(), 2 * x.detach()], out=buffer).sum() * x, (X,))
    assert found.verdict == "accurate"
    assert not buffer.any()


def on_policy(x):
    """GRPO's ratio to what the policy was, which is 1, and whose slope is that of its logarithm."""
    p = torch.log_softmax(x, -1)[:, 0]
    return (torch.exp(p - p.detach()) * torch.tensor([1.0, -2.0], dtype=D)).mean()


class Fused(torch.autograd.Function):
    """The same where the forward takes the gradient, as Liger's fused losses do."""

    @staticmethod
    def forward(ctx, x):
        slope, value = torch.func.grad_and_value(on_policy)(x)
        ctx.save_for_backward(slope)
        return value

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


def _made(forward):
    class Made(torch.autograd.Function):
        """Its gradient is wrong, so that all there is to say is said."""

        @staticmethod
        def forward(ctx, x):
            return forward(x)

        @staticmethod
        def backward(ctx, g):
            return 1.5 * g

    return Made.apply


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: x * torch.ones(3),
        lambda x: x * torch.full((3,), 2.0),
        lambda x: torch.maximum(x, torch.zeros(3)),
        lambda x: x * torch.ones(3, 3).tril()[0],
        lambda x: x.masked_fill(torch.zeros(3, dtype=torch.bool), -1.0),
        lambda x: torch.zeros(3).copy_(x),
        lambda x: x * torch.ones(3).detach(),
    ],
)
def test_what_a_custom_forward_makes_and_detaches_of_constants_is_no_detach_to_name(forward):
    """torch.ones and its kind call detach below autograd there."""
    x = torch.tensor([0.3, 0.7, 0.2])
    for _ in range(2):  # kept, too
        found = check_gradient(_made(forward), (x,))
        assert found.verdict == "wrong"
        assert "detach" not in str(found)


@pytest.mark.parametrize(
    "forward", [lambda x: x * torch.exp(x).detach() * torch.ones(3), lambda x: torch.ones(3) * x * x.data]
)
def test_a_detach_beside_what_is_made_is_named(forward):
    x = torch.tensor([0.3, 0.7, 0.2])
    for _ in range(2):
        assert "holds nothing fixed" in str(check_gradient(_made(forward), (x,)))


def test_a_detach_that_a_custom_forward_does_not_have_is_named_where_it_fails():
    said = re.compile(r"detach at test_torch_inside\.py:\d+ holds nothing fixed: .* as spec=")
    assert check_gradient(on_policy, (ROWS,)).verdict == "accurate"
    found = check_gradient(Fused.apply, (ROWS,))
    assert not found.passed
    assert said.search(str(found))
    right = check_gradient(Fused.apply, (ROWS,), spec=on_policy)
    assert right.verdict == "accurate"
    assert not said.search(str(right))
    assert "detach" not in str(check_gradient(torch.func.vmap(OffCube.apply), (ROWS,)))


def slope_by_forward_mode(w):
    with forward_ad.dual_level():
        along = forward_ad.make_dual(X, torch.ones_like(X))
        return forward_ad.unpack_dual(torch.sin(w * along)).tangent.pow(2).sum()


def test_forward_mode_inside_does_not_wait_for_another_check(monkeypatch):
    """Whether torch has a gradient of an operator is tried once; forward mode is no part of that."""
    monkeypatch.setattr("oracles.exact.from_aten.call._FOLLOWED", {})
    assert check_gradient(slope_by_forward_mode, (torch.tensor(0.8, dtype=D),)).verdict == "accurate"


HOOKS = {
    "checkpoint": lambda x: checkpoint(torch.sin, x, use_reentrant=False),
    "a copy": lambda x: hooked(torch.autograd.graph.save_on_cpu, x),
    "itself": lambda x: hooked(lambda: torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t), x),
}


def hooked(hooks, x):
    with hooks():
        return torch.sin(x)


@pytest.mark.parametrize("name", HOOKS)
def test_a_leaf_that_is_saved_by_hooks_is_that_leaf(name, monkeypatch):
    """Torch makes it anew from what the hooks give back; the gradient goes to the one that it was."""
    monkeypatch.setattr("oracles.exact.from_aten.call._FOLLOWED", {})  # what is tried once has no hooks

    def slope(x):
        return grad(HOOKS[name](x).sum(), x, create_graph=True)[0].pow(2).sum()

    assert check_gradient(slope, (X,)).verdict == "accurate"


def test_a_backward_that_fills_a_buffer_is_followed():
    def filled(g, x, _):
        out = torch.zeros_like(g)
        for k in range(len(g)):
            out[k] = g[k] * 3 * x[k] ** 2
        return out

    for function in forced(filled):
        assert check_gradient(function, (X,)).verdict == "accurate"


def shifted(x):
    powers = (x - x.max().detach()).exp()
    return powers / powers.sum()


@pytest.mark.parametrize("softmax", [shifted, lambda x: torch.softmax(x, 0)])
def test_what_is_detached_and_changes_nothing_is_no_loss(softmax):
    """The largest number, by which a softmax is shifted."""
    for function in forced(lambda g, x, _: g * softmax(x), lambda x: torch.logsumexp(x, 0)):
        assert check_gradient(function, (X,)).verdict == "accurate"
    for function in forced(lambda g, x, _: g * softmax(x.detach()), lambda x: torch.logsumexp(x, 0)):
        assert check_gradient(function, (X,)).verdict == "unsupported"
