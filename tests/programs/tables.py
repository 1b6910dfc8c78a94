"""What a run measured: a row for each program, and what they say together."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from tests.programs.trial import Trial

OPEN = ("unsupported", "undecided", "refused", "jump")


def row(trial: Trial, seed: int) -> dict[str, Any]:
    """A trial, as it is kept in a file."""
    return {
        "framework": trial.drawn.framework, "seed": seed, "dtype": trial.drawn.dtype, "mode": trial.mode,
        "verdict": trial.verdict, "reason": trial.reason[:300], "elements": trial.elements,
        "mistake": trial.mistake, "found": trial.found, "failures": trial.failures,
        "kinds": list(trial.drawn.program.kinds), "seconds": round(trial.seconds, 3),
    }  # fmt: skip


def summary(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """By framework: programs, verdicts, elements, mistakes, failures, seconds of CPU."""
    found = []
    for framework in dict.fromkeys(r["framework"] for r in rows):
        own = [r for r in rows if r["framework"] == framework]
        verdicts = Counter(r["verdict"] for r in own)
        mistakes = [r for r in own if r["mistake"]]
        found.append(
            {
                "framework": framework,
                "programs": len(own),
                "proven": len(own) - sum(verdicts[v] for v in OPEN),
                **{v: verdicts[v] for v in (*OPEN, "imprecise", "convention", "defect")},
                "elements": sum(r["elements"] for r in own),
                "mistakes": len(mistakes),
                "found": sum(r["found"] in {"wrong", "miscomputed"} for r in mistakes),
                "failures": sum(bool(r["failures"]) for r in own),
                "seconds": round(sum(r["seconds"] for r in own)),
            }
        )
    return pd.DataFrame(found)


def refusals(rows: Sequence[dict[str, Any]], most: int = 20) -> pd.DataFrame:
    """Why there was no verdict, and how often."""
    reasons = Counter(
        (r["framework"], r["verdict"], _plain(r["reason"])) for r in rows if r["verdict"] in OPEN
    )
    columns = ["framework", "verdict", "reason", "programs"]
    return pd.DataFrame([(*key, n) for key, n in reasons.most_common(most)], columns=columns)


def by_kind(rows: Sequence[dict[str, Any]], most: int = 20) -> pd.DataFrame:
    """The constructs whose programs most often have no verdict."""
    seen, open_ = Counter[str](), Counter[str]()
    for r in rows:
        seen.update(r["kinds"])
        open_.update(r["kinds"] if r["verdict"] in OPEN else [])
    table = [(kind, n, open_[kind], round(open_[kind] / n, 3)) for kind, n in seen.items() if open_[kind]]
    frame = pd.DataFrame(table, columns=["construct", "programs", "without a verdict", "share"])
    return frame.sort_values("share", ascending=False).head(most)


def _plain(reason: str) -> str:
    """A reason without its numbers."""
    words = "".join("#" if c.isdigit() else c for c in reason)
    while "##" in words:
        words = words.replace("##", "#")
    return words[:90]


def line(kept: dict[str, Any]) -> str:
    """A row as a line of a file."""
    return json.dumps(kept)
