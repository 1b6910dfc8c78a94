"""The measured power as a page and as rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tests.power.checkers import CHECKERS
from tests.power.detection import ACCUSES, CANNOT, FOUND, REGIMES
from tests.power.faults import FAULTS
from tests.power.left_out import LEFT_OUT

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


def mutation_power(rows: pd.DataFrame) -> pd.DataFrame:
    """Per checker, dtype and size: the least relative error that is seen in every function, and in half."""
    found = []
    for (checker, dtype, height, width), own in rows.groupby(
        ["checker", "dtype", "rows", "columns"], sort=False
    ):
        if own["framework"].eq("numpy").all():
            continue
        own = own[own["framework"] != "numpy"]
        kinds = int(own["kinds"].sum())
        through = sum(text.count(",") + 1 for text in own["let through"] if text)
        bound = pd.to_numeric(own["bound ulps"], errors="coerce").median()
        found.append(
            {
                "checker": checker,
                "dtype": dtype,
                "size": f"{height} x {width}",
                "functions": len(own),
                "seen in all": _scale(own["finest scale"].min()),
                "in half": _scale(own["finest scale"].median()),
                "kinds let through": f"{through} of {kinds}" if kinds else "",
                "right ones refused": int((~own["passes the right one"].astype(bool)).sum()),
                "derived bound, ulps": "" if pd.isna(bound) else f"{bound:.3g}",
            }
        )
    return pd.DataFrame(found)


def _scale(k: float) -> str:
    return "none" if k < 1 else f"2^-{k:g}"


def page(rows: pd.DataFrame, mutations: pd.DataFrame) -> str:
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
        _table(counts(rows)),
        "",
        f"Each checker is asked where it can be: `gradcheck` and `check_grads` need a function in their "
        f"framework, and the slow one a Jacobian that fits. Ours gives the expected verdict at the trigger "
        f"for {_as_expected(rows)} of {len(faults)}.",
        "",
        "## Mutation power",
        "",
        "Twenty functions of torch and twenty of JAX with their own gradient, times 1 + 2^-k, k = 1 to 40: "
        "the smallest error that is seen in every function, and in half of them. At (16, 16), in float64 and "
        "float32, also the sign, zero, a shifted index, transposed, the mean along an axis taken off, one "
        "element, one row, half the batch, and a sum for a mean. What changes nothing is not counted. The "
        "median of the derived bounds is what ours would allow an execution whose formula is right. Where "
        "ours refuses a gradient of the framework's own it says `imprecise`: half of the digits are lost and "
        "more.",
        "",
        _table(mutation_power(mutations)),
        "",
        f"Of the reference's own rules in NumPy ours sees {_reference(mutations)}.",
        "",
        "## Each report",
        "",
        "yes: found; both: it fails the right gradient too; -: not found; blank: it cannot be asked. Three "
        "answers: ordinary draws, the trigger, the boundary corpus.",
        "",
        _table(_each(rows)),
        "",
        "## Not re-created",
        "",
        *(f"- {number}: {reason}" for number, reason in LEFT_OUT.items()),
        "",
    ]
    return "\n".join(lines)


def _reference(mutations: pd.DataFrame) -> str:
    own = mutations[mutations["framework"] == "numpy"]
    least = _scale(own["finest scale"].min())
    return f"{least} in each of {own['function'].nunique()}, in float64 and float32"


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


def _table(frame: pd.DataFrame) -> str:
    """A Markdown table whose cells cannot break it."""
    head = "| " + " | ".join(frame.columns) + " |"
    rule = "|" + "---|" * len(frame.columns)
    body = [
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |"
        for row in frame.itertuples(index=False)
    ]
    return "\n".join([head, rule, *body])


def keep(rows: Sequence[dict[str, Any]], folder: Path, name: str) -> None:
    """Write the rows of one part."""
    pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)


def write(folder: Path) -> None:
    """Write power.md from the rows that are kept there."""
    names = ("power", "power_mutations")
    (folder / "power.md").write_text(
        page(*(pd.read_csv(folder / f"{name}.csv", keep_default_na=False) for name in names))
    )
