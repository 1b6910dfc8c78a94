"""Formulas that are another function's derivative."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from harness.verdicts import Verdict
from tests.power.fault import Fault, Rule
from tests.power.faults.division import _product, others
from tests.power.faults.draws import array, normal, positive
from tests.power.faults.overflow import right_softplus

WRONG = Verdict.WRONG


def sampled(xp: Any, u: Any) -> Any:
    """Between the knots 1, 3, 2, at u clipped to [0, 2]."""
    u = xp.where(u < 0, u * 0, xp.where(u > 2, u * 0 + 2, u))
    return xp.where(u < 1, 1 + 2 * u, 4 - u)


def sampled_vjp(beyond: float, border: bool) -> Any:
    """At the border the next neighbour is outside the image; counting as 0 it gives the slope 0 - 2."""

    def vjp(xp: Any, g: Any, u: Any) -> Any:
        one = u * 0 + 1
        inside = (u >= 0) & (u <= 2) if border else (u > 0) & (u < 2)
        slope = xp.where(u < 1, 2 * one, xp.where(u < 2, -one, beyond * one))
        return g * xp.where(inside, slope, 0 * one)

    return vjp


masked_prod = Rule(
    lambda xp, x: _product(x),
    lambda xp, g, x: g * xp.where(x == 0, x * 0, _product(x) / xp.where(x == 0, x + 1, x)),
)
fill = Rule(lambda xp, x: x * 0 + 0.5, lambda xp, g, x: g)
entropy = Rule(
    lambda xp, x: xp.log(xp.sum(xp.exp(x))) - xp.sum(x * xp.exp(x)) / xp.sum(xp.exp(x)),
    lambda xp, g, x: x * 0,
)


def entropy_vjp(xp: Any, g: Any, x: Any) -> Any:
    p = xp.exp(x) / xp.sum(xp.exp(x))
    return g * p * (xp.sum(p * x) - x)


def logpdf(xp: Any, c: Any) -> Any:
    """log N([0.6, -0.3]; 0, C) of the entries (a, b, d) of C = [[a, b], [b, d]], up to a constant."""
    a, b, d = c[0], c[1], c[2]
    determinant = a * d - b * b
    quadratic = (d * 0.36 + 2 * 0.18 * b + a * 0.09) / determinant
    return -0.5 * quadratic - 0.5 * xp.log(determinant)


def logpdf_vjp(sign: float) -> Any:
    def vjp(xp: Any, g: Any, c: Any) -> Any:
        a, b, d = c[0], c[1], c[2]
        determinant = a * d - b * b
        quadratic = d * 0.36 + 2 * 0.18 * b + a * 0.09
        slope = xp.stack([d, -2 * b, a])
        of_quadratic = xp.stack([a * 0 + 0.09, a * 0 + 0.36, a * 0 + 0.36])
        return sign * g * (-0.5 * (of_quadratic / determinant - quadratic * slope / determinant**2)
                           - 0.5 * slope / determinant)  # fmt: skip

    return vjp


N = 4
ANGLES = 2 * np.pi * np.outer(range(N), range(N)) / N
COS, SIN = np.round(np.cos(ANGLES)), np.round(np.sin(ANGLES))  # exactly -1, 0 and 1 for four points


def spectrum(sign: float) -> Rule:
    """sum_k a_k Re X_k + b_k Im X_k of X = fft(x); without the conjugation the second part turns its sign."""
    return Rule(
        lambda xp, x, a, b: xp.sum(xp.const(COS, x) @ x * a) - xp.sum(xp.const(SIN, x) @ x * b),
        lambda xp, g, x, a, b: g * (xp.const(COS.T.copy(), x) @ a - sign * (xp.const(SIN.T.copy(), x) @ b)),
    )


softplus = right_softplus.with_backward(
    lambda xp, g, x: (
        g * (xp.where(x > 0, x * 0 + 1, x * 0) - xp.sign(x) * xp.exp(-xp.abs(x)) / (1 + xp.exp(-xp.abs(x))))
    ),
)
largest = Rule(
    lambda xp, x: xp.max(x),
    lambda xp, g, x: g * xp.where(x == xp.max(x), x * 0 + 1, x * 0),
)


def shared(xp: Any, g: Any, x: Any) -> Any:
    at = xp.where(x == xp.max(x), x * 0 + 1, x * 0)
    return g * at / xp.sum(at)


angle = Rule(
    lambda xp, y, x: 2 * xp.arctan(y / (xp.sqrt(x * x + y * y) + x)),
    lambda xp, g, y, x: (g * y / (x * x + y * y), -g * y / (x * x + y * y)),
)


remainder = Rule(
    lambda xp, x, y: x - y * xp.trunc(x / y),
    lambda xp, g, x, y: (g, g * 0),
)
weighted = Rule(lambda xp, x: x * x + 3 * x, lambda xp, g, x: g * 2 * x + 3)
confused = Rule(lambda xp, x: x * ((x + 1) - x), lambda xp, g, x: 2 * g)


def gradient(xp: Any, v: Any) -> Any:
    """The gradient of exp(v1 - v2) v2, whose Jacobian is the Hessian."""
    e = xp.exp(v[0] - v[1])
    return xp.stack([e * v[1], e - e * v[1]])


def hessian(wrong: bool) -> Any:
    def vjp(xp: Any, g: Any, v: Any) -> Any:
        e = xp.exp(v[0] - v[1])
        last = 9 * e * (v[1] - 2) if wrong else e * (v[1] - 2)
        mixed = e * (1 - v[1])
        return xp.stack([g[0] * e * v[1] + g[1] * mixed, g[0] * mixed + g[1] * last])

    return vjp


def normalised(xp: Any, x: Any, mean: Any, variance: Any) -> Any:
    return (x - mean) / xp.sqrt(variance + 1e-5)


def training_vjp(xp: Any, g: Any, x: Any, mean: Any, variance: Any) -> Any:
    """The gradient of batch norm in training, where the statistics are x's own."""
    y = normalised(xp, x, mean, variance)
    n = x.shape[0]
    return (g - xp.sum(g) / n - y * xp.sum(g * y) / n) / xp.sqrt(variance + 1e-5)


RHS = torch.tensor([[1.0], [2.0]], dtype=torch.float64)


def upper_cholesky(x: Any) -> Any:
    """Of what is above the diagonal, alone."""
    whole = jnp.triu(x) + jnp.triu(x, 1).T
    return jnp.linalg.cholesky(whole, symmetrize_input=False).T


FAULTS = (
    Fault(
        "GB023", "pytorch/pytorch#80839", "init.constant_", "gradient 1 of a constant", "mutation",
        fill, fill.with_backward(lambda xp, g, x: g * 0), (array(1.0, 2.0),), normal((2,)), WRONG,
    ),
    Fault(
        "GB040", "pytorch/pytorch#23925", "grid_sample, border", "a neighbour outside the image counts as 0",
        "wrong_rule", Rule(sampled, sampled_vjp(-2.0, border=True)),
        Rule(sampled, sampled_vjp(0.0, border=False)), (array(2.0),),
        lambda rng: (rng.uniform(0.1, 1.9, 3),), WRONG,
    ),
    Fault(
        "GB055", "pytorch/pytorch#77382", "index_reduce prod", "zeros are masked out of result / x",
        "wrong_rule", masked_prod, masked_prod.with_backward(lambda xp, g, x: g * others(xp, x)),
        (array(2.0, 0.0, 3.0),), normal((3,)), WRONG,
    ),
    Fault(
        "GB081", "pytorch/xla#913", "batch norm, evaluating", "the gradient of training", "wrong_rule",
        Rule(normalised, training_vjp),
        Rule(normalised, lambda xp, g, x, mean, variance: g / xp.sqrt(variance + 1e-5)),
        (array(0.5, -1.0, 2.0), array(0.25), array(1.5)), positive((3,), (1,), (1,)), WRONG,
    ),
    Fault(
        "GB104", "jax-ml/jax#2107", "softplus", "max and |x| at 0: slope 0 for 1/2", "wrong_rule",
        softplus, right_softplus, (array(0.0),), normal((3,)), WRONG,
    ),
    Fault(
        "GB107", "jax-ml/jax#22398", "logsumexp, b=", "along b it is 0 where b is 0", "wrong_rule",
        {"jax": lambda b: jax.scipy.special.logsumexp(jnp.zeros(b.shape), b=b)},
        {"jax": lambda b: jnp.log(jnp.sum(b))}, (array(1.0, 0.0),), positive((2,)), WRONG,
        mode="forward", live=True,
    ),
    Fault(
        "GB048", "pytorch/pytorch#196694", "cholesky_solve", "the tangent of the triangle that is not read",
        "wrong_rule", {"torch": lambda factor: torch.cholesky_solve(RHS, factor)},
        {"torch": lambda factor: torch.cholesky_solve(RHS, torch.tril(factor))},
        (array(2.0, 0.0, 0.5, 1.5).reshape(2, 2),),
        lambda rng: (np.eye(2) * 2 + rng.normal(size=(2, 2)) / 2,), WRONG, mode="forward", live=True,
    ),
    Fault(
        "GB114", "jax-ml/jax#40421", "scipy.linalg.cholesky, lower=False",
        "the triangle that is not read has a gradient", "convention",
        {"jax": lambda x: jax.scipy.linalg.cholesky(x, lower=False)}, {"jax": upper_cholesky},
        (array(2.0, 0.5, 0.5, 1.5).reshape(2, 2),),
        lambda rng: (np.eye(2) * 3 + 0.5 * rng.normal() * np.ones((2, 2)),), WRONG, live=True,
    ),
    Fault(
        "GB132", "tensorflow/tensorflow#6717", "Categorical.entropy", "the gradient is lost: 0", "wrong_rule",
        entropy, entropy.with_backward(entropy_vjp), (array(0.5, -1.0, 2.0),), normal((3,)), WRONG,
    ),
    Fault(
        "GB135", "HIPS/autograd#401", "multivariate_normal.logpdf, the covariance", "the sign", "wrong_rule",
        Rule(logpdf, logpdf_vjp(-1.0)), Rule(logpdf, logpdf_vjp(1.0)), (array(2.0, 0.5, 1.5),),
        lambda rng: (np.array([2.0, 0.5, 1.5]) + 0.1 * rng.normal(size=3),), WRONG,
    ),
    Fault(
        "GB137", "HIPS/autograd#185", "fft", "the conjugation is missing", "wrong_rule",
        spectrum(-1.0), spectrum(1.0),
        (array(0.5, -1.0, 2.0, 0.25), array(1.0, 0.5, -0.5, 2.0), array(0.0, 1.0, 0.5, -1.0)),
        lambda rng: (rng.normal(size=N), rng.normal(size=N), np.zeros(N)), WRONG,
    ),
    Fault(
        "GB141", "Theano/Theano#4568", "max", "each of two tied elements gets all of it", "wrong_rule",
        largest, largest.with_backward(shared), (array(1.0, 1.0),), normal((3,)), WRONG,
    ),
    Fault(
        "GB152", "ml-explore/mlx#2451", "arctan2", "the operands are swapped", "wrong_rule",
        angle,
        angle.with_backward(lambda xp, g, y, x: (g * x / (x * x + y * y), -g * y / (x * x + y * y))),
        (array(1.0), array(2.0)), positive((3,), (3,)), WRONG, moves=2,
    ),
    Fault(
        "GB162", "stan-dev/math#1569", "ibeta", "the adjoint multiplies the first summand only", "wrong_rule",
        weighted, weighted.with_backward(lambda xp, g, x: g * (2 * x + 3)), (array(0.5),), normal(()), WRONG,
    ),
    Fault(
        "GB170", "JuliaDiff/ForwardDiff.jl#83", "a derivative inside a derivative", "perturbations confused",
        "higher_order", confused, confused.with_backward(lambda xp, g, x: g * 1), (array(1.0),), normal((3,)),
        WRONG,
    ),
    Fault(
        "GB172", "JuliaDiff/DifferentiationInterface.jl#1014", "hessian of exp(a - b) b", "H[2, 2] off by 9",
        "higher_order", Rule(gradient, hessian(wrong=True)), Rule(gradient, hessian(wrong=False)),
        (array(0.5, 1.5),), normal((2,)), WRONG,
    ),
    Fault(
        "GB173", "shader-slang/slang#10071", "fmod, the divisor", "always 0", "wrong_rule",
        remainder, remainder.with_backward(lambda xp, g, x, y: (g, -g * xp.trunc(x / y))),
        (array(5.5), array(2.0)), lambda rng: (rng.uniform(2, 9, 3), rng.uniform(1, 2, 3)), WRONG, moves=2,
    ),
)  # fmt: skip
