"""What ATen's comparisons, logic and choices are."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from oracles.exact.from_aten.call import OperatorCall, Rule, plain, promoted
from oracles.exact.program import functions as f
from oracles.exact.program.primitives.arithmetic import convert
from oracles.exact.program.primitives.choices import select
from oracles.exact.program.primitives.comparisons import compare
from oracles.exact.program.primitives.taylor import scalar
from oracles.exact.program.program import Array, Operand, Var


def _where(call: OperatorCall, condition: Var, x: Operand, y: Operand) -> Var:
    """x where the condition holds, y elsewhere."""
    choose = promoted(lambda a, b: select(condition, _var(call, a), _var(call, b)))
    found: Var = choose(call, x, y)
    return found


def _var(call: OperatorCall, x: Operand) -> Var:
    return x if isinstance(x, Var) else call.constant(x)


def _filled(call: OperatorCall, x: Var, mask: Var, value: Operand) -> Var:
    return _where(call, mask, value, x)


def _is(name: str, sign: int = 0) -> Rule:
    """NaN or infinite: a constant that was written so, or a value outside a function's domain."""

    def rule(x: Var) -> Var:
        found = x.builder.elementwise(name, x, dtype="bool")
        if sign == 0:
            return found
        side = compare("gt" if sign > 0 else "lt", select(found, x, 0.0), 0.0)
        return x.builder.elementwise("and", found, side, dtype="bool")

    return rule


def _finite(x: Var) -> Var:
    bad = x.builder.elementwise("or", _is("is_nan")(x), _is("is_infinite")(x), dtype="bool")
    return x.builder.elementwise("not", bad, dtype="bool")


def _nan_to_num(
    x: Var, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Var:
    """Constants for what is not finite; the largest number of the dtype for an infinity if none is given."""
    largest = float(torch.finfo(getattr(torch, x.dtype)).max)
    x = select(_is("is_nan")(x), 0.0 if nan is None else float(nan), x)
    x = select(_is("is_infinite", 1)(x), largest if posinf is None else float(posinf), x)
    return select(_is("is_infinite", -1)(x), -largest if neginf is None else float(neginf), x)


def _frexp(call: OperatorCall, x: Var) -> tuple[Var, Array]:
    """x = fraction 2^n, the fraction's size in [1/2, 1)."""
    zero = call.decided(compare("eq", x, 0.0))
    size = select(call.recorder.constant(zero), 1.0, f.absolute(x))
    n = np.where(zero, 0, call.decided(convert(f.step("floor", scalar("log2", size)), "int64")) + 1)
    return x / call.recorder.constant(2.0**n, x.dtype), n


def _comparison(name: str) -> Rule:
    return lambda x, y: compare(name, x, y)


def _logical(name: str) -> Rule:
    """On truth values: anything that is not 0."""

    def rule(call: OperatorCall, *operands: Var) -> Var:
        return call.recorder.elementwise(name, *(_truth(x) for x in operands), dtype="bool")

    return rule


def _truth(x: Var) -> Var:
    return x if x.dtype == "bool" else compare("ne", x, 0.0 if x.is_float else 0)


def _bitwise(name: str) -> Rule:
    def rule(call: OperatorCall, *operands: Any) -> Var:
        return call.recorder.elementwise(name, *operands, dtype=call.dtype)

    return rule


RULES: dict[str, Rule] = {
    **{name: promoted(_comparison(name)) for name in ("lt", "le", "gt", "ge", "eq", "ne")},
    **{f"logical_{name}": _logical(name) for name in ("and", "or", "xor", "not")},
    **{f"bitwise_{name}": _bitwise(name) for name in ("and", "or", "xor", "not")},
    "isnan": plain(_is("is_nan")),
    "isinf": plain(_is("is_infinite")),
    "isneginf": plain(_is("is_infinite", -1)),
    "isposinf": plain(_is("is_infinite", 1)),
    "isfinite": plain(_finite),
    "nan_to_num": promoted(_nan_to_num),
    "frexp": _frexp,
    "signbit": plain(lambda x: compare("lt", x, 0.0)),
    "where": _where,
    "masked_fill": _filled,
}
