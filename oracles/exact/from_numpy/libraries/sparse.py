"""Products of constant matrices of scipy.sparse with recorded numbers: sums over the stored entries.

SciPy's matrices ask no operand who answers for it. So the methods of its classes that multiply are replaced
while code is recorded; of plain operands they are what they were.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from oracles.exact.from_numpy.making import lift, wrap
from oracles.exact.from_numpy.nested import first_tape, holds_traced, values
from oracles.exact.from_numpy.refusals import instead, opaque
from oracles.exact.program.complex import each_part
from oracles.exact.program.primitives.arrays import permute, reshape, scatter_add
from oracles.exact.program.program import Var

FROM_THE_RIGHT = ("__rmatmul__", "__rmul__")
METHODS = ("__matmul__", "__mul__", "dot", *FROM_THE_RIGHT)


@contextmanager
def products() -> Iterator[None]:
    """Inside the block the classes of scipy.sparse multiply recorded numbers, too."""
    saved = [(kind, name, vars(kind)[name]) for kind in _classes() for name in METHODS if name in vars(kind)]
    try:
        for kind, name, method in saved:
            setattr(kind, name, _handing_over(name, method))
        yield
    finally:
        for kind, name, method in saved:
            setattr(kind, name, method)


def _classes() -> set[type]:
    """Those that SciPy's matrices are made of, if they are loaded."""
    public = vars(sys.modules["scipy.sparse"]).values() if "scipy.sparse" in sys.modules else ()
    kinds = {kind for named in public if isinstance(named, type) for kind in named.__mro__}
    return {kind for kind in kinds if kind.__module__.startswith("scipy.sparse")}


def _handing_over(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def new(matrix: Any, other: Any) -> Any:
        if not holds_traced(other):
            return method(matrix, other)
        return _product(name, functools.partial(method, matrix), matrix, other)

    return new


def _product(name: str, multiply: Callable[[Any], Any], matrix: Any, x: Any) -> Any:
    """SciPy's number, and what it is: each stored entry's product, added up in the entry's row."""
    tape = first_tape(x)
    x = tape.answers.array(tape, x) if isinstance(x, list | tuple) else x
    by_element = name in ("__mul__", "__rmul__") and not sys.modules["scipy.sparse"].isspmatrix(matrix)
    if by_element or x.ndim not in (1, 2) or matrix.ndim > 2:
        kind = f"scipy.sparse.{type(matrix).__name__}"
        raise opaque(f"{kind}.{name} has no rule for values that depend on the inputs: {instead(kind)}")
    value = multiply(values(x))
    tape.calls("matmul")
    entries, turned = matrix.tocoo(), name in FROM_THE_RIGHT
    rows, columns, count = np.zeros(entries.nnz, int), entries.coords[-1], 1
    if matrix.ndim == 2:
        rows, columns = entries.coords[::-1] if turned else entries.coords
        count = matrix.shape[1 if turned else 0]
    x = lift(tape, x.T if turned else x, np.asarray(value).dtype)
    more = x.shape[1:]
    terms = lift(tape, entries.data.reshape(-1, *(1 for _ in more)) * x[columns], x.dtype)
    cells = np.arange(count * int(np.prod(more, dtype=int))).reshape(count, *more)

    def added(v: Var) -> Var:
        whole = scatter_add(v, cells[rows], cells.shape)
        return reshape(permute(whole, range(whole.ndim)[::-1]) if turned else whole, value.shape)

    return wrap(tape, value, each_part(added, terms.recorded))
