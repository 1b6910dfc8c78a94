"""All of NumPy's functions that have a rule; its ufuncs, and SciPy's, are in `rules.elementwise`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oracles.exact.from_numpy.rules.linalg import LINALG_RULES
from oracles.exact.from_numpy.rules.order import ORDER_RULES
from oracles.exact.from_numpy.rules.products import PRODUCT_RULES
from oracles.exact.from_numpy.rules.reductions import RULES as REDUCTIONS

RULES: dict[str, Callable[..., Any]] = {**REDUCTIONS, **ORDER_RULES, **PRODUCT_RULES, **LINALG_RULES}
