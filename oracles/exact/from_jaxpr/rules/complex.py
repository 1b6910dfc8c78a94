"""JAX's primitives on complex numbers, which are pairs of real values (`program.complex`).

A primitive that is linear with real coefficients runs by its rule on both parts; others are named here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from oracles.exact.from_jaxpr.call import Eqn, Rule, constant_of_any
from oracles.exact.from_jaxpr.rules.arrays import REDUCTIONS, SHAPES
from oracles.exact.from_jaxpr.rules.elementwise import ELEMENTWISE
from oracles.exact.from_jaxpr.rules.indexing import INDEXING, scatter_mul_complex
from oracles.exact.from_jaxpr.rules.linalg import of_eig, of_eigh, of_qr, of_svd
from oracles.exact.from_jaxpr.rules.windows import WINDOWS
from oracles.exact.program import complex as cx
from oracles.exact.program import complex_arrays as ca
from oracles.exact.program import eigen_general, eigen_hermitian, fourier
from oracles.exact.program.complex import REAL, Complex
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.factorizations import exchanges
from oracles.exact.program.primitives import compare, convert
from oracles.exact.program.primitives.arrays import index
from oracles.exact.program.primitives.linear_algebra import triangle
from oracles.exact.program.program import Var

_RULES = ELEMENTWISE | SHAPES | REDUCTIONS | INDEXING | WINDOWS


def complex_rule(name: str) -> Rule:
    """The rule of a primitive that takes or gives complex numbers.

    Raises:
        Unsupported: It has none.
    """
    if name in COMPLEX:
        return COMPLEX[name]
    if name in APART:
        return partial(_apart, _RULES[name])
    raise Unsupported(
        f"JAX's {name} of complex numbers has no rule; work with the real and the imaginary part"
    )


def _apart(rule: Rule, call: Eqn, *operands: Any) -> Any:
    """The rule on all real parts, and on all imaginary parts."""
    call = call._replace(dtype=REAL[call.dtype])
    found = [
        rule(call, *(getattr(v, part) if isinstance(v, Complex) else v for v in operands))
        for part in ("re", "im")
    ]
    if isinstance(found[0], Var):
        return Complex(*found)
    return [Complex(*both) for both in zip(*found, strict=True)]


def _alone(function: Callable[[Complex], Any]) -> Rule:
    return lambda call, x: function(x)


def _cast(call: Eqn, x: Any) -> Any:
    """Of a complex number to a real one the real part is taken; to a boolean, whether it is not 0."""
    if call.dtype in REAL:
        return cx.as_complex(x, call.dtype)
    return cx.equal("ne", x, 0.0) if call.dtype == "bool" else convert(x.re, call.dtype)


def _conj(call: Eqn, x: Any) -> Complex:
    return cx.conj(cx.as_complex(x, call.dtype))


def _pow(call: Eqn, x: Any, y: Any) -> Complex:
    x = cx.as_complex(x, call.dtype)
    return cx.power(x, y if isinstance(y, Complex) else convert(y, x.re.dtype))


def _select_n(call: Eqn, which: Var, *cases: Any) -> Any:
    """Case k where `which` is k; a boolean counts as 0 or 1."""
    if which.dtype == "bool":
        return cx.choose(which, cases[1], cases[0]) if len(cases) > 1 else cases[0]
    chosen = cases[0]
    for k, case in enumerate(cases[1:], 1):
        chosen = cx.choose(compare("ge", which, k), case, chosen)
    return chosen


def _zeros(call: Eqn, *_: Any) -> Any:
    return constant_of_any(call.recorder, np.zeros(call.shape), call.dtype)


def _iota(call: Eqn) -> Complex:
    found = SHAPES["iota"](call._replace(dtype=REAL[call.dtype]))
    return cx.pair(found, 0.0)


def _dot(call: Eqn, x: Any, y: Any) -> Complex:
    contract, batch = call.params["dimension_numbers"]
    return ca.dot_general(cx.as_complex(x, call.dtype), cx.as_complex(y, call.dtype), contract, batch)


def _convolution(call: Eqn, x: Any, y: Any) -> Complex:
    rule = partial(WINDOWS["conv_general_dilated"], call._replace(dtype=REAL[call.dtype]))
    return ca.bilinear(rule, x, y)


def _fft(call: Eqn, x: Any) -> Any:
    """XLA divides the inverse ones by the number of elements."""
    kind = str(getattr(call.params["fft_type"], "name", call.params["fft_type"])).upper()
    lengths = call.params["fft_lengths"]
    axes = list(range(x.ndim - len(lengths), x.ndim))
    count = float(np.prod(lengths, dtype=int))
    if kind == "FFT":
        return fourier.transform(x, axes, True)
    if kind == "IFFT":
        return cx.div(fourier.transform(x, axes, False), count)
    if kind == "RFFT":
        whole, kept = fourier.transform(cx.pair(x, 0.0), axes, True), range(lengths[-1] // 2 + 1)
        return whole.apart(lambda v: index(v, lambda p: p.take(kept, -1)))
    return fourier.real_inverse(x, axes, lengths[-1]) / count


def _triangular_solve(call: Eqn, a: Complex, b: Complex) -> Complex:
    p = call.params
    unit = triangle(a.re, p["lower"], unit=p["unit_diagonal"])
    a = Complex(unit, triangle(a.im, p["lower"], strict=p["unit_diagonal"]))
    a = cx.conj(a) if p["conjugate_a"] else a
    return ca.solve(ca.transpose(a) if p["transpose_a"] else a, b, p["left_side"])


def _lu(call: Eqn, a: Complex) -> list[Any]:
    factors, rows = ca.lu(a)
    swaps = call.recorder.constant(exchanges(rows, min(a.shape[-2:])), "int32")
    return [factors, swaps, call.recorder.constant(rows, "int32")]


def _qr(call: Eqn, a: Complex) -> list[Any]:
    if call.params.get("pivoting"):
        raise Unsupported("qr with pivoting: not yet")
    return list(ca.qr(a, of_qr(a.dtype), call.params["full_matrices"]))


def _eig(call: Eqn, a: Var | Complex) -> list[Any]:
    """Values, and what is asked for of left vectors, those of the adjoint, and right ones."""
    whole = cx.as_complex(a, str(call.outvars[0].aval.dtype))
    w, right = eigen_general.eig(whole, of_eig(a.dtype))
    found: list[Any] = [w]
    if call.params["compute_left_eigenvectors"]:
        found.append(eigen_general.eig(ca.adjoint(whole), of_eig(a.dtype, left=True))[1])
    return [*found, right] if call.params["compute_right_eigenvectors"] else found


def _svd(call: Eqn, a: Complex) -> list[Any]:
    if not call.params["compute_uv"]:
        return [eigen_hermitian.singular_values(a)]
    u, s, vh = eigen_hermitian.svd(a, call.params["full_matrices"], of_svd(a.dtype))
    return [s, u, vh]


def _sort(call: Eqn, *operands: Any) -> list[Any]:
    """Complex keys by their real parts, equal ones by their imaginary parts."""
    keys = sum(len(cx.vars_of(x)) for x in operands[: call.params["num_keys"]])
    flat = [v for x in operands for v in cx.vars_of(x)]
    found = iter(_RULES["sort"](call._replace(params={**call.params, "num_keys": keys}), *flat))
    return [Complex(next(found), next(found)) if isinstance(x, Complex) else next(found) for x in operands]


_LINEAR = (
    "broadcast_in_dim reshape squeeze expand_dims transpose rev slice split stack unstack tile concatenate "
    "reduce_sum cumsum gather scatter scatter-add scatter-sub dynamic_slice dynamic_update_slice pad copy "
    "name stop_gradient sharding_constraint reduce_precision"
)
APART = frozenset(_LINEAR.split())
_ELEMENTWISE = (
    "abs acos acosh asin asinh atan atanh cos cosh exp exp2 expm1 imag log log1p logistic neg real rsqrt "
    "sign sin sinh sqrt square tan tanh"
)
COMPLEX: dict[str, Rule] = {
    **{name: _alone(cx.ELEMENTWISE[name]) for name in _ELEMENTWISE.split()},
    "complex": lambda call, re, im: cx.pair(re, im),
    "conj": _conj,
    "add": lambda call, x, y: cx.add(x, y),
    "add_any": lambda call, x, y: cx.add(x, y),
    "sub": lambda call, x, y: x - y,
    "mul": lambda call, x, y: cx.mul(x, y),
    "div": lambda call, x, y: cx.div(x, y),
    "integer_pow": lambda call, x: cx.integer_power(x, call.params["y"]),
    "pow": _pow,
    "eq": lambda call, x, y: cx.equal("eq", x, y),
    "ne": lambda call, x, y: cx.equal("ne", x, y),
    "select_n": _select_n,
    "scatter-mul": scatter_mul_complex,
    "convert_element_type": _cast,
    "iota": _iota,
    "empty": _zeros,
    "empty2": _zeros,
    "reduce_prod": lambda call, x: ca.product(x, call.params["axes"]),
    "cumprod": lambda call, x: _cumprod(call, x),
    "dot_general": _dot,
    "conv_general_dilated": _convolution,
    "fft": _fft,
    "triangular_solve": _triangular_solve,
    "cholesky": lambda call, a: ca.cholesky(a),
    "lu": _lu,
    "qr": _qr,
    "eig": _eig,
    "eigh": lambda call, a: eigen_hermitian.eigh(a, call.params["lower"], of_eigh(a.dtype))[::-1],
    "svd": _svd,
    "sort": _sort,
}


def _cumprod(call: Eqn, x: Complex) -> Complex:
    axis = int(call.params["axis"])

    def turned(v: Var) -> Var:
        return index(v, lambda p: np.flip(p, axis))

    if call.params["reverse"]:
        return ca.cumulated(x.apart(turned), axis).apart(turned)
    return ca.cumulated(x, axis)
