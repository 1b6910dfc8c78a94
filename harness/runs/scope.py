"""Which rows a run is about, as the command line chooses them. It imports nothing, for a quick `--help`."""

from __future__ import annotations

from dataclasses import dataclass

ALL = ("*",)


@dataclass(frozen=True)
class Scope:
    """The options that choose rows; "" chooses all."""

    case: tuple[str, ...] = ALL
    """Only cases that match this pattern (`*`, `?`); may be given again."""
    input: tuple[str, ...] = ALL
    """Only inputs that match this pattern, such as `saturated-*`; may be given again."""
    oracle: str = ""
    """Only these oracles, separated by commas: exact, numpy, jax, jax-jit, torch, torch-compile, fd."""
    dtype: str = ""
    """Only these, separated by commas: float64, float32."""
    quick: bool = False
    """Ordinary inputs in float64 only."""
