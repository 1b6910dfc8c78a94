"""The JAX front end: a function's jaxpr, translated equation by equation."""

from oracles.exact.from_jaxpr.compiling import compiling_once
from oracles.exact.from_jaxpr.draws import DRAWS
from oracles.exact.from_jaxpr.record import record
from oracles.exact.from_jaxpr.rules import RULES
from oracles.exact.from_jaxpr.tracing import is_floating, x64_for

__all__ = ["DRAWS", "RULES", "compiling_once", "is_floating", "record", "x64_for"]
