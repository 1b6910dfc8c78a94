"""What a custom function of torch says about its own derivative: no silent zero passes for a gradient."""

import pytest
import torch
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from harness import check_gradient, exact_gradient
from harness.exact import Unsupported

X = torch.tensor([0.5, -1.25, 2.0], dtype=torch.float64)


class Square(Function):
    """Its one result is marked by mistake."""

    @staticmethod
    def forward(ctx, x):
        y = x * x
        ctx.mark_non_differentiable(y)
        return y

    @staticmethod
    def backward(ctx, g):
        return None


class Written(Square):
    """Likewise, in the newer style."""

    @staticmethod
    def forward(x):
        return x * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.mark_non_differentiable(output)


class Both(Function):
    """The second result is marked, and depends on x."""

    @staticmethod
    def forward(ctx, x):
        sine, square = torch.sin(x), x * x
        ctx.save_for_backward(x)
        ctx.mark_non_differentiable(square)
        return sine, square

    @staticmethod
    def backward(ctx, g, _):
        return g * torch.cos(ctx.saved_tensors[0])


class Mask(Function):
    """The second result steps, and so has no derivative."""

    @staticmethod
    def forward(ctx, x):
        mask = (x > 0).double()
        ctx.save_for_backward(mask)
        ctx.mark_non_differentiable(mask)
        return x * mask, mask

    @staticmethod
    def backward(ctx, g, _):
        return g * ctx.saved_tensors[0]


class Outer(Function):
    """What is marked inside of a forward is a value like any there."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return 3 * Square.apply(x)

    @staticmethod
    def backward(ctx, g):
        return 6 * g * ctx.saved_tensors[0]


class Product(Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x * y

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * y, g * x


def sum_of_both(x):
    sine, square = Both.apply(x)
    return sine + square


def logged(x):
    sine, square = Both.apply(x)
    running = torch.zeros_like(square)
    running.mul_(0.9).add_(0.1 * square)
    return sine


def detached(x):
    sine, square = Both.apply(x)
    return sine + square.detach()


def detached_later(x):
    sine, square = Both.apply(x)
    return sine * torch.exp(square).view(3, 1).sum().detach()


def frozen(x):
    sine, square = Both.apply(x)
    with torch.no_grad():
        scale = 2 * square
    return sine * scale


SILENT = {
    "one result": Square.apply,
    "one result, newer style": Written.apply,
    "of two results": Both.apply,
    "a sum": sum_of_both,
    "further on": lambda x: torch.exp(Square.apply(x).view(3, 1)).sum() + x.sum(),
    "in place": lambda x: x + Square.apply(x).add_(1.0),
    "written into": lambda x: torch.zeros(6, dtype=x.dtype).index_copy(0, torch.arange(3), Both.apply(x)[1]),
    "into another": lambda x: Outer.apply(Square.apply(x)) + x,
    "of two": lambda x: Product.apply(x, Square.apply(x)),
    "further on, in a product": lambda x: torch.sin(x) * (1 + torch.exp(Square.apply(x))).mean(),
    "one element": lambda x: x * Both.apply(x)[1][0],
}
CONSTANT = {
    "not used": lambda x: Both.apply(x)[0],
    "logged": logged,
    "detached": detached,
    "detached further on": detached_later,
    "under no_grad": frozen,
    "a step": Mask.apply,
    "a step further on": lambda x: torch.sin(x) * torch.round(Both.apply(x)[1]),
    "a comparison": lambda x: torch.sin(x) * (Both.apply(x)[1] > 1).double(),
    "of a constant": lambda x: x + Square.apply(x.detach()),
    "inside of a forward": Outer.apply,
}


@pytest.mark.parametrize("name", SILENT)
def test_a_marked_result_that_depends_on_x_is_no_silent_zero(name):
    result = check_gradient(SILENT[name], (X,))
    assert (result.verdict, result.passed) == ("unsupported", False)
    assert "marks a result as non-differentiable (ctx.mark_non_differentiable)" in result.parts[0].diagnosis
    with pytest.raises(Unsupported, match=r"detach\(\) it after the call"):
        exact_gradient(SILENT[name], (X,))


@pytest.mark.parametrize("name", CONSTANT)
def test_one_that_is_not_used_or_meant_as_a_constant_passes(name):
    assert check_gradient(CONSTANT[name], (X,)).verdict == "accurate"


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        return 3 * g * ctx.saved_tensors[0] ** 2


class Double(Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        return 2 * g


@pytest.mark.parametrize("function", [Cube.apply, lambda x: x * Cube.apply(x), lambda x: Cube.apply(x * x)])
def test_a_second_derivative_without_the_part_of_a_backward_for_one_alone_names_it(function):
    assert check_gradient(function, (X,)).verdict == "accurate"
    result = check_gradient(function, (X,), order=2)
    assert result.verdict == "wrong"
    assert any(note.startswith("the backward of Cube is marked once_differentiable") for note in result.notes)


def test_a_linear_one_has_the_second_derivative_that_it_should_and_loses_its_cotangent():
    assert check_gradient(lambda x: x * Double.apply(x), (X,)).verdict == "accurate"
    result = check_gradient(lambda x: Double.apply(x), (X,), order=2)
    assert [(p.name, p.verdict) for p in result.parts if not p.of_value] == [
        ("x", "accurate"),
        ("cotangent", "wrong"),
    ]
    assert check_gradient(lambda x: Double.apply(x) ** 2, (X,), order=2).verdict == "wrong"
