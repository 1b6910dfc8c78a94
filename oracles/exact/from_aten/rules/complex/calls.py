"""How a rule is called on complex operands: on each of both parts, or on pairs in one precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from oracles.exact.from_aten.call import INDICES, OperatorCall, Rule, base_of, leaves_of, with_leaves
from oracles.exact.program import complex as cx
from oracles.exact.program.complex import REAL, Complex
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.primitives import convert
from oracles.exact.program.program import Var


def kind_of(call: OperatorCall) -> str:
    """The dtype of the first result, complex or not."""
    return str(call.returned[0].dtype).removeprefix("torch.")


@dataclass
class _PartCall(OperatorCall):
    """The call as one part sees it: its results are real."""

    @property
    def dtype(self) -> str:
        """That of the parts of the first result."""
        return REAL.get(kind_of(self), kind_of(self))


def apart(call: OperatorCall, rule: Rule, operands: Sequence[Any], named: dict[str, Any]) -> Any:
    """The rule on all real parts, and on all imaginary parts; those of real operands are zeros.

    Raises:
        Unsupported: It fills with a number that is not 0.
    """
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


def alone(function: Callable[[Complex], Any]) -> Rule:
    """A function of one operand as a rule."""
    return lambda call, x: function(x if isinstance(x, Complex) else cx.as_complex(x, kind_of(call)))
