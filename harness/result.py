"""The answer to a user's question: a verdict, a row for each argument, and words for all of it."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.proof.evidence import OUTSIDE, Allowed
from harness.proof.judge import NO_DIGIT, AsWritten, Element, Judgement, is_no_digit, worst_element
from harness.proof.question import Part
from harness.subject.complex_pairs import ComplexName
from harness.subject.names import place_of
from harness.verdicts import RIGHT, Outcome, Standing, Verdict, badness_key, css
from oracles.exact.program.complex import OF_PARTS
from oracles.exact.program.formats import format_of

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    "input", "argument", "verdict", "bits_lost", "error_ulp", "attainable_ulp", "bound_ulp", "where",
    "computed", "true", "true_digits", "dtype", "shape", "blame", "diagnosis",
]  # fmt: skip
MOST_SHOWN = 10
AGAIN = "  again: "  # begins the line with code
MOST_NEXT = 3  # elements beside the worst


@dataclass(frozen=True, eq=False)
class Fixed(AsWritten):
    """A budget of lost bits that is the same for every dtype."""

    bits: float

    def __call__(self, dtype: str) -> float:
        """The budget."""
        return self.bits


class GradientError(AssertionError):
    """A gradient that is not right. The text says which element, by how much, and why.

    Attributes:
        result: The whole answer.

    Args:
        result: The whole answer.
        said: What the text begins with.
    """

    def __init__(self, result: Result, said: str = "") -> None:
        super().__init__(f"{said}{result}")
        self.result, self._said = result, said

    def __reduce__(self) -> tuple[type[GradientError], tuple[Result, str]]:
        return type(self), (self.result, self._said)


@dataclass(frozen=True, repr=False)
class Result:
    """What is known of a gradient. It is true where it passed, and its text says why it did not.

    Attributes:
        parts: One for each differentiated argument (forward: each result) and point that was tried, and one
            for each value.
        faults: What is wrong apart from size.
        notes: What is worth saying and not wrong.
        subject: What was checked, in words.
        seed: What seeded the cotangent.
        allowed: The budget of lost bits, by dtype.
        time_ratio: How many times as long as the function its derivative takes, with the ends of a 99 %
            interval; None where nobody asked for times.
        sights: What each point was judged by, as `to_html` and `plot` show it; pickling leaves it out.
        finding: What `search=` found, with a `line` and a `test` to paste; None where nobody searched.
    """

    parts: tuple[Part, ...]
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    subject: str = "the gradient"
    seed: int = 0
    allowed: Allowed = Fixed(math.nan)
    time_ratio: tuple[float, float, float] | None = None
    sights: tuple[Any, ...] = field(default=(), compare=False)
    finding: Any = field(default=None, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "sights": (), "finding": None}

    @property
    def verdict(self) -> Verdict:
        """The worst over all arguments and points; "" where nothing was compared."""
        return self._worst.verdict

    @property
    def passed(self) -> bool:
        """Whether the gradient is right everywhere, keeps its digits, and behaves, or is excused."""
        judged = [part for part in self._deciding if part.verdict is not Verdict.NONE]
        return bool(judged) and all(part.passes for part in judged) and not self.faults

    @property
    def excused(self) -> tuple[Part, ...]:
        """What is not right and passes with a warning, as each part's `excuse` says."""
        return tuple(part for part in self._deciding if part.excuse)

    def __bool__(self) -> bool:
        """Whether it passed, so that `assert check_gradient(...)` fails where the gradient is not right."""
        return self.passed

    @property
    def is_examined(self) -> bool:
        """Whether the formula was looked into; otherwise the numbers alone decided."""
        return all(part.examined for part in self.parts)

    @property
    def is_empty(self) -> bool:
        """Whether no gradient has an element, so that there is nothing to compare, and nothing wrong."""
        return bool(self.parts) and not self.faults and all(0 in part.shape for part in self.parts)

    @property
    def is_near(self) -> bool:
        """Whether all that is wrong is so by little, where the forward iterates, and may approximate."""
        found = [p for p in self.parts if p.verdict is Verdict.WRONG and not p.remark]
        return bool(found) and all(p.near for p in found)

    @property
    def is_slight(self) -> bool:
        """Whether what is miscomputed is outside its bound and no more: examined, and within the budget."""
        found = [p for p in self.parts if p.verdict is Verdict.MISCOMPUTED and not p.remark]
        return bool(found) and all(
            p.examined
            and p.judgement is not None
            and p.judgement.reason == OUTSIDE
            and p.judgement.bits_lost <= self.allowed(p.judgement.narrowest or p.dtype)
            for p in found
        )

    @property
    def probed(self) -> tuple[Part, ...]:
        """What the probes found: a right gradient that is not right as some callers use it."""
        return tuple(part for part in self.parts if part.probe)

    @property
    def worst(self) -> Judgement | None:
        """The worst element, in numbers; None where none were compared."""
        return self._worst.judgement

    @property
    def diagnosis(self) -> str:
        """Why it fails, in words."""
        return "; ".join(filter(None, (*self.faults, self._worst.diagnosis)))

    @property
    def value(self) -> Part | None:
        """What is known of the function's own value: the worst of its results; None where it was not run."""
        return min((part for part in self.parts if part.of_value), key=_badness, default=None)

    @cached_property
    def _shown(self) -> list[Part]:
        """The gradients, and the values that fail."""
        return [part for part in self.parts if not part.of_value or _fails(part)]

    @cached_property
    def _deciding(self) -> list[Part]:
        nothing = [Part("", "", Verdict.NONE, None, "")]
        return [p for p in self._shown if not p.remark] or self._shown or list(self.parts) or nothing

    @cached_property
    def _worst(self) -> Part:
        return min(self._deciding, key=_badness)

    @property
    def rows(self) -> pd.DataFrame:
        """A table with a row for each gradient, and for each value that fails.

        Of text are `input` (the point), `argument`, `verdict`, `where` (the worst element), `true_digits`
        (twenty digits of what is true there), `dtype`, `blame` and `diagnosis`; `shape` is a tuple. Numbers
        are of the worst element: `bits_lost` in bits, `error_ulp`, `attainable_ulp` and `bound_ulp` in ulps
        of what is true, `computed` and `true` as float64; None where nothing was compared.
        """
        import pandas as pd

        rows = []
        for part in self._shown:
            j = part.judgement
            numbers = {name: getattr(j, name, None) for name in COLUMNS if hasattr(Judgement, name)}
            told: dict[str, Any] = {"input": part.input, "argument": part.name, "verdict": part.verdict.value}
            told |= dict(zip(("dtype", "shape"), _kind(part), strict=True))
            told["diagnosis"] = "; ".join(filter(None, (*self.faults, part.diagnosis)))
            told |= {"blame": str(part.blame or "")}
            rows.append({**dict.fromkeys(COLUMNS), **numbers, **told})
        return pd.DataFrame(rows, columns=COLUMNS)

    def explain(self) -> str:
        """What the verdict means, with an example and what to do."""
        said = [f"  {line}" for line in self.verdict.entry if line]
        return "\n".join([str(self), f"{self.verdict.value or 'no verdict'}:", *said])

    def __repr__(self) -> str:
        """In one line: what was checked, the verdict, and whether it passed."""
        passed = "passed" if self.passed else "not passed"
        where = self.worst.where if self.worst and not self.passed else ""
        said = f"{self.verdict.value or 'nothing compared'}{f' at {where}' if where else ''}, {passed}"
        return f"<Result of {self.subject}: {said}>"

    def __str__(self) -> str:
        """Why, the worst part first, each with its worst elements; or all that is right, a line for each."""
        shown = [part for part in sorted(self._shown, key=_badness) if part.verdict not in RIGHT]
        shown = [part for part in shown if not part.remark]
        first, *others = shown or [self._worst]
        lines = [*self._of_part(first, self.faults)]
        for before, part in zip(shown, others[: MOST_SHOWN - 1], strict=False):
            lines += self._of_part(part, again=part.diagnosis == before.diagnosis)
        hidden = len(shown) - MOST_SHOWN
        lines += [f"and {hidden} more"] if hidden > 0 else []
        lines += [] if shown else [self._in_a_line(part) for part in self._each_argument if part is not first]
        remarks = [part.diagnosis for part in self._shown if part.remark and part.of_value]
        lines += [f"  {_unless_said(text, shown)}" for text in (*self.notes, *remarks)]
        lines += [f"{AGAIN}{self.finding.line}"] if self.finding and self.finding.line else []
        return "\n".join(lines)

    @property
    def _each_argument(self) -> list[Part]:
        """The worst point of each argument, in their order."""
        parts = [part for part in self._deciding if not part.of_value and part.verdict in RIGHT]
        names = dict.fromkeys(part.name for part in parts)
        return [min((part for part in parts if part.name == name), key=_badness) for name in names]

    def _title(self, part: Part) -> str:
        """What was checked, and the verdict."""
        point = "" if part.input == "given" else part.input
        kind = [*map(str, _kind(part))] if part.dtype else []
        about = ", ".join([*kind, f"seed {self.seed}", *([point] if point else [])])
        name = f"{self.subject}/{part.name}" if part.name else self.subject
        faulty = ", but the check fails" if self.faults and part.verdict in RIGHT else ""
        return f"{name} [{about}]: {part.verdict.value or 'nothing compared'}{faulty}"

    def _in_a_line(self, part: Part) -> str:
        j = part.judgement
        lost = ""
        if j is not None and j.true_digits:
            digits = format_of(j.narrowest or part.dtype).digits
            lost = f", {j.bits_lost:.1f} of {digits} bits lost"
            lost = f": {NO_DIGIT}" if is_no_digit(j.computed, j.true_digits) else lost
        return f"{self._title(part)}{lost}{f'; {part.diagnosis}' if part.diagnosis else ''}"

    def _of_part(self, part: Part, faults: tuple[str, ...] = (), again: bool = False) -> list[str]:
        """Why, unless that was just said (`again`), the worst element and others, whose fault it is."""
        reasons, elements = [*faults, *([] if again else [part.diagnosis])], []
        j = part.judgement
        if j is not None:
            elements += [self._element(j, part.name, part.dtype)] if j.true_digits else []
            shown = format_of(part.dtype).shortest
            elements += [
                f"next {_place(part, e.at)}: computed {shown(e.computed)}, true {e.true_digits}"
                + ("" if is_no_digit(e.computed, e.true_digits) else f" ({_off(e)})")
                for e in (
                    j.more[:MOST_NEXT] if part.verdict.standing is Standing.FAULTY and not part.excuse else ()
                )
            ]
        whose = part.blame.why if part.blame else ""
        excuse = f"it passes with this warning: {part.excuse}" if part.excuse else ""
        said = filter(None, [*reasons, *elements, whose, excuse])
        lines = [*said] or (["as above"] if again else [])
        return [self._title(part), *(f"  {text}" for text in lines)]

    def _element(self, j: Judgement, name: str, dtype: str) -> str:
        bound = None if math.isnan(j.bound_ulp) else j.bound_ulp
        limits = {"attainable": j.attainable_ulp, "program bound": bound}
        at = place_of(ComplexName("") if isinstance(name, ComplexName) else "", j.element)
        budget = self.allowed(j.narrowest or dtype)
        return worst_element(
            at, j.computed, j.true_digits.strip("?"), dtype, j.error_ulp, limits, j.bits_lost, budget,
            j.narrowest,
        )  # fmt: skip

    def to_html(self, command: str = "") -> str:
        """One self-contained page: the error over the input, the tensor, the source with its shares.

        It evaluates the gradient at some 200 other numbers, which takes seconds.

        Args:
            command: What shows all this again; the page names it.

        Raises:
            MissingLibrary: A library of the extra `html` is not installed; the message says what to install.
        """
        from harness.page.document import page
        from harness.page.of_result import document

        return page(document(self, command))

    def plot(self, what: str = "input", argument: str = "") -> Any:
        """A chart of the worst gradient at the given point, as Altair's `Chart`: `.save("x.svg")` writes it.

        Args:
            what: "input": the error over all numbers of one input, for which the gradient is evaluated at
                some 200 of them; "tensor": the bits lost in each element; "points": the error at each point.
            argument: Whose gradient; of the worst one if not given.

        Raises:
            MissingLibrary: A library of the extra `html` is not installed; the message says what to install.
            ValueError: There is no such chart, or nothing to draw it from.
        """
        from harness.page.plot import plot

        return plot(self, what, argument)

    def _repr_html_(self) -> str:
        """For notebooks: the page of the worst row, compactly; without the extra `html` the table."""
        from harness.page.library import MissingLibrary

        try:
            from harness.page.notebook import card

            return card(self, str(self))
        except MissingLibrary:
            return self._table()

    def _table(self) -> str:
        """The verdict, the table, and the text of what fails."""
        color = css((self.verdict if self.passed or not self.verdict.right else Outcome.FAIL).style)
        title = html.escape(f"{self.subject}: {self.verdict.value or 'nothing compared'}")
        text = "" if self.passed and not self.notes else f"<pre>{html.escape(str(self))}</pre>"
        return f'<b style="color:{color}">{title}</b>{self.rows.to_html(index=False)}{text}'


def _kind(part: Part) -> tuple[str, tuple[int, ...]]:
    """Its dtype and shape, as the user's arrays have them."""
    if isinstance(part.name, ComplexName) and part.shape:
        return OF_PARTS[part.dtype], part.shape[:-1]
    return part.dtype, part.shape


def _off(e: Element) -> str:
    return f"{e.error_ulp:.3g} ulp off, {e.bits_lost:.1f} bits lost"


def _place(part: Part, at: tuple[int, ...]) -> str:
    """Which element, without the name; of complex numbers which part of it."""
    return place_of(ComplexName(""), at) if isinstance(part.name, ComplexName) else str(list(at))


def _unless_said(note: str, shown: Sequence[Part]) -> str:
    """A note; without its reason where a diagnosis has told that."""
    said, _, reason = note.partition(": ")
    return said if reason and any(reason in part.diagnosis for part in shown) else note


def _fails(part: Part) -> bool:
    return not part.verdict.right and not (part.remark and part.verdict is Verdict.UNDECIDED)


def _badness(part: Part) -> tuple[int, int, float]:
    """The worst part is least: what fails, what is excused, what is right."""
    lost = part.judgement.bits_lost if part.judgement else None
    lenience = 2 if part.verdict.right or part.verdict is Verdict.NONE else int(part.passes)
    return lenience, *badness_key(part.verdict, lost)
