"""Public suites' own tests under the swap: `python -m tests.suites torch-nn=nn.jsonl kornia=k.jsonl`.

Each file is one of `pytest --gradproof-swap --gradproof-report FILE.jsonl`. It writes reports/suites.csv, a
line for each test: how many checks it makes, how many are right, faulty, and not proven, and why not.
It prints a line for each suite, and fails where more than a tenth of all checks are not proven.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from harness.atlas.measure import shortened
from harness.verdicts import Standing, Verdict

FILE = Path("reports/suites.csv")
MOST = 0.1  # of all checks that may be left unproven
REASON = 100  # letters
PLACE = re.compile(r" \((?:in|at) .*|;? ?(?:called )?at \S*[/\\].*")  # on whose machine it ran
COLUMNS = {Standing.RIGHT: "right", Standing.FAULTY: "faulty", Standing.OPEN: "not proven"}


def main(given: list[str]) -> int:
    """Write the table, and print its sums."""
    rows = [row for one in given for row in _tests(*one.split("=", 1))]
    table = pd.DataFrame(rows).sort_values(["suite", "test"], kind="stable")
    table.to_csv(FILE, index=False, lineterminator="\n")
    sums = table.groupby("suite").agg({"test": "count"} | dict.fromkeys(["checks", *COLUMNS.values()], "sum"))
    sums.loc["all"] = sums.sum()
    print(sums.rename(columns={"test": "tests"}).to_string())
    share = sums.loc["all", "not proven"] / sums.loc["all", "checks"]
    print(f"{share:.1%} of the checks are not proven, {MOST:.0%} are allowed")
    return int(share > MOST)


def _tests(suite: str, file: str) -> list[dict[str, Any]]:
    """A row for each test."""
    tests: dict[str, list[dict[str, Any]]] = {}
    for line in Path(file).read_text(encoding="utf-8").splitlines():
        check = json.loads(line)
        tests.setdefault(check["where"], []).append(check)
    return [{"suite": suite, "test": test, **_counted(checks)} for test, checks in tests.items()]


def _counted(checks: list[dict[str, Any]]) -> dict[str, Any]:
    found = Counter(_standing(check) for check in checks)
    why = Counter(
        shortened(check["unproven"], PLACE, REASON) for check in checks if _standing(check) is Standing.OPEN
    )
    counts = {name: found[standing] for standing, name in COLUMNS.items()}
    return {"checks": len(checks), **counts, "why": "; ".join(reason for reason, _ in why.most_common())}


def _standing(check: dict[str, Any]) -> Standing:
    return Standing.OPEN if check["unproven"] else Verdict(check["verdict"]).standing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
