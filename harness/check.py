"""The user's own gradient: one call, one verdict."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial, wraps
from typing import Any, Literal, ParamSpec

from harness.accepted import Upstream, accepted, known_findings, warn
from harness.answers import answer_beside, answers, without_numbers
from harness.asked import Asked
from harness.asking import question_of
from harness.directions import asks_in_directions, in_directions
from harness.inputs.points import away, opposite, points
from harness.proof.materiality import Resolution
from harness.proof.question import Answer, Question, UnderTest, ValueRule
from harness.result import GradientError, Result
from harness.subject import given
from harness.subject.by_hand import First, WithoutCotangent
from harness.subject.derivative import FORWARD, Derivative, Mode, Step
from harness.subject.given_numbers import with_given_numbers
from harness.subject.names import name_of, parameters_of
from harness.subject.operands import Opened, opened
from harness.subject.state import leaving_no_trace
from harness.subject.target import Target, target_of
from harness.subject.tested import under_test
from oracles.exact.core.blocks import in_threads
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact_oracle import LIMITS
from oracles.frameworks.framework import Name, differentiating

Function = Callable[..., Any]
P = ParamSpec("P")

# What a test of pytest has asked, by the name of the door: kept where its plugin takes them afterwards.
answered: list[tuple[str, Result]] = []
PLUGIN = "gradproof_pytest"


@given.known_keywords
@leaving_no_trace
@differentiating()
def check_gradient(
    f: Function,
    args: Sequence[Any],
    *,
    kwargs: Mapping[str, Any] | None = None,
    vjp: Function | None = None,
    residual_vjp: Function | None = None,
    grad: Function | None = None,
    spec: Function | None = None,
    surrogate: Function | None = None,
    argnums: int | Sequence[int] | None = None,
    cotangent: Any = None,
    mode: Mode | Sequence[Step] = "reverse",
    order: int = 1,
    seed: int = 0,
    bits_lost: float | None = None,
    seconds: float = LIMITS.seconds,
    framework: Name | None = None,
    jit: bool = False,
    boundary: bool | Sequence[str] = False,
    samples: int = 0,
    search: int = 0,
    probes: bool | Sequence[str] = True,
    resolution: Resolution | Literal["format", "exact"] = Resolution.FORMAT,
    upstream: Upstream | Literal["warn", "fail"] = Upstream.WARN,
    known: Any = None,
    threads: int | None = None,
) -> Result:
    """The verdict on the gradient of `f` at these arguments.

    Args:
        f: A function of NumPy arrays, JAX arrays or torch tensors, or a `torch.nn.Module`, whose parameters
            are then differentiated too. It returns an array, or a tree of them. Each run begins with the
            same random state, so that torch's dropout has one mask.
        args: Its arguments, of any shape, in float64, float32, float16, bfloat16, complex64 or complex128, or
            trees of them (lists, tuples, dictionaries, JAX's pytrees). Integers are constants, and so are
            Python's numbers, unless there is nothing else to differentiate, argnums names them, or a gradient
            by hand gives something for them; NumPy code gets numbers as numbers. What is on a device (CUDA,
            say) runs there, and the truth is computed on the host.
        kwargs: Keyword arguments; not differentiated.
        vjp: The gradient under test, `vjp(cotangent, *args, **kwargs)`: one per differentiated argument, or
            per argument (None for a constant), each in its structure; or a dictionary of arguments by name. A
            list of numbers is an array of one axis, and an array of one element the gradient of a number.
            Without it that of the framework: JAX's or torch's own, custom rules as they stand.
        residual_vjp: The same as kernels have it: `f` returns (result, residuals), and the gradients are
            `residual_vjp(residuals, cotangent)`.
        grad: The gradient under test without a cotangent, of a function that returns a single number:
            `grad(*args, **kwargs)` returns what a `vjp` along 1 would.
        spec: The function that f is meant to be, where f is an iteration, an approximation or an opaque
            kernel: its derivative is the truth. That f has its values is checked first. Of a module it is
            a module with the same parameters, or takes them first, as a dictionary.
        surrogate: The function whose gradient is meant to be f's, where that is deliberately another one.
        argnums: Which arguments are differentiated; all floating ones if not given.
        cotangent: In the structure of the result; seeded, random and signed if not given (1 for a number).
            Forward: the tangents, one per differentiated array. Of several derivatives: a list, the
            innermost first.
        mode: "reverse", "forward" (along tangents) or "forward-over-reverse"; or a tuple of steps, each
            reverse or forward, the innermost first.
        order: 1, 2 or 3: the gradient, the gradient of `<gradient, direction>`, and so on. From 2 on a rule
            by hand is differentiated in its cotangent too, as what goes on from its result needs it.
        seed: Seeds what is drawn.
        bits_lost: The budget of lost bits, at least 0; if not given, what `explain budget` says, 26 of
            float64's 53.
        seconds: The limit for the exact evaluations, above 0, counted in work: what a machine of 2025 does in
            them, at the least, so that a slow or busy one gives the same verdict.
        framework: "numpy", "jax" or "torch"; recognised from the arguments and the function if not given.
        jit: Whether JAX compiles the function and its gradient.
        boundary: True also tries zeros, ties, saturation, subnormal and huge numbers, other layouts, one
            element and none; a list of names, such as ["zeros", "ties"], those of `harness.inputs.corpus`.
            Where there is no derivative, that only informs.
        samples: How many more points to draw around the given one.
        search: How many inputs to ask in search of the worst, beginning with these arguments and the boundary
            values: other numbers, ties, shapes, layouts, cotangents. The result's `finding` has it, shrunk,
            with a line and a test to paste. What fails is kept in `.gradproof/search` for the next search.
        probes: What callers do with a gradient, done at the given point to one that is right there: True,
            False, or a list of names: cotangents of "ones", of a "constant" and with "zeros", "expanded",
            "strided", "transposed", "padded", "scaled-up" and "scaled-down" ones, "one-output" and
            "one-argument" alone, "twice" on one graph, "two-graphs" at once, "reused" after it ran elsewhere,
            the first result "kept" while others are computed, and a point "beside" one that hides mistakes: a
            derivative is 0 in every element, an argument is all 0 or 1 or is 0.5, or a rule by hand has its
            numbers from elsewhere.
        resolution: How small a difference between the formula and the derivative is `wrong`. "format": one
            that the dtype resolves, or float32 where that is finer, and that neither the last digit of a
            written number nor the rounding of data explains. "exact": any.
        upstream: What becomes of a gradient that loses digits in a function of the library alone, which is
            not your fault: "warn" lets it pass with an `UpstreamWarning`, "fail" does not.
        known: A finding that you accept with a reason and a link: a `Known`, a list of them, or the path of a
            TOML file. It passes with a warning; once it is not found any more, the check fails.
        threads: How many threads evaluate a large array, of about 20,000 elements and more, whose rows (or
            elements) know nothing of each other; one if not given. The verdict is the same.

    Returns:
        A `Result`: true where the gradient passed; its text says why it did not.

    Raises:
        ValueError: An argument of this function is not what it must be.
        ShapeError: A cotangent or a tangent has another shape than what it is of; a ValueError.
        TypeError: There is no such keyword; the message has the nearest ones.
        Exception: Whatever `f`, or a gradient by hand, raises at the given point.

    Warns:
        UpstreamWarning: What is not right passes all the same: a library's fault, or what `known` accepts.
    """
    asked = Asked.of(
        seed=seed, bits_lost=bits_lost, seconds=seconds, boundary=boundary, samples=samples, search=search,
        probes=probes, resolution=resolution, upstream=upstream, known=known,
    )  # fmt: skip
    derivative = Derivative.of(mode, order)
    given.function("f", f)
    by_hand = {"vjp": vjp, "residual_vjp": residual_vjp, "grad": grad}
    for name, function in {**by_hand, "spec": spec, "surrogate": surrogate}.items():
        if function is not None:
            given.function(name, function)
    if spec and surrogate:
        raise ValueError("spec and surrogate are both given; give only one")
    written = [name for name, function in by_hand.items() if function is not None]
    if len(written) > 1:
        raise ValueError(f"{' and '.join(written)} are both given; give only one")
    if written and derivative.steps[0] == FORWARD:
        raise ValueError(f"{written[0]} is checked in reverse mode, got mode={mode!r}: leave mode out")
    if grad and cotangent is not None:
        raise ValueError("grad and cotangent are both given; a gradient that takes one is passed as vjp=")
    count = None if threads is None else given.integer("threads", threads, 1)
    compiled = given.switch("jit", jit)
    keywords = given.mapping("kwargs", kwargs)
    subject = name_of(vjp or residual_vjp or grad or f)
    result = partial(Result, subject=subject, seed=asked.seed, allowed=asked.allowed)
    backward = vjp or residual_vjp or (WithoutCotangent(grad) if grad else None)
    try:
        function = First(f) if residual_vjp else f
        target = target_of(function, args, keywords, argnums, framework, backward is None)
        if grad and target.results.shapes != ((),):
            shapes = ", ".join(map(str, target.results.shapes))
            of_pair = len(target.results.shapes) == 2 and target.results.shapes[0] == ()
            raise ValueError(
                f"f must return a single number with grad=, got shape {shapes}: return a number (the sum of "
                "all is not taken), or pass vjp=, which takes a cotangent"
                + ("; or f=lambda *args: f(*args)[0], of a pair with the gradient" if of_pair else "")
            )
        if written:
            _refuse_misfit(written[0], by_hand[written[0]], f, args, keywords)
        if compiled and target.framework.name != "jax":
            raise ValueError(f"jit must be False where the arguments are {target.framework.name}'s, got True")
        if backward:
            again = partial(_target_again, function, keywords, framework)
            target = with_given_numbers(target, args, backward, again, argnums is not None)
        of_target = partial(under_test, derivative=derivative, backward=backward, compiled=compiled)
        tested = of_target(target)
    except (Unsupported, Undecided) as reason:
        return accepting(result((without_numbers(reason, "given"),)), known, asked.upstream)
    asked_of = partial(
        question_of, derivative=derivative, specification=spec or surrogate, cotangent=cotangent,
        seed=asked.seed, allowed=asked.allowed, limits=asked.limits,
        linear=grad is None or len(derivative.steps) > 1,
        value=ValueRule.NEAR if spec else ValueRule.FREE if surrogate else ValueRule.NOTED,
        probes=asked.probes, resolution=asked.resolution,
    )  # fmt: skip
    question = asked_of(target)
    others = boundary is not False or asked.samples
    beside = list(points(target, boundary, asked.samples, asked.seed)) if others else []

    def opening() -> Opened | None:
        again = partial(target_of, function, args, argnums=argnums, named=framework)

        def elsewhere() -> Sequence[Sequence[Any]]:
            return opposite(target).arrays, next(away(target, asked.seed))

        return opened(target, lambda own, around: again({**keywords, **own}, around=around), elsewhere)

    with in_threads(count):
        found = answers(
            question,
            tested,
            target,
            result,
            beside,
            lambda other: (asked_of(other), of_target(other)),
            None if backward or spec or surrogate else opening,
        )
        if asks_in_directions(found, target, derivative, backward):
            of_order = partial(under_test, target, backward=backward, compiled=compiled)
            found = in_directions(question, of_order, target, found, beside)
        if asked.search:
            from harness.search.paste import of_function

            told = {
                **by_hand, "spec": spec, "surrogate": surrogate, "argnums": argnums, "bits_lost": bits_lost,
                "mode": None if mode == "reverse" else mode,
                "order": None if order == 1 else order, "seed": asked.seed or None, "jit": compiled or None,
            }  # fmt: skip
            options = {name: value for name, value in told.items() if value is not None}
            found = searching(
                found, question, tested, target, asked.search, partial(of_function, f, target, options)
            )
        if not backward and argnums is None:  # last: what it leaves behind in a buffer moves no answer
            found = replace(found, notes=(*found.notes, *target.told_of_held()))
        return accepting(found, known, asked.upstream)


def _refuse_misfit(
    name: str, backward: Any, f: Function, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> None:
    """Say so where a gradient by hand has no place for the cotangent, or one too many.

    Raises:
        ValueError: It is so, and without it, or with it, it could be called.
    """
    ways = {"vjp": (None, *args), "grad": tuple(args)}
    if name not in ways or _takes(backward, ways[name], kwargs):
        return
    given, own = ", ".join(parameters_of(f)[: len(args)]), ", ".join(parameters_of(backward))
    if name == "vjp" and _takes(backward, ways["grad"], kwargs):
        raise ValueError(
            f"vjp is called as {name_of(backward)}(cotangent, {given}), and it takes ({own}); a gradient "
            "that takes no cotangent, of a function that returns a single number, is grad="
        )
    if name == "grad" and _takes(backward, ways["vjp"], kwargs):
        raise ValueError(
            f"grad is called as {name_of(backward)}({given}), and it takes ({own}): a gradient that takes a "
            "cotangent is vjp="
        )


def _takes(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a function can be called so, as far as it tells; yes of one that does not."""
    try:
        signature = inspect.signature(function, follow_wrapped=False)  # it is called itself
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        return False
    return True


def _target_again(
    f: Function,
    kwargs: Mapping[str, Any],
    framework: Name | None,
    args: Sequence[Any],
    argnums: Sequence[int],
) -> Target:
    """The target of other arguments, with a gradient by hand."""
    return target_of(f, args, kwargs, argnums, framework, trained=False)


def searching(
    found: Result,
    question: Question,
    tested: UnderTest,
    target: Target,
    count: int,
    code: Callable[..., Any],
    **about: Any,
) -> Result:
    """The same with the worst of so many inputs; `code` writes the check of one, `about` what may change."""
    from harness.search.database import FOLDER, place
    from harness.search.search import FOUND, Searched
    from harness.search.search import search as searched

    def ask(own: Question, point: Any) -> Answer:
        along = own if point.cotangent is None else replace(own, cotangent=list(point.cotangent))
        return answer_beside(along, tested, point.arrays, FOUND)

    whole = Searched(question, tested, target, ask, question.seed, **about)
    finding = searched(whole, count, code, place(FOLDER, found.subject, target.arrays))
    own = finding.answer or Answer(())
    return replace(
        found,
        parts=(*found.parts, *own.parts),
        faults=tuple(dict.fromkeys([*found.faults, *own.faults])),
        notes=tuple(dict.fromkeys([*found.notes, *own.notes, *finding.notes])),
        sights=(*found.sights, *([own.sight] if own.sight else [])),
        finding=finding,
    )


def accepting(found: Result, known: Any, upstream: Upstream, door: str = "check_gradient") -> Result:
    """The same with what passes all the same, of which the user is warned. `door` is what the user called.

    Raises:
        ValueError: `known` is not what it must be.
    """
    findings = known_findings(known, found.subject, [part.dtype for part in found.parts])
    parts, stale = accepted(found.parts, findings, upstream)
    found = replace(found, parts=parts, faults=(*found.faults, *stale))
    if found.excused and found.passed:
        warn(str(found))
    if is_in_test():
        answered.append((door, found))
    return found


def is_in_test() -> bool:
    """Whether a test runs, whose plugin takes what is kept; it may have cleared the environment."""
    return bool(getattr(sys.modules.get(PLUGIN), "running", ()))


def asserting(check: Callable[P, Result]) -> Callable[P, Result]:
    """The same check, which raises `GradientError` where it does not pass."""

    @wraps(check)
    def raising(*args: P.args, **kwargs: P.kwargs) -> Result:
        __tracebackhide__ = True
        result = check(*args, **kwargs)
        if not result.passed:
            raise GradientError(result)
        return result

    return raising


assert_gradient = asserting(check_gradient)
assert_gradient.__name__ = assert_gradient.__qualname__ = "assert_gradient"
assert_gradient.__doc__ = """Check the gradient of `f`, and raise if it is not right.

    It takes what `check_gradient` takes, and returns its result.

    Raises:
        GradientError: The gradient is not right; an AssertionError whose text is the failure.
        ValueError: As `check_gradient`.
    """
