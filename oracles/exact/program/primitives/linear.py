"""The shapes that derivative rules take: most primitives are linear, and linear ones share one rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from oracles.exact.program.program import Equation, Var

Tangents = Sequence[Var | None]


def again(equation: Equation, operands: Sequence[Var]) -> Var:
    """The same primitive on other operands of the same shapes."""
    out = equation.output
    return out.builder.emit(equation.primitive, tuple(operands), out.shape, out.dtype, **equation.params)


def linear(*which: int) -> Callable[[Equation, Tangents], Var]:
    """Linear in each of these operands apart (a product): a term for each one that moves."""

    def jvp(equation: Equation, tangents: Tangents) -> Var:
        total: Var | None = None
        for k in which:
            tangent = tangents[k]
            if tangent is not None:
                operands = list(equation.operands)
                operands[k] = tangent
                term = again(equation, operands)
                total = term if total is None else total + term
        assert total is not None
        return total

    return jvp


def jointly_linear(*which: int) -> Callable[[Equation, Tangents], Var]:
    """Linear in these operands together (a choice, a concatenation; all operands by default)."""

    def jvp(equation: Equation, tangents: Tangents) -> Var:
        operands = list(equation.operands)
        for k in which or range(len(operands)):
            tangent = tangents[k]
            operands[k] = tangent if tangent is not None else zeros_like(operands[k])
        return again(equation, operands)

    return jvp


def zeros_like(x: Var) -> Var:
    """A constant zero of x's shape and dtype."""
    return x.builder.broadcast(x.builder.constant(0.0, x.dtype), x.shape)
