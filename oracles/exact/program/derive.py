"""Derivatives of programs, as programs: so every order and mode is the same function applied again.

A derivative walks the equations once and writes, for each one that depends on a differentiated input, the
tangent of its output. The tangents form a linear program, the tape. Forward mode runs the tape; reverse mode
runs its transpose, backwards (Radul, Paszke, Frostig, Johnson, Maclaurin, You Only Linearize Once, 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from oracles.exact.program.errors import Unsupported
from oracles.exact.program.program import PRIMITIVES, Builder, Equation, Program, Var, sum_of

Tangents = Sequence[Var | None]


def jvp(program: Program, wrt: Sequence[int], values: bool = False) -> Program:
    """The program of the tangents of all outputs; with `values`, then of the outputs themselves.

    Its inputs are the program's inputs, then one tangent for each input in `wrt`.
    """

    def derived() -> Program:
        builder, primal, tangents = _linearize(program, wrt, forward=True)
        found = [tangents.get(v) or zeros_like(primal[v]) for v in program.outputs]
        return builder.program([*found, *(primal[v] for v in program.outputs)])

    return _once(program, "jvp", wrt, derived, values)


def vjp(program: Program, wrt: Sequence[int], values: bool = False) -> Program:
    """The program of the gradients with respect to the inputs in `wrt`; then of the outputs, as for `jvp`.

    Its inputs are the program's inputs, then one cotangent for each output.
    """

    def derived() -> Program:
        builder, primal, tangents = _linearize(program, wrt)
        wanted, own = builder.inputs[len(program.inputs) :], [primal[v] for v in program.outputs]
        return _transposed(program, builder, tangents, wanted, own)

    return _once(program, "vjp", wrt, derived, values)


def _once(
    program: Program, kind: str, wrt: Sequence[int], derived: Callable[[], Program], values: bool
) -> Program:
    """A derivative, derived once: a program stays what it is."""
    known = vars(program).setdefault("derivatives", {})
    key = kind, tuple(wrt), program.cells
    if key not in known:
        known[key] = derived()
    whole: Program = known[key]
    return whole if values else whole.giving(slice(len(whole.outputs) - len(program.outputs)))


def _transposed(
    program: Program,
    builder: Builder,
    tangents: dict[Var, Var],
    wanted: Sequence[Var],
    values: Sequence[Var] = (),
) -> Program:
    """Run the tape backwards: the program of the cotangents of the wanted tangents, and of these values."""
    tape, builder.tape, builder.inputs = builder.tape, [], builder.inputs[: len(program.inputs)]
    cotangents: dict[Var, Var] = {}
    kept = set(wanted)

    def collect(var: Var, cotangent: Var) -> None:
        cotangents[var] = cotangents[var] + cotangent if var in cotangents else cotangent

    for output in program.outputs:
        cotangent = builder.input(output.shape, output.dtype)
        if output in tangents:
            collect(tangents[output], cotangent)
    for equation in reversed(tape):
        out = equation.output
        found = cotangents.get(out) if out in kept else cotangents.pop(out, None)
        for k, operand in enumerate(equation.operands if found is not None else ()):
            if operand.linear:
                if equation.primitive.transpose is None:
                    raise Unsupported(f"primitive {equation.primitive.name} has no transpose")
                collect(operand, equation.primitive.transpose(equation, k, found))
    return builder.program([*(cotangents.get(v) or zeros_like(v) for v in wanted), *values])


def contracted(program: Program) -> Program:
    """The program of the sum of all outputs, each times a number: these are its last inputs."""
    builder = Builder()
    known = {v: builder.input(v.shape, v.dtype) for v in program.inputs}
    for equation in program.equations:
        operands, out = tuple(known[v] for v in equation.operands), equation.output
        known[out] = builder.emit(equation.primitive, operands, out.shape, out.dtype, **equation.params)
    builder.guards = [(known[v], value) for v, value in program.guards]
    weights = [builder.input(v.shape, v.dtype) for v in program.outputs]
    terms = [known[v] * weight for v, weight in zip(program.outputs, weights, strict=True)]
    total = PRIMITIVES["reduce_sum"]
    sums = [builder.emit(total, (t,), (), t.dtype, axes=tuple(range(t.ndim))) if t.ndim else t for t in terms]
    return builder.program([sum_of(*sums)])


def adjoints(program: Program, wrt: Sequence[int]) -> tuple[Program, list[Var]]:
    """The program of the adjoint of every value on the way, and the values they belong to.

    The adjoint of a value says how much each output changes with it: what an error there does in the end.
    """
    values: list[Var] = []

    def apart(out: Var, tangent: Var) -> Var:
        """A tangent of its own, since a sum of one term is that term."""
        values.append(out)
        shape = tangent.shape
        return tangent.builder.emit(PRIMITIVES["reshape"], (tangent,), shape, tangent.dtype, shape=shape)

    builder, _, tangents = _linearize(program, wrt, apart)
    own = [tangents[v] for v in values]
    return _transposed(program, builder, tangents, own), values


def _linearize(
    program: Program,
    wrt: Sequence[int],
    apart: Callable[[Var, Var], Var] | None = None,
    forward: bool = False,
) -> tuple[Builder, dict[Var, Var], dict[Var, Var]]:
    """Write the program again with its tape; `primal` and `tangents` map its values to the new ones.

    Each tangent may be kept `apart`; then that of a value comes from those of its own operands alone.
    The tape of `forward` mode has the tangents of what only reverse mode holds fixed; these are held, too.
    """
    builder = Builder()
    builder.forward = forward
    primal = {v: builder.input(v.shape, v.dtype) for v in program.inputs}
    tangents: dict[Var, Var] = {}
    for i in wrt:
        v = program.inputs[i]
        tangents[v] = builder.input(v.shape, v.dtype, linear=True)
        builder.moving.add(primal[v])
    if apart is None:
        builder.tangents = {primal[v]: tangent for v, tangent in tangents.items()}
    cells = program.cells(builder) if program.cells else None
    for v in tangents:
        if cells:
            cells.begin(v, primal[v])
    for recorded in program.equations:
        equation = cells.without_edges(recorded) if cells else recorded
        operands = tuple(primal[v] for v in equation.operands)
        out = equation.output
        new = builder.emit(equation.primitive, operands, out.shape, out.dtype, **equation.params)
        here = Equation(equation.primitive, operands, equation.params, new)
        active = [tangents.get(v) for v in equation.operands]
        sides = cells.sides(here) if cells else None
        primal[out] = sides.either(_around, active) if sides else _around(here, active)
        if cells:
            cells.begin(out, primal[out])
            primal[out] = cells.add(here, primal[out])
        unseen = equation.primitive is PRIMITIVES["no_grad"]
        rule, held = equation.primitive.jvp, unseen or equation.primitive is PRIMITIVES["detach"]
        if forward and unseen:
            rule = linear(0)
        if not out.is_float or (rule is None and not held):
            continue  # constant between its jumps
        if rule is not None and any(t is not None for t in active):
            moved = sides.either(rule, active) if sides else rule(here, active)
            tangents[out] = moved if apart is None else apart(out, moved)
            if builder.tangents is not None:
                builder.tangents[primal[out]] = moved
        if builder.moving.intersection(operands):
            builder.moving.add(primal[out])
    builder.guards = [(primal[v], value) for v, value in program.guards]
    return builder, primal, tangents


def _around(equation: Equation, _: Tangents) -> Var:
    """The value of an equation for a derivative."""
    around = equation.primitive.around
    return equation.output if around is None else around(equation)


# -- the shapes that derivative rules take: most primitives are linear, and linear ones share one rule ----


def again(equation: Equation, operands: Sequence[Var]) -> Var:
    """The same primitive on other operands of the same shapes."""
    out = equation.output
    return out.builder.emit(equation.primitive, tuple(operands), out.shape, out.dtype, **equation.params)


def linear(*which: int) -> Callable[[Equation, Tangents], Var]:
    """Linear in each of these operands apart (a product): a term for each one that moves."""

    def jvp(equation: Equation, tangents: Tangents) -> Var:
        terms = []
        for k in which:
            if (tangent := tangents[k]) is not None:
                operands = list(equation.operands)
                operands[k] = tangent
                terms.append(again(equation, operands))
        return sum_of(*terms)

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
