"""The reports that were re-created, by what went wrong."""

from tests.power.fault import Fault
from tests.power.faults import division, formula, higher_order, layout, legal, overflow, precision

FAULTS: tuple[Fault, ...] = tuple(
    fault
    for module in (division, overflow, precision, formula, layout, higher_order, legal)
    for fault in module.FAULTS
)

__all__ = ["FAULTS"]
