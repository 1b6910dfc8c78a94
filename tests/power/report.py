"""The measured power as a page and as rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tests.power import alarm_page, search_page
from tests.power.checkers import CHECKERS
from tests.power.detection import ACCUSES, CANNOT, FOUND, REGIMES
from tests.power.faults import FAULTS
from tests.power.left_out import LEFT_OUT
from tests.power.mutation_page import section, table

TABLES = (
    "power",
    "power_mutations",
    "false_alarms",
    "power_search",
    "power_search_changes",
    "power_search_functions",
)
LETTERS = {FOUND: "yes", ACCUSES: "both", CANNOT: ""}


def counts(rows: pd.DataFrame) -> pd.DataFrame:
    """Per checker and regime, how many of the faults are found; the legal ones are counted apart."""
    faults = rows[~rows["legal"]]
    found = []
    for name in CHECKERS:
        own = faults[faults["checker"] == name]
        asked = own[(own[list(REGIMES)] != CANNOT).any(axis=1)]
        row: dict[str, Any] = {"checker": name, "asked": len(asked)}
        row |= {regime: int((asked[regime] == FOUND).sum()) for regime in REGIMES}
        row["accuses the right one"] = int((asked[list(REGIMES)] == ACCUSES).any(axis=1).sum())
        legal = rows[rows["legal"] & (rows["checker"] == name)]
        row["legal ones accused"] = int((legal["trigger"].isin([FOUND, ACCUSES])).sum())
        found.append(row)
    return pd.DataFrame(found)


def page(rows: pd.DataFrame, mutations: pd.DataFrame, alarms: pd.DataFrame, *searches: pd.DataFrame) -> str:
    """The whole page in Markdown."""
    faults = [f for f in FAULTS if f.id in set(rows["id"])]
    real = [f for f in faults if not f.legal]
    lines = [
        "# What is caught, and what is not",
        "",
        "Written by `make power`; nothing in it is typed in.",
        "",
        f"{len(faults)} of {len(FAULTS) + len(LEFT_OUT)} public reports of wrong gradients, re-created in "
        "`tests/power/faults`: the right forward with the reported backward, or the installed framework's "
        f"own function where it still has the fault ({sum(f.live for f in faults)} of them). {len(real)} are "
        f"faults, {len(faults) - len(real)} are legal. A fault is found where a checker fails the faulty "
        "gradient and passes the right one at the same arguments: in 50 ordinary draws, at the report's "
        "trigger, or on our boundary corpus beside an ordinary draw, which is what one gets who does not "
        "know the bug.",
        "",
        table(counts(rows)),
        "",
        f"Each checker is asked where it can be: `gradcheck` and `check_grads` need a function in their "
        f"framework, and the slow one a Jacobian that fits. Ours gives the expected verdict at the trigger "
        f"for {_as_expected(rows)} of {len(faults)}.",
        "",
        *search_page.section(*searches),
        "",
        *section(mutations),
        "",
        *alarm_page.section(alarms),
        "",
        "## Each report",
        "",
        "yes: found; both: it fails the right gradient too; -: not found; blank: it cannot be asked. Three "
        "answers: ordinary draws, the trigger, the boundary corpus.",
        "",
        table(_each(rows)),
        "",
        "## Not re-created",
        "",
        *(f"- {number}: {reason}" for number, reason in LEFT_OUT.items()),
        "",
    ]
    return "\n".join(lines)


def _as_expected(rows: pd.DataFrame) -> int:
    ours = rows[rows["checker"] == "ours"]
    return int((ours["verdict"] == ours["expected"]).sum())


def _each(rows: pd.DataFrame) -> pd.DataFrame:
    found = []
    for fault in FAULTS:
        own = rows[rows["id"] == fault.id].set_index("checker")
        if own.empty:
            continue
        row = {
            "report": f"[{fault.id}]({fault.link})",
            "function": fault.name + (" (live)" if fault.live else ""),
            "what": fault.what,
            "verdict": own["verdict"].iloc[0],
        }
        for name in CHECKERS:
            said = [LETTERS.get(own.loc[name, regime], "-") for regime in REGIMES]
            row[name] = " ".join(said).strip()
        found.append(row)
    return pd.DataFrame(found)


def keep(rows: Sequence[dict[str, Any]], folder: Path, name: str) -> None:
    """Write the rows of one part."""
    pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)


def write(folder: Path) -> None:
    """Write power.md and false_alarms.md from the rows that are kept there, if those of all parts are."""
    files = [folder / f"{name}.csv" for name in TABLES]
    if not all(file.exists() for file in files):
        return
    tables = [pd.read_csv(file, keep_default_na=False) for file in files]
    (folder / "power.md").write_text(page(*tables))
    (folder / "false_alarms.md").write_text(alarm_page.page(tables[2]))
