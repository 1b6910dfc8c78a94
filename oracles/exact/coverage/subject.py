"""A framework's function at arguments of one dtype, as the atlas asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Subject(NamedTuple):
    """A function of arrays that are differentiated, and these; what else it takes stands in it.

    `structure` gives results of the same shapes and dtypes in less time; None where nothing does.
    """

    name: str
    function: Callable[..., Any]
    arrays: tuple[Any, ...]
    structure: Callable[..., Any] | None = None
