"""scipy.linalg.blas and scipy.linalg.lapack, of float64 (d) and float32 (s), as operations of NumPy.

What they write into, and in which memory their result lies, is asked of the function itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import TracedArray
from oracles.exact.from_numpy.libraries.linalg import symmetric
from oracles.exact.from_numpy.nested import holds_traced, values
from oracles.exact.from_numpy.refusals import opaque
from oracles.exact.from_numpy.unknown import without_rule

PREFIXES = {"d": np.dtype(np.float64), "s": np.dtype(np.float32)}
WRITE = "write it with np.dot, @ and np.linalg, or with scipy.linalg"
# Parts of arrays as vectors: not known.
STRIDES = frozenset({"n", "offx", "incx", "offy", "incy", "lda"})


def _turned(a: Any, turn: Any) -> Any:
    return np.swapaxes(a, 0, 1) if turn else a


def _triangle(a: Any, lower: Any, unit: Any = False) -> Any:
    """The triangle that is read, with ones on its diagonal if that is `unit`."""
    if not unit:
        return np.tril(a) if lower else np.triu(a)
    return (np.tril(a, -1) if lower else np.triu(a, 1)) + np.eye(a.shape[0], dtype=a.dtype)


def _placed(new: Any, old: Any, lower: Any, strictly: Any = False) -> Any:
    """One triangle of the new matrix, and of the old one, or of zeros, what is around it."""
    if old is None:
        return np.tril(new) if lower else np.triu(new)
    mask = np.tri(new.shape[0], k=-int(bool(strictly)), dtype=bool)
    places = np.nonzero(mask if lower else mask.T)
    found = old.copy() if isinstance(new, TracedArray) else np.array(old)
    found[places] = new[places]
    return found


def _plus(a: Any, b: Any, beta: Any, c: Any) -> Any:
    """a @ b + beta c, in any order."""
    if c is None or (not holds_traced(beta) and beta == 0):
        return a @ b
    return np.concatenate([a, np.eye(a.shape[0], dtype=a.dtype)], 1) @ np.concatenate([b, beta * c], 0)


def _gemm(
    alpha: Any, a: Any, b: Any, beta: Any = 0, c: Any = None, trans_a: Any = 0, trans_b: Any = 0
) -> Any:
    return _plus(alpha * _turned(_matrix(a), trans_a), _turned(_matrix(b), trans_b), beta, _matrix(c))


def _gemv(alpha: Any, a: Any, x: Any, beta: Any = 0, y: Any = None, trans: Any = 0) -> Any:
    return _plus(alpha * _turned(a, trans), _matrix(x), beta, _matrix(y))


def _symv(alpha: Any, a: Any, x: Any, beta: Any = 0, y: Any = None, lower: Any = 0) -> Any:
    return _plus(alpha * symmetric(a, lower, False), _matrix(x), beta, _matrix(y))


def _symm(
    alpha: Any, a: Any, b: Any, beta: Any = 0, c: Any = None, side: Any = 0, lower: Any = 0
) -> Any:  # fmt: skip
    own = alpha * symmetric(a, lower, False)
    return _plus(_matrix(b), own, beta, c) if side else _plus(own, _matrix(b), beta, c)


def _ger(alpha: Any, x: Any, y: Any, a: Any = None) -> Any:
    product = (alpha * x)[:, None] * y[None, :]
    return product if a is None else a + product


def _syr(alpha: Any, x: Any, lower: Any = 0, a: Any = None) -> Any:
    return _placed(_ger(alpha, x, x, a), a, lower)


def _syr2(alpha: Any, x: Any, y: Any, lower: Any = 0, a: Any = None) -> Any:
    return _placed(_ger(alpha, y, x, _ger(alpha, x, y, a)), a, lower)


def _syrk(alpha: Any, a: Any, beta: Any = 0, c: Any = None, trans: Any = 0, lower: Any = 0) -> Any:
    rows = _turned(_matrix(a), trans)
    return _placed(_plus(alpha * rows, rows.T, beta, c), c, lower)


def _syr2k(
    alpha: Any, a: Any, b: Any, beta: Any = 0, c: Any = None, trans: Any = 0, lower: Any = 0
) -> Any:  # fmt: skip
    one, other = (_turned(_matrix(x), trans) for x in (a, b))
    both = np.concatenate([one, other], 1), np.concatenate([other, one], 1)
    return _placed(_plus(alpha * both[0], both[1].T, beta, c), c, lower)


def _trmm(
    alpha: Any, a: Any, b: Any, side: Any = 0, lower: Any = 0, trans_a: Any = 0, diag: Any = 0
) -> Any:  # fmt: skip
    own = alpha * _turned(_triangle(a, lower, diag), trans_a)
    return _matrix(b) @ own if side else own @ _matrix(b)


def _trsm(
    alpha: Any, a: Any, b: Any, side: Any = 0, lower: Any = 0, trans_a: Any = 0, diag: Any = 0
) -> Any:  # fmt: skip
    own = _turned(_triangle(a, lower, diag), trans_a)
    right = alpha * _matrix(b)
    return np.linalg.solve(own.T, right.T).T if side else np.linalg.solve(own, right)


def _trmv(a: Any, x: Any, lower: Any = 0, trans: Any = 0, diag: Any = 0) -> Any:
    return _turned(_triangle(a, lower, diag), trans) @ x


def _trsv(a: Any, x: Any, lower: Any = 0, trans: Any = 0, diag: Any = 0) -> Any:
    return np.linalg.solve(_turned(_triangle(a, lower, diag), trans), x)


def _trtrs(a: Any, b: Any, lower: Any = 0, trans: Any = 0, unitdiag: Any = 0) -> Any:
    return np.linalg.solve(_turned(_triangle(a, lower, unitdiag), trans), _matrix(b))


def _trtri(c: Any, lower: Any = 0, unitdiag: Any = 0) -> Any:
    return _placed(np.linalg.inv(_triangle(c, lower, unitdiag)), c, lower, unitdiag)


def _potrf(a: Any, lower: Any = 0, clean: Any = 1) -> Any:
    return _placed(np.linalg.cholesky(a, upper=not lower), None if clean else a, lower)


def _from_factor(c: Any, lower: Any) -> Any:
    factor = np.tril(c) if lower else np.triu(c).T
    return factor @ factor.T


def _potrs(c: Any, b: Any, lower: Any = 0) -> Any:
    return np.linalg.solve(_from_factor(c, lower), _matrix(b))


def _potri(c: Any, lower: Any = 0) -> Any:
    return _placed(np.linalg.inv(_from_factor(c, lower)), c, lower)


_BLAS: dict[str, Callable[..., Any]] = {
    "gemm": _gemm,
    "gemv": _gemv,
    "symv": _symv,
    "symm": _symm,
    "ger": _ger,
    "syr": _syr,
    "syr2": _syr2,
    "syrk": _syrk,
    "syr2k": _syr2k,
    "trmm": _trmm,
    "trsm": _trsm,
    "trmv": _trmv,
    "trsv": _trsv,
    "dot": np.dot,
    "nrm2": np.linalg.norm,
    "asum": lambda x: np.sum(np.abs(x)),
    "scal": lambda a, x: a * x,
    "axpy": lambda x, y, a=1: a * x + y,
}
_LAPACK: dict[str, Callable[..., Any]] = {
    "potrf": _potrf,
    "potrs": _potrs,
    "potri": _potri,
    "trtrs": _trtrs,
    "trtri": _trtri,
}


def _matrix(x: Any) -> Any:
    """Of a vector a matrix of one column."""
    return x[:, None] if x is not None and x.ndim == 1 else x


class _Routine:
    """One function of one dtype."""

    def __init__(self, module: str, name: str, dtype: Any, definition: Callable[..., Any]) -> None:
        self._module, self._name = module, name
        self._dtype, self._definition = dtype, definition

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What it returns, and writes."""
        named = f"{self._module}.{self._name}"
        if STRIDES & kwargs.keys():
            raise opaque(f"{named} of a part of a vector (n, offx, incx, ...): pass x[part]")
        own = [_own(x) for x in args], {name: _own(x) for name, x in kwargs.items()}
        ran = getattr(import_module(self._module), self._name)(*own[0], **own[1])
        value, *more = ran if isinstance(ran, tuple) else (ran,)
        if any(more):
            raise opaque(f"{named} gives info={more[0]}, which is no result")
        options = {name: self._cast(x) for name, x in kwargs.items() if not name.startswith("overwrite_")}
        try:
            found = self._definition(*map(self._cast, args), **options)
        except TypeError:
            raise opaque(f"{named} with so many arguments: pass the optional ones by name") from None
        found = found.astype(self._dtype)
        if isinstance(value, float):
            return found.item()
        found = found.reshape(value.shape)
        pairs = zip((*own[0], *own[1].values()), (*args, *kwargs.values()), strict=True)
        for copy, given in pairs:
            if isinstance(copy, np.ndarray) and np.may_share_memory(copy, value):
                given[...] = found  # it lies in this array
                return (given, *more) if more else given
        found = found.copy("C" if value.flags.c_contiguous else "F")
        return (found, *more) if more else found

    def _cast(self, x: Any) -> Any:
        """An array in the dtype; a number is taken as it is."""
        if isinstance(x, TracedArray):
            return x if x.ndim == 0 else x.astype(self._dtype)
        return np.asarray(x, self._dtype) if isinstance(x, np.ndarray | list | tuple) else x


def _own(x: Any) -> Any:
    """What the function itself may have in its place, and write into: it writes into none with gaps."""
    found = values(x)
    if not isinstance(found, np.ndarray):
        return found
    if found.flags.c_contiguous or found.flags.f_contiguous:
        return np.array(found, order="K")
    gapped = np.empty((*found.shape, 2), found.dtype)[..., 0]
    gapped[...] = found
    return gapped


def _routines(module: str, table: dict[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    return {
        prefix + name: _Routine(module, prefix + name, dtype, definition)
        for name, definition in table.items()
        for prefix, dtype in PREFIXES.items()
    }


BLAS: dict[str, Callable[..., Any]] = _routines("scipy.linalg.blas", _BLAS)
LAPACK: dict[str, Callable[..., Any]] = _routines("scipy.linalg.lapack", _LAPACK)


def others(modules: tuple[str, ...]) -> Iterator[tuple[Any, Callable[..., Any]]]:
    """The other functions of these modules, each with what it is said to be: refused, by its name."""
    for module, table in (("scipy.linalg.blas", BLAS), ("scipy.linalg.lapack", LAPACK)):
        for name, function in vars(import_module(module)).items() if module in modules else ():
            if type(function).__name__ == "fortran" and name not in table:
                yield function, _refusing(f"{module}.{name}", function)


def _refusing(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        return without_rule(
            lambda: opaque(f"{name} has no rule for values that depend on the inputs: {WRITE}"),
            function,
            args,
            kwargs,
        )

    return refuse
