"""The rules of JAX's primitives, by kind."""

from __future__ import annotations

from oracles.exact.from_jaxpr.call import Rule
from oracles.exact.from_jaxpr.rules.arrays import REDUCTIONS, SHAPES
from oracles.exact.from_jaxpr.rules.control import CONTROL
from oracles.exact.from_jaxpr.rules.elementwise import ELEMENTWISE
from oracles.exact.from_jaxpr.rules.indexing import INDEXING
from oracles.exact.from_jaxpr.rules.linalg import LINEAR_ALGEBRA
from oracles.exact.from_jaxpr.rules.windows import WINDOWS

RULES: dict[str, Rule] = ELEMENTWISE | SHAPES | REDUCTIONS | INDEXING | WINDOWS | LINEAR_ALGEBRA | CONTROL
