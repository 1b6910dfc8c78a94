"""Functions of torch that take gradients inside: what runs is judged, and nothing crashes."""

import pytest
import torch
from torch import nn
from torch.autograd import functional, grad

from harness import check_gradient, exact_gradient
from harness.dropin import gradcheck, settings

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
    assert "(1 of it off)" in found.diagnosis


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
    assert "takes another path where it is recorded" in str(found)


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
