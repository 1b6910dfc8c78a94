"""The oracles: adapters that compute the same values and gradients in independent ways."""

from __future__ import annotations

from oracles.finite_difference import FiniteDifferenceOracle
from oracles.frameworks.framework import Direction, Gradient, Subject
from oracles.jax_oracle import JaxOracle
from oracles.oracle import NumpyOracle, Oracle
from oracles.torch_oracle import TorchOracle

__all__ = [
    "Direction",
    "FiniteDifferenceOracle",
    "Gradient",
    "JaxOracle",
    "NumpyOracle",
    "Oracle",
    "Subject",
    "TorchOracle",
]
