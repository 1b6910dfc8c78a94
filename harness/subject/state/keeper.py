"""What puts one thing back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

OURS = ("harness", "gradproof", "oracles")
Keeper = Callable[[], bool]  # puts one thing back, and says whether it was another


def has_our_type(item: Any) -> bool:
    """Whether an object is of a type of ours; what a type calls its module may be anything."""
    home = type(item).__module__
    return isinstance(home, str) and home.partition(".")[0] in OURS


def kept(read: Callable[[], Any], write: Callable[[Any], Any], told: Callable[[Any], Any]) -> Keeper:
    """What is read and written by functions, and told apart by what is `told` of it."""
    before = read()
    content = told(before)

    def put_back() -> bool:
        if told(read()) == content:
            return False
        write(before)
        return True

    return put_back
