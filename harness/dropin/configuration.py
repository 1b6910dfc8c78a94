"""How the drop-ins behave in this process, and what they warn of."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

from harness.dropin.made import Made


class GradientWarning(UserWarning):
    """A gradient that is right and loses digits, one that is not proven, or a tolerance that is not used."""


@dataclass
class Settings:
    """How the drop-ins behave in this process.

    Attributes:
        strict: Whether `imprecise` raises too.
        fallback: "warn": where nothing is proven the original decides; "error": that is a failure.
        seed: Seeds every cotangent.
        quiet: Whether what there is to say is kept in `made` alone, and no warning is given.
        made: The checks that were made.
        tolerances: How many of them were given a tolerance, which is not used.
    """

    strict: bool = False
    fallback: str = "warn"
    seed: int = 0
    quiet: bool = False
    made: list[Made] = field(default_factory=list)
    tolerances: int = 0


settings = Settings()


def note_unused(given: dict[str, Any], usual: dict[str, Any]) -> None:
    """Say once that a tolerance is not used."""
    if all(given[name] == usual[name] for name in usual):
        return
    settings.tolerances += 1
    if settings.tolerances == 1 and not settings.quiet:
        names = ", ".join(name for name in usual if given[name] != usual[name])
        warnings.warn(
            f"{names}: accepted and ignored; the tolerance follows from the program",
            GradientWarning,
            stacklevel=4,
        )


def say(text: str) -> None:
    """Warn the suite, unless it is quiet."""
    if not settings.quiet:
        warnings.warn(text, GradientWarning, stacklevel=5)  # the call in the suite
