"""How far a function of a library was seen to be off: nothing is promised."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from oracles.exact.program.primitives.roughness import rough
from oracles.exact.program.program import Var

Rule = Callable[..., Any]
UNKNOWN = math.inf  # off by thousands in places: nothing bounds it, so that nobody is accused


def off(ulps: float, function: Callable[..., Var]) -> Rule:
    """The function, off by so many ulps of itself, two unit roundoffs each."""

    def rule(*args: Var) -> Var:
        found = function(*args)
        return rough(found, "itself", (found,), 2 * ulps)

    return rule
