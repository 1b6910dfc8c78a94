"""The PyTorch front end: ATen operators recorded as they run, undecomposed, each with a definition."""

from oracles.exact.from_aten.record import record

__all__ = ["record"]
