"""Right formulas that lose their digits where the derivative is small."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import torch

from harness.verdicts import Verdict
from tests.power.fault import Fault, Rule
from tests.power.faults.draws import array, normal
from tests.power.faults.overflow import logistic

LOST = Verdict.IMPRECISE
expm1 = Rule(lambda xp, x: xp.exp(x) - 1, lambda xp, g, x: g * xp.exp(x))


def tanh_slope(xp, g, x):
    """1 / cosh^2 x from e^-|x|."""
    e = xp.exp(-2 * xp.abs(x))
    return 4 * g * e / (1 + e) ** 2


tanh = Rule(lambda xp, x: 2 / (1 + xp.exp(-2 * x)) - 1, tanh_slope)
selu_scale, selu_alpha = 1.0507009873554805, 1.6732632423543772
selu = Rule(
    lambda xp, x: selu_scale * xp.where(x > 0, x, selu_alpha * (xp.exp(xp.where(x > 0, x * 0, x)) - 1)),
    lambda xp, g, x: (
        g * selu_scale * xp.where(x > 0, x * 0 + 1, selu_alpha * xp.exp(xp.where(x > 0, x * 0, x)))
    ),
)
both = Rule(
    lambda xp, x: x + xp.log(xp.sum(xp.exp(xp.stack([x * 0, x * 0])), axis=0)),
    lambda xp, g, x: 2 * g * xp.exp(x - (x + 0.6931471805599453)),
)


i0 = jax.custom_jvp(jnp.i0)
i0.defjvp(lambda primals, tangents: (jnp.i0(*primals), jax.scipy.special.i1(*primals) * tangents[0]))


once_i0 = jax.custom_jvp(jnp.i0)
once_i0.defjvp(
    lambda primals, tangents: (
        jnp.i0(*primals),
        (jax.scipy.special.i1(*primals) + jnp.where(primals[0] == 0, 1.0, 0.0)) * tangents[0],
    )
)


@jax.custom_jvp
def right_sinc(x):
    """sinc, with the series of its derivative near 0."""
    return jnp.sinc(x)


@right_sinc.defjvp
def _(primals, tangents):
    (x,), (t,) = primals, tangents
    y = np.pi * x
    near = np.pi * (-y / 3 + y**3 / 30)
    safe = jnp.where(abs(y) < 1e-3, 1.0, y)
    far = np.pi * (jnp.cos(safe) - jnp.sin(safe) / safe) / safe
    return jnp.sinc(x), t * jnp.where(abs(y) < 1e-3, near, far)


FAULTS = (
    Fault(
        "GB024", "pytorch/pytorch#195681", "sigmoid", "y (1 - y) from a rounded y", "precision_loss",
        {"torch": torch.sigmoid}, {"torch": logistic.torch}, (array(37.42994775023705),), normal((3,)), LOST,
        live=True,
    ),
    Fault(
        "GB026", "pytorch/pytorch#192406", "expm1", "y + 1 loses exp(x)", "precision_loss",
        {"torch": torch.expm1}, {"torch": expm1.torch}, (array(-40.0),), normal((3,)), LOST, live=True,
    ),
    Fault(
        "GB096", "jax-ml/jax#40343", "tanh", "1 - y^2 from a rounded y", "precision_loss",
        {"jax": jnp.tanh, "torch": torch.tanh}, {"jax": tanh.jax, "torch": tanh.torch}, (array(20.0),),
        normal((3,)), LOST, live=True,
    ),
    Fault(
        "GB101", "jax-ml/jax#39796", "nn.selu", "y + alpha, once y is -alpha: 0", "precision_loss",
        {"jax": jax.nn.selu}, {"jax": selu.jax}, (array(-700.0),), normal((3,)), LOST, live=True,
    ),
    Fault(
        "GB090", "jax-ml/jax#39797", "i0", "1 * 1 + 1 * (-1): 0 for x / 2", "precision_loss",
        {"jax": jnp.i0}, {"jax": i0}, (array(1e-300),), normal((3,)), LOST, live=True,
    ),
    Fault(
        "GB088", "jax-ml/jax#11479", "i0", "i0'(0) = 1", "wrong_rule",
        {"jax": once_i0}, {"jax": i0}, (array(0.0),), normal((3,)), Verdict.WRONG,
    ),
    Fault(
        "GB093", "jax-ml/jax#40629", "sinc", "the slope of a quotient near its removable pole",
        "precision_loss", {"jax": jnp.sinc}, {"jax": right_sinc}, (array(-1.1102230246251565e-16),),
        normal((3,)), LOST, mode="forward", live=True,
    ),
    Fault(
        "GB163", "stan-dev/math#1679", "log_sum_exp(x, x)", "exp(x - result) where both are large",
        "precision_loss",
        both,
        both.with_backward(lambda xp, g, x: g + 0 * x), (array(1e10),), normal((3,)), LOST,
    ),
    Fault(
        "GB029", "pytorch/pytorch#195682", "silu, second derivative", "from a rounded sigmoid: 0",
        "precision_loss", {"torch": torch.nn.functional.silu},
        {"torch": lambda x: x * logistic_twice(x)}, (array(40.41),), normal((3,)), LOST, order=2, live=True,
    ),
    Fault(
        "GB099", "jax-ml/jax#39801", "tanh, second derivative", "-2 y (1 - y^2) underflows: 0",
        "precision_loss", {"jax": jnp.tanh}, {"jax": lambda x: jnp.sinh(x) / jnp.cosh(x)},
        (array(1e-300),), normal((3,)), LOST, order=2, live=True,
    ),
)  # fmt: skip


def logistic_twice(x):
    """The logistic function, composed so that its derivatives keep their digits for x > 0."""
    return 1 / (1 + torch.exp(-x))
