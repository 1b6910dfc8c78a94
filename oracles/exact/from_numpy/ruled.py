"""Which functions of NumPy and ufuncs are known: of these nobody else's rule is asked."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracles.exact.from_numpy.calls import ALLOCATES, ASKS
from oracles.exact.from_numpy.memory import MOVES, WRITES
from oracles.exact.from_numpy.rules import RULES
from oracles.exact.from_numpy.rules.elementwise import PREDICATES
from oracles.exact.from_numpy.special_cases import SPECIAL
from oracles.exact.from_numpy.ufuncs import rule_of

KNOWN = frozenset({*ASKS, *ALLOCATES, *MOVES, *WRITES, *SPECIAL, *RULES})


def has_rule(operation: Any) -> bool:
    """Whether an operation is answered without asking what a user says that it is.

    Of SciPy's functions that are written in Python, what a user says comes first.
    """
    if isinstance(operation, np.ufunc):
        return rule_of(operation) is not None or operation.__name__ in PREDICATES
    home, _, rest = f"{operation.__module__}.{operation.__name__}".partition(".")
    return home == "numpy" and rest in KNOWN
