"""NumPy's functions of complex numbers, which are pairs of real values; and its Fourier transforms."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from oracles.exact.from_numpy.refusals import unsupported
from oracles.exact.from_numpy.rules import elementwise, linalg, order, present, reductions
from oracles.exact.from_numpy.rules.holomorphic import HOLOMORPHIC
from oracles.exact.from_numpy.rules.reductions import NO_VALUE, Axis, Rule, axes_of, every, kept
from oracles.exact.from_numpy.tape import words
from oracles.exact.program import complex as cx
from oracles.exact.program import complex_arrays as ca
from oracles.exact.program import eigen_hermitian, fourier
from oracles.exact.program.complex import REAL, Complex
from oracles.exact.program.primitives import compare, convert, scalar
from oracles.exact.program.primitives.arrays import index, reduce_sum, reshape
from oracles.exact.program.program import Var


def _as_complex(x: Any, like: Complex) -> Complex:
    """An operand in the dtype of another; an array in the code is a constant."""
    if isinstance(x, Var | Complex):
        return cx.as_complex(x, like.dtype)
    builder = like.builder
    return cx.constant(builder, np.asarray(x), like.dtype, lambda _, v, kind: builder.constant(v, kind))


def _together(*given: Any) -> list[Complex]:
    """All operands as complex numbers of the dtype in which NumPy computes; one of them may be real."""
    traced = [v for v in given if isinstance(v, Var | Complex)]
    kind = np.result_type(
        "c8", *(np.dtype(v.dtype) if isinstance(v, Var | Complex) else np.asarray(v).dtype for v in given)
    ).name
    like = cx.as_complex(traced[0], kind)
    return [_as_complex(v, like) for v in given]


def _apart(rule: Rule) -> Rule:
    """A linear function of its first argument, on both parts."""
    return lambda x, *args, **kwargs: x.apart(lambda v: rule(v, *args, **kwargs))


def _bilinear(rule: Rule) -> Rule:
    """What is linear in its first two arguments, on all parts."""

    def product(x: Any, y: Any, *args: Any, **kwargs: Any) -> Complex:
        x, y = _together(x, y)
        return ca.bilinear(lambda a, b: rule(a, b, *args, **kwargs), x, y)

    return product


# -- reductions -------------------------------------------------------------------------------------------


def _product(x: Complex, axis: Axis = None, dtype: Any = None, keepdims: Any = False) -> Complex:
    return ca.product(x, axes_of(x.re, axis), kept(keepdims))


def _variance(x: Complex, *args: Any, mean: Any = NO_VALUE, **kwargs: Any) -> Var:
    """That of both parts together."""
    if mean is not NO_VALUE:
        raise unsupported("np.var of complex numbers with mean=")
    both: list[Var] = [reductions.RULES["var"](v, *args, **kwargs) for v in (x.re, x.im)]
    return both[0] + both[1]


def _norm(x: Complex, ord: Any = None, axis: Axis = None, keepdims: Any = False) -> Any:
    """The norm of the sizes."""
    if ord in {None, 2, "fro"} and not (ord == 2 and axis is None and x.ndim == 2):
        return scalar("sqrt", reduce_sum(cx.squared_size(x), axes_of(x.re, axis), kept(keepdims)))
    return linalg.RULES["linalg.norm"](cx.absolute(x), ord, axis, keepdims)


# -- products ---------------------------------------------------------------------------------------------


def _matmul(x: Complex, y: Complex) -> Complex:
    left = x.apart(lambda v: reshape(v, (1, *v.shape)) if v.ndim == 1 else v)
    right = y.apart(lambda v: reshape(v, (*v.shape, 1)) if v.ndim == 1 else v)
    z = ca.matmul(left, right)
    rows, columns = [] if x.ndim == 1 else z.shape[-2:-1], [] if y.ndim == 1 else z.shape[-1:]
    return z.apart(lambda v: reshape(v, [*z.shape[:-2], *rows, *columns]))


def _dot(a: Any, b: Any) -> Complex:
    a, b = _together(a, b)
    if a.ndim == 0 or b.ndim == 0:
        return cx.mul(a, b)
    if a.ndim <= 2 and b.ndim <= 2:
        return _matmul(a, b)
    return ca.dot_general(a, b, ((a.ndim - 1,), (max(b.ndim - 2, 0),)), ((), ()))


def _inner(a: Any, b: Any) -> Complex:
    a, b = _together(a, b)
    if a.ndim == 0 or b.ndim == 0:
        return cx.mul(a, b)
    return ca.dot_general(a, b, ((a.ndim - 1,), (b.ndim - 1,)), ((), ()))


def _vdot(a: Any, b: Any) -> Complex:
    a, b = (v.apart(lambda u: reshape(u, (u.size,))) for v in _together(a, b))
    return _matmul(cx.conj(a), b)


def _vecdot(x: Any, y: Any, axis: int = -1) -> Complex:
    """The sum of conj(x) y along one axis."""
    x, y = _together(x, y)
    return cx.mul(cx.conj(x), y).apart(lambda v: reduce_sum(v, (axis,)))


def _tensordot(a: Any, b: Any, axes: Any = 2) -> Complex:
    a, b = _together(a, b)
    if isinstance(axes, int):
        axes = (range(a.ndim - axes, a.ndim), range(axes))
    over_a, over_b = (np.atleast_1d(np.asarray(v, int)).tolist() for v in axes)
    return ca.dot_general(a, b, ([i % a.ndim for i in over_a], [i % b.ndim for i in over_b]), ((), ()))


def _einsum(*operands: Any, **kwargs: Any) -> Complex:
    spec, arrays = linalg.einsum_arguments(operands)
    return _multilinear(lambda *parts: linalg.RULES["einsum"](spec, *parts, **kwargs), *_together(*arrays))


def _multilinear(rule: Callable[..., Var], first: Complex, *others: Complex) -> Complex:
    """What is linear in each argument: that of the first one's real part, and i times that of the other."""
    if not others:
        return first.apart(rule)
    one = _multilinear(functools.partial(rule, first.re), *others)
    two = _multilinear(functools.partial(rule, first.im), *others)
    return cx.pair(one.re - two.im, one.im + two.re)


def _correlate(a: Any, v: Any, mode: str = "valid") -> Complex:
    """The sum of a_{n+k} conj(v_n)."""
    a, v = _together(a, v)
    return ca.bilinear(lambda x, y: order.RULES["correlate"](x, y, mode), a, cx.conj(v))


def _solve(a: Any, b: Any) -> Complex:
    a, b = _together(a, b)
    column = b.ndim == 1
    x = ca.solve(a, b.apart(lambda v: reshape(v, (*v.shape, 1))) if column else b)
    return x.apart(lambda v: reshape(v, v.shape[:-1])) if column else x


def _slogdet(a: Complex) -> tuple[Complex, Var]:
    """The phase, and the logarithm of the size."""
    d = ca.det(a)
    return cx.sign(d), scalar("log", cx.absolute(d))


def _cholesky(a: Complex, /, *, upper: bool = False) -> Complex:
    low = ca.cholesky(ca.adjoint(a) if upper else a)
    return ca.adjoint(low) if upper else low


def _qr(a: Complex, mode: str = "reduced") -> Any:
    if mode not in {"reduced", "complete", "r"}:
        raise unsupported(f"numpy.linalg.qr with mode={mode!r}")
    q, r = ca.qr(a, complete=mode == "complete")
    return r if mode == "r" else (q, r)


def _svd(a: Complex, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    if hermitian:
        raise unsupported("numpy.linalg.svd with hermitian=True")
    if not compute_uv:
        return eigen_hermitian.singular_values(a)
    return eigen_hermitian.svd(a, full_matrices)


def _matrix_power(a: Complex, n: int) -> Complex:
    if n < 0:
        return _matrix_power(ca.inverse(a), -n)
    eye = a.builder.constant(np.broadcast_to(np.eye(a.shape[-1]), a.shape).copy(), a.re.dtype)
    result = cx.as_complex(eye, a.dtype)
    for bit in f"{n:b}":
        result = ca.matmul(result, result)
        result = ca.matmul(result, a) if bit == "1" else result
    return result


# -- comparisons ------------------------------------------------------------------------------------------


def _isclose(x: Any, y: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: Any = False) -> Var:
    x, y = _together(*(_spectral(v) if isinstance(v, Var) else v for v in (x, y)))
    return compare("le", cx.absolute(x - y), rtol * cx.absolute(y) + atol)


def _array_equal(x: Any, y: Any, equal_nan: Any = False) -> Var:
    if x is None or y is None:
        (known,) = (v for v in (x, y) if isinstance(v, Complex))
        return known.re.builder.constant(np.asarray(False))
    x, y = _together(*(_spectral(v) if isinstance(v, Var) else v for v in (x, y)))
    same: Var = every(cx.equal("eq", x, y)) if x.shape == y.shape else x.builder.constant(np.asarray(False))
    return same


# -- spectra ----------------------------------------------------------------------------------------------


def _spectral(x: Any) -> Complex:
    """What is transformed: real numbers, too, integers in float64."""
    if isinstance(x, Complex):
        return x
    real = x if x.dtype in REAL.values() else convert(x, "float64")
    return cx.pair(real, 0.0)


def _lengths(x: Complex, s: Any, axes: Any) -> list[tuple[int, int]]:
    """Pairs of an axis and its length."""
    if axes is None:
        axes = range(x.ndim) if s is None else range(-len(s), 0)
    axes = [int(a) % x.ndim for a in axes]
    sizes = [x.shape[a] for a in axes] if s is None else [int(n) for n in s]
    return [(a, x.shape[a] if n == -1 else n) for a, n in zip(axes, sizes, strict=True)]


def _sized(x: Complex, pairs: Sequence[tuple[int, int]]) -> Complex:
    for axis, n in pairs:
        x = x.apart(functools.partial(fourier.resized, axis=axis, n=n))
    return x


def _normalized(x: Any, lengths: Sequence[int], norm: Any, forward: bool) -> Any:
    """By the number of elements, by its root, or not."""
    count = float(np.prod(lengths, dtype=int))
    if norm == "ortho":
        like = cx.vars_of(x)[0]
        return x / scalar("sqrt", like.builder.constant(count, like.dtype))
    if norm not in {None, "backward", "forward"}:
        raise unsupported(f"numpy.fft with norm={norm!r}")
    return x / count if forward == (norm == "forward") else x


def _transform(x: Any, pairs: Sequence[tuple[int, int]], norm: Any, forward: bool) -> Any:
    sized = _sized(_spectral(x), pairs)
    found = fourier.transform(sized, [a for a, _ in pairs], forward)
    return _normalized(found, [n for _, n in pairs], norm, forward)


def _one(forward: bool) -> Rule:
    def rule(a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
        x = _spectral(a)
        return _transform(x, _lengths(x, None if n is None else (n,), (axis,)), norm, forward)

    return rule


def _several(forward: bool, last: Any = None) -> Rule:
    def rule(a: Any, s: Any = None, axes: Any = last, norm: Any = None) -> Any:
        x = _spectral(a)
        return _transform(x, _lengths(x, s, axes), norm, forward)

    return rule


def _half(x: Complex, axis: int, n: int) -> Complex:
    return x.apart(lambda v: index(v, lambda p: p.take(range(n // 2 + 1), axis)))


def _of_real(a: Any, s: Any, axes: Any, norm: Any) -> Any:
    x = _spectral(a)
    pairs = _lengths(x, s, axes)
    return _half(_transform(x, pairs, norm, True), *pairs[-1])


def _to_real(a: Any, s: Any, axes: Any, norm: Any, forward: bool = False) -> Any:
    x = _spectral(a)
    pairs = _lengths(x, s, axes)
    if s is None:
        axis, n = pairs[-1]
        pairs[-1] = axis, 2 * (n - 1)
    found = fourier.real_inverse(_sized(x, pairs[:-1]), [axis for axis, _ in pairs], pairs[-1][1])
    return _normalized(found, [n for _, n in pairs], norm, forward)


def _single(n: Any) -> Any:
    return None if n is None else (n,)


FFT: dict[str, Rule] = {
    "fft.fft": _one(True),
    "fft.ifft": _one(False),
    "fft.fft2": _several(True, (-2, -1)),
    "fft.ifft2": _several(False, (-2, -1)),
    "fft.fftn": _several(True),
    "fft.ifftn": _several(False),
    "fft.rfft": lambda a, n=None, axis=-1, norm=None: _of_real(a, _single(n), (axis,), norm),
    "fft.rfft2": lambda a, s=None, axes=(-2, -1), norm=None: _of_real(a, s, axes, norm),
    "fft.rfftn": lambda a, s=None, axes=None, norm=None: _of_real(a, s, axes, norm),
    "fft.irfft": lambda a, n=None, axis=-1, norm=None: _to_real(a, _single(n), (axis,), norm),
    "fft.irfft2": lambda a, s=None, axes=(-2, -1), norm=None: _to_real(a, s, axes, norm),
    "fft.irfftn": lambda a, s=None, axes=None, norm=None: _to_real(a, s, axes, norm),
    "fft.hfft": lambda a, n=None, axis=-1, norm=None: _to_real(
        cx.conj(_spectral(a)), _single(n), (axis,), norm, True
    ),
    "fft.ihfft": lambda a, n=None, axis=-1, norm=None: _hermitian(a, _single(n), (axis,), norm),
}


OF_REAL = {"fft.rfft", "fft.rfft2", "fft.rfftn", "fft.ihfft"}  # NumPy refuses complex numbers there


def _hermitian(a: Any, s: Any, axes: Any, norm: Any) -> Complex:
    x = _spectral(a)
    pairs = _lengths(x, s, axes)
    return _half(_transform(x, pairs, norm, False), *pairs[-1])


# -- tables -----------------------------------------------------------------------------------------------

_UNARY = (
    "exp expm1 exp2 log log2 log10 log1p sqrt reciprocal sin cos tan sinh cosh tanh arcsin:asin "
    "arccos:acos arctan:atan arcsinh:asinh arccosh:acosh arctanh:atanh absolute:abs "
    "conjugate:conj negative:neg square sign"
)
COMPLEX_UFUNCS: dict[str, Callable[..., Any]] = {
    **{a: cx.ELEMENTWISE[b or a] for a, _, b in (name.partition(":") for name in words(_UNARY))},
    "positive": lambda x: x,
    "add": cx.add,
    "subtract": lambda x, y: x - y,
    "multiply": cx.mul,
    "divide": cx.div,
    **dict.fromkeys(("power", "float_power"), cx.power),
    "equal": functools.partial(cx.equal, "eq"),
    "not_equal": functools.partial(cx.equal, "ne"),
    "matmul": _matmul,
    "vecdot": _vecdot,
    "matvec": _bilinear(elementwise.UFUNCS["matvec"]),
    "vecmat": lambda v, a: _bilinear(elementwise.UFUNCS["vecmat"])(cx.conj(v), a),
    **HOLOMORPHIC,
}
COMPLEX_RULES: dict[str, Rule] = {
    **{name: _apart(reductions.RULES[name]) for name in words("sum mean")},
    **{name: _apart(present.RULES[name]) for name in words("nansum nanmean")},
    **{name: _apart(order.RULES[name]) for name in words("cumsum diff ediff1d trapezoid")},
    **{name: _apart(linalg.RULES[name]) for name in words("trace linalg.trace")},
    **{name: _bilinear(linalg.RULES[name]) for name in words("outer linalg.outer cross linalg.cross kron")},
    "convolve": _bilinear(order.RULES["convolve"]),
    "correlate": _correlate,
    "isclose": _isclose,
    "allclose": lambda *args, **kwargs: every(_isclose(*args, **kwargs)),
    "array_equal": _array_equal,
    "prod": _product,
    "cumprod": lambda a, axis=None, dtype=None: ca.cumulated(
        a.apart(lambda v: reshape(v, (v.size,))) if axis is None else a, axis or 0
    ),
    "var": _variance,
    "std": lambda *args, **kwargs: scalar("sqrt", _variance(*args, **kwargs)),
    "linalg.norm": _norm,
    "dot": _dot,
    "linalg.matmul": lambda a, b: _matmul(*_together(a, b)),
    "inner": _inner,
    "vdot": _vdot,
    "linalg.vecdot": _vecdot,
    **dict.fromkeys(("tensordot", "linalg.tensordot"), _tensordot),
    "linalg.multi_dot": lambda arrays: functools.reduce(_dot, arrays),
    "einsum": _einsum,
    "linalg.solve": _solve,
    "linalg.inv": ca.inverse,
    "linalg.det": ca.det,
    "linalg.slogdet": _slogdet,
    "linalg.cholesky": _cholesky,
    "linalg.qr": _qr,
    "linalg.matrix_power": _matrix_power,
    "linalg.eigh": lambda a, UPLO="L": eigen_hermitian.eigh(a, UPLO.upper() == "L"),
    "linalg.eigvalsh": lambda a, UPLO="L": eigen_hermitian.eigh(a, UPLO.upper() == "L")[0],
    "linalg.svd": _svd,
    "linalg.svdvals": lambda x, /: eigen_hermitian.singular_values(x),
    **{name: rule for name, rule in FFT.items() if name not in OF_REAL},
}
