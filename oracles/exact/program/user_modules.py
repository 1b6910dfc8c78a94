"""Which modules are the user's: all but those of Python, of the frameworks, of a few tools, and ours."""

from __future__ import annotations

import functools
import os
import sys

# What computes is known by its rules, and what tests or shows computes nothing that is differentiated.
FRAMEWORKS = {"numpy", "scipy", "flint", "ml_dtypes", "jax", "jaxlib", "torch"}
TOOLS = {"_pytest", "pytest", "hypothesis", "pandas", "sympy", "mpmath", "matplotlib", "IPython", "rich"}
# They keep what they compile in objects that a check must not put back.
COMPILERS = {"numba", "llvmlite", "triton", "cffi"}
NOT_USER = sys.stdlib_module_names | FRAMEWORKS | TOOLS | COMPILERS
# Ours: what computes, what was proven, and what looks at an object before it runs.
OWN = (
    "oracles.exact",
    "harness.proof.remembered",
    "harness.subject.state",
    "harness.subject.parameter_search",
    "harness.subject.not_compared",
    "harness.subject.pairs",
)
# Ours that asks about the user's code, and computes nothing of it: what it names is not followed.
ASKING = ("harness.", "oracles.frameworks.")
# But for what makes arrays that the user's code writes into, and what has functions that are checked.
COMPUTING = tuple(f"harness.{room}." for room in ("subject", "cases", "book", "atlas", "bench", "inputs"))
_HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
# Where our own files lie, as the beginnings of their paths: a message names no line of these.
OURS = (
    os.path.join(_HOME, "harness", ""),
    os.path.join(_HOME, "gradproof", ""),
    os.path.join(_HOME, "gradproof_pytest.py"),
    *(os.path.join(_HOME, "oracles", room, "") for room in ("exact", "frameworks")),
)


def asks(name: str) -> bool:
    """Whether a module of this name is of ours that asks about the user's code."""
    return name.startswith(ASKING) and not name.startswith(COMPUTING)


@functools.cache
def is_user(name: str, followed: tuple[str, ...]) -> bool:
    """Whether a module of this name is the user's, or begins as one of those that are followed too."""
    own = name.partition(".")[0] not in NOT_USER and not name.startswith(OWN)
    return own or name.startswith(followed)
