"""`check_grads`, `check_jvp` and `check_vjp` of `jax.test_util`, answered by proofs.

Signatures and errors are the originals'; atol, rtol and eps are accepted. The original runs first, exactly
as it was called; what the proofs run besides leaves no trace. Where the original fails, it runs once more
with a tolerance that anything meets: it raises then for structures and dtypes that do not match.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from harness.check import check_gradient
from harness.dropin.configuration import note_unused, settings
from harness.dropin.decide import Answer, answer_of, decide
from harness.dropin.held import as_differences_see
from harness.dropin.originals import LOOSE, calling_originals, is_inside, original, outcome
from harness.dropin.proofs import probes_of, unheard
from harness.result import GradientError, Result
from harness.subject.derivative import FORWARD, MAX_ORDER, REVERSE
from harness.subject.state import unchanged
from oracles.exact.program.errors import Undecided

STEPS = {"fwd": FORWARD, "rev": REVERSE}
USUAL = {"atol": None, "rtol": None}
Function = Callable[..., Any]


def check_grads(
    f: Function,
    args: Any,
    order: int,
    modes: Any = ("fwd", "rev"),
    atol: Any = None,
    rtol: Any = None,
    eps: float | None = None,
) -> None:
    """Check the derivatives of `f` up to an order: as `jax.test_util.check_grads`, but proven.

    Every mixture of the modes up to that order is a question of its own. "lin" and orders above three are the
    original's.

    Args:
        f: A function of JAX's arrays.
        args: Its arguments, floating or complex arrays, or trees of them.
        order: Up to which order, 1 to 3.
        modes: "fwd", "rev", or both.
        atol, rtol, eps: Accepted for the original, which runs first; a proof needs none of them.

    Raises:
        AssertionError: A derivative is wrong.

    Warns:
        GradientWarning: A derivative loses digits, or a probe found something; or nothing could be proven.
    """
    original_one = partial(original("check_grads"), f, args, order, modes)
    given = {"atol": atol, "rtol": rtol, "eps": eps}
    mixtures = _mixtures(order, modes)
    if not mixtures:
        with calling_originals():
            return original_one(**given)  # type: ignore[no-any-return]
    return _decided("check_grads", (f,), args, partial(_asked, f, args, mixtures), original_one, given)


def _mixtures(order: Any, modes: Any) -> list[tuple[Any, ...]]:
    """The mixtures of modes that the original asks; none where it is asked alone, or these are none."""
    with suppress(TypeError):
        named = (modes,) if isinstance(modes, str) else tuple(modes)
        steps = [STEPS[m] for m in STEPS if m in named]
        if "lin" not in named and not order > MAX_ORDER:
            orders = [n for n in range(1, MAX_ORDER + 1) if n == 1 or order > n - 1]  # 1.5 is 2, and 0 is 1
            return [mixture for n in orders for mixture in product(steps, repeat=n)]
    return []


def check_vjp(
    f: Function,
    f_vjp: Function,
    args: Any,
    atol: Any = None,
    rtol: Any = None,
    eps: float = 1e-4,
    err_msg: str = "",
) -> None:
    """Check `f_vjp(*args)`, which gives (value, pullback): as `jax.test_util.check_vjp`, but proven.

    Args:
        f, args: As for `check_grads`.
        f_vjp: The rule: `f_vjp(*args)` gives the value and the pullback.
        atol, rtol, eps: Accepted for the original, which runs first; a proof needs none of them.
        err_msg: What the original's error begins with.

    Raises:
        AssertionError: The pullback is wrong.

    Warns:
        GradientWarning: A derivative loses digits, or a probe found something; or nothing could be proven.
    """
    original_one = partial(original("check_vjp"), f, f_vjp, args, err_msg=err_msg)
    from oracles.frameworks.in_jax import with_reverse_rule

    ruled, given = with_reverse_rule(f, f_vjp), {"atol": atol, "rtol": rtol, "eps": eps}
    asked = partial(_asked, ruled, args, [(REVERSE,)])
    return _decided("check_vjp", (f, f_vjp), args, asked, original_one, given)


def check_jvp(
    f: Function,
    f_jvp: Function,
    args: Any,
    atol: Any = None,
    rtol: Any = None,
    eps: float = 1e-4,
    err_msg: str = "",
) -> None:
    """Check `f_jvp(primals, tangents)`: as `jax.test_util.check_jvp`, but proven.

    Args:
        f, args: As for `check_grads`.
        f_jvp: The rule: `f_jvp(primals, tangents)` gives the value and its tangent.
        atol, rtol, eps: Accepted for the original, which runs first; a proof needs none of them.
        err_msg: What the original's error begins with.

    Raises:
        AssertionError: The tangents are wrong.

    Warns:
        GradientWarning: A derivative loses digits, or a probe found something; or nothing could be proven.
    """
    original_one = partial(original("check_jvp"), f, f_jvp, args, err_msg=err_msg)
    from oracles.frameworks.in_jax import with_forward_rule

    ruled, given = with_forward_rule(f, f_jvp), {"atol": atol, "rtol": rtol, "eps": eps}
    asked = partial(_asked, ruled, args, [(FORWARD,)])
    return _decided("check_jvp", (f, f_jvp), args, asked, original_one, given)


@dataclass(frozen=True)
class Asked:
    """A question.

    Attributes:
        ask: Gives its result, along cotangents or tangents if they are given.
        mode: Which derivative.
        of_floats: Asks the same where Python's floats move, too; None where there are none beside arrays.
    """

    ask: Callable[..., Result]
    mode: Any
    of_floats: Callable[..., Result] | None = None

    def whole(self) -> Result:
        """The result, of a derivative that the original accepts: first as it runs, with floats as they are.

        Where these move the function may need their numbers; then nothing is said of them.
        """
        found = self.ask()
        if self.of_floats and answer_of(found) is Answer.PASS:
            with suppress(Exception):  # of the function, or since there is no proof
                other = self.of_floats()
                return found if answer_of(other) is Answer.UNPROVEN else other
        return found

    def confirmed(self) -> list[Callable[[], Result]]:
        """What is asked of a derivative that the original rejects."""
        return [partial(_confirmed, ask) for ask in (self.ask, self.of_floats) if ask]

    def along_theirs(self, f: Function, args: Sequence[Any]) -> Result:
        """The result along the direction in which the original rejects a first derivative."""
        from oracles.frameworks.jax_directions import their_direction

        (mode,) = self.mode
        return (self.of_floats or self.ask)(cotangent=their_direction(f, args, mode == FORWARD))


def _confirmed(ask: Callable[[], Result]) -> Result:
    """The result, of a derivative that the original rejects."""
    found = ask()
    is_right = answer_of(found) is Answer.PASS and not found.is_empty
    return as_differences_see(found) if is_right else found


def _asked(f: Function, args: Sequence[Any], mixtures: Sequence[tuple[Any, ...]]) -> list[Asked]:
    """The questions of a function, one for each mixture of steps."""
    from oracles.frameworks.jax_directions import with_floats_as_arrays

    def ask(steps: tuple[Any, ...], given: Sequence[Any] = args, **others: Any) -> Result:
        return check_gradient(
            f, tuple(given), seed=settings.seed, framework="jax", mode=steps,
            probes=probes_of(steps), upstream="fail", **others,
        )  # fmt: skip

    moved = with_floats_as_arrays(args)
    return [
        Asked(partial(ask, steps), steps, None if moved is None else partial(ask, steps, moved))
        for steps in mixtures
    ]


def _decided(
    name: str,
    functions: Sequence[Function],
    args: Sequence[Any],
    questions_of: Callable[[], list[Asked]],
    original_one: Function,
    given: dict[str, Any],
) -> None:
    if is_inside():
        original_one(**given)
        return
    note_unused(given, USUAL)
    theirs = outcome(partial(original_one, **given))
    modes: list[Any] = []

    def fail(found: Result, number: int) -> None:
        said = theirs.words(AssertionError) or f"{_phrase(found, modes[number])}\n"
        raise GradientError(found, said)

    with unchanged(functions):
        if not theirs.passed:
            with unheard(), np.errstate(over="ignore"):  # it is infinite in float16
                loose = outcome(partial(original_one, **given | LOOSE))
            if not loose.passed:
                theirs.again()
        asked = questions_of()  # which reads the arguments: the original has seen them
        questions = [
            (one.mode, ask) for one in asked for ask in ([one.whole] if theirs.passed else one.confirmed())
        ]
        if not theirs.passed:
            first = [one for one in asked if len(one.mode) == 1]
            questions += [(one.mode, partial(one.along_theirs, functions[0], args)) for one in first]
            if any(line.endswith("primal") for line in str(theirs.raised).splitlines()):
                questions.append(((), _of_the_value))
        modes += [mode for mode, _ in questions]
        decide(name, [ask for _, ask in questions], theirs, fail)


def _of_the_value() -> Result:
    raise Undecided(
        "the original rejects the value that the rule gives, and that is not compared with a proof"
    )


def _phrase(found: Result, mode: tuple[str, ...]) -> str:
    """What the original calls that, of a derivative that it accepts: suites look for it."""
    forward = mode[-1] == FORWARD
    if all(part.of_value for part in found.parts if part.verdict is found.verdict):
        return "JVP primal" if forward else "VJP primal"
    return "JVP tangent" if forward else "VJP cotangent projection"
