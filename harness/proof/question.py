"""A question, what it is asked of, and the answer at one point."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Protocol, Self

from harness.proof.evidence import Allowed, budget
from harness.proof.judge import Judgement
from harness.proof.materiality import Resolution
from harness.proof.observe import Loaded
from harness.selection import near_matches
from harness.subject.derivative import FORWARD, GRADIENT, Array, Derivative
from harness.subject.tested import Programs
from harness.verdicts import Verdict
from oracles.exact.enclose.limits import Limits
from oracles.exact.program.program import Origin
from oracles.exact.program.recording import Recording
from oracles.exact.program.trees import Fixed
from oracles.exact_oracle import LIMITS
from oracles.frameworks.calls import Mend, Watched
from oracles.frameworks.framework import Subject


class ValueRule(Enum):
    """What is asked of the value that a subject gives beside its derivative."""

    NOTED = "noted"  # another function's is wrong; what its rounding does not explain is said, no more
    COUNTS = "counts"  # what its rounding does not explain fails the question too
    NEAR = "near"  # it is near the specification's, which it may approximate (`spec=`)
    FREE = "free"  # it is another function's than the specification's on purpose (`surrogate=`)


class Probe(StrEnum):
    """What real callers do with a gradient, beside running it once.

    Attributes:
        words: What was done, in words.
    """

    words: str
    __hash__ = str.__hash__  # Enum's own is Python code

    def __new__(cls, name: str, words: str) -> Self:
        """A member with its words; its value is the name alone."""
        made = str.__new__(cls, name)
        made._value_, made.words = name, words
        return made

    ONES = "ones", "along a cotangent of ones, as the gradient of a sum is"
    ZEROS = "zeros", "along a cotangent with zeros, as a masked loss gives it"
    CONSTANT = "constant", "along a cotangent of -0.5 everywhere, as the gradient of a mean is one number"
    EXPANDED = "expanded", "along an expanded cotangent, as sum().backward() gives it"
    STRIDED = "strided", "along a cotangent with gaps in memory"
    TRANSPOSED = "transposed", "along a transposed cotangent"
    PADDED = "padded", "along a part of a larger cotangent, as cat's gradient gives it"
    SCALED_UP = "scaled-up", "along a large cotangent"
    SCALED_DOWN = "scaled-down", "along a tiny cotangent"
    ONE_OUTPUT = "one-output", "along a cotangent of one result alone"
    ONE_ARGUMENT = "one-argument", "differentiated in one argument alone"
    TWICE = "twice", "pulled back twice on one graph"
    TWO_GRAPHS = "two-graphs", "with two graphs alive, after the forward ran at another point"
    REUSED = "reused", "where it was used before, at another point"
    KEPT = "kept", "the first result, after later calls"
    BESIDE = (
        "beside",
        "at a point beside the given one, where a derivative is 0 in every element, an argument 0, 1 or 0.5, "
        "or its numbers come from elsewhere",
    )

    @classmethod
    def chosen(cls, asked: bool | Iterable[str]) -> tuple[Self, ...]:
        """All, none, or those of these names.

        Raises:
            ValueError: There is no probe of a name.
        """
        if isinstance(asked, bool):
            return tuple(cls) if asked else ()
        if isinstance(asked, str):
            raise ValueError(
                f"probes must be True, False or a list of names, got {asked!r}: write [{asked!r}]"
            )
        names = list(asked) if isinstance(asked, list | tuple | set | frozenset) else [asked]
        unknown = [name for name in names if name not in list(cls)]
        if unknown:
            if not isinstance(unknown[0], str):
                raise ValueError(f"probes must be True, False or a list of names, got {unknown[0]!r}")
            raise ValueError(f"probes: no {unknown[0]!r}; {near_matches(unknown[0], list(cls))}")
        return tuple(probe for probe in cls if probe in names)


class UnderTest(Protocol):
    """A derivative under test: how it runs, and what program that is. Users' and oracles' answer alike."""

    @property
    def home(self) -> Origin | None:
        """Where the rule that a person wrote begins; None where nobody wrote one, or it is no Python."""

    @property
    def rounding(self) -> str:
        """The rounding model's name."""

    def subject(self) -> Subject:
        """What runs it."""

    def record(self, directions: tuple[Array, ...], inputs: Sequence[Array], alone: bool) -> Programs:
        """Its programs; `alone`: of copies of the inputs, since it writes into them.

        Raises:
            Unsupported, Undecided: It cannot be recorded.
        """

    def watch(self, directions: tuple[Array, ...], inputs: Sequence[Array], mend: Mend) -> Watched:
        """Run it, and see which functions of the libraries it calls; `mend` may give other numbers for some.

        Raises:
            Unsupported: What it calls cannot be seen.
        """


@dataclass(frozen=True, slots=True)
class Blame:
    """Whose fault it is that a gradient is not right.

    Attributes:
        owner: "yours", or the library: "torch", "jax", "numpy", "scipy". It is wholly the library's then.
        operation: The library's function, and the line that calls it; None where it is yours.
        report: Where that is reported; "" if nothing is known here.
    """

    owner: str
    operation: Origin | None = None
    report: str = ""

    @property
    def is_yours(self) -> bool:
        """Whether no library is to be blamed."""
        return self.owner == "yours"

    @property
    def why(self) -> str:
        """In a sentence; "" where it is yours."""
        if self.is_yours:
            return ""
        known = f"; reported: {self.report}" if self.report else ""
        return (
            f"this is {self.owner}'s fault: {self.operation} is not right on these operands by itself "
            f"either, and with it rounded correctly this gradient is right{known}"
        )

    def __str__(self) -> str:
        known = f" ({self.report})" if self.report else ""
        return f"{self.owner}: {self.operation}{known}" if self.operation else self.owner


@dataclass(frozen=True, slots=True)
class Question:
    """Which derivative of which function; the same at every point.

    Attributes:
        specify: Records the function whose derivative is the truth, at these arrays.
        names: The arrays' names.
        active: Which of them are differentiated.
        results: The names of what the function returns.
        derivative: Which derivative.
        cotangent: What it is contracted with, as the user gave it; None if it is to be drawn.
        seed: Seeds what is not given.
        limits: Of the exact evaluations.
        allowed: The budget of lost bits, by dtype.
        value: What is asked of the function's own value.
        linear: Whether the gradient is a linear function of the cotangent.
        custom: Whether a person wrote the rule, so that it may know better than an iterated forward.
        value_dtype: What the value must be in; "" where that is the subject's business.
        thorough: Whether the subject is run again, and along scaled cotangents.
        probes: What else is done with a derivative that is right; instead of `thorough`, whose share it has.
        resolution: How small a difference from the truth's formula counts.
        digits: Whether the truth is proven to thirty digits, and not to as many as a verdict needs.
        blames: Whether it is asked whose fault a gradient is that is not right.
        follows: Whether that moves which custom functions give a gradient, and which was computed where
            nothing moves.
    """

    specify: Callable[[Sequence[Array]], Recording]
    names: tuple[str, ...]
    active: tuple[int, ...]
    results: tuple[str, ...] = ("",)
    derivative: Derivative = GRADIENT
    cotangent: Any = None
    seed: int = 0
    limits: Limits = LIMITS
    allowed: Allowed = budget
    value: ValueRule = ValueRule.NOTED
    linear: bool = True
    custom: bool = True
    value_dtype: str = ""
    thorough: bool = True
    probes: tuple[Probe, ...] = ()
    resolution: Resolution = Resolution.FORMAT
    digits: bool = False
    blames: bool = True
    follows: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the truth is the function's own, and no other was named (spec=, surrogate=)."""
        return self.value in {ValueRule.NOTED, ValueRule.COUNTS}

    @property
    def directions(self) -> tuple[str, ...]:
        """The names of what the derivatives inside the last one are contracted with."""
        arguments = [type(name)(f" of {name}") for name in map(self.names.__getitem__, self.active)]
        outputs, found = [*self.results], list[str]()
        for level, step in enumerate(self.derivative.steps[:-1]):
            kind = "direction" if level else "tangent" if step == FORWARD else "cotangent"
            found += [type(of)(f"{kind}{of}") for of in (arguments if step == FORWARD else outputs)]
            outputs = outputs if step == FORWARD else arguments
        return tuple(found)

    def given(self, argument: Sequence[int], before: int = 0, but: int | None = None) -> dict[int, str]:
        """The inputs of a program that are given and not differentiated, by number, with their names.

        Args:
            argument: For each input, which argument of the recorded function it is of.
            before: How many arguments the recorded function has before the arrays.
            but: The only argument that is differentiated, if not all are that were asked about.
        """
        held = set(range(len(self.names))) - (set(self.active) if but is None else {but})
        return {i: self.names[a - before] for i, a in enumerate(argument) if a - before in held}


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of one differentiated argument (forward: of one result), or of the value, at one point.

    Attributes:
        input: Which point: "given", or what was tried beside it.
        name: The argument; "value" for the function's own value, which is `of_value`.
        verdict: On its gradient; "" where nothing was compared.
        judgement: The worst element, None where no numbers were compared.
        diagnosis: Why, in words.
        dtype, shape: Of the gradient.
        remark: Whether it says something without deciding: a value, where the question is about the gradient
            alone, or what is not proven beside the given point.
        probe: The probe that found it; "" where it is of the run that was asked for.
        examined: Whether the formula was looked into; otherwise the numbers alone decided.
        near: Whether it is wrong by little, where the forward iterates and may approximate what is meant.
        blame: Whose fault it is, where it is not right and that can be told.
        guilty: The operation in the user's code where it goes wrong, with its line, as far as that is known.
        negligible: Whether what is imprecise, at a point that was not asked for, is nothing beside its row.
        excuse: Why it passes with a warning, though it is not right; "" where it does not.
    """

    input: str
    name: str
    verdict: Verdict
    judgement: Judgement | None
    diagnosis: str
    dtype: str = ""
    shape: tuple[int, ...] = ()
    remark: bool = False
    of_value: bool = False
    probe: str = ""
    examined: bool = True
    near: bool = False
    blame: Blame | None = None
    guilty: Origin | None = None
    negligible: bool = False
    excuse: str = ""

    @property
    def passes(self) -> bool:
        """Whether it is right, or excused."""
        return self.verdict.right or bool(self.excuse)


@dataclass(frozen=True, slots=True)
class Answer:
    """All that was found at one point.

    Attributes:
        parts: One for each part of the derivative, and for the values.
        faults: What is wrong apart from size.
        notes: What is worth saying and not wrong.
        first_call_time_s: Of one value and derivative, set-up and compilation included; None if none ran.
        hidden: The parts that are 0 here, so that a wrong factor does not show, and not for any numbers.
        zero: The parts that are 0 here.
        hiding: The arguments that may hide a mistake at this point alone, arrays by number and numbers of
            Python's, each with what it is, in words.
        load: Loads what ran, to be run again; None where it is no gradient, or has faults.
        sight: What it was judged by (`answer.Sight`); None where nothing was compared.
    """

    parts: tuple[Part, ...]
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    first_call_time_s: float | None = None
    hidden: tuple[str, ...] = ()
    zero: tuple[str, ...] = ()
    hiding: Mapping[int | Fixed, str] = field(default_factory=dict)
    load: Callable[[], Loaded] | None = None
    sight: Any = None


Ask = Callable[[Question, UnderTest, Sequence[Array]], Answer]  # a question at a point
