"""The NumPy front end: plain NumPy code, run unchanged on arrays that record what is done to them."""

from oracles.exact.from_numpy.record import record

__all__ = ["record"]
