"""Right gradients that ours does not pass, each with its cause: a defect of the framework, or of its dtype.

An alarm that is not here fails `make power`, and so does an entry that raises none.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

import harness
from harness.result import Result
from tests.power.function import Call, loaded

HALVES = "float16 bfloat16"
SHORT = f"float32 {HALVES}"
ALL = f"float64 {SHORT}"


class Cause(NamedTuple):
    """Why a function's gradient is not passed.

    Attributes:
        said: The verdict.
        why: In words.
        where: The functions of `right_torch` and `right_jax`, and the dtypes in which it is said.
        call, args, dtype: One that shows it: the gradient in the first argument of the sum of a call.
        report: A public report of it, if one is known here.
    """

    said: str
    why: str
    where: dict[str, str]
    call: Call
    args: tuple[Any, ...]
    dtype: str
    report: str = ""

    @property
    def reproducer(self) -> str:
        """One line that gives what is computed."""
        names = list("xyz"[: len(self.args)])
        f = f"lambda {', '.join(names)}: {self.call.written(names)}.sum()"
        form = "torch.tensor({}, dtype=torch.{})" if self.call.is_torch else "jnp.array({}, jnp.{})"
        at = ", ".join(form.format(x, self.dtype) for x in self.args)
        return f"{'torch.func' if self.call.is_torch else 'jax'}.grad({f})({at})"

    def asked(self) -> Result:
        """What ours says of it."""
        args = [loaded(self.call, x, self.dtype) for x in self.args]
        return harness.check_gradient(lambda *x: self.call(*x).sum(), args, argnums=0, upstream="fail")

    @property
    def is_shown(self) -> bool:
        """Whether its line still shows it."""
        with jax.enable_x64(self.dtype == "float64"), np.errstate(all="ignore"):
            return self.asked().verdict == self.said


def _element(name: str, element: int, **keywords: Any) -> Call:
    return Call(name, keywords, element=element)


CAUSES: tuple[Cause, ...] = (
    Cause(
        "imprecise",
        "1 - t^2 cancels where the tanh t rounds to 1 or nearly",
        {"F.tanh": ALL, "jax.nn.tanh": ALL},
        Call("torch.tanh"),
        ([16.0],),
        "float64",
        "jax-ml/jax#40343",
    ),
    Cause(
        "imprecise",
        "s (1 - s) cancels where the sigmoid s rounds to 1 or nearly",
        {
            "F.glu": HALVES,
            "F.sigmoid": SHORT,
            "jax.nn.sigmoid": SHORT,
            "jax.nn.glu": SHORT,
            "jax.checkpoint": "float16",
        },
        Call("torch.sigmoid"),
        ([15.0],),
        "float32",
        "pytorch/pytorch#195681",
    ),
    Cause(
        "imprecise",
        "1 - (1 - t^2) cancels near 0",
        {"F.tanhshrink": SHORT},
        Call("F.tanhshrink"),
        ([0.001],),
        "float32",
    ),
    Cause(
        "imprecise",
        "1 + erf(x / sqrt 2) and 1 + tanh(...) cancel in the lower tail",
        {"F.gelu": "float64 float32 bfloat16", "jax.nn.gelu": ALL},
        Call("F.gelu"),
        ([-7.8],),
        "float32",
    ),
    Cause(
        "imprecise",
        "y (g - sum of g y) cancels where one y is nearly 1, for y was rounded",
        {
            "F.softmin": ALL,
            "F.softmax": ALL,
            "F.scaled_dot_product_attention": "float64 float32 bfloat16",
            "softmax by hand, torch": HALVES,
            "jax.nn.softmax": HALVES,
            "jax.nn.dot_product_attention": "float32 bfloat16",
            "softmax by hand, jax": SHORT,
        },
        _element("F.softmax", 0, dim=-1),
        ([17.0, -1.0, 0.5],),
        "float32",
    ),
    Cause(
        "imprecise",
        "JAX's attention computes its softmax in float32, whatever its arguments are in",
        {"jax.nn.dot_product_attention": "float64"},
        Call("jax.nn.dot_product_attention"),
        ([[[[15.0]], [[0.3]]]], [[[[5.0]], [[-0.4]]]], [[[[0.9]], [[0.2]]]]),
        "float64",
    ),
    Cause(
        "imprecise",
        "what is along x, or constant, is taken off the cotangent, and is nearly all of it",
        {
            "F.rms_norm": "float64 float32 bfloat16",
            "F.group_norm": SHORT,
            "F.batch_norm": SHORT,
            "F.cosine_similarity": "bfloat16",
            "F.cosine_embedding_loss": "float16",
            "jax.nn.standardize": "bfloat16",
            "jax.nn.standardize, stable": "bfloat16",
        },
        _element("F.normalize", 0, dim=-1),
        ([1000.0, 0.25],),
        "float32",
    ),
    Cause(
        "imprecise",
        "p - 1 at the label, and s - t, cancel where the prediction is nearly right",
        {"F.cross_entropy, weighted": "float32 float16"},
        _element("F.log_softmax", 0, dim=-1),
        ([16.0, 0.0],),
        "float32",
    ),
    Cause(
        "imprecise",
        "1 / (1 + e^(y - x)) is 0 where e^(y - x) overflows",
        {"torch.logaddexp": "float16", "torch.logaddexp2": "float16"},
        Call("torch.logaddexp"),
        ([-12.0], [0.0]),
        "float16",
    ),
    Cause(
        "imprecise",
        "(cos(pi x) - sinc(x)) / x cancels near 0",
        {"torch.sinc": SHORT, "jnp.sinc": SHORT},
        Call("torch.sinc"),
        ([0.001],),
        "float32",
        "jax-ml/jax#40629",
    ),
    Cause(
        "imprecise",
        "i1e(x) - i0e(x) cancels for large x",
        {"torch.special.i0e": "bfloat16"},
        Call("torch.special.i0e"),
        ([1e6],),
        "float32",
    ),
    Cause(
        "imprecise",
        "the derivative of expm1 is computed as expm1(x) + 1",
        {"jax.nn.elu": "float32 bfloat16", "jax.nn.celu": ALL, "jax.nn.selu": SHORT},
        Call("jax.nn.selu"),
        ([-16.0],),
        "float32",
        "jax-ml/jax#39796",
    ),
    Cause(
        "imprecise",
        "1 + x / sqrt(x^2 + b) cancels for negative x",
        {"jax.nn.squareplus": "bfloat16"},
        Call("jax.nn.squareplus"),
        ([-3000.0],),
        "float32",
    ),
    Cause(
        "imprecise",
        "x + 3 rounds to 6, where relu6 has no slope",
        {"jax.nn.hard_sigmoid": "bfloat16"},
        Call("jax.nn.hard_sigmoid"),
        ([2.984375],),
        "bfloat16",
    ),
    Cause(
        "miscomputed",
        "above the threshold of 20 the slope is 1, which float32 cannot tell from the sigmoid",
        {"F.softplus": "float64"},
        Call("F.softplus"),
        ([22.0],),
        "float64",
    ),
    Cause(
        "miscomputed",
        "1/6 is a float32 in the float64 kernel",
        {"F.hardsigmoid": "float64"},
        Call("F.hardsigmoid"),
        ([0.5],),
        "float64",
    ),
    Cause(
        "miscomputed",
        "trigamma has ten digits in float64",
        {"torch.digamma": "float64"},
        Call("torch.digamma"),
        ([1.5],),
        "float64",
    ),
    Cause(
        "miscomputed",
        "the whole product is divided by each element, and it overflows",
        {"torch.cumprod": "float16"},
        Call("torch.prod"),
        ([300.0, 300.0, 0.01],),
        "float16",
    ),
    Cause(
        "miscomputed",
        "e^(-x y) overflows, and infinity over infinity is not a number",
        {"F.soft_margin_loss": "float16"},
        Call("F.soft_margin_loss"),
        ([-12.0], [1.0]),
        "float16",
    ),
    Cause(
        "miscomputed",
        "where nothing varies, rsqrt(1e-5) / 1e-5 overflows float16",
        {"jax.nn.standardize": "float16", "jax.nn.standardize, stable": "float16"},
        _element("jax.nn.standardize", 0),
        ([0.5, 0.5, 0.5],),
        "float16",
    ),
    Cause(
        "miscomputed",
        "e^x, or a power, overflows before what it is multiplied with",
        {"F.poisson_nll_loss": "float16", "jnp.power": "float16", "jsp.i1": "float16", "jsp.expi": "float16"},
        Call("jsp.i1"),
        ([11.5],),
        "float16",
    ),
    Cause(
        "miscomputed",
        "erfinv is up to 22 ulps off below 0.99, and half a million near 1",
        {"jsp.erfinv": "float64"},
        Call("jsp.erfinv"),
        ([0.6426997911780216],),
        "float64",
    ),
    Cause(
        "wrong",
        "1 / alpha comes from a float32",
        {"F.celu": "float64"},
        Call("F.celu", {"alpha": 0.3}),
        ([-0.5],),
        "float64",
    ),
    Cause(
        "wrong",
        "the tail is an asymptotic series of few terms, and the rule uses its value",
        {"jsp.log_ndtr": "float32"},
        Call("jsp.log_ndtr"),
        ([-14.5],),
        "float32",
    ),
    Cause(
        "wrong",
        "i1e has the slope 1/2 wherever |x| is below the dtype's epsilon",
        {"jsp.i1": "bfloat16"},
        Call("jsp.i1"),
        ([0.005],),
        "bfloat16",
    ),
    Cause(
        "miscomputed",
        "what fills no vector is computed in bfloat16, the Chebyshev series too",
        {"torch.special.i0e": "bfloat16"},
        Call("torch.special.i0e"),
        ([-0.11767578125],),
        "bfloat16",
    ),
    Cause(
        "imprecise",
        "the backward adds the logarithm of the cotangent, rounded to the dtype, to other logarithms",
        {"torch.logcumsumexp": "bfloat16"},
        Call("torch.logcumsumexp", {"dim": -1}),
        ([-8.5, -3.203125, 0.0, 1.3984375, -1.6015625, 0.5, -1.3984375, -7.40625],),
        "bfloat16",
    ),
)


def known(function: str, dtype: str, said: str) -> Cause | None:
    """The cause of an alarm, if it is known."""
    found = (c for c in CAUSES if c.said == said and dtype in c.where.get(function, "").split())
    return next(found, None)
