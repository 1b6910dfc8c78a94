"""What does not move has a zero tensor for a tangent; torch dies on some of them below a mode."""

import pytest
import torch

from harness import check_gradient

X = torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(3, 4)
Y = torch.linspace(0.3, 2, 12, dtype=torch.float64).reshape(3, 4)
ONES = torch.ones(4, 4, dtype=torch.float64)

SUMS = {
    "addmm": lambda x, y: torch.addmm(ONES[:3, :3], x, y.T, beta=0.5, alpha=2),
    "addmv": lambda x, y: torch.addmv(ONES[0, :3], x, y[0], beta=0.5),
    "addbmm": lambda x, y: torch.addbmm(ONES[:3, :3], x[None], y.T[None], beta=0.5),
    "baddbmm": lambda x, y: torch.baddbmm(ONES[None, :3, :3], x[None], y.T[None], beta=0.5),
    "addr": lambda x, y: torch.addr(ONES, x[0], y[0], beta=0.5),
}


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("mode", ["forward", ("forward", "reverse")])
def test_a_sum_with_what_does_not_move_is_proven_in_forward_mode(name, mode):
    assert check_gradient(SUMS[name], (X, Y), mode=mode).verdict == "accurate"


class Doubled(torch.autograd.Function):
    """2x, whose own tangent is one short."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def jvp(ctx, tangent):
        return tangent


def test_a_wrong_tangent_beside_it_is_found():
    found = check_gradient(
        lambda x: torch.addmv(ONES[0, :3], Doubled.apply(x), Y[0], beta=0.5), (X,), mode="forward"
    )
    assert found.verdict == "wrong"


def test_a_derivative_that_torch_lacks_in_a_dtype_is_unsupported():
    found = check_gradient(torch.nn.functional.glu, (X.bfloat16(),), mode="forward")
    assert found.verdict == "unsupported"
    assert "torch has no forward derivative of this" in str(found)
