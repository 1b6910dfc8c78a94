"""What `make test` asks a part of, `make whole` asks all of."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")
NAME = "GRADPROOF_WHOLE"  # set by `make whole`
WHOLE = bool(os.environ.get(NAME))


def sample(items: Iterable[T], every: int) -> list[T]:
    """Each so many-th of the items, from the first; all of them in `make whole`."""
    return list(items)[:: 1 if WHOLE else every]


def draws(quick: int, whole: int) -> int:
    """How many examples or steps: so many in `make test`, and so many in `make whole`."""
    return whole if WHOLE else quick
