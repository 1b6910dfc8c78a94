"""The search in functions of torch and JAX as they are: every failure is looked at again with mpmath.

Most of their gradients are right. mpmath confirms a verdict where its derivative is the one that is said to
be true, or far closer to that than to what was computed (a constant of the function may be rounded); else it
refutes it, or has no one slope there. What it confirms and `reports/defects.md` (which asks boundary values)
does not have is a new defect.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import jax
import mpmath as mp  # type: ignore[import-untyped]
import numpy as np

from harness.search.hunt import Seen
from harness.search.worse import Score, rank
from harness.verdicts import RIGHT, Verdict
from tests.power.check import check
from tests.power.defect import Defect
from tests.power.defects import agrees, number
from tests.power.function import loaded
from tests.power.question import Question
from tests.power.searching import hunting
from tests.power.second_look import slope
from tests.power.subjects import SUBJECTS

INPUTS = 500
DTYPES = ("float32", "float64")
KEPT = 8  # failing inputs of each verdict that are looked at, the worst first
DRAWN = 50  # inputs that are drawn until the function is a number
LISTED = Path(__file__).parents[2] / "reports" / "defects.md"
CONFIRMED, REFUTED, OPEN = "confirms", "refutes", "has no slope"
# Refuted, and known: why.
KNOWN = {
    "F.softplus(x, beta=2, threshold=20)": "torch documents it as linear above its threshold, and so is the "
    "truth in mpmath; ours takes the default, 20, as the machine's alone, and float64 tells them apart",
}
CLOSER = 1000  # times closer to the one number than to the other
EMPTY = {
    "asked": 0, "verdict": "", "at": "", "computed": "", "true": "", "bits": "", "mpmath": "", "listed": "",
    "reproducer": "",
}  # fmt: skip


def of_subject(label: str, dtype: str) -> list[dict[str, Any]]:
    """A row for each verdict that the search gives, with its worst input; where none fails, one without."""
    subject = SUBJECTS[label]
    question = Question(label, dtype, "reverse", 1)
    row = {"function": label, "dtype": dtype, **EMPTY}
    worst: dict[int, list[Seen]] = {}

    def see(seen: Seen) -> bool:
        own = worst.setdefault(seen.score.rank, [])
        own.append(seen)
        own.sort(key=lambda one: one.score, reverse=True)
        del own[KEPT:]
        return False

    with jax.enable_x64(True), np.errstate(all="ignore"):
        args = _drawn(question)
        ones = loaded(subject.call, np.ones(1), dtype)
        with hunting(see):
            found = check(
                subject.call, args, argnums=subject.moving, cotangent=ones, probes=False, search=INPUTS
            )
        row["asked"] = found.finding.evaluations if found.finding else 0
        rows = [row | _looked_at(question, own) for own in worst.values()]
    return rows or [row]


def _drawn(question: Question) -> tuple[Any, ...]:
    """Random arguments at which the function is a number."""
    subject = question.subject
    rng = np.random.default_rng(zlib.crc32(question.label.encode()))
    for _ in range(DRAWN):
        drawn = rng.normal(size=subject.function.numbers) * 2.0 ** rng.integers(-2, 4)
        point = tuple(np.asarray(drawn, question.dtype).astype(float).tolist())
        if question.is_number(point):
            break
    return tuple(loaded(subject.call, [own], question.dtype) for own in subject.arguments(point))


def _looked_at(question: Question, seen: list[Seen]) -> dict[str, Any]:
    """The worst of them that mpmath confirms; if it confirms none, the worst that it refutes, or any."""
    looked = [d for one in seen for d in _named(question, one)]
    confirmed = next(filter(agrees, looked), None)
    said = [CONFIRMED] if confirmed else [_second_look(one) for one in looked]
    for says in (CONFIRMED, REFUTED, OPEN):
        if says in said:
            worst = confirmed or looked[said.index(says)]
            break
    else:
        return {"verdict": _verdict(seen[0].score).value, "mpmath": OPEN}
    return {
        "verdict": Verdict(worst.verdict).value,
        "at": ", ".join(map(repr, worst.x)),
        "computed": repr(worst.computed),
        "true": worst.true,
        "bits": round(worst.bits_lost, 1),
        "reproducer": worst.reproducer,
        "mpmath": says,
        "listed": is_listed(question.label, question.dtype),
    }


def _second_look(defect: Defect) -> str:
    """What mpmath says, where it has not the very derivative that is said to be true."""
    try:
        found = slope(defect.subject.function.truth, defect.x, defect.place or 0)
    except Exception:  # it has no value there
        return OPEN
    if not isinstance(found, mp.mpf) or not mp.isfinite(found) or " to " in defect.true:  # outside, or a kink
        return OPEN
    off, other = (abs(found - mp.mpf(x)) for x in (number(defect.true), defect.computed))
    return CONFIRMED if off * CLOSER <= other or not mp.isfinite(other) else REFUTED


def _named(question: Question, seen: Seen) -> list[Defect]:
    """What is not right at the input, asked again alone, the worst first."""
    numbers = [np.asarray(a, np.float64).reshape(-1, *np.shape(a)[1:]) for a in seen.point.arrays]
    rows = len(numbers[0])
    found = []
    for k in range(rows):
        point = tuple(float(v) for a in numbers for v in np.ravel(a[k]))
        found += question.named([point]) or []
    return sorted((d for d in found if Verdict(d.verdict) not in RIGHT), key=lambda d: -d.bits_lost)


def _verdict(score: Score) -> Verdict:
    return next(v for v in Verdict if rank(v) == score.rank)


def is_listed(label: str, dtype: str) -> bool:
    """Whether the page of live defects has this function's first derivative."""
    return any(line.startswith(f"| {label} | {dtype} | 1") for line in LISTED.read_text().splitlines())
