"""The atlas on a screen: a line for each function, the worst first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain

from rich.table import Table
from rich.text import Text

from harness.atlas.compare import Change
from harness.atlas.row import DTYPES, Row
from harness.atlas.saved import Atlas
from harness.report.screen import Screen
from harness.verdicts import SEVERITY, Verdict, badness_key

MOST = 40  # functions that are shown
WIDE = 110  # columns of a screen that shows where, too
CELL = len("miscomputed 53 ")
STYLES = {"worse": "bold red", "better": "green", "slower": "yellow", "faster": "green"}


def print_atlas(console: Screen, atlas: Atlas) -> None:
    """The worst functions, and how many rows have which verdict."""
    functions: dict[str, list[Row]] = {}
    for row in atlas.rows:
        functions.setdefault(row.function, []).append(row)
    shown = sorted(functions.values(), key=lambda rows: min(map(_badness, rows)))
    values = [rows for rows in shown if rows[0].order == 0]
    for title, chosen in (("Derivatives", [r for r in shown if r[0].order]), ("Values", values)):
        if chosen:
            console.print(Text(f"{title}: the worst of each function, and the bits that it loses", "bold"))
            console.print(_table(chosen[:MOST], console.width))
            if len(chosen) > MOST:
                console.print(Text(f"and {len(chosen) - MOST} more functions, in atlas.csv", "dim"))
            console.print()
    counts = Counter(row.worst for row in atlas.rows)
    said = ", ".join(f"{counts[v]} {v.value or 'not compared'}" for v in SEVERITY if counts[v])
    console.folded(f"{len(functions)} functions, {len(atlas.rows)} rows by their worst point: {said}")
    console.folded("; ".join(f"{name} {version}" for name, version in atlas.versions.items()), style="dim")


def _table(functions: Sequence[list[Row]], width: int) -> Table:
    """One line a function; the worst point where there is room."""
    dtypes = [d for d in DTYPES if any(row.dtype == d for rows in functions for row in rows)]
    table = Table("function", *dtypes, box=None, padding=(0, 1, 0, 0))
    table.columns[0].overflow = "fold"
    room = width if width >= WIDE else width - CELL * len(dtypes) - 1
    if width >= WIDE:
        table.add_column("worst point", overflow="fold")
        table.add_column("time", justify="right")
    for rows in functions:
        worst = min(rows, key=_badness)
        cells = [_cell([row for row in rows if row.dtype == dtype]) for dtype in dtypes]
        times = [row.time_ratio for row in rows if row.time_ratio]
        order = {0: "", 1: "", 2: "order 2: "}[worst.order]
        more = [Text(f"{order}{worst.where or worst.note}"), Text(f"{min(times):.2g} x" if times else "")]
        table.add_row(Text(_broken(rows[0].function, room)), *cells, *(more if width >= WIDE else ()))
    return table


def _broken(name: str, room: int) -> str:
    """A name in lines of so many letters: broken after dots, and in long words after underscores."""
    words = re.split(r"(?<=\.)", name)
    parts = chain.from_iterable([w] if len(w) <= room else re.split(r"(?<=_)", w) for w in words)
    lines = [""]
    for part in parts:
        if lines[-1] and len(lines[-1] + part) > room:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _cell(rows: Sequence[Row]) -> Text:
    if not rows:
        return Text("-", "dim")
    worst = min(rows, key=_badness)
    bits = worst.bits_lost_worst
    lost = "" if bits is None or worst.worst in {Verdict.UNDECIDED, Verdict.UNSUPPORTED} else f" {bits:.0f}"
    return Text(f"{worst.worst or 'none'}{lost}", worst.worst.style)


def _badness(row: Row) -> tuple[float, float]:
    return badness_key(row.worst, row.bits_lost_worst)


def print_changes(console: Screen, old: Atlas, new: Atlas, changes: Sequence[Change]) -> None:
    """What changed, by kind, and what it was measured with."""
    names = dict.fromkeys([*old.versions, *new.versions])
    pairs = [(name, old.versions.get(name, "none"), new.versions.get(name, "none")) for name in names]
    moved = [f"{name} {one} to {other}" for name, one, other in pairs if one != other]
    console.folded(f"from {'; '.join(moved)}" if moved else "with the same versions", style="dim")
    for kind in dict.fromkeys(change.kind for change in changes):
        own = [change for change in changes if change.kind == kind]
        console.print(Text(f"{len(own)} {kind}", STYLES.get(kind, "bold")))
        for change in own:
            row = change.row
            order = {0: ", the value", 1: "", 2: ", order 2"}[row.order]
            of = f" {row.dtype}{order}" if change.said else ""
            console.folded(f"{row.function}{of}{': ' if change.said else ''}{change.said}", 2)
    if not changes:
        console.print("nothing changed")
