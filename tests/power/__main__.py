"""`python -m tests.power`: measure, and write the tables; each part as soon as it is done."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from harness.runs.compiled import compiled_once
from harness.runs.workers import Workers, spread
from tests.power import alarm_page, report
from tests.power.defect import Defect, page
from tests.power.detection import DRAWS
from tests.power.faults import FAULTS
from tests.power.known_alarms import CAUSES
from tests.power.parts import MEASURING, Asked, Rows, everything
from tests.power.searching import EVALUATIONS
from tests.power.searching_functions import KNOWN, REFUTED
from tests.power.subjects import SUBJECTS

LONGEST_S = 3600.0  # for one row, or a fault's


def faults(rows: list[Any], folder: Path) -> int:
    """The re-created reports; 1 where ours misses one at its trigger or gives it another verdict."""
    report.keep(rows, folder, "power")
    ours = [r for r in rows if r["checker"] == "ours"]
    missed = [r["id"] for r in ours if r["trigger"] != "found" and not r["legal"]]
    other = [r["id"] for r in ours if r["verdict"] != r["expected"]]
    print(f"{len(FAULTS)} reports; missed at their trigger: {missed}; with another verdict: {other}")
    return 1 if missed or other else 0


def mutations(rows: list[Any], folder: Path) -> int:
    """Changed gradients; 1 where ours refuses one that is right, or lets a change through."""
    report.keep(rows, folder, "power_mutations")
    ours = [r for r in rows if r["checker"] == "ours"]
    refused = [r for r in ours if r.get("verdict", "") not in {"", "imprecise"}]
    through = [r for r in ours if r["let through"]]
    print(f"{len(rows)} rows of changes; ours refuses {len(refused)} right, lets {len(through)} through")
    return 1 if refused or through else 0


def defects(rows: list[Any], folder: Path) -> int:
    """The installed frameworks' own functions."""
    (folder / "defects.md").write_text(page([Defect(**row | {"x": tuple(row["x"])}) for row in rows]))
    print(f"{len(rows)} live defects in {len(SUBJECTS)} functions")
    return 0


def alarms(rows: list[Any], folder: Path) -> int:
    """Right gradients at random arguments; 1 where one is not passed and no cause of it is known."""
    report.keep(rows, folder, "false_alarms")
    table = pd.DataFrame(rows)
    gone = (f"not {cause.said} any more: {cause.reproducer}" for cause in CAUSES if not cause.is_shown)
    news = [*alarm_page.unknown(table), *alarm_page.stale(table), *gone]
    print(
        f"{table['checks'].sum()} checks of right gradients; without a cause, or no longer said: {len(news)}"
    )
    print(*news, sep="\n")
    return 1 if news else 0


def searches(rows: list[Any], folder: Path) -> int:
    """What the search finds of the reports; 1 where it accuses one that is legal."""
    report.keep(rows, folder, "power_search")
    found = [r for r in rows if r["found at"]]
    accused = [r["id"] for r in found if r["legal"]]
    missed = [r["id"] for r in rows if not r["found at"] and not r["legal"]]
    print(f"the search finds {len(found)} of {len(rows)} reports; not {missed}; it accuses {accused}")
    return 1 if accused else 0


def changed(rows: list[Any], folder: Path) -> int:
    """Changed gradients from one small input; 1 where the search does not find one."""
    report.keep(rows, folder, "power_search_changes")
    missed = [r for r in rows if not r["found at"]]
    print(f"the search finds {len(rows) - len(missed)} of {len(rows)} changed gradients; not {missed}")
    return 1 if missed else 0


def as_they_are(rows: list[Any], folder: Path) -> int:
    """The search in the frameworks' own functions; 1 where mpmath refutes a verdict."""
    report.keep(rows, folder, "power_search_functions")
    refuted = [r for r in rows if r["mpmath"] == REFUTED and r["function"] not in KNOWN]
    print(f"the search fails {sum(r['verdict'] != '' for r in rows)} functions; mpmath refutes {refuted}")
    return 1 if refuted else 0


PARTS: dict[str, Callable[[list[Any], Path], int]] = {
    "faults": faults,
    "search": searches,
    "changes": changed,
    "functions": as_they_are,
    "mutations": mutations,
    "defects": defects,
    "alarms": alarms,
}


def finished(
    asked: list[Asked], workers: Workers, lost: list[str]
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each part with all its rows in their order, as soon as it is done; calls that failed go to `lost`."""
    left = Counter(one.part for one in asked)
    found: dict[str, dict[int, Rows]] = {part: {} for part in left}
    for own in spread(MEASURING, ([one] for one in asked), workers, LONGEST_S):
        lost += [own.lost] if own.lost else []
        found[own.part][own.place] = own
        left[own.part] -= 1
        if not left[own.part]:
            yield own.part, [row for _, rows in sorted(found.pop(own.part).items()) for row in rows.rows]


def main() -> int:
    """Measure all of it, or one part; 1 where ours is not what it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.power", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="how many processes")
    parser.add_argument("--scheduler", default="", help="the address of a Dask scheduler, in place of --jobs")
    parser.add_argument("--draws", type=int, default=DRAWS, help="ordinary draws for each fault")
    parser.add_argument("--evaluations", type=int, default=EVALUATIONS, help="inputs that a search asks")
    parser.add_argument("--seeds", type=int, default=0, help="draws for each right gradient")
    parser.add_argument("--output", type=Path, default=Path("reports"), help="the folder for the tables")
    parser.add_argument("--only", choices=PARTS, help="one part")
    asked = parser.parse_args()
    if min(asked.jobs, asked.draws, asked.evaluations) < 1 or asked.seeds < 0:
        parser.error(
            "--jobs, --draws and --evaluations must be 1 or more, --seeds 0 (as in the table) or more"
        )
    asked.output.mkdir(parents=True, exist_ok=True)  # now, not after an hour
    start = time.monotonic()
    whole = everything(asked.draws, asked.evaluations, asked.seeds)
    chosen = [one for one in whole if asked.only in {None, one.part}]
    workers, lost = Workers(asked.jobs, asked.scheduler), list[str]()
    with compiled_once():
        # All is begun at once: no process waits for the end of a part.
        worst = max(PARTS[part](rows, asked.output) for part, rows in finished(chosen, workers, lost))
    report.write(asked.output)
    print(*(f"without rows: {one}" for one in lost), f"{time.monotonic() - start:.0f} s", sep="\n")
    return max(worst, bool(lost))


if __name__ == "__main__":
    sys.exit(main())
