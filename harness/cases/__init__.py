"""The catalogue: every function and network of the document, by name."""

from __future__ import annotations

from functools import cache

from gradproof.home import confirm
from harness.cases.case import Case
from harness.cases.plugins import CASES, listed, plugins


@cache
def catalogue() -> dict[str, Case]:
    """All cases by name, in the document's order; then other packages' and the project's own.

    Those are of entry points in `harness.cases`, and of `cases = ["package.module:CASES"]` in the table
    `[tool.gradproof]` of the nearest pyproject.toml.

    Raises:
        ImportError: Another package hides `reference`, which the document's cases are of.
    """
    confirm("reference")
    own = documents()
    found = own | plugins(CASES, Case, own)
    return found | listed(Case, found)


@cache
def documents() -> dict[str, Case]:
    """The document's cases, which are written in every framework."""
    from harness.cases import document

    return {case.name: case for case in document.CASES}


__all__ = ["catalogue", "documents"]
