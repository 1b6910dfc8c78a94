"""What a command line may ask for, and asks for by default: which rows, names with near matches, numbers.

It imports nothing, for a quick `--help`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

ALL = ("*",)
BASELINE = Path("reports/baseline.json")
SAVED = Path("reports/run.jsonl")
TIMEOUT_S = 300.0
NEAR = 0.5  # how alike two names are, from 0 to 1, of which one may have been meant
MOST_LISTED = 30  # names, where none is near


class UsageError(ValueError):
    """The command line asks for something that does not exist."""


class Untrusted(ValueError):
    """A file that was read is damaged, or not what it must be: nothing follows from it."""


class Absent(Untrusted, UsageError):
    """A file that the command line names, or takes for named, is not there."""


class Unreachable(RuntimeError):
    """A cluster stayed away for so long that the run ends; the rows that were written stay."""


class NothingSelected(ValueError):
    """A selection that is well formed and matches nothing."""


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


def matching(patterns: Iterable[str], names: Sequence[str], kind: str = "case") -> list[str]:
    """The names that match a pattern (`*` and `?` as in a shell), in their own order.

    `kind` says in the message what the names are.

    Raises:
        NothingSelected: A pattern matches nothing; the message has near matches.
    """
    chosen: set[str] = set()
    for pattern in patterns:
        found = [name for name in names if fnmatchcase(name, pattern)]
        if not found:
            raise NothingSelected(f"no {kind} matches {pattern!r}; {near_matches(pattern, names)}")
        chosen.update(found)
    return [name for name in names if name in chosen]


def listed(option: str, text: str, allowed: Sequence[str]) -> list[str]:
    """The names in a comma-separated list, in the order of `allowed`.

    Raises:
        UsageError: A name is not allowed, or there is none; the message has near matches.
    """
    asked = [part.strip() for part in text.split(",") if part.strip()]
    if not asked:
        raise UsageError(f"{option} is empty; allowed are {', '.join(allowed)}, separated by commas")
    for name in asked:
        if name not in allowed:
            raise UsageError(f"{option}: no {name!r}; {near_matches(name, allowed)}")
    return [name for name in allowed if name in asked]


def near_matches(name: str, names: Sequence[str]) -> str:
    """What a mistyped name may have meant, or else what is allowed, for the end of a message."""
    unique = list(dict.fromkeys(names))
    near = difflib.get_close_matches(name.strip("*?"), unique, n=3, cutoff=NEAR)
    if near:
        return f"near matches: {', '.join(near)}"
    more = f", and {len(unique) - MOST_LISTED} more" if len(unique) > MOST_LISTED else ""
    return f"allowed are {', '.join(unique[:MOST_LISTED])}{more}"


def refuse_wrong_numbers(seed: int = 0, timeout: float = 1.0) -> None:
    """Refuse what no run can have.

    Raises:
        UsageError: A number is out of its range.
    """
    if seed < 0:
        raise UsageError(f"--seed must be an integer >= 0, got {seed}")
    if not timeout > 0:
        raise UsageError(f"--timeout must be a number of seconds > 0, got {timeout}")
