"""What changed from one atlas to another: better, worse, new, gone, slower, faster."""

from __future__ import annotations

from dataclasses import dataclass

from harness.atlas.row import Row
from harness.atlas.saved import Atlas
from harness.verdicts import Standing, Verdict

BITS = 1.0  # that a derivative must lose more, or fewer, to be worse, or better
SHARE = 0.02  # of the elements that must be faulty, or right, besides
TIMES = 2.0  # as long, to be slower


@dataclass(frozen=True)
class Change:
    """One row that is another.

    Attributes:
        kind: "worse", "better", "new", "gone", "slower" or "faster".
        row: The new row, or the one that is gone.
        said: What it was and what it is, in words.
    """

    kind: str
    row: Row
    said: str

    @property
    def is_worse(self) -> bool:
        """Whether the derivative itself is worse."""
        return self.kind == "worse"


def compared(old: Atlas, new: Atlas) -> list[Change]:
    """The changes, those that are worse first; of functions that are in one only, once for each."""
    before, after = ({row.key: row for row in atlas.rows} for atlas in (old, new))
    found = []
    for key, row in after.items():
        if key in before:
            found += _changes(before[key], row)
    for kind, mine, other in (("new", new, old), ("gone", old, new)):
        known = {row.function for row in other.rows}
        alone = {row.function: row for row in mine.rows if row.function not in known}
        found += [Change(kind, row, "") for row in alone.values()]
        there = {row.key for row in other.rows}
        found += [
            Change(kind, row, "in this dtype and order")
            for row in mine.rows
            if row.function in known and row.key not in there
        ]
    order = ("worse", "better", "gone", "new", "slower", "faster")
    return sorted(found, key=lambda change: order.index(change.kind))


def _changes(old: Row, new: Row) -> list[Change]:
    worse, better = list[str](), list[str]()
    if old.worst is not new.worst:
        down = _badness(new.worst) > _badness(old.worst)
        (worse if down else better).append(
            f"{old.worst or 'nothing compared'} is {new.worst or 'not compared'}"
        )
    share, now = _faulty(old), _faulty(new)
    if abs(now - share) > SHARE:
        said = f"{share:.0%} of the elements were faulty, {now:.0%} are"
        (worse if now > share else better).append(said)
    for name, of in (("bits_lost_worst", "the worst loses"), ("bits_lost_99", "99 % lose at most")):
        one, other = getattr(old, name), getattr(new, name)
        if one is not None and other is not None and abs(other - one) > BITS:
            said = f"{of} {other:.1f} bits, not {one:.1f}"
            (worse if other > one else better).append(said)
    at = f" at {new.where}" if worse and new.where else ""
    found = [
        Change(kind, new, "; ".join(said) + (at if kind == "worse" else ""))
        for kind, said in (("worse", worse), ("better", better))
        if said and not (kind == "better" and worse)
    ]
    if old.time_ratio and new.time_ratio:
        times = new.time_ratio / old.time_ratio
        said = f"{new.time_ratio:.3g} times its function, not {old.time_ratio:.3g}"
        if max(times, 1 / times) > TIMES:
            found.append(Change("slower" if times > 1 else "faster", new, said))
    return found


def _badness(verdict: Verdict) -> int:
    """A proven fault is worse than what is open, and that than what is right; none is open, too."""
    if verdict.standing is Standing.FAULTY:
        return 10 - verdict.severity
    return 0 if verdict.right else 1


def _faulty(row: Row) -> float:
    return (row.imprecise + row.miscomputed + row.wrong) / row.points if row.points else 0.0
