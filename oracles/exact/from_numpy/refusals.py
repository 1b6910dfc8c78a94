"""What is said where code cannot be recorded: at which place, and what to write instead."""

from __future__ import annotations

from oracles.exact.from_numpy.user_code import line, place
from oracles.exact.program.errors import Opaque, Unsupported

# What to write in place of the functions of a library that have no rule.
INSTEAD = {
    "scipy.sparse.linalg": "write it with S.toarray(), np.linalg.solve and its kin, or say what it computes "
    "with gradproof.register_rule",
    "scipy.sparse": "only products S @ x and x @ S of a constant matrix S with an array x of one or two axes "
    "are known; write it with such, scale x or the product instead of S, or compute with S.toarray()",
    "scipy.interpolate": "write it with np.interp or other functions of NumPy, or say what it computes with "
    "gradproof.register_rule",
    "pandas": "compute with its numbers: df.to_numpy(), made outside of the function or in it",
    "": "write it with functions of NumPy and scipy.special, or say what it computes with "
    "gradproof.register_rule; if the value does not need it, pass a function of the value alone",
}
MAKE_INSIDE = "copy it before, inside the function: r = np.array(r); or write r = r - x for r -= x"


def unsupported(message: str) -> Unsupported:
    """The error, with the place in the user's code."""
    return Unsupported(f"{message}; at {place()}", line=line())


def opaque(message: str) -> Opaque:
    """The same of what a plain function could stand for."""
    return Opaque(f"{message}; at {place()}", line=line())


def no_rule(name: str) -> Opaque:
    """What an operation without a rule raises."""
    return opaque(f"{name} has no rule: say what it computes with gradproof.register_rule")


def instead(library: str) -> str:
    """What to write in place of a library's function that has no rule."""
    return next(text for start, text in INSTEAD.items() if library.startswith(start))


class UnsupportedAttribute(Opaque, AttributeError):
    """An attribute that ndarray has and the traced array has not."""
