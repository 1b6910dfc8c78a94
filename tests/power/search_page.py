"""What the search finds of the reports, as a part of the page."""

from __future__ import annotations

import pandas as pd

from tests.power.mutation_page import table
from tests.power.searching import EVALUATIONS, HELD, TUNED

SEARCHED = f"""
    Beside one ordinary draw, without the trigger and without the boundary values that the report inspired,
    the search asks at most {EVALUATIONS:,} inputs. A report counts as found where the faulty gradient fails
    and the right one passes at an input that it asked. The search was tuned on every other report. The others
    were asked afterwards; one of them (GB027) was found only after a change that it led to. Legal gradients,
    asked as many, are counted apart.
"""


def counts(rows: pd.DataFrame) -> pd.DataFrame:
    """By half, how many reports are found, and how many inputs that took."""
    found = []
    for name in (TUNED, HELD):
        own = rows[rows["half"] == name]
        faults, legal = own[~own["legal"]], own[own["legal"]]
        at = faults["found at"][faults["found at"] > 0]
        row = {"reports": name, "asked": len(faults), "found": len(at)}
        row |= {"inputs, median": int(at.median()), "inputs, most": int(at.max())}
        found.append(row | {"legal": len(legal), "legal ones accused": int((legal["found at"] > 0).sum())})
    return pd.DataFrame(found)


def section(rows: pd.DataFrame) -> list[str]:
    """The lines of the page."""
    faults = rows[~rows["legal"]]
    missed = ", ".join(faults["id"][faults["found at"] == 0]) or "none"
    late = faults[faults["found at"] > 100].sort_values("found at")[["id", "found at", "input"]]
    return [
        "## Search",
        "",
        " ".join(SEARCHED.split()),
        "",
        table(counts(rows)),
        "",
        f"Not found: {missed}. Found after a hundred inputs and more:",
        "",
        table(late),
    ]
