"""Which rows a run is about: the options that choose them, the cells they give, the rows they cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from harness.cases import catalogue
from harness.runs.known import Row
from harness.runs.record import Cell
from harness.runs.runner import DTYPES, oracles, plan
from harness.selection import listed, matching

ALL = ("*",)


@dataclass(frozen=True)
class Scope:
    """The options that choose rows, as the command line gives them; `oracle` and `dtype` "" choose all."""

    case: tuple[str, ...] = ALL
    input: tuple[str, ...] = ALL
    oracle: str = ""
    dtype: str = ""
    quick: bool = False

    @property
    def oracles(self) -> list[str]:
        """The oracles that are asked for, in the order of the tables.

        Raises:
            UsageError: There is no such oracle.
        """
        return listed("--oracle", self.oracle, list(oracles())) if self.oracle else list(oracles())

    @property
    def dtypes(self) -> Sequence[str]:
        """The dtypes that are asked for.

        Raises:
            UsageError: There is no such dtype.
        """
        if self.dtype:
            return listed("--dtype", self.dtype, DTYPES)
        return DTYPES[:1] if self.quick else DTYPES

    def cells(self, seed: int, names: Sequence[str] | None = None, full: bool = False) -> list[Cell]:
        """The cells to run, with the oracles `names` or those that are asked for.

        Raises:
            UsageError: An oracle or dtype does not exist.
            NothingSelected: A pattern matches nothing.
        """
        cases = matching(self.case, list(catalogue()))
        makers = [maker for name in cases for maker in catalogue()[name].inputs]
        there = dict.fromkeys(maker.name for maker in makers if not (self.quick and maker.boundary))
        inputs = matching(self.input, list(there), "input")
        chosen = self.oracles if names is None else names
        return plan(cases, chosen, self.dtypes, seed, not self.quick, full, inputs)

    def covers(self, row: Row) -> bool:
        """Whether a row is among those that are asked for, whether or not the catalogue has it."""
        return (
            any(fnmatchcase(row.case, pattern) for pattern in self.case)
            and any(fnmatchcase(row.input, pattern) for pattern in self.input)
            and (not self.oracle or row.oracle in self.oracles)
            and (row.dtype in self.dtypes or row.dtype not in DTYPES)
            and not (self.quick and _is_boundary(row))
        )


def _is_boundary(row: Row) -> bool:
    makers = catalogue()[row.case].inputs if row.case in catalogue() else ()
    return any(maker.boundary for maker in makers if maker.name == row.input)
