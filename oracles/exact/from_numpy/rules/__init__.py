"""The rules of NumPy's functions and ufuncs, by kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oracles.exact.from_numpy.rules.linalg import LINALG_RULES, PRODUCT_RULES
from oracles.exact.from_numpy.rules.order import ORDER_RULES
from oracles.exact.from_numpy.rules.reductions import RULES as REDUCTIONS

RULES: dict[str, Callable[..., Any]] = {**REDUCTIONS, **ORDER_RULES, **PRODUCT_RULES, **LINALG_RULES}
