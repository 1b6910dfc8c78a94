"""What is to be measured: a function by its name, in plain values, and its subjects."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.atlas.guard import RUN_S
from harness.atlas.row import DTYPES

SYSTEMS = ("torch", "jax", "numpy")  # each with a module of subjects
ORDERS = {"torch": (1, 2), "jax": (1, 2), "numpy": (0,)}
SAMPLES = 3  # of a function with several of its own
SMALL = 120  # numbers in one; where none is so small, four times the smallest


@dataclass(frozen=True)
class Task:
    """A function to be measured: plain values, from which any process can do it.

    Attributes:
        system, name: Whose it is, and what it is called.
        dtypes: In which dtypes.
        work: How much of the usual work is done; a test does little.
        drawn: Whether its error over the input is kept, for a page.
        timed: Whether its gradient is timed here, too; else `ratios` does so later.
        orders: Of which orders; all where none is named.
        calm: Whether it is asked at calm numbers alone (`numbers.CALM`), and not at boundary values: where
            its own code never ends elsewhere.
        most_s: The seconds of computing after which a row ends its process; 0 for any number.
        endless: Operations by whose names functions never ended: what calls one is asked at calm numbers.
    """

    system: str
    name: str
    dtypes: tuple[str, ...] = DTYPES
    work: float = 1.0
    drawn: bool = False
    timed: bool = True
    orders: tuple[int, ...] = ()
    calm: bool = False
    most_s: float = 0.0
    endless: tuple[str, ...] = ()

    @property
    def run_s(self) -> float:
        """The seconds of computing after which one run at an array of numbers ends its process; likewise."""
        return min(self.most_s, RUN_S)

    def apart(self) -> list[Task]:
        """Each of its rows for itself, at calm numbers alone, where it needs less time if it ends at all."""
        each = [(dtype, order) for dtype in self.dtypes for order in self.orders or ORDERS[self.system]]
        calm = replace(self, calm=True, most_s=self.most_s / 2)
        return [replace(calm, dtypes=(dtype,), orders=(order,)) for dtype, order in each]


def subjects_of(system: str) -> Any:
    """The module that knows a system's functions."""
    return importlib.import_module(f"oracles.exact.coverage.{system}_subjects")


def chosen(module: Any, name: str, dtype: str) -> list[Any]:
    """A few of a function's subjects, small ones, the first of these among them."""
    own = list(module.subjects(name, dtype))
    sizes = [sum(int(np.prod(a.shape)) for a in one.arrays) for one in own]
    smallest = min(sizes, default=0)
    most = SMALL if smallest <= SMALL else 4 * smallest
    small = [one for one, size in zip(own, sizes, strict=True) if size <= most]
    count = min(len(small), SAMPLES)
    return [small[k * len(small) // count] for k in range(count)]
