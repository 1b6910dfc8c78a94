"""What functions of JAX's libraries mean, where their code is an approximation, looks at bits or iterates.

They are known by the name of the traced function and the file of JAX it stands in: a function of the user's
with the same name is not meant. A derivative of a library function that JAX has already taken keeps its name,
but not the names of its arguments, and is followed as it is coded.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import jax

from oracles.exact.from_jaxpr.call import Eqn, Rule, promoted
from oracles.exact.program import functions as f
from oracles.exact.program.primitives import compare, convert, pi, scalar, select
from oracles.exact.program.primitives.arrays import reshape
from oracles.exact.program.primitives.linear_algebra import solve
from oracles.exact.program.program import FLOATS, Var
from oracles.exact.program.signs import negative

CALLS = frozenset({"jit", "pjit"})  # of functions that have no derivative rule of their own
_HOME = os.path.dirname(jax.__file__) + os.sep


class Definition(NamedTuple):
    """How many arrays a function takes and gives, and what it is; elementwise unless said otherwise.

    Integers count as numbers, but for the arguments that are `whole`.
    """

    takes: int
    gives: int
    rule: Rule
    elementwise: bool = True
    whole: tuple[int, ...] = ()


def definition(equation: Any) -> tuple[str, Rule] | None:
    """The function that an equation calls, and its definition; None if it is not one of DEFINITIONS."""
    if equation.primitive.name not in CALLS | {"custom_jvp_call", "custom_vjp_call"}:
        return None
    inner = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
    about = getattr(getattr(inner, "jaxpr", inner), "debug_info", None)
    name, _, place = (getattr(about, "func_src_info", None) or "").partition(" at ")
    path = place.rpartition(":")[0]
    if about is None or not path.startswith(_HOME):
        return None
    found = DEFINITIONS.get(f"{os.path.basename(path)[:-3]}.{name}")
    if found is None or about.arg_names is None:
        return None
    # `jax.vmap` moves the axes of several arrays apart, so that equal shapes need not be the same elements.
    batched, axes = about.result_paths is None, max(v.aval.ndim for v in equation.outvars)
    if batched and (not found.elementwise or (found.takes > 1 and axes > 1)):
        return None
    arguments = sum(map(bool, about.arg_names))  # constants come first and have no name
    if (found.takes, found.gives) != (arguments, len(equation.outvars)):
        return None

    def rule(call: Eqn, *operands: Var) -> Any:
        own = operands[len(operands) - arguments :]
        real = [v if k in found.whole else _real(call, v) for k, v in enumerate(own)]
        return found.rule(call, *promoted(call.dtype, *real))

    return name, rule


def _real(call: Eqn, x: Var) -> Var:
    """Integers as numbers of the result's dtype, where that is floating."""
    return x if x.is_float or call.dtype not in FLOATS else convert(x, call.dtype)


def _frexp(call: Any, x: Var) -> list[Var]:
    """The fraction in [1/2, 1), with x's sign, and the power of two."""
    zero = compare("eq", x, 0.0)
    exponent = f.step("floor", scalar("log2", select(zero, 1.0, f.absolute(x))))
    power = select(zero, 0, convert(exponent, "int64") + 1)
    return [x * scalar("power", _two(x), -power), convert(power, "int32")]


def _two(x: Var) -> Var:
    return x.builder.broadcast(x.builder.constant(2.0, x.dtype), x.shape)


def _dawson(x: Var) -> Var:
    """sqrt(pi)/2 e^-x^2 erfi(x) (DLMF 7.5.1)."""
    root = scalar("sqrt", pi(x.builder, x.dtype))
    return root * scalar("exp", -f.square(x)) * scalar("erfi", x) / 2.0


def _logaddexp2(x: Var, y: Var) -> Var:
    two = scalar("log", x.builder.constant(2.0, x.dtype))
    return f.logaddexp(x * two, y * two) / two


def _solve(call: Any, a: Var, b: Var) -> Var:
    """The x of a x = b for a vector, or for matrices batch by batch."""
    return solve(a, b) if b.ndim > 1 else reshape(solve(a, reshape(b, (b.size, 1))), call.shape)


DEFINITIONS: dict[str, Definition] = {
    "special.expi": Definition(1, 1, lambda call, x: scalar("expi", x)),
    "special.expn": Definition(2, 1, lambda call, n, x: scalar("expint", x, n)),
    "special._expn": Definition(2, 1, lambda call, n, x: scalar("expint", x, n)),  # JAX 0.12
    "special._ndtri": Definition(1, 1, lambda call, p: f.ndtri(p)),
    "special._spence": Definition(1, 1, lambda call, x: scalar("spence", x)),
    "special.log_ndtr": Definition(1, 1, lambda call, x: f.log_ndtr(x)),
    "special.hyp1f1": Definition(3, 1, lambda call, a, b, x: scalar("hyp1f1", x, a, b)),
    "special.hyp2f1": Definition(4, 1, lambda call, a, b, c, x: scalar("hyp2f1", x, a, b, c)),
    "special._dawsn": Definition(1, 1, lambda call, x: _dawson(x)),
    "special._erfcx": Definition(1, 1, lambda call, x: f.erfcx(x)),
    "special.sici": Definition(
        1, 2, lambda call, x: [scalar("sine_integral", x), scalar("cosine_integral", f.absolute(x))]
    ),
    "special.fresnel": Definition(1, 2, lambda call, x: [scalar("fresnel_s", x), scalar("fresnel_c", x)]),
    "lax_numpy._i0": Definition(1, 1, lambda call, x: scalar("bessel_i", x, nu=0, scaled=False)),
    "lax_numpy.i0_impl": Definition(1, 1, lambda call, x: scalar("bessel_i", x, nu=0, scaled=False)),  # 0.12
    "ufuncs.sinc": Definition(1, 1, lambda call, x: scalar("sinc", pi(call.recorder, x.dtype) * x)),
    "ufuncs.hypot": Definition(2, 1, lambda call, x, y: f.hypot(x, y)),
    "ufuncs.signbit": Definition(1, 1, lambda call, x: negative(x) if x.is_float else compare("lt", x, 0)),
    "ufuncs.frexp": Definition(1, 2, _frexp),
    "ufuncs.ldexp": Definition(
        2, 1, lambda call, x, n: x * scalar("power", _two(x), convert(n, "int64")), whole=(1,)
    ),
    "ufuncs.remainder": Definition(2, 1, lambda call, x, y: f.remainder(x, y, "floor")),
    "ufuncs.floor_divide": Definition(2, 1, lambda call, x, y: f.floor_divide(x, y)),
    "ufuncs.divmod": Definition(2, 2, lambda call, x, y: [f.floor_divide(x, y), f.remainder(x, y, "floor")]),
    "other.logaddexp": Definition(2, 1, lambda call, x, y: f.logaddexp(x, y)),
    "other.logaddexp2": Definition(2, 1, lambda call, x, y: _logaddexp2(x, y)),
    "erf.exp_neg_sq": Definition(1, 1, lambda call, x: scalar("exp", -f.square(x))),  # JAX 0.12
    "linalg.solve": Definition(2, 1, _solve, elementwise=False),
}
