"""The JAX front end: a function's jaxpr, translated equation by equation."""

from oracles.exact.from_jaxpr.record import RULES, is_floating, record

__all__ = ["RULES", "is_floating", "record"]
