"""Boundary values: where gradients break. Each has a name, and a reported bug that shows there.

Cases, `boundary=` and the strategies take them from here. `tests/power/test_corpus.py` re-creates the bugs,
and sees each of them at its value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.inputs.values import (
    Source,
    batch_of_one,
    constant,
    distinct,
    empty,
    equal_rows,
    exp2_overflow,
    exp_overflow,
    full,
    huge,
    integers,
    one_element,
    sized,
    square_overflow,
    stride_0,
    strided,
    subnormal,
    ties,
    tiny,
    zeroed,
    zeros,
)
from harness.subject.arrays import Array


@dataclass(frozen=True, slots=True)
class Boundary:
    """One boundary value.

    Attributes:
        name: What tables, `boundary=` and `--input` call it.
        make: Makes the array.
        bug: A bug that shows there, in words.
        report: Where it was reported, on GitHub.
        is_layout: Whether it is about shape and memory, so that every array has it at once.
    """

    name: str
    make: Callable[[Source], Array]
    bug: str
    report: str
    is_layout: bool = False

    @property
    def link(self) -> str:
        """The report's address."""
        return f"https://github.com/{self.report}"


# fmt: off
ENTRIES = (
    Boundary("zeros", zeros, "x / |x| is not a number at the zero vector", "pytorch/pytorch/issues/2421"),
    Boundary("negative-zeros", full(-0.0), "the derivative of i0 at 0 was 1", "jax-ml/jax/issues/11479"),
    Boundary("ones", full(1.0), "the gradient of fmod along the divisor was always 0",
             "shader-slang/slang/issues/10071"),
    Boundary("distinct", distinct, "the gradient of fft was not conjugated, unseen where modes are symmetric",
             "HIPS/autograd/issues/185"),
    Boundary("ties", ties, "each of two tied elements got the whole gradient of max",
             "Theano/Theano/issues/4568"),
    Boundary("equal-rows", equal_rows, "the standard deviation of equal numbers gave 0/0",
             "pytorch/pytorch/issues/4320"),
    Boundary("constant", constant, "gather overwrote at repeated indices, and did not add",
             "pytorch/pytorch/issues/1631"),
    Boundary("one-zero", zeroed(1), "index_reduce masked zeros out of result / x",
             "pytorch/pytorch/issues/77382"),
    Boundary("two-zeros", zeroed(2), "prod with two zeros lost its graph, so the Hessian was 0",
             "pytorch/pytorch/issues/106789"),
    Boundary("integers", integers, "grid_sample took a neighbour outside of the image for 0",
             "pytorch/pytorch/issues/23925"),
    Boundary("saturated-8", sized(8.0), "0 times infinity of the branch not taken, 10^exp(a)",
             "tensorflow/tensorflow/issues/38349"),
    Boundary("saturated-20", sized(20.0), "1 - tanh(x)^2 from a rounded tanh was 0",
             "jax-ml/jax/issues/40343"),
    Boundary("saturated-40", sized(40.0), "expm1(x) + 1 lost exp(x)", "pytorch/pytorch/issues/192406"),
    Boundary("saturated-710", sized(710.0), "exp(x) / (exp(x) + 1) was infinity by infinity",
             "tracel-ai/burn/issues/5373"),
    Boundary("exp-overflows", sized(exp_overflow), "elu took exp of the whole input: 0 times infinity",
             "tinygrad/tinygrad/issues/17852"),
    Boundary("exp2-overflows", sized(exp2_overflow), "2^x log 2 was infinite where the product is not",
             "pytorch/pytorch/issues/192407"),
    Boundary("square-overflows", sized(square_overflow), "x^2 overflowed in the gradient of arcsinh: 0",
             "jax-ml/jax/issues/40634"),
    Boundary("subnormal", sized(subnormal), "result * (1 / x) was infinite in the gradient of prod",
             "tenstorrent/tt-metal/issues/54551"),
    Boundary("tiny", sized(tiny), "-2 y (1 - y^2) underflowed in the second derivative of tanh",
             "jax-ml/jax/issues/39801"),
    Boundary("huge", sized(huge), "exp(x - result) of two large numbers in log_sum_exp(x, x)",
             "stan-dev/math/issues/1679"),
    Boundary("strided", strided, "fused_ssim read an image that is not contiguous as if it were",
             "MrNeRF/optimized-fused-ssim/issues/1", is_layout=True),
    Boundary("stride-0", stride_0, "einsum of an expanded input had a wrong gradient",
             "pytorch/pytorch/issues/30303", is_layout=True),
    Boundary("one-element", one_element, "batch norm had the gradient of training when evaluating",
             "pytorch/xla/issues/913", is_layout=True),
    Boundary("batch-of-one", batch_of_one, "mul kept the broadcast shape in its gradient",
             "pytorch/pytorch/issues/1787", is_layout=True),
    Boundary("empty", empty, "the tangent of the mean of nothing was not a number",
             "jax-ml/jax/issues/10410", is_layout=True),
)
# fmt: on
CORPUS = {one.name: one for one in ENTRIES}


def chosen(names: Iterable[str] | bool) -> list[Boundary]:
    """The entries of these names, in the corpus's order; all of them, or none.

    Raises:
        ValueError: There is no such entry, or no name is given.
    """
    if isinstance(names, bool):
        return list(CORPUS.values()) if names else []
    if isinstance(names, str):
        raise ValueError(f"boundary is {names!r}; write a list, [{names!r}], or True for all")
    asked = list(names)
    for name in asked:
        if name not in CORPUS:
            raise ValueError(f"boundary has {name!r}; allowed are {', '.join(CORPUS)}, or True for all")
    if not asked:
        raise ValueError("boundary is an empty list; name values, or leave it out for none")
    return [one for one in CORPUS.values() if one.name in asked]
