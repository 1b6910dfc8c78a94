"""Which differences between E and T say nothing of the formula: of written digits, of data, below the format.

`wrong` is a proof about formulas, and is said of numbers that matter. Where E and T are disjoint, each rule
(see `materiality_rules`) asks for a reason that is not the formula. None of them runs where they meet.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np

from harness.proof.comparison import Comparison
from harness.proof.materiality_rules import (
    RULES,
    absorbed_numbers,
    differ_as_spelled,
    moved_longer_literals,
    normalised_data,
    projected_data,
    rounded_data,
    symmetric_data,
    with_literals,
)
from oracles.exact.enclose.literals import rounded


class Resolution(StrEnum):
    """How small a difference between two formulas counts."""

    FORMAT = "format"  # what the dtype resolves, or float32 where it is coarser
    EXACT = "exact"  # any


def explain(compared: Comparison, resolution: Resolution) -> None:
    """Look for what explains the differences.

    Raises:
        Undecided: With longer literals as balls, which is always asked, there is no value, or a comparison
            is open: as the numbers stand, it may take another side than the one that is meant.
    """
    open_ = None if compared.is_whole else with_literals(compared, rounded)
    if not compared.is_whole and resolution is Resolution.FORMAT:
        absorbed_numbers(compared)
    if not compared.is_whole:
        moved_longer_literals(compared)
    if resolution is Resolution.FORMAT:
        for rule in RULES:
            if not compared.is_whole:
                rule(compared)
    if open_ and not compared.is_whole and not differ_as_spelled(compared):
        raise open_


def explain_by_others(
    compared: Comparison, k: int, alone: Callable[[], Comparison], resolution: Resolution
) -> None:
    """Output k again with all else given: one argument's is no stricter where others are asked, too.

    Labels that sum to 1 but for their rounding are data to the gradient in the logits.
    """
    if resolution is Resolution.FORMAT and not compared.agrees[k].all():
        other = alone()
        other.agrees = [a if j == k else np.ones_like(a) for j, a in enumerate(compared.agrees)]
        for rule in (rounded_data, projected_data, normalised_data, symmetric_data):
            rule(other)
        compared.agrees[k] = other.agrees[k]
        compared.notes += other.notes
