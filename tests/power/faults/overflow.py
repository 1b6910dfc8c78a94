"""Rules whose parts overflow, or that evaluate the branch that was not taken."""

from __future__ import annotations

import jax.numpy as jnp
import torch

from harness.verdicts import Verdict
from tests.power.fault import Fault, Rule
from tests.power.faults.draws import array, normal

NAN = Verdict.MISCOMPUTED
logistic = Rule(
    lambda xp, x: 1 / (1 + xp.exp(-x)),
    lambda xp, g, x: g * xp.exp(-xp.abs(x)) / (1 + xp.exp(-xp.abs(x))) ** 2,
)
softplus = Rule(
    lambda xp, x: xp.where(x > 0, x, x * 0) + xp.log1p(xp.exp(-xp.abs(x))),
    lambda xp, g, x: g * xp.exp(x) / (xp.exp(x) + 1),
)
right_softplus = softplus.with_backward(
    lambda xp, g, x: g * xp.where(x > 0, x * 0 + 1, xp.exp(-xp.abs(x))) / (1 + xp.exp(-xp.abs(x)))
)
elu = Rule(
    lambda xp, x: xp.where(x > 0, x, xp.exp(xp.where(x > 0, x * 0, x)) - 1),
    lambda xp, g, x: xp.where(x > 0, g, g * 0) + xp.where(x > 0, g * 0, g) * xp.exp(x),
)
right_elu = elu.with_backward(lambda xp, g, x: g * xp.exp(xp.where(x > 0, x * 0, x)))
masked_lse = Rule(
    lambda xp, x: xp.log(xp.sum(xp.exp(x[:1]))),
    lambda xp, g, x: g * xp.const([1.0, 0.0], x) * xp.exp(x - xp.log(xp.sum(xp.exp(x[:1])))),
)
right_masked_lse = masked_lse.with_backward(
    lambda xp, g, x: xp.concatenate([g * xp.exp(x[:1] - xp.log(xp.sum(xp.exp(x[:1])))), x[1:] * 0])
)
exp2 = Rule(lambda xp, x: 2.0**x, lambda xp, g, x: g * 2.0 ** (x - 1) * (2 * 0.6931471805599453))
asinh = Rule(
    lambda xp, x: xp.sign(x) * xp.log1p(xp.abs(x) + x * x / (1 + xp.sqrt(x * x + 1))),
    lambda xp, g, x: g / (xp.sqrt(1 + (1 / xp.abs(x)) ** 2) * xp.abs(x)),
)


where_sqrt = {
    "torch": lambda x: torch.where(x > 0.5, torch.sqrt(x), x * 0 + 1),
    "jax": lambda x: jnp.where(x > 0.5, jnp.sqrt(x), 1.0),
}


def guarded_sqrt():
    def of_torch(x):
        taken = x > 0.5
        return torch.where(taken, torch.sqrt(torch.where(taken, x, 1.0)), x * 0 + 1)

    def of_jax(x):
        taken = x > 0.5
        return jnp.where(taken, jnp.sqrt(jnp.where(taken, x, 1.0)), 1.0)

    return {"torch": of_torch, "jax": of_jax}


def tall(which):
    """where(a < 15, a, 10^exp(a)), and the same with a safe argument."""

    def of_torch(a):
        inner = a if which == "faulty" else torch.where(a < 15, a * 0, a)
        return torch.where(a < 15, a, 10.0 ** torch.exp(inner))

    def of_jax(a):
        inner = a if which == "faulty" else jnp.where(a < 15, a * 0, a)
        return jnp.where(a < 15, a, 10.0 ** jnp.exp(inner))

    return {"torch": of_torch, "jax": of_jax}


FAULTS = (
    Fault(
        "GB082", "jax-ml/jax#347", "where(x > 1/2, sqrt(x), 1)", "0 * inf of the branch not taken",
        "overflow_nan", where_sqrt, guarded_sqrt(), (array(0.0),), normal((3,)), NAN, live=True,
    ),
    Fault(
        "GB084", "jax-ml/jax#2630", "where(x > 0, 0, x * inf)", "0 * inf of the branch not taken",
        "overflow_nan", {"jax": lambda x: jnp.where(x > 0, 0.0, x * jnp.inf)}, {"jax": lambda x: x * 0.0},
        (array(1.0),), lambda rng: (rng.uniform(0.5, 2, 3),), NAN, live=True,
    ),
    Fault(
        "GB128", "tensorflow/tensorflow#38349", "where(a < 15, a, 10^exp(a))",
        "0 * inf of the branch not taken", "overflow_nan", tall("faulty"), tall("right"), (array(10.0),),
        normal((3,)), NAN, live=True,
    ),
    Fault(
        "GB027", "pytorch/pytorch#192407", "exp2", "2^x log 2 where 2^x overflows and the product does not",
        "overflow_nan", {"torch": torch.exp2}, {"torch": exp2.torch}, (array(1024.0),), normal((3,)),
        NAN, live=True,
    ),
    Fault(
        "GB103", "jax-ml/jax#40634", "arcsinh", "x^2 overflows in float32: 0", "overflow_nan",
        {"jax": jnp.arcsinh}, {"jax": asinh.jax}, (array(1e22, dtype="float32"),),
        normal((3,), dtype="float32"), Verdict.IMPRECISE, live=True,
    ),
    Fault(
        "GB161", "tracel-ai/burn#5373", "softplus", "exp(x) / (exp(x) + 1) is inf / inf", "overflow_nan",
        softplus, right_softplus, (array(100.0, dtype="float32"),), normal((3,), dtype="float32"), NAN,
    ),
    Fault(
        "GB183", "tenstorrent/tt-metal#56397", "softplus", "exp(x) * (1 / (1 + exp(x))) once exp overflows",
        "overflow_nan", softplus.with_backward(lambda xp, g, x: g * xp.exp(x) * (1 / (1 + xp.exp(x)))),
        right_softplus, (array(100.0, dtype="float32"),), normal((3,), dtype="float32"), NAN,
    ),
    Fault(
        "GB174", "jeshraghian/snntorch#427", "sigmoid surrogate, slope 25",
        "exp(-kx) / (1 + exp(-kx))^2 is inf / inf", "overflow_nan",
        Rule(
            lambda xp, x: 1 / (1 + xp.exp(-25 * x)),
            lambda xp, g, x: g * 25 * xp.exp(-25 * x) / (1 + xp.exp(-25 * x)) ** 2,
        ),
        Rule(
            lambda xp, x: 1 / (1 + xp.exp(-25 * x)),
            lambda xp, g, x: 25 * g * xp.exp(-xp.abs(25 * x)) / (1 + xp.exp(-xp.abs(25 * x))) ** 2,
        ),
        (array(-5.0, dtype="float32"),), normal((3,), dtype="float32"), NAN,
    ),
    Fault(
        "GB146", "tinygrad/tinygrad#17852", "elu", "exp over the whole input: 0 * inf", "overflow_nan",
        elu, right_elu, (array(300.0, dtype="float32"),), normal((3,), dtype="float32"), NAN,
    ),
    Fault(
        "GB108", "jax-ml/jax#23842", "logsumexp, where=", "exp of the masked slot overflows", "overflow_nan",
        masked_lse, right_masked_lse, (array(0.0, 1000.0),), normal((2,)), NAN,
    ),
    Fault(
        "GB012", "pytorch/pytorch#95180", "pow, the exponent", "0 * log(0)^2 in the second derivative",
        "higher_order",
        {"torch": lambda b: torch.pow(torch.zeros((), dtype=b.dtype), b)},
        {"torch": lambda b: b * 0.0}, (array(2.0),), lambda rng: (rng.uniform(1, 3, 3),), NAN, order=2,
        live=True,
    ),
)  # fmt: skip
