"""The catalogue: every function and network of the document, by name."""

from __future__ import annotations

from functools import cache

from harness.case import Case


@cache
def catalogue() -> dict[str, Case]:
    """All cases by name, in the document's order."""
    from harness.cases import document

    return {case.name: case for case in document.CASES}


__all__ = ["catalogue"]
