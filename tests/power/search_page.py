"""What the search finds of the reports, as a part of the page."""

from __future__ import annotations

import pandas as pd

from tests.power.mutation_page import table
from tests.power.searching import EVALUATIONS, HELD, TUNED
from tests.power.searching_changes import INPUTS as OF_A_CHANGE
from tests.power.searching_functions import CONFIRMED, KNOWN, OPEN, REFUTED
from tests.power.searching_functions import INPUTS as OF_A_FUNCTION

SEARCHED = f"""
    Beside one ordinary draw, without the trigger and without the boundary values that the report inspired,
    the search asks at most {EVALUATIONS:,} inputs. A report counts as found where the faulty gradient fails
    and the right one passes at an input that it asked. The search was tuned on every other report. The others
    were asked afterwards; one of them (GB027) was found only after a change that it led to. Legal gradients,
    asked as many, are counted apart.
"""

CHANGED = f"""
    Changed gradients (the 33 wrong backward passes in three frameworks, and the kinds of changes below in all
    of their functions), from one random input of (3, 3) in float32, without boundary values, at most
    {OF_A_CHANGE} inputs. One counts as found where the verdict is `wrong` or `miscomputed`.
"""
AS_THEY_ARE = f"""
    Functions of torch and JAX as they are, from one random input and the boundary values on, {OF_A_FUNCTION}
    inputs each, first derivatives. Of each verdict the worst inputs are looked at again with mpmath, by
    differences at hundreds of digits: it confirms a verdict where its derivative is the one that is said to
    be true, refutes it where it is the one that was computed, and at a kink has no one slope.
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


def changes(rows: pd.DataFrame) -> pd.DataFrame:
    """By set and framework, how many changed gradients are found."""
    found = []
    for (which, framework), own in rows.groupby(["set", "framework"], sort=False):
        at = own["found at"][own["found at"] > 0]
        row = {"set": which, "framework": framework, "functions": own["function"].nunique()}
        row |= {"asked": len(own), "found": len(at)}
        found.append(row | {"at the first input": int((at == 1).sum()), "inputs, most": int(at.max())})
    return pd.DataFrame(found)


def looked_at(rows: pd.DataFrame) -> pd.DataFrame:
    """By dtype and verdict, in how many functions it is said, and what mpmath says to that."""
    found = []
    for dtype, own in rows.groupby("dtype", sort=False):
        count, asked = own["function"].nunique(), own.drop_duplicates("function")["asked"].astype(int).sum()
        for verdict in ("", "imprecise", "miscomputed", "wrong"):
            said = own[own["verdict"] == verdict]
            row = {"dtype": dtype, "functions": count, "inputs": f"{asked:,}"}
            row |= {"verdict": verdict or "none fails", "said of": len(said)}
            row |= {name: int((said["mpmath"] == name).sum()) for name in (CONFIRMED, REFUTED, OPEN)}
            found.append(row)
    return pd.DataFrame(found)


def news(rows: pd.DataFrame) -> pd.DataFrame:
    """What mpmath confirms and the page of live defects does not have."""
    own = rows[(rows["mpmath"] == CONFIRMED) & (rows["listed"].astype(str) == "False")]
    own = own.assign(reproduce="`" + own["reproducer"] + "`")
    return own[["function", "dtype", "verdict", "bits", "computed", "true", "reproduce"]]


def section(rows: pd.DataFrame, changed: pd.DataFrame, functions: pd.DataFrame) -> list[str]:
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
        "",
        " ".join(CHANGED.split()),
        "",
        table(changes(changed)),
        "",
        " ".join(AS_THEY_ARE.split()),
        "",
        table(looked_at(functions)),
        "",
        *(f"Refuted, and known: {name}: {why}." for name, why in KNOWN.items()),
        "",
        "Confirmed, and not in [the list of live defects](defects.md), which asks boundary values:",
        "",
        table(news(functions)),
    ]
