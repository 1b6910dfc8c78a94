"""What runs in training is what is judged: hooks, state, and code that sees that it is watched."""

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_full_backward_hook

from harness import assert_gradient, check_gradient, exact_gradient
from harness.result import GradientError

D = torch.float64
X = torch.tensor([0.3, -0.7, 1.1], dtype=D)
ROWS = torch.tensor([[0.3, -0.7, 1.1], [0.2, 0.5, -0.4]], dtype=D)
W = torch.tensor([0.3, 0.2, -0.1], dtype=D)


def linear():
    torch.manual_seed(0)
    return nn.Linear(3, 2, dtype=D)


def double(gradient):
    return 2 * gradient


# -- hooks ------------------------------------------------------------------------------------------------


def of_a_parameter(hook):
    module = linear()
    module.weight.register_hook(hook)
    return module, (ROWS,)


def of_a_parametrized_weight(hook):
    module = nn.utils.parametrizations.weight_norm(linear())
    module.parametrizations.weight.original1.register_hook(hook)
    return module, (ROWS,)


def of_a_tied_parameter(hook):
    module = nn.Sequential(nn.Linear(3, 3, dtype=D), nn.Tanh(), nn.Linear(3, 3, dtype=D))
    module[2].weight = module[0].weight
    module[2].weight.register_hook(hook)
    return module, (ROWS,)


def of_an_input(hook):
    x = X.clone().requires_grad_()
    x.register_hook(hook)
    return torch.sin, (x,)


def of_an_input_with_a_history(hook):
    x = X.clone().requires_grad_() * 2
    x.register_hook(hook)
    return torch.sin, (x,)


def of_an_input_in_a_tree(hook):
    x = X.clone().requires_grad_()
    x.register_hook(hook)
    return lambda tree: tree["w"] * tree["x"][0].sin(), ({"w": W, "x": [x]},)


def of_a_tensor_inside(hook):
    def function(x):
        y = x.sin()
        y.register_hook(hook)
        return y * y

    return function, (X,)


def of_a_tensor_inside_if_it_moves(hook):
    def function(x):
        y = x.sin()
        if y.requires_grad:
            y.register_hook(hook)
        return y * y

    return function, (X,)


def of_a_node(hook):
    def function(x):
        y = x.sin()
        y.grad_fn.register_hook(lambda inner, outer: tuple(map(hook, inner)))
        return y * y

    return function, (X,)


def of_a_module(hook):
    module = linear()
    module.register_full_backward_hook(lambda _, inner, outer: tuple(map(hook, inner)))
    return module, (ROWS,)


def before_a_module(hook):
    module = linear()
    module.register_full_backward_pre_hook(lambda _, outer: tuple(map(hook, outer)))
    return module, (ROWS,)


def of_a_module_inside(hook):
    module = linear()
    module.register_full_backward_hook(lambda _, inner, outer: tuple(map(hook, inner)))
    return lambda x: module(x.sin()), (ROWS,)


HOOKED = [
    of_a_parameter, of_a_parametrized_weight, of_a_tied_parameter, of_an_input, of_an_input_with_a_history,
    of_an_input_in_a_tree, of_a_tensor_inside, of_a_tensor_inside_if_it_moves, of_a_node, of_a_module,
    before_a_module, of_a_module_inside,
]  # fmt: skip


@pytest.mark.parametrize("hooked", HOOKED)
def test_a_hook_runs_as_in_training(hooked):
    found = check_gradient(*hooked(double))
    assert found.verdict == "wrong"
    assert " of it off)" in found.diagnosis


@pytest.mark.parametrize("hooked", HOOKED)
def test_a_hook_that_changes_nothing_is_no_fault(hooked):
    # A module whose input is not differentiated gives its hook None.
    assert check_gradient(*hooked(lambda gradient: gradient if gradient is None else gradient.clone())).passed


def test_a_hook_of_all_modules_runs():
    module = linear()
    handle = register_module_full_backward_hook(lambda _, inner, outer: tuple(map(double, inner)))
    try:
        assert check_gradient(lambda x: module(x.sin()), (ROWS,)).verdict == "wrong"
    finally:
        handle.remove()


def test_a_hook_that_looks_on_sees_the_gradient():
    seen = []
    module = linear()
    module.weight.register_hook(seen.append)
    assert check_gradient(module, (ROWS,)).passed
    assert seen


def test_hooks_of_the_forward_are_part_of_it():
    module = linear()
    module.register_forward_pre_hook(lambda _, args: (args[0].sin(),))
    module.register_forward_hook(lambda _, args, out: out * 2)
    assert check_gradient(module, (ROWS,)).passed
    found = exact_gradient(module, (ROWS,), argnums=0, cotangent=torch.ones(2, 2, dtype=D))
    expected = 2 * module.weight.detach().sum(0) * ROWS.cos()
    assert abs(found.mid - expected.numpy()).max() < 1e-15


def after_accumulation(module):
    module.weight.register_post_accumulate_grad_hook(lambda p: p.grad.mul_(2))


def of_the_accumulating_node(module):
    node = module.weight.view_as(module.weight).grad_fn.next_functions[0][0]
    node.register_hook(lambda inner, outer: None)
    return node


def before_the_accumulating_node(module):
    node = module.weight.view_as(module.weight).grad_fn.next_functions[0][0]
    node.register_prehook(lambda outer: (outer[0] * 2,))
    return node


@pytest.mark.parametrize("hook", [after_accumulation, of_the_accumulating_node, before_the_accumulating_node])
def test_a_hook_on_the_stored_gradient_is_named_as_not_run(hook):
    module = linear()
    node = hook(module)
    found = check_gradient(module, (ROWS,))
    assert found.verdict == "unsupported"
    assert "a hook runs where this gradient is added to .grad" in found.diagnosis
    assert module.weight.grad is None
    assert check_gradient(module, (ROWS,), argnums=0).passed, node  # it is not asked for


def test_hooks_are_not_of_a_hand_written_gradient():
    x = X.clone().requires_grad_()
    x.register_hook(double)
    assert check_gradient(torch.sin, (x,), vjp=lambda g, x: g * x.cos()).passed
    assert check_gradient(lambda x: (x.sin(), x), (x,), residual_vjp=lambda x, g: g * x.cos()).passed


def test_hooks_do_not_move_the_truth():
    x = X.clone().requires_grad_()
    x.register_hook(double)
    found = exact_gradient(torch.sin, (x,), cotangent=torch.ones(3, dtype=D))
    assert abs(found.mid - X.cos().numpy()).max() < 1e-15


def test_an_assertion_is_red_for_a_hook():
    with pytest.raises(GradientError, match="weight"):
        assert_gradient(*of_a_parameter(double))


# -- parameters of every kind -----------------------------------------------------------------------------


class Listed(nn.Module):
    """One parameter hides in a plain list."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 3, dtype=D)
        self.plain = [nn.Parameter(torch.ones(3, dtype=D))]

    def forward(self, x):
        return self.inner(x) * self.plain[0]


def frozen():
    module = linear()
    module.bias.requires_grad_(False)
    return module


@pytest.mark.parametrize(
    "module",
    [Listed, frozen, lambda: of_a_tied_parameter(torch.clone)[0], lambda: linear().eval()],
    ids=["listed", "frozen", "tied", "eval"],
)
def test_parameters_of_every_kind(module):
    assert check_gradient(module(), (ROWS,)).passed


def test_a_tied_parameter_has_both_its_parts():
    module = of_a_tied_parameter(torch.clone)[0]
    found = exact_gradient(module, (ROWS,), cotangent=torch.ones(2, 3, dtype=D))[0]
    module(ROWS).sum().backward()
    assert abs(found["0.weight"].mid - module[0].weight.grad.numpy()).max() < 1e-12


def test_a_lazy_module_has_no_numbers_yet():
    with pytest.raises(ValueError, match="the module's weight has no numbers yet, since it is lazy"):
        check_gradient(nn.LazyLinear(2, dtype=D), (ROWS,))


def test_a_tensor_with_a_history_is_an_input_like_any():
    assert check_gradient(torch.sin, (X.clone().requires_grad_() * 2,)).passed
