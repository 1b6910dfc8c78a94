"""What ATen's operators are on complex numbers, which are pairs of real values (`program.complex`).

An operator that is linear with real coefficients runs by its rule on both parts; others are named here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import torch

from oracles.exact.from_aten.call import (
    BLANK,
    INDICES,
    OperatorCall,
    Rule,
    base_of,
    leaves_of,
    unused_keywords,
    with_leaves,
    words,
)
from oracles.exact.from_aten.memory import constant
from oracles.exact.from_aten.rules import RULES, sparse
from oracles.exact.from_aten.rules.linalg import (
    added,
    cross,
    is_hermitian,
    moving_as,
    of_eigh,
    of_full_rank,
    of_qr,
    of_svd,
    permutation,
)
from oracles.exact.from_aten.rules.moving import MOVERS
from oracles.exact.from_aten.rules.reductions import axes, norm
from oracles.exact.program import complex as cx
from oracles.exact.program import complex_arrays as ca
from oracles.exact.program import eigen_general, eigen_hermitian, fourier
from oracles.exact.program import functions as f
from oracles.exact.program.complex import REAL, Complex
from oracles.exact.program.errors import Undecided, Unsupported, listening
from oracles.exact.program.factorizations import exchanges, order_of
from oracles.exact.program.primitives import compare, convert, pi, scalar, select
from oracles.exact.program.primitives.arrays import index, reduce_sum, reshape
from oracles.exact.program.program import Array, Var


def of_complex(call: OperatorCall, name: str, operands: Sequence[Any], named: dict[str, Any]) -> Any:
    """The results of an operator that takes or gives complex numbers.

    Raises:
        Unsupported: It has no rule for them.
    """
    overload = f"{name}.{call.func._schema.overload_name}"
    for key in (overload, name):
        if key in COMPLEX:
            return COMPLEX[key](call, *operands, **_used(call, named))
        if key in APART:
            return _apart(call, RULES.get(overload) or RULES[name], operands, _used(call, named))
    raise Unsupported(
        f"aten.{name} of complex numbers has no rule; work with the real and the imaginary part"
    )


def _used(call: OperatorCall, named: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in named.items() if k not in unused_keywords(call.func)}


@dataclass
class _PartCall(OperatorCall):
    """The call as one part sees it: its results are real."""

    @property
    def dtype(self) -> str:
        """That of the parts of the first result."""
        return REAL.get(kind_of(self), kind_of(self))


def kind_of(call: OperatorCall) -> str:
    """The dtype of the first result, complex or not."""
    return str(call.returned[0].dtype).removeprefix("torch.")


def _apart(call: OperatorCall, rule: Rule, operands: Sequence[Any], named: dict[str, Any]) -> Any:
    """The rule on all real parts, and on all imaginary parts; those of real operands are zeros."""
    one = _PartCall(call.recorder, call.func, call.given, call.kwargs, call.returned)
    names = [a.name for a in call.func._schema.arguments]
    kind = REAL.get(kind_of(call), "float64")

    def floating(leaf: Any) -> Any:
        return convert(leaf, kind) if isinstance(leaf, Var) else leaf

    pairs = zip(names, operands, strict=False)
    operands = [x if name in INDICES else with_leaves(floating, x) for name, x in pairs]

    def real(leaf: Any) -> Any:
        return leaf.re if isinstance(leaf, Complex) else leaf.real if isinstance(leaf, complex) else leaf

    def imaginary(leaf: Any) -> Any:
        if isinstance(leaf, Var) and leaf.is_float:
            return leaf.builder.broadcast(leaf.builder.constant(0.0, leaf.dtype), leaf.shape)
        return leaf.im if isinstance(leaf, Complex) else leaf.imag if isinstance(leaf, complex) else leaf

    if any(x != 0 for name, x in zip(names, operands, strict=False) if name == "fill"):
        raise Unsupported(
            f"aten.{base_of(call.func)} of complex numbers that fills with another number than 0"
        )
    found = [rule(one, *with_leaves(p, tuple(operands)), **with_leaves(p, named)) for p in (real, imaginary)]
    if isinstance(found[0], tuple | list):
        return [Complex(*both) for both in zip(*found, strict=True)]
    return Complex(*found)


def promoted(rule: Rule) -> Rule:
    """A rule of its operands alone, all of which are complex; numbers stay as they are."""

    def convert_all(call: OperatorCall, *args: Any, **kwargs: Any) -> Any:
        kinds = [v.dtype for v in leaves_of((args, kwargs)) if isinstance(v, Complex)]
        kind = kind_of(call) if kind_of(call) in REAL else max(kinds)

        def one(value: Any) -> Any:
            return cx.as_complex(value, kind) if isinstance(value, Var | Complex) else value

        return rule(*with_leaves(one, args), **with_leaves(one, kwargs))

    return convert_all


def _added(x: Any, y: Any, alpha: Any = 1) -> Any:
    return cx.add(x, y if alpha == 1 else y * alpha)


def _power(x: Any, y: Any) -> Any:
    """Of a number, which has a logarithm, or of a tensor."""
    if isinstance(x, Complex):
        return cx.power(x, y)
    logarithm = np.log(complex(x))
    return cx.exp(cx.mul(y, complex(logarithm)))


def _fill(call: OperatorCall, value: Any) -> Any:
    """One number everywhere."""
    if isinstance(value, Complex):
        return value.apart(lambda v: call.recorder.broadcast(v, call.shape))
    if isinstance(value, Var):
        return cx.as_complex(call.recorder.broadcast(value, call.shape), kind_of(call))
    return cx.constant(call.recorder, np.full(call.shape, complex(value)), kind_of(call), constant)


def _where(call: OperatorCall, condition: Var, x: Any, y: Any) -> Any:
    kind = kind_of(call)
    x, y = (cx.as_complex(v, kind) if isinstance(v, Var | Complex) else _fill(call, v) for v in (x, y))
    return cx.choose(condition, x, y)


def _size_norm(call: OperatorCall, x: Complex, order: Any = 2, dim: Any = None, keepdim: bool = False) -> Var:
    """The norm of the sizes."""
    if order is None or float(order) == 2:
        return scalar("sqrt", reduce_sum(cx.squared_size(x), axes(x.re, dim), keepdim))
    return norm(cx.absolute(x), order, dim, keepdim)


def _mean(x: Complex, dim: Any = None, keepdim: bool = False) -> Complex:
    return x.apart(lambda v: f.mean(v, axes(v, dim), keepdim))


def _variance(x: Complex, dim: Any = None, correction: float | None = None, keepdim: bool = False) -> Var:
    """That of both parts together."""
    lost = 1.0 if correction is None else float(correction)
    re, im = (f.variance(v, axes(v, dim), lost, keepdim) for v in (x.re, x.im))
    return re + im


def _product(x: Complex, dim: Any = None, keepdim: bool = False) -> Complex:
    return ca.product(x, axes(x.re, dim), keepdim)


def _mv(a: Complex, x: Complex) -> Complex:
    found = ca.matmul(a, x.apart(lambda v: reshape(v, (*v.shape, 1))))
    return found.apart(lambda v: reshape(v, v.shape[:-1]))


def _dot(x: Complex, y: Complex) -> Complex:
    """Of two vectors."""
    row, column = x.apart(lambda v: reshape(v, (1, v.size))), y.apart(lambda v: reshape(v, (v.size, 1)))
    return ca.matmul(row, column).apart(lambda v: reshape(v, ()))


def _outer(x: Complex, y: Complex) -> Complex:
    return cx.mul(x.apart(lambda v: reshape(v, (v.size, 1))), y.apart(lambda v: reshape(v, (1, v.size))))


def _both(predicate: Rule, how: str) -> Rule:
    """A predicate of real numbers, of both parts or of one."""

    def rule(call: OperatorCall, x: Complex) -> Var:
        each = [predicate(call, v) for v in (x.re, x.im)]
        return call.recorder.elementwise(how, *each, dtype="bool")

    return rule


def _slope(of: Callable[[Any], Any]) -> Rule:
    """The backward of a holomorphic function from its value: g times the conjugate of its slope."""
    rule = promoted(lambda g, y: cx.mul(g, cx.conj(of(y))))
    return lambda call, g, y: rule(call, g, y)


def _cast(call: OperatorCall, x: Any, *_: Any, **__: Any) -> Any:
    """In the dtype of the result: of a real one, the real part."""
    kind = kind_of(call)
    if kind == "complex32":
        raise Unsupported("complex numbers in half precision")
    return cx.as_complex(x, kind) if kind in REAL else convert(x.re, kind)


def _copied(call: OperatorCall, x: Any, source: Any, *_: Any) -> Any:
    found = _cast(call, source)
    return cx.each_part(lambda v: call.recorder.broadcast(v, call.shape), found)


def _index_fill(call: OperatorCall, x: Complex, dim: int, where: Var, value: Any) -> Complex:
    index_ = torch.from_numpy(call.decided(where).copy())
    hit = torch.zeros(x.shape, dtype=torch.bool).index_fill(dim, index_, True).numpy()
    return cx.choose(call.recorder.constant(hit), _fill(call, value), x)


def _sinc(x: Complex) -> Complex:
    """sin(pi x) / (pi x), 1 at 0."""
    turned = cx.mul(x, pi(x.builder, x.re.dtype))
    return cx.choose(cx.is_zero(x), 1.0, cx.div(cx.sin(turned), turned))


def _logsumexp(x: Complex, dim: Any = None, keepdim: bool = False) -> Complex:
    over = axes(x.re, dim)
    return cx.log(cx.exp(x).apart(lambda v: reduce_sum(v, over, keepdim)))


def _renorm(x: Complex, p: float, dim: int, maxnorm: float) -> Complex:
    """Each slice shortened to the largest norm; 1e-7 is in torch's definition."""
    size = norm(cx.absolute(x), p, [d for d in range(x.ndim) if d != dim % x.ndim], True)
    return cx.mul(x, select(compare("gt", size, maxnorm), maxnorm / (size + 1e-7), 1.0))


# -- matrices ---------------------------------------------------------------------------------------------


def _cholesky(call: OperatorCall, a: Complex, upper: bool = False, check_errors: bool = False) -> Complex:
    """Of one triangle; a matrix that is Hermitian to rounding is meant to stay so when it moves.

    Beside these matrices torch goes on as if the diagonal of the factor became complex: dL is
    L p(L^-1 dA L^-H), p the lower triangle with half of the diagonal. It adds nothing for Hermitian ones.
    """
    if not is_hermitian(call.args[0]):
        low = ca.cholesky(ca.adjoint(a) if upper else a)
        return ca.adjoint(low) if upper else low
    numbers = ca.hermitian(a, not upper)
    low = ca.cholesky(_moving_as(numbers, cx.div(a + ca.adjoint(a), 2.0)))
    inner = ca.solve(low, ca.adjoint(ca.solve(low, ca.adjoint(_moving_as(numbers, a)))))
    turn = index(inner.im, lambda p: np.diagonal(p, axis1=-2, axis2=-1)) * 0.5
    low = low + cx.mul(low, cx.pair(0.0, reshape(turn, (*turn.shape[:-1], 1, turn.shape[-1]))))
    return ca.adjoint(low) if upper else low


def _moving_as(numbers: Complex, moving: Complex) -> Complex:
    return Complex(moving_as(numbers.re, moving.re), moving_as(numbers.im, moving.im))


def _gram(low: Complex, upper: bool) -> Complex:
    """The matrix whose factor this is."""
    low = ca.adjoint(ca.triangle(low, lower=False)) if upper else ca.triangle(low, lower=True)
    return ca.matmul(low, ca.adjoint(low))


def _lu_factor(call: OperatorCall, a: Complex, *, pivot: bool = True, check_errors: bool = False) -> Any:
    factors, rows = ca.lu(a, pivot)
    return factors, exchanges(rows, min(a.shape[-2:])) + 1


def _lu(call: OperatorCall, a: Complex, *, pivot: bool = True) -> Any:
    factors, rows = ca.lu(a, pivot)
    return permutation(rows), *_halves(factors)


def _halves(factors: Complex) -> tuple[Complex, Complex]:
    k = min(factors.shape[-2:])
    return ca.triangle(factors[..., :k], True, unit=True), ca.triangle(factors[..., :k, :], False)


def _lu_unpack(
    call: OperatorCall, factors: Complex, pivots: Var, unpack_data: bool = True, unpack_pivots: bool = True
) -> Any:
    rows = order_of(call.decided(pivots) - 1, factors.shape[-2])
    halves = _halves(factors) if unpack_data else (None, None)
    return permutation(rows) if unpack_pivots else None, *halves


def _lu_solve(
    call: OperatorCall, factors: Complex, pivots: Var, b: Complex, *, left: bool = True, adjoint: bool = False
) -> Complex:
    rows = order_of(call.decided(pivots) - 1, factors.shape[-2])
    low, up = _halves(factors)
    order = call.recorder.constant(permutation(rows), factors.re.dtype)
    a = ca.matmul(order, ca.matmul(low, up))
    return ca.solve(ca.adjoint(a) if adjoint else a, b, left)


def _saved(call: OperatorCall, a: Complex) -> tuple[Any, Any]:
    """The factors and exchanges that a kernel saves for its backward; of a complex matrix as it lies."""
    try:
        with listening():
            factors, rows = ca.lu(a)
    except Undecided:
        return None, None
    return factors, call.recorder.constant(exchanges(rows, a.shape[-1]) + 1)


def _det(call: OperatorCall, a: Complex) -> tuple[Any, ...]:
    return ca.det(a), *_saved(call, a)


def _slogdet(call: OperatorCall, a: Complex) -> tuple[Any, ...]:
    det = ca.det(a)
    return cx.sign(det), scalar("log", cx.absolute(det)), *_saved(call, a)


def _qr(call: OperatorCall, a: Complex, mode: str = "reduced") -> tuple[Complex, Complex]:
    return ca.qr(a, of_qr(a.dtype), mode == "complete")


def _ormqr(
    call: OperatorCall, v: Complex, tau: Complex, c: Complex, left: bool = True, transpose: bool = False
) -> Complex:
    q = ca.reflections(v, tau)
    q = ca.adjoint(q) if transpose else q
    return ca.matmul(q, c) if left else ca.matmul(c, q)


def _solve_triangular(
    call: OperatorCall, a: Any, b: Any, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Complex:
    kind = kind_of(call)
    a, b = cx.as_complex(a, kind), cx.as_complex(b, kind)
    return ca.solve(ca.triangle(a, not upper, unit=unitriangular), b, left)


def _triangular_solve(
    call: OperatorCall,
    b: Complex,
    a: Complex,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
) -> tuple[Complex, Complex]:
    half = ca.triangle(a, not upper, unit=unitriangular)
    return ca.solve(ca.transpose(half) if transpose else half, b), a


def _pinv(
    call: OperatorCall, a: Complex, *, atol: Any = None, rtol: Any = None, hermitian: bool = False
) -> Any:
    """The pseudoinverse that keeps all singular values; hermitian: of one triangle."""
    of_full_rank("linalg.pinv", torch.linalg.matrix_rank(call.args[0].detach(), **call.kwargs), a)
    return ca.pinv(ca.hermitian(a) if hermitian else a)


def _lstsq(call: OperatorCall, a: Complex, b: Complex, *_: Any, **__: Any) -> tuple[Any, Any]:
    """The x of least |a x - b|^2, and that square, column by column (where torch gives it)."""
    of_full_rank("linalg.lstsq", call.results[2], a)
    vectors = b.ndim == a.ndim - 1
    b = b.apart(lambda v: reshape(v, (*v.shape, 1))) if vectors else b
    x = ca.fit(a, b)
    left = ca.residue(a, b, x)
    fits = left.shape == tuple(call.results[1].shape)
    return x.apart(lambda v: reshape(v, call.shape)), left if fits else None


def _vectors(b: Any, a: Any, shape: Any) -> bool:
    return bool(b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1]))


def _eig(call: OperatorCall, a: Var | Complex) -> tuple[Complex, Complex]:
    return eigen_general.eig(cx.as_complex(a, kind_of(call)), _of_eig(a.dtype))


def _eigh(call: OperatorCall, a: Complex, uplo: str = "L", compute_v: bool = True) -> tuple[Var, Complex]:
    """As of a real matrix: one that is Hermitian to rounding is meant to stay so."""
    if is_hermitian(call.args[0]):
        a = _moving_as(ca.hermitian(a, uplo == "L"), cx.div(a + ca.adjoint(a), 2.0))
    return eigen_hermitian.eigh(a, uplo == "L", of_eigh(a.dtype))


def _svd(
    call: OperatorCall,
    a: Complex,
    full_matrices: bool = False,
    compute_uv: bool = True,
    *,
    driver: Any = None,
) -> tuple[Complex | None, Var, Complex | None]:
    if not compute_uv:
        return None, eigen_hermitian.singular_values(a), None
    return eigen_hermitian.svd(a, full_matrices, of_svd(a.dtype))


@cache
def _of_eig(dtype: str) -> eigen_general.Library:
    """torch's own eigenvalues and -vectors, in its precision; of a real matrix by its driver for these."""

    def of(numbers: Array) -> tuple[Array, Array]:
        own = torch.from_numpy(numbers if dtype in REAL else numbers.real.copy()).to(getattr(torch, dtype))
        w, v = (np.asarray(x.to(torch.complex128)) for x in torch.linalg.eig(own))
        return w, v

    return of


def _solve_ex(
    call: OperatorCall, a: Any, b: Any, *, left: bool = True, check_errors: bool = False
) -> tuple[Any, ...]:
    kind = kind_of(call)
    a, b = cx.as_complex(a, kind), cx.as_complex(b, kind)
    if _vectors(b, a, call.shape):
        column = b.apart(lambda v: reshape(v, (*v.shape, 1)))
        return ca.solve(a, column, left).apart(lambda v: reshape(v, call.shape)), *_saved(call, a)
    return ca.solve(a, b, left), *_saved(call, a)


# -- spectra ----------------------------------------------------------------------------------------------


def _normalized(x: Any, lengths: Sequence[int], how: int) -> Any:
    """ATen's fft_norm_mode: none, by the root of the number of elements, or by that number."""
    count = float(np.prod(lengths, dtype=int))
    if how == 0:
        return x
    if how == 2:
        return cx.div(x, count) if isinstance(x, Complex) else x / count
    like = cx.vars_of(x)[0]
    root = scalar("sqrt", like.builder.constant(count, like.dtype))
    return cx.div(x, root) if isinstance(x, Complex) else x / root


def _c2c(x: Complex, dim: Sequence[int], normalization: int, forward: bool) -> Any:
    found = fourier.transform(x, dim, forward)
    return _normalized(found, [x.shape[d] for d in dim], normalization)


def _r2c(x: Var, dim: Sequence[int], normalization: int, onesided: bool) -> Any:
    whole = fourier.transform(cx.pair(x, 0.0), dim, True)
    if onesided:
        last = dim[-1] % x.ndim
        kept = x.shape[last] // 2 + 1
        whole = whole.apart(lambda v: index(v, lambda p: p.take(range(kept), last)))
    return _normalized(whole, [x.shape[d] for d in dim], normalization)


def _c2r(x: Complex, dim: Sequence[int], normalization: int, last_dim_size: int) -> Any:
    found = fourier.real_inverse(x, dim, last_dim_size)
    return _normalized(found, [found.shape[d] for d in dim], normalization)


APART = frozenset((*MOVERS, *sparse.MOVED, *sparse.LINEAR)) | frozenset(
    words(
        "sum cumsum trace nansum index_add scatter_add index_put _index_put_impl_ put clone"
        " lift_fresh_copy positive zeros zeros_like new_zeros zero _new_zeros_with_same_feature_meta"
        " unfold_backward _unsafe_masked_index _unsafe_masked_index_put_accumulate col2im"
    )
)
_ELEMENTWISE = words(
    "acos acosh asin asinh atan atanh cos cosh exp exp2 expm1 log log10 log1p log2 neg reciprocal rsqrt"
    " sin sinh sqrt square tan tanh"
)


def _alone(function: Callable[[Complex], Any]) -> Rule:
    return lambda call, x: function(x if isinstance(x, Complex) else cx.as_complex(x, kind_of(call)))


COMPLEX: dict[str, Rule] = {
    **{name: _alone(cx.ELEMENTWISE[name]) for name in _ELEMENTWISE},
    "abs": _alone(cx.absolute),
    "angle": _alone(cx.angle),
    "sgn": _alone(cx.sign),
    "sigmoid": _alone(cx.logistic),
    **dict.fromkeys(("conj_physical", "_conj_physical"), _alone(cx.conj)),
    "complex": lambda call, re, im: cx.pair(re, im),
    "polar": lambda call, size, angle: cx.polar(size, angle),
    "add": promoted(_added),
    "sub": promoted(lambda x, y, alpha=1: _added(x, y, -alpha)),
    "rsub": promoted(lambda x, y, alpha=1: _added(y, x, -alpha)),
    "mul": lambda call, x, y: cx.mul(*(_in(v, call) for v in (x, y))),
    "div": lambda call, x, y: cx.div(*(_in(v, call) for v in (x, y))),
    **dict.fromkeys(("pow", "float_power"), promoted(_power)),
    "addcmul": promoted(lambda x, a, b, value=1: cx.add(x, cx.mul(cx.mul(a, b), value))),
    "addcdiv": promoted(lambda x, a, b, value=1: cx.add(x, cx.mul(cx.div(a, b), value))),
    "lerp": promoted(lambda x, y, weight: cx.add(x, cx.mul(y - x, weight))),
    "eq": lambda call, x, y: cx.equal("eq", x, y),
    "ne": lambda call, x, y: cx.equal("ne", x, y),
    "where": _where,
    "masked_fill": lambda call, x, mask, value: _where(call, mask, value, x),
    "isnan": _both(RULES["isnan"], "or"),
    "isinf": _both(RULES["isinf"], "or"),
    "isfinite": _both(RULES["isfinite"], "and"),
    "mean": promoted(_mean),
    "prod": promoted(_product),
    "cumprod": promoted(lambda x, dim: ca.cumulated(x, dim) if x.ndim else x),
    "var": promoted(_variance),
    "std": promoted(lambda *args, **kwargs: scalar("sqrt", _variance(*args, **kwargs))),
    "var_mean": promoted(
        lambda x, dim=None, correction=None, keepdim=False: (
            _variance(x, dim, correction, keepdim),
            _mean(x, dim, keepdim),
        )
    ),
    "std_mean": promoted(
        lambda x, dim=None, correction=None, keepdim=False: (
            scalar("sqrt", _variance(x, dim, correction, keepdim)),
            _mean(x, dim, keepdim),
        )
    ),
    **dict.fromkeys(("linalg_vector_norm", "norm"), _size_norm),
    "dist": promoted(lambda x, y, p=2: norm(cx.absolute(x - y), p)),
    "tanh_backward": _slope(lambda y: 1.0 - cx.square(y)),
    "sigmoid_backward": _slope(lambda y: y - cx.square(y)),
    **dict.fromkeys(("full", "full_like", "new_full", "fill", "scalar_tensor"),
                    lambda call, first, *rest, **_: _fill(call, rest[-1] if rest else first)),
    **dict.fromkeys(BLANK, lambda call, *_, **__: _fill(call, complex(np.nan, np.nan))),
    **dict.fromkeys(("ones", "ones_like", "new_ones"), lambda call, *_, **__: _fill(call, 1.0)),
    "constant_pad_nd": lambda call, x, pad, value=0.0: _padded(call, x, pad, value),
    "mm": promoted(ca.matmul),
    "bmm": promoted(ca.matmul),
    "mv": promoted(_mv),
    "dot": promoted(_dot),
    "vdot": promoted(lambda x, y: _dot(cx.conj(x), y)),
    "addmm": promoted(added(ca.matmul)),
    "baddbmm": promoted(added(ca.matmul)),
    "addbmm": promoted(added(lambda a, b: ca.matmul(a, b).apart(lambda v: reduce_sum(v, (0,))))),
    "addmv": promoted(added(_mv)),
    "addr": promoted(added(_outer)),
    **dict.fromkeys(("_to_copy", "to"), _cast),
    "copy": _copied,
    "index_fill": _index_fill,
    "ldexp": promoted(lambda x, n: cx.mul(x, cx.exp2(n) if isinstance(n, Complex) else 2.0**n)),
    "sinc": _alone(_sinc),
    "logsumexp": promoted(_logsumexp),
    "logaddexp": promoted(cx.logaddexp),
    "logcumsumexp": promoted(lambda x, dim: ca.running(cx.logaddexp, x, dim) if x.ndim else x),
    "renorm": lambda call, *args: _renorm(*args),
    "_sparse_addmm": promoted(added(ca.matmul)),
    "_sparse_sparse_matmul": promoted(ca.matmul),
    **{name: RULES[name] for name in sparse.INDICES},
    "eye": lambda call, *_: cx.as_complex(call.recorder.constant(np.eye(*call.shape)), kind_of(call)),
    "linalg_cross": promoted(lambda x, y, *, dim=-1: ca.bilinear(partial(cross, dim=dim), x, y)),
    **dict.fromkeys(("cholesky", "linalg_cholesky_ex"), _cholesky),
    "cholesky_inverse": lambda call, low, upper=False: ca.inverse(_gram(low, upper)),
    "cholesky_solve": lambda call, b, low, upper=False: ca.solve(_gram(low, upper), b),
    "linalg_matrix_exp": _alone(ca.exponential),
    "linalg_lu_factor_ex": _lu_factor,
    "linalg_lu": _lu,
    "lu_unpack": _lu_unpack,
    "linalg_lu_solve": _lu_solve,
    "_linalg_det": _det,
    "_linalg_slogdet": _slogdet,
    "linalg_qr": _qr,
    "linalg_householder_product": lambda call, v, tau: ca.reflections(v, tau)[..., : v.shape[-1]],
    "ormqr": _ormqr,
    "linalg_solve_triangular": _solve_triangular,
    "triangular_solve": _triangular_solve,
    "linalg_pinv": _pinv,
    "linalg_lstsq": _lstsq,
    "_linalg_solve_ex": _solve_ex,
    "linalg_inv_ex": _alone(ca.inverse),
    "linalg_eig": _eig,
    "_linalg_eigh": _eigh,
    "_linalg_svd": _svd,
    "_fft_c2c": lambda call, *args: _c2c(*args),
    "_fft_r2c": lambda call, *args: _r2c(*args),
    "_fft_c2r": lambda call, *args: _c2r(*args),
}  # fmt: skip


def _in(x: Any, call: OperatorCall) -> Any:
    """An operand in the precision of the result; a real one stays real."""
    kind = kind_of(call)
    if isinstance(x, Complex):
        return cx.as_complex(x, kind)
    return convert(x, REAL[kind]) if isinstance(x, Var) else x


def _padded(call: OperatorCall, x: Complex, pad: Sequence[int], value: Any) -> Any:
    out = _apart(call, RULES["constant_pad_nd"], (x, pad, 0.0), {})
    if value == 0:
        return out
    inside = torch.constant_pad_nd(torch.ones(x.shape), list(pad), 0.0).numpy() > 0
    return cx.choose(call.recorder.constant(inside), out, _fill(call, value))
