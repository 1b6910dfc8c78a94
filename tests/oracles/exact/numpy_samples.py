"""One call for every NumPy function that the exact oracle knows, at a smooth point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy import polynomial


class Sample(NamedTuple):
    """A function of arrays and the point it is called at."""

    function: Callable[..., Any]
    args: tuple[Any, ...]


def draw(shape: tuple[int, ...], seed: int, low: float = -2.0, high: float = 2.0) -> Any:
    """Numbers with three decimals, all different and none near an integer or zero."""
    rng = np.random.default_rng(seed)
    numbers = np.round(rng.uniform(low, high, shape), 3)
    return np.asarray(np.where(np.abs(numbers - np.round(numbers)) < 0.02, numbers + 0.037, numbers))


X, Y, V, W = draw((3, 4), 1), draw((3, 4), 2), draw((5,), 3), draw((4,), 4)
POSITIVE, UNIT = draw((3, 4), 5, 0.1, 3.0), draw((3, 4), 6, -0.9, 0.9)
A = draw((3, 3), 7) + 3 * np.eye(3)
SPD, STACK, RIGHT = A @ A.T, draw((2, 3, 4), 8), draw((2, 4, 5), 9)
GRID = np.array([-1.5, 0.1, 1.2])
MASK, ORDER = np.arange(12).reshape(3, 4) % 3 == 0, np.array([[2, 0], [1, 1], [3, 2]])


def _special(z: Any, name: str) -> Any:
    """A function of SciPy's, which is not installed everywhere."""
    from scipy import special

    return getattr(special, name)(z)


def _out(ufunc: Any, *args: Any) -> Any:
    out = np.zeros((3, 4))
    ufunc(*args, out=out)
    return out


def _at(ufunc: Any, x: Any, y: Any) -> Any:
    total = x.copy()
    ufunc.at(total, (np.array([0, 2, 0, 2]), np.array([1, 3, 1, 0])), y)
    return total


def _writes(function: Any, *args: Any) -> Callable[..., Any]:
    def run(x: Any, y: Any) -> Any:
        total = x.copy()
        function(total, *(y if a is Ellipsis else a for a in args))
        return total

    return run


_BY_NAME = {
    "x": ("exp exp2 expm1 sin cos tan sinh cosh tanh arctan arcsinh cbrt reciprocal square negative positive "
          "absolute fabs conjugate sign floor ceil rint trunc degrees rad2deg radians deg2rad", X),
    "positive": ("log log1p log2 log10 sqrt", POSITIVE),
    "unit": ("arcsin arccos arctanh", UNIT),
    "above one": ("arccosh", POSITIVE + 1),
    "function": ("sum prod mean var std max min amax amin ptp median cumsum cumprod sort diff sinc i0 copy "
                 "nan_to_num real ravel transpose flip fliplr flipud rot90 squeeze atleast_1d atleast_2d "
                 "atleast_3d tril triu diagonal trace round around zeros_like ones_like matrix_transpose "
                 "fix nansum nanprod nanmean nanvar nanstd nanmax nanmin nanmedian nancumsum nancumprod "
                 "trapezoid average", X),
}  # fmt: skip
_COMPARISONS = "less less_equal greater greater_equal equal not_equal"
_LOGICAL = "logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor"
_JUMPS = ("fmod", "remainder", "floor_divide", "divmod")
_TWO = (
    "add subtract multiply divide maximum minimum fmax fmin hypot arctan2 logaddexp logaddexp2 copysign fmod \
remainder floor_divide heaviside vdot inner outer kron divmod"
)


def _parts(found: Any) -> Any:
    """Complex results as pairs of real ones."""
    if isinstance(found, tuple):
        return tuple(part for one in found for part in _parts(one))
    return (found.real, found.imag) if np.iscomplexobj(found) else (found,)


def _of_complex(function: Callable[..., Any], *args: Any) -> Sample:
    """A function of complex numbers: of x + iy, and what else it takes."""
    return Sample(lambda x, y: _parts(function(x + 1j * y, *args)), (X, Y))


def _square(function: Callable[..., Any]) -> Sample:
    return Sample(lambda a, b: _parts(function(a + 1j * b)), (A, A.T / 2))


Z = X[:, ::-1] - 1j * Y
_COMPLEX = (
    "exp expm1 exp2 log log2 log10 log1p sqrt reciprocal sin cos tan sinh cosh tanh arcsin arccos arctan "
    "arcsinh arccosh arctanh absolute conjugate negative positive square sign sum mean nansum nanmean cumsum "
    "diff trace prod cumprod var std linalg.norm"
)
_COMPLEX_PAIRS = "add subtract multiply divide power float_power outer kron vdot inner vecdot linalg.vecdot"


def _named(name: str) -> Any:
    found: Any = np
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _untwisted(a: Any) -> Any:
    """What no phase of eigenvectors changes."""
    w, v = np.linalg.eigh(a)
    return w, np.abs(v), np.linalg.eigvalsh(a, "U")


COMPLEX: dict[str, Sample] = {
    **{f"complex {n}": _of_complex(_named(n)) for n in _COMPLEX.split()},
    **{
        f"complex {n}": _of_complex(lambda z, n=n: np.where(getattr(np, n)(z, Z), z, 2 * z))
        for n in ("equal", "not_equal")
    },
    **{f"complex {n}": _of_complex(_named(n), Z) for n in _COMPLEX_PAIRS.split()},
    "complex cross": _of_complex(lambda z: (np.cross(z.T, Z.T), np.linalg.cross(z.T, Z.T))),
    "complex products": _of_complex(
        lambda z: (z @ Z.T, np.dot(z, Z.T), np.linalg.matmul(z, Z.T), np.tensordot(z, Z, 2), z[0] @ Z[1])
    ),
    "complex tensordot": _of_complex(lambda z: np.linalg.tensordot(z, Z)),
    "complex linalg.outer": _of_complex(lambda z: np.linalg.outer(z[0], Z[1])),
    "complex einsum": _of_complex(lambda z: (np.einsum("ij,kj->ik", z, Z), np.einsum("ij->j", z))),
    "complex einsum of three": _of_complex(
        lambda z: (np.einsum("ij,j,kj->ik", z, z[0], Z), np.einsum(z, [0, 1], Z, [0, 1], z, [0, 2], [2]))
    ),
    "complex convolve": _of_complex(
        lambda z: (np.convolve(z[0], Z[1, :3]), np.convolve(z[0], [1, 2j], "same"))
    ),
    "complex correlate": _of_complex(
        lambda z: (
            np.correlate(z[0], Z[1, :3]),
            np.correlate([1, 2j], z[0], "full"),
            np.correlate(Z[0], z[1]),
        )
    ),
    "complex trapezoid": _of_complex(lambda z: (np.trapezoid(z, dx=0.5), np.ediff1d(z))),
    "complex linalg.multi_dot": _of_complex(lambda z: np.linalg.multi_dot([z[0], Z.T, z, Z[1]])),
    "complex matvec": _of_complex(lambda z: (np.matvec(z, Z[0]), np.vecmat(Z[:, 0], z), np.vecmat(z.T, A))),
    "real numbers with complex ones in the code": Sample(
        lambda x, a: _parts(
            (
                np.dot(x, Z.T),
                np.dot(Z.T, x),
                np.inner(x, Z),
                np.vdot(x, Z),
                np.vdot(Z, x),
                np.linalg.vecdot(Z, x),
                np.tensordot(x, Z, 2),
                np.einsum("ij,kj->ik", x, Z),
                x @ Z.T,
                np.outer(x[0], Z[1]),
                np.kron(Z[0], x[1]),
                np.cross(x.T, Z.T),
                np.linalg.solve(a, Z[:, 0]),
                np.convolve(x[0], Z[1]),
                np.where(x > 0, x, Z),
                np.concatenate([x, Z]),
            )
        ),
        (X, A),
    ),
    "complex where": _of_complex(lambda z: np.where(z.real > 0, z, 2j)),
    "complex writes": _of_complex(lambda z: _written(z)),
    "complex linalg.trace": _square(np.linalg.trace),
    "complex linalg.solve": _square(lambda a: (np.linalg.solve(a, Z[:, :2]), np.linalg.solve(a, Z[:, 0]))),
    "complex linalg.inv": _square(np.linalg.inv),
    "complex linalg.det": _square(np.linalg.det),
    "complex linalg.slogdet": _square(lambda a: tuple(np.linalg.slogdet(a))),
    "complex linalg.cholesky": _square(
        lambda a: (np.linalg.cholesky(a @ a.conj().T), np.linalg.cholesky(a @ a.conj().T, upper=True))
    ),
    "complex linalg.qr": _square(lambda a: (*np.linalg.qr(a), np.linalg.qr(a[:, :2], "r"))),
    "complex linalg.eigh": _square(lambda a: _untwisted(a @ a.conj().T)),
    "complex linalg.svd": _square(
        lambda a: (np.abs(np.linalg.svd(a)[0]), np.linalg.svd(a)[1], np.linalg.svdvals(a[:, :2]))
    ),
    "linalg.eig": Sample(lambda a: (np.abs(np.linalg.eig(a)[1]), np.linalg.eigvals(a).real), (A,)),
    "complex linalg.matrix_power": _square(
        lambda a: (np.linalg.matrix_power(a, 3), np.linalg.matrix_power(a, -2))
    ),
    **{
        f"fft.{n}": _of_complex(
            lambda z, n=n: (_named(f"fft.{n}")(z, norm="ortho"), _named(f"fft.{n}")(z, 5, 0))
        )
        for n in ("fft", "ifft", "irfft", "hfft")
    },
    **{
        f"fft.{n}": _of_complex(
            lambda z, n=n: (_named(f"fft.{n}")(z), _named(f"fft.{n}")(z, (5, 2), (0, 1), norm="forward"))
        )
        for n in ("fft2", "ifft2", "fftn", "ifftn", "irfft2", "irfftn")
    },
    **{
        f"fft.{n}": Sample(
            lambda x, n=n: _parts((_named(f"fft.{n}")(x), _named(f"fft.{n}")(x, norm="ortho"))), (X,)
        )
        for n in ("rfft", "rfft2", "rfftn", "ihfft")
    },
    **{
        f"fft.{n} of real numbers": Sample(lambda x, n=n: _parts(_named(f"fft.{n}")(x)), (X,))
        for n in ["fft", "ifft", "fft2", "ifft2", "fftn", "ifftn", "irfft", "irfft2", "irfftn", "hfft"]
    },
    **{
        f"complex {n}": _of_complex(lambda z, n=n: _special(z, n))
        for n in ["erf", "erfc", "erfi", "erfcx", "gamma", "rgamma", "wofz", "loggamma", "psi", "dawsn"]
    },
    "fft.fftshift": Sample(lambda x: np.fft.fftshift(np.fft.ifftshift(x), 0), (X,)),
}


def _written(z: Any) -> Any:
    out = np.zeros((4, 4), complex)
    out[1:] = z * 2
    out[0] = 1j
    out[:, 0] += z[0, 0]
    np.add.at(out, ([0, 0], [1, 1]), z[0, :2])
    return out


SAMPLES: dict[str, Sample] = {
    **COMPLEX,
    **{
        n: Sample(lambda x, n=n: getattr(np, n)(x), (p,))
        for names, p in _BY_NAME.values()
        for n in names.split()
    },
    **{
        n: Sample(lambda x, y, n=n: getattr(np, n)(x, y), (X, Y + 0.0117 * (n in _JUMPS)))
        for n in _TWO.split()
    },
    **{f"{n} of a constant": Sample(lambda x, n=n: getattr(np, n)(Y, x), (X,)) for n in _TWO.split()},
    "power": Sample(np.power, (POSITIVE, Y)),
    "float_power": Sample(np.float_power, (POSITIVE, Y)),
    **{f"power {p}": Sample(lambda x, p=p: x**p, (POSITIVE,)) for p in (2, 3, -1, 0.5, -0.5, 1.7)},
    "rpow": Sample(lambda x: 2.5**x, (X,)),
    "ldexp": Sample(lambda x: np.ldexp(x, 3), (X,)),
    "modf": Sample(np.modf, (X,)),
    "matmul": Sample(np.matmul, (X, X.T)),
    "matmul of stacks": Sample(lambda x, y: x @ y, (STACK, RIGHT)),
    "matmul with a vector": Sample(lambda x, w: (x @ w, w @ x.T), (X, W)),
    "vecdot": Sample(lambda x, w: np.vecdot(x, w), (X, W)),
    "dot": Sample(lambda x, w: (np.dot(x, w), x.dot(x.T), np.dot(w, w), np.dot(2.0, x)), (X, W)),
    "dot of stacks": Sample(np.dot, (STACK, RIGHT)),
    "tensordot": Sample(
        lambda x, y: (np.tensordot(x, y), np.tensordot(x, y, ([0], [0])), np.tensordot(x, y, 0)), (X, Y)
    ),
    "einsum": Sample(lambda x, y: np.einsum("bij,bjk->bik", x, y), (STACK, RIGHT)),
    "einsum implicit": Sample(lambda x, y: np.einsum("ij,kj", x, y), (X, Y)),
    "einsum ellipsis": Sample(lambda x, y: np.einsum("...ij,...jk->...k", x, y), (STACK, RIGHT)),
    "einsum of one beside many": Sample(
        lambda x, y: (np.einsum("ij,j->i", x[:, :1], y[0]), np.einsum("...i,...i", x[:1], y)), (X, Y)
    ),
    "einsum lists": Sample(lambda x, y: np.einsum(x, [0, 1], y, [2, 1], [2, 0]), (X, Y)),
    "einsum trace": Sample(
        lambda x: (np.einsum("ii", x), np.einsum("ii->i", x), np.einsum("ij->j", x)), (A,)
    ),
    "einsum of three": Sample(lambda x, w: np.einsum("ij,j,kj->ik", x, w, Y), (X, W)),
    "linalg products": Sample(
        lambda x, y: (np.linalg.tensordot(x, y), np.linalg.cross(x.T, y.T), np.linalg.vecdot(x, y)), (X, Y)
    ),
    "cross": Sample(lambda x, y: (np.cross(x.T, y.T), np.cross(x, y, axis=0)), (X, Y)),
    "cross of one and many": Sample(
        lambda x, y: (np.cross(x[:, 0], y.T), np.cross(x, y[:, 0], 0, 0, 1)), (X, Y)
    ),
    "linalg.norm": Sample(
        lambda x: tuple(np.linalg.norm(x, o) for o in (None, "fro", 1, -1, np.inf, -np.inf)), (X,)
    ),
    "linalg.norm of rows": Sample(
        lambda x: tuple(
            np.linalg.norm(x, o, axis=1, keepdims=True) for o in (None, 1, 2, 3, np.inf, -np.inf)
        ),
        (X,),
    ),
    "linalg.vector_norm": Sample(lambda x: np.linalg.vector_norm(x, axis=0), (X,)),
    "linalg.solve": Sample(lambda a, b: (np.linalg.solve(a, b), np.linalg.solve(a, b[:, 0])), (A, X)),
    "linalg.inv": Sample(np.linalg.inv, (A,)),
    "linalg.det": Sample(np.linalg.det, (A,)),
    "linalg.slogdet": Sample(np.linalg.slogdet, (A,)),
    "linalg.cholesky": Sample(lambda a: (np.linalg.cholesky(a), np.linalg.cholesky(a, upper=True)), (SPD,)),
    "linalg.matrix_power": Sample(
        lambda a: (np.linalg.matrix_power(a, 3), np.linalg.matrix_power(a, -2)), (A,)
    ),
    "linalg.eigh": Sample(lambda a: (*np.linalg.eigh(a), np.linalg.eigvalsh(a, "U")), (SPD,)),
    "linalg.svd": Sample(
        lambda a, x: (*np.linalg.svd(a), *np.linalg.svd(x, full_matrices=False), np.linalg.svdvals(x)), (A, X)
    ),
    "linalg.svd of values": Sample(lambda x: np.linalg.svd(x, compute_uv=False), (STACK,)),
    "linalg.pinv": Sample(lambda x: (np.linalg.pinv(x), np.linalg.pinv(x.T)), (X,)),
    "linalg.cond": Sample(lambda a: tuple(np.linalg.cond(a, p) for p in (None, 2, -2, "fro", 1)), (A,)),
    "linalg.norm by singular values": Sample(
        lambda x: (*(np.linalg.norm(x, o) for o in (2, -2, "nuc")), np.linalg.norm(x, "nuc", (0, 1), True)),
        (X,),
    ),
    "r_": Sample(
        lambda x: (np.r_[0, x[0], 1:4, 0.5:1:3j, x[1, 0]], np.r_["-1", x, Y], np.r_["0,3", x[0], x[1]]),
        (X,),
    ),
    "c_": Sample(lambda x: (np.c_[np.ones(3), x], np.c_[x[0], 0:4, 2 * x[1]], np.c_[x, x]), (X,)),
    "searchsorted": Sample(
        lambda x: (x * np.searchsorted(np.arange(-2.0, 2), x), x * np.searchsorted(GRID, x, "right")), (X,)
    ),
    "digitize": Sample(
        lambda x: (x * np.digitize(x, GRID), x * np.digitize(x, GRID[::-1]), x * np.digitize(x, [0.5], True)),
        (X,),
    ),
    "interp": Sample(
        lambda x, f: (np.interp(x, [-1.5, 0.1, 1.2], f[:3]), np.interp(0.4, np.arange(4.0), f)), (X, W)
    ),
    "interp to other ends": Sample(
        lambda x, f: (
            np.interp(x, [-1.5, 0.1, 1.2], f[:3], left=0.5),
            np.interp(x, np.arange(4.0), f, right=f[1], left=f[0]),
        ),
        (X, W),
    ),
    "interp of what is periodic": Sample(
        lambda x, f: (
            np.interp(x, [-1.5, 0.1, 1.2], f[:3], left=0.5, period=4),
            np.interp([0.4, 7.0], np.arange(4.0)[::-1], f, period=-3.5),
            np.interp([0.4, 7.0], f, x[0], period=3.5 + x[0, 0]),
        ),
        (X, W),
    ),
    "linalg.tensorsolve": Sample(
        lambda a, b: (
            np.linalg.tensorsolve(np.eye(6).reshape(2, 3, 6) * 3 + b[:2, :3, None], a[:2]),
            np.linalg.tensorsolve(a[None] + np.eye(3), b[0, :3], axes=(0,)),
            np.linalg.tensorsolve(a, np.ones(3)),
        ),
        (A, X),
    ),
    "linalg.multi_dot": Sample(lambda a, b: np.linalg.multi_dot([a, b, b.T]), (A, X)),
    "linalg.qr": Sample(
        lambda a, b: (
            *np.linalg.qr(a),
            *np.linalg.qr(b.T),
            *np.linalg.qr(b.T, "complete"),
            np.linalg.qr(b, "r"),
        ),
        (A, X),
    ),
    "linalg.matmul": Sample(lambda x, y: np.linalg.matmul(x, y), (STACK, RIGHT)),
    "matvec": Sample(lambda x, w: (np.matvec(x, w), np.vecmat(w, x.mT)), (STACK, W)),
    "linalg.trace": Sample(lambda a: np.linalg.trace(a), (A,)),
    "linalg.outer": Sample(lambda v: np.linalg.outer(v, v), (V,)),
    "sum along": Sample(
        lambda x: (x.sum(axis=0), x.sum(-1, keepdims=True), np.sum(x, axis=(0, 1)), x.sum(initial=2.0)), (X,)
    ),
    "sum where": Sample(
        lambda x: (
            np.sum(x, axis=1, where=MASK),
            np.mean(x, 0, where=MASK),
            np.max(x, where=MASK, initial=-9.0),
        ),
        (X,),
    ),
    "sum of a mask": Sample(lambda x: x * (x > 0).sum() + np.count_nonzero(x > 0, axis=0), (X,)),
    "mean along": Sample(
        lambda x: (x.mean(axis=0), x.var(axis=1, ddof=1), x.std(0, keepdims=True), x.var(mean=x.mean())), (X,)
    ),
    "max along": Sample(lambda x: (x.max(axis=0), x.min(1, keepdims=True), np.max(x, initial=0.5)), (X,)),
    "prod along": Sample(lambda x: (x.prod(axis=0), np.prod(x, axis=1, keepdims=True, initial=2.0)), (X,)),
    "average by weights": Sample(
        lambda x, w: (np.average(x, axis=1, weights=w), np.average(x, weights=POSITIVE)),
        (X, draw((4,), 9, 0.5, 2.0)),
    ),
    "median along": Sample(
        lambda x: (np.median(x, axis=0), np.median(x, 1, keepdims=True), np.median(x)), (X,)
    ),
    "cumsum along": Sample(
        lambda x: (
            x.cumsum(axis=0),
            np.cumulative_sum(x, axis=1),
            np.cumulative_sum(x, axis=0, include_initial=True),
            np.cumulative_prod(x, axis=-1, include_initial=True),
            np.cumulative_prod(x, axis=1),
            x.cumprod(1),
            np.diff(x, 2, axis=0),
        ),
        (X,),
    ),
    "argmax": Sample(
        lambda x: (x[np.arange(3), x.argmax(axis=1)], x.ravel()[np.argmax(x)], x[x.argmin(0), np.arange(4)]),
        (X,),
    ),
    "nanargmax": Sample(
        lambda x: (x[np.arange(3), np.nanargmax(x, 1)], x[np.arange(3), np.nanargmin(x, 1)]), (X,)
    ),
    "argpartition": Sample(lambda x: np.take_along_axis(x, np.argpartition(x, 2, axis=1), 1)[:, :2], (X,)),
    "argsort": Sample(
        lambda x: (
            np.take_along_axis(x, np.argsort(x, axis=1), axis=1),
            np.take_along_axis(x, x.argmax(0, keepdims=True), 0),
        ),
        (X,),
    ),
    "sort": Sample(lambda x: (np.sort(x, axis=0), np.sort(x, axis=None), -np.sort(-x)), (X,)),
    "trapezoid": Sample(lambda x, y: (np.trapezoid(y, x), np.trapezoid(y, dx=0.5, axis=0)), (np.sort(X), Y)),
    "clip": Sample(
        lambda x: (np.clip(x, -0.5, 0.5), x.clip(0.25), np.clip(x, None, UNIT), np.clip(x, 0.0, np.inf)), (X,)
    ),
    "isclose": Sample(lambda x: np.where(np.isclose(x, X + 1e-12), x, 0.0), (X,)),
    "any and all": Sample(lambda x: np.where((x > 0).any(axis=0) & (x < 9).all(0), x, -x), (X,)),
    **{
        n: Sample(lambda x, y, n=n: np.where(getattr(np, n)(x, y), x, 2 * y), (X, Y))
        for n in _COMPARISONS.split()
    },
    **{
        n: Sample(lambda x, y, n=n: np.where(getattr(np, n)(x > 0, y > 0), x, 2 * y), (X, Y))
        for n in _LOGICAL.split()
    },
    "not": Sample(lambda x, y: np.where(~(x > y), x, y) * np.logical_not(x > 0) + x * np.signbit(x), (X, Y)),
    "closeness": Sample(
        lambda x: np.where(np.allclose(x, X + 1e-12) and np.array_equal(x, x.copy()) and x.any(), x, 0.0),
        (X,),
    ),
    "closeness of complex numbers": Sample(
        lambda x: (
            np.where(np.allclose(x * (1 + 2j), X * (1 + 2j) + 1e-12j), x, 0.0),
            x * np.isclose(x * 1j, [0.0, 1j, *(1j * X[0, 2:])]) + x * np.isclose(x, x + 1e-3j),
            x * np.array_equal(x * 1j, 1j * x)
            + x * np.array_equal(x * 1j, x[0])
            + x[0] * np.array_equal(x, 1j),
        ),
        (X,),
    ),
    "positions": Sample(
        lambda x: (x.ravel()[np.flatnonzero(x > 0)], x[tuple(np.argwhere(x > 0).T)], x[x < 0]), (X,)
    ),
    "integers": Sample(
        lambda x: (
            x
            * (
                (7 - x.argmax(1)[:, None]) // 3 % 2
                + abs(-2 * x.argmin(0))
                + divmod(x.argmax(), 3)[1]
                + np.maximum(x.argmax(0), 1)
                + x.argmax(0) ** 1.0
            )
        ),
        (X,),
    ),
    "unravel_index": Sample(
        lambda x: (
            x[np.unravel_index(x.argmax(), x.shape)],
            x[np.unravel_index(np.argsort(x, None)[:2], (3, 4))],
            x.T[np.unravel_index(x.argmin(), (4, 3), "F")],
            x.ravel()[np.ravel_multi_index((x.argmax(0), np.arange(4)), (3, 4))],
            x.ravel("F")[np.ravel_multi_index((x.argmax(0), np.arange(4)), (3, 4), order="F")],
        ),
        (X,),
    ),
    "apply_along_axis": Sample(
        lambda x, w: (
            np.apply_along_axis(lambda r: r / r.sum(), 1, x),
            np.apply_along_axis(np.sum, 0, x),
            np.apply_along_axis(lambda r, k: np.outer(r[:k], r), 0, x, 2),
            np.apply_along_axis(lambda r: r.dot(w), -1, Y),
        ),
        (X, W),
    ),
    "vectorize": Sample(
        lambda x, w: (
            np.vectorize(lambda a, b: a * b if a > 0 else np.exp(b))(x, w),
            *np.vectorize(lambda a: (a, 2 * a))(x),
            np.vectorize(lambda a, k: a * k[1], excluded=["k"])(w, k=[1, 2]),
            np.vectorize(lambda i: w[i] ** 2, otypes=[float])(np.arange(4)),
        ),
        (X, W),
    ),
    "convolve": Sample(lambda v, w: tuple(np.convolve(v, w, m) for m in ("full", "same", "valid")), (V, W)),
    "correlate": Sample(
        lambda v, w: tuple(
            np.correlate(a, b, m) for a, b in ((v, w), (w, v), (v, w[:3])) for m in ("full", "same", "valid")
        ),
        (V, W),
    ),
    "bincount": Sample(lambda v: np.bincount(np.array([0, 2, 2, 1, 0]), v, 4), (V,)),
    "astype": Sample(lambda x: x.astype(np.float32) + x.astype("float64"), (np.round(8 * X) / 8,)),
    "round to decimals": Sample(lambda x: (np.round(x, 1), x.round(), np.round(100 * x, -1)), (X,)),
    "isfinite": Sample(lambda x: np.where(np.isfinite(x) & ~np.isnan(x) & ~np.isinf(x), x, 0.0), (X,)),
    # -- moves
    "reshape": Sample(lambda x: (x.reshape(2, -1), x.reshape((4, 3), order="F"), np.reshape(x, -1)), (X,)),
    "swapaxes": Sample(
        lambda x: (x.swapaxes(0, 2), np.moveaxis(x, 0, -1), np.transpose(x, (2, 0, 1)), np.rollaxis(x, 2)),
        (STACK,),
    ),
    "expand_dims": Sample(lambda x: (np.expand_dims(x, 1), x[:, None].squeeze(1)), (X,)),
    "split": Sample(
        lambda x: (*np.split(x, 2, axis=1), *np.array_split(x, 2), *np.hsplit(x, 2), *np.vsplit(x, [1])), (X,)
    ),
    "unstack": Sample(lambda x: np.unstack(x, axis=1), (X,)),
    "concatenate": Sample(lambda x, y: np.concatenate([x, y, np.ones((1, 4))]), (X, Y)),
    "stack": Sample(
        lambda x, y: (
            np.stack([x, y], -1),
            np.vstack([x, y]),
            np.hstack((x, y)),
            np.dstack([x, y]),
            np.column_stack([x, y]),
        ),
        (X, Y),
    ),
    "block": Sample(lambda x, y: np.block([[x, y], [np.zeros((3, 8))]]), (X, Y)),
    "append": Sample(
        lambda x, y: (
            np.append(x, y, axis=0),
            np.append(x, 3.0),
            np.insert(x, 1, y[0], axis=0),
            np.delete(x, 1, 1),
        ),
        (X, Y),
    ),
    "roll": Sample(
        lambda x: (
            np.roll(x, 1),
            np.roll(x, (1, 2), (0, 1)),
            np.tile(x, (2, 1)),
            np.repeat(x, 2, axis=0),
            np.repeat(x, [1, 0, 2], 0),
        ),
        (X,),
    ),
    "broadcast_to": Sample(
        lambda w: (np.broadcast_to(w, (2, 3, 4)), *np.broadcast_arrays(w, np.ones((2, 1)))), (W,)
    ),
    "dsplit": Sample(
        lambda x: (
            *np.dsplit(x, 2),
            np.linalg.diagonal(x),
            np.permute_dims(x),
            np.linalg.matrix_transpose(x),
        ),
        (STACK,),
    ),
    "meshgrid": Sample(lambda v, w: np.meshgrid(v, w), (V, W)),
    "pad": Sample(
        lambda x: tuple(
            np.pad(x, ((1, 0), (2, 1)), m) for m in ("constant", "edge", "reflect", "wrap", "symmetric")
        ),
        (X,),
    ),
    "pad with a number": Sample(
        lambda x: (
            np.pad(x, 1, constant_values=0.5),
            np.pad(x, 1, "constant", constant_values=((1, 2), (3, 4))),
        ),
        (X,),
    ),
    "diag": Sample(lambda v: (np.diag(v), np.diagflat(v, 1), np.diag(np.outer(v, v), -1)), (V,)),
    "take": Sample(
        lambda x: (
            np.take(x, [3, 1]),
            x.take([0, 2, 2], axis=1),
            np.take_along_axis(x, ORDER, 1),
            np.compress([True, False, True], x, axis=0),
            np.extract(MASK, x),
        ),
        (X,),
    ),
    "where": Sample(
        lambda x, y: (np.where(MASK, x, y), np.where(x > y, x, 2 * y), np.where(x > 0, x, 1)), (X, Y)
    ),
    "select": Sample(
        lambda x, y: (
            np.select([MASK, ~MASK], [x, y]),
            np.select([x > 1, x > 0], [x, y], 7.0),
            np.choose(MASK.astype(int), [x, y]),
        ),
        (X, Y),
    ),
    "sliding_window_view": Sample(
        lambda x: np.lib.stride_tricks.sliding_window_view(x, (2, 2)).sum(axis=(2, 3)), (X,)
    ),
    "as_strided": Sample(
        lambda v: np.lib.stride_tricks.as_strided(v, (3, 3), (v.strides[0],) * 2) * 2.0, (V,)
    ),
    "resize": Sample(lambda v: np.resize(v, (2, 4)), (V,)),
    "index": Sample(
        lambda x: (
            x[1],
            x[::-1, 1:3],
            x[..., None, 2],
            x[[0, 2], [1, 3]],
            x[MASK],
            x[x > 0],
            x[1, 2],
            x[:, [0, 0]],
        ),
        (X,),
    ),
    "quantile": Sample(
        lambda x: (
            np.quantile(x, 0.3),
            np.quantile(x, [0.3, 0.85], axis=1, keepdims=True),
            np.percentile(x, 30, axis=0, method="midpoint"),
            np.nanquantile(x, 0.4, method="lower"),
            np.nanpercentile(x, 40, method="higher"),
        ),
        (X,),
    ),
    "average returned": Sample(
        lambda x, w: (*np.average(x, axis=1, weights=w, returned=True), *np.average(x, 0, returned=True)),
        (X, W),
    ),
    "ediff1d": Sample(
        lambda x: (np.ediff1d(x), np.ediff1d(x, x[0], 1.5), np.ediff1d(x[0], to_end=[x[1, 1], 2.0])), (X,)
    ),
    "diff of more": Sample(
        lambda x, w: (
            np.diff(w, prepend=x[0, 0]),
            np.diff(x, 2, 0, prepend=0, append=w[1]),
            np.diff(x, prepend=x[:, :2], append=1.5),
            np.diff([1, 3, 7], append=w),
        ),
        (X, W),
    ),
    "linspace and its step": Sample(
        lambda x, w: (
            *np.linspace(w[0], x[0, 0], 5, retstep=True),
            np.linspace(x, w, 3, axis=1),
            np.linspace(x, 2.0, 3, endpoint=False, axis=-1),
        ),
        (X, W),
    ),
    "lstsq": Sample(
        lambda a, b: (*np.linalg.lstsq(a, b)[:2], *np.linalg.lstsq(a.T, b[:3])[:2], np.linalg.lstsq(a, b)[3]),
        (X.T, W),
    ),
    **(
        {"out=...": Sample(lambda x: np.add(x, 1, out=...), (X,))}
        if np.lib.NumpyVersion(np.__version__) >= "2.3.0"
        else {}
    ),
    # -- written in Python, and followed
    "polynomials": Sample(
        lambda c, x: (
            np.polyval(c, x),
            np.poly1d([1.0, 2.0, 3.0])(x),
            np.polyder(c),
            np.polyint(c),
            np.polyadd(c, x),
            np.polysub(c, x),
            np.polydiv(x, c)[0],
            np.polymul(x, c),
            np.polymul([0, 0, 2, 1], c),
            (np.poly1d(c) ** 2 * 3.0)(x),
            np.poly(c),
            np.vander(c),
        ),
        (W[:3], V),
    ),
    "polyfit": Sample(lambda t, y: np.polyfit(t, y, 2), (V, draw((5,), 31))),
    "numpy.polynomial": Sample(
        lambda c, x: (
            polynomial.Polynomial(c)(x),
            polynomial.Chebyshev([1.0, 2.0, 3.0])(x),
            polynomial.polynomial.polyval(x, c),
            polynomial.legendre.legval(x, c),
            polynomial.hermite.hermval(x, c),
            polynomial.laguerre.lagval(x, c),
            polynomial.polynomial.polymul(c, x),
            polynomial.Polynomial(c).deriv()(x),
            polynomial.Polynomial(c).integ()(x),
            polynomial.chebyshev.chebvander(x, 3),
        ),
        (W[:3], V),
    ),
    "followed": Sample(
        lambda x: (
            np.cov(x),
            np.corrcoef(x),
            *np.gradient(x),
            np.piecewise(x, [x < 0, x >= 0], [lambda v: v * v, lambda v: 3 * v]),
            np.trim_zeros(x[0]),
        ),
        (X,),
    ),
    "what NumPy computes of constants": Sample(
        lambda v: (
            v
            * polynomial.legendre.leggauss(5)[0]
            * np.sort(np.linalg.eigvals(np.array([[2.0, 1.0], [1.0, 3.0]])).real)[0]
            * float(np.sqrt(np.array([2.0]))[0])
            * int(np.log2(np.array(8.0)))
        ),
        (V,),
    ),
    # -- writes
    **{
        f"{n} in place": Sample(lambda x, y, n=n: _out(getattr(np, n), x, y), (X, Y))
        for n in ("add", "multiply", "maximum")
    },
    **{
        f"{n}.at": Sample(lambda x, y, n=n: _at(getattr(np, n), x, y), (X, W))
        for n in ("add", "subtract", "multiply", "maximum", "minimum")
    },
    **{
        f"{n}.{m}": Sample(
            lambda x, n=n, m=m: (getattr(getattr(np, n), m)(x), getattr(getattr(np, n), m)(x, axis=1)), (X,)
        )
        for n in ("add", "multiply", "maximum", "minimum", "fmax", "fmin")
        for m in ("reduce", "accumulate")
    },
    "folded one by one": Sample(
        lambda x: (
            np.logaddexp.accumulate(x, axis=1),
            np.subtract.accumulate(x, dtype=x.dtype),
            np.hypot.reduce(x, axis=-1, keepdims=True),
            np.hypot.reduce(x, axis=None),
            np.subtract.reduce(x),
            np.divide.reduce(x, axis=1),
            np.logaddexp2.reduce(x, axis=1),
            np.arctan2.accumulate(x),
        ),
        (X,),
    ),
    "logaddexp.reduce": Sample(
        lambda x: (np.logaddexp.reduce(x), np.logaddexp.reduce(x, axis=1, keepdims=True)), (X,)
    ),
    **{
        f"{n}.reduceat": Sample(
            lambda x, n=n: (
                getattr(np, n).reduceat(x, [0, 2, 1]),
                getattr(np, n).reduceat(x, np.array([1, 0, 3]), axis=1),
            ),
            (X,),
        )
        for n in ("add", "multiply", "maximum", "minimum")
    },
    **{
        f"{n}.outer": Sample(lambda v, w, n=n: getattr(np, n).outer(v, w), (V, W))
        for n in ("add", "multiply", "maximum", "minimum")
    },
    "log where": Sample(lambda x: np.log(x, where=x > 0, out=np.zeros_like(x)), (X,)),
    "divide where": Sample(lambda x, y: np.divide(x, y, out=np.zeros_like(x), where=MASK), (X, Y)),
    "copyto": Sample(_writes(lambda a, b: np.copyto(a, b, where=MASK), ...), (X, Y)),
    "put": Sample(_writes(np.put, [0, 5, 5], ...), (X, Y)),
    "putmask": Sample(_writes(np.putmask, MASK, ...), (X, Y)),
    "place": Sample(_writes(np.place, MASK, ...), (X, Y)),
    "fill_diagonal": Sample(_writes(np.fill_diagonal, 2.5), (X, Y)),
    "put_along_axis": Sample(_writes(np.put_along_axis, ORDER, 3.0, 1), (X, Y)),
    "sort in place": Sample(_writes(lambda a, b: a.sort(axis=0), ...), (X, Y)),
    "fill": Sample(_writes(lambda a, b: a[1].fill(2.0), ...), (X, Y)),
    "flat": Sample(_writes(lambda a, b: a.flat.__setitem__(slice(None, None, 5), b.flat[3]), ...), (X, Y)),
    "linspace": Sample(
        lambda x: x * np.linspace(0, 1, 4) + np.arange(4.0) + np.eye(4)[:3] + np.full((3, 4), 0.5), (X,)
    ),
    "linspace between elements": Sample(lambda x: np.linspace(x[0], x[1, 1], 5, endpoint=False), (X,)),
    "array of elements": Sample(lambda x: np.array([[x[0, 0], 1.0], [x[1, 1], x[2, 2] * 3]]), (X,)),
    "array of rows": Sample(lambda x: np.asarray([x[0], 2 * x[1]]).T, (X,)),
    "full of an element": Sample(lambda x: np.full((2, 2), x[0, 0]) + np.full_like(A[:2, :2], x[1, 1]), (X,)),
}
