"""Hypothesis strategies for users' tests: arrays with boundary values, and cotangents."""

from harness.inputs.strategies import LARGEST, arrays, boundary_values, cotangents, elements

__all__ = ["LARGEST", "arrays", "boundary_values", "cotangents", "elements"]
