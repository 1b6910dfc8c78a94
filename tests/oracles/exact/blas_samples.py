"""What BLAS and LAPACK are called with: each option, and the arrays that they write into."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.linalg import blas, lapack

from tests.oracles.exact.numpy_samples import SPD, A, Sample, V, W, X, Y

OFF_ON = (0, 1)
B = X[:, :2]


def each(**options):
    """Every combination of these."""
    return [dict(zip(options, chosen, strict=True)) for chosen in product(*options.values())]


def calls(routine, options, *, into="", made=None):
    """Each call, of copies; with what is in the array that it may write `into`, where `made` makes one."""

    def run(*arrays):
        found = []
        for option in options:
            own = [a.copy("K") for a in arrays]
            target = {} if made is None else {into: made(own[-1])}
            result = routine(*own, **option, **target)
            found += [
                r for r in (result if isinstance(result, tuple) else (result,)) if not isinstance(r, int)
            ]
            found += [*own, *target.values()]
        return tuple(found)

    return run


def square(a):
    """A matrix in Fortran's order, of numbers of the last argument."""
    return np.asfortranarray(np.outer(a.ravel()[:3], np.array([1, 2, 3], a.dtype)) + 1)


def at(scale, routine):
    return lambda *args, **kwargs: routine(scale, *args, **kwargs)


def samples(of, kind):
    """One for each function of a dtype, by its name."""

    def fun(name, scaled=True):
        found = getattr(lapack if name in {"potrf", "potrs", "potri", "trtrs", "trtri"} else blas, of + name)
        return at(1.5, found) if scaled else found

    into = each(beta=(0, -0.5), overwrite_c=OFF_ON)
    triangles = each(lower=OFF_ON, trans=OFF_ON, diag=OFF_ON)
    sides = each(side=OFF_ON, lower=OFF_ON, trans_a=OFF_ON, diag=OFF_ON)
    return {
        of + name: Sample(function, tuple(a.astype(kind) for a in points))
        for name, function, points in (
            ("gemm", calls(fun("gemm"), into, into="c", made=square), (X, X.T)),
            ("gemm ", calls(fun("gemm"), each(trans_a=OFF_ON, trans_b=OFF_ON)), (A, SPD)),
            ("gemm of vectors", calls(fun("gemm"), [{}]), (V, W[None])),
            (
                "gemv",
                calls(fun("gemv"), each(beta=(0, 2), overwrite_y=OFF_ON), into="y", made=lambda x: x[:3] * 2),
                (X, W),
            ),
            ("gemv trans", calls(fun("gemv"), [{"trans": 1}]), (X, V[:3])),
            ("symv", calls(fun("symv"), each(lower=OFF_ON)), (A, V[:3])),
            (
                "symm",
                calls(fun("symm"), each(lower=OFF_ON, side=OFF_ON, beta=(0, 3)), into="c", made=square),
                (A, SPD),
            ),
            ("ger", calls(fun("ger"), each(overwrite_a=OFF_ON), into="a", made=square), (V[:3], W[:3])),
            ("ger ", calls(fun("ger"), [{}]), (V, W)),
            (
                "syr",
                calls(fun("syr"), each(lower=OFF_ON, overwrite_a=OFF_ON), into="a", made=square),
                (V[:3],),
            ),
            ("syr ", calls(fun("syr"), each(lower=OFF_ON)), (V,)),
            (
                "syr2",
                calls(fun("syr2"), each(lower=OFF_ON, overwrite_a=OFF_ON), into="a", made=square),
                (V[:3], W[:3]),
            ),
            (
                "syrk",
                calls(
                    fun("syrk"), each(lower=OFF_ON, beta=(0, 2), overwrite_c=OFF_ON), into="c", made=square
                ),
                (X,),
            ),
            ("syrk ", calls(fun("syrk"), each(lower=OFF_ON, trans=OFF_ON)), (X,)),
            ("syr2k", calls(fun("syr2k"), each(lower=OFF_ON, trans=OFF_ON)), (X, Y)),
            ("trmm", calls(fun("trmm"), [o | {"overwrite_b": 1} for o in sides]), (A, SPD)),
            ("trsm", calls(fun("trsm"), [o | {"overwrite_b": 1} for o in sides]), (A, SPD)),
            ("trmm of columns", calls(fun("trmm"), each(lower=OFF_ON)), (A, np.asfortranarray(B))),
            ("trmv", calls(fun("trmv", False), triangles), (A, V[:3])),
            ("trsv", calls(fun("trsv", False), [o | {"overwrite_x": 1} for o in triangles]), (A, V[:3])),
            ("dot", calls(fun("dot", False), [{}]), (V[:4], W)),
            ("nrm2", calls(fun("nrm2", False), [{}]), (V,)),
            ("asum", calls(fun("asum", False), [{}]), (V,)),
            ("scal", calls(fun("scal"), [{}]), (V,)),
            ("axpy", calls(fun("axpy", False), [{}, {"a": -2.5}]), (V[:4], W)),
            (
                "potrf",
                calls(fun("potrf", False), each(lower=OFF_ON, clean=OFF_ON, overwrite_a=OFF_ON)),
                (SPD,),
            ),
            ("potrs", calls(fun("potrs", False), each(lower=OFF_ON)), (A, B)),
            ("potrs of a vector", calls(fun("potrs", False), each(lower=OFF_ON)), (A, V[:3])),
            ("potri", calls(fun("potri", False), each(lower=OFF_ON)), (A,)),
            ("trtrs", calls(fun("trtrs", False), each(lower=OFF_ON, trans=OFF_ON, unitdiag=OFF_ON)), (A, B)),
            ("trtri", calls(fun("trtri", False), each(lower=OFF_ON, unitdiag=OFF_ON)), (A,)),
        )
    }


BLAS = samples("d", np.float64)
