"""The page of one answer: a row for each argument at each point, the worst with all its pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from harness.page.document import Document
from harness.page.leaf import Leaves, grow, pictures, row
from harness.proof.evidence import Allowed
from harness.proof.question import Part
from harness.proof.sight import GIVEN, Sight
from harness.subject.tested import Tested
from harness.verdicts import Verdict

MOST = 4  # arguments with their error over the input


class Found(Protocol):
    """What is taken of an answer (`harness.result.Result`, which this room does not know)."""

    @property
    def parts(self) -> Sequence[Part]:
        """What is known of each argument at each point."""

    @property
    def faults(self) -> Sequence[str]:
        """What is wrong apart from size."""

    @property
    def notes(self) -> Sequence[str]:
        """What is worth saying."""

    @property
    def sights(self) -> Sequence[Sight]:
        """What each point was judged by."""

    @property
    def subject(self) -> str:
        """What was checked."""

    @property
    def verdict(self) -> Verdict:
        """The worst."""

    @property
    def seed(self) -> int:
        """Of the cotangent."""

    @property
    def allowed(self) -> Allowed:
        """The budget, by dtype."""


def document(found: Found, command: str = "") -> Document:
    """What the page of an answer shows."""
    leaves = Leaves()
    for told, drawn in rows(found, found.subject):
        grow(leaves, told, drawn)
    said = tuple(text for text in (*found.faults, *found.notes) if text)
    faulty = ", but the check fails" if found.faults else ""
    title = f"{found.subject}: {found.verdict.value or 'nothing compared'}{faulty}"
    return Document(title, leaves, said, command)


def rows(found: Found, function: str, whole: bool = True) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """An answer's rows, each with its pictures: those of the given point with all, if they are `whole`.

    The source is shown of these, and where an argument is first found not right.
    """
    explained, swept = set[str](), 0
    by_point = {sight.name: sight for sight in found.sights}
    values: dict[str, Part] = {}
    for part in found.parts:
        known = values.get(part.input)
        if part.of_value and (known is None or part.verdict.severity < known.verdict.severity):
            values[part.input] = part
    for part in found.parts:
        if part.of_value and (part.verdict.right or part.remark):
            continue  # it is said beside the gradient
        sight, value = by_point.get(part.input), values.get(part.input)
        judged_as = (part.judgement.narrowest if part.judgement else "") or part.dtype
        told = row(
            part, found.allowed(judged_as) if part.dtype else 0.0, function=function, seed=found.seed,
            system=system_of(sight) if sight else _system(found),
        )  # fmt: skip
        if value and not part.of_value:
            told["value"] = row(value, 0.0)
        main = part.input == GIVEN
        swept = swept + (whole and main)
        first = not part.verdict.right and part.name not in explained
        explained |= set() if part.verdict.right else {part.name}
        yield told, pictures(part, sight, whole and main and swept <= MOST, main or first)


def system_of(sight: Sight) -> str:
    """Where it runs."""
    compiled = isinstance(sight.tested, Tested) and sight.tested.compiled
    return f"{sight.tested.rounding}{'-jit' if compiled else ''}"


def _system(found: Found) -> str:
    return next((system_of(sight) for sight in found.sights), "")
