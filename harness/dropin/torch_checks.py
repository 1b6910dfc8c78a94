"""`gradcheck` and `gradgradcheck` of `torch.autograd`, answered by proofs.

Signatures, results and errors are the originals'; eps, atol, rtol, fast_mode and masked are accepted. The
original runs first, exactly as it was called, so that a suite observes what it always does; what the proofs
run besides leaves no trace. Where the original fails, it runs once more with a tolerance that anything
meets: it raises then for what is no question of size.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from harness.check import check_gradient
from harness.dropin.made import (
    LOOSE,
    PROBES,
    Answer,
    answer_of,
    decide,
    is_inside,
    note_unused,
    original,
    outcome,
    settings,
    unheard,
)
from harness.result import Result
from harness.subject.derivative import FORWARD, REVERSE
from harness.subject.state import unchanged
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.patterns import is_sparse

USUAL = {"eps": 1e-6, "atol": 1e-5, "rtol": 1e-3}
Function = Callable[..., Any]


def gradcheck(
    func: Function,
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    **others: Any,
) -> bool:
    """Whether the gradients of `func` at these inputs are right: as `torch.autograd.gradcheck`, but proven.

    The inputs that require a gradient are differentiated.

    Raises:
        GradcheckError: A gradient is wrong, or what else the original checks is not as it should be.
    """
    given = {"eps": eps, "atol": atol, "rtol": rtol}
    options = {
        **others,
        "raise_exception": raise_exception,
        "check_forward_ad": check_forward_ad,
        "check_backward_ad": check_backward_ad,
    }
    asked = [REVERSE] * check_backward_ad + [FORWARD] * check_forward_ad
    return _decided("gradcheck", func, (inputs,), asked, {}, given, options)


def gradgradcheck(
    func: Function,
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    **others: Any,
) -> bool:
    """Whether the second derivatives are right: as `torch.autograd.gradgradcheck`, but proven.

    Raises:
        GradcheckError: A gradient is wrong, or what else the original checks is not as it should be.
    """
    given = {"eps": eps, "atol": atol, "rtol": rtol}
    options = {
        **others,
        "raise_exception": raise_exception,
        "check_fwd_over_rev": check_fwd_over_rev,
        "check_rev_over_rev": check_rev_over_rev,
    }
    asked = [(REVERSE, REVERSE)] * check_rev_over_rev + [(REVERSE, FORWARD)] * check_fwd_over_rev
    cotangent = {} if grad_outputs is None else {"cotangent": [grad_outputs, None]}
    return _decided("gradgradcheck", func, (inputs, grad_outputs), asked, cotangent, given, options)


def _decided(
    name: str,
    func: Function,
    args: Sequence[Any],
    asked: Sequence[Any],
    cotangent: dict[str, Any],
    given: dict[str, float],
    options: dict[str, Any],
) -> bool:
    checker, inputs, raises = original(name), args[0], options["raise_exception"]
    if is_inside():
        return bool(checker(func, *args, **given, **options))
    note_unused(given, USUAL)
    if options.get("check_forward_ad") or options.get("check_fwd_over_rev"):
        from oracles.frameworks.in_torch import load_forward_mode

        load_forward_mode()
    run = partial(checker, func, *args, **options)
    theirs = outcome(partial(run, **given))
    tensors = inputs if isinstance(inputs, tuple | list) else (inputs,)
    argnums = [k for k, one in enumerate(tensors) if getattr(one, "requires_grad", False)]

    def fail(found: Result, number: int) -> bool:
        if raises:
            error = importlib.import_module("torch.autograd.gradcheck").GradcheckError
            said = theirs.words(error) or _mismatch(found, argnums, asked[number])
            raise error(said + str(found))
        return False

    with unchanged((func, *tensors, *_hooks(tensors))):
        # What the original finds besides the size of a gradient.
        with unheard():
            loose = partial(run, **given | LOOSE | {"fast_mode": True})
            other = theirs if theirs.passed else outcome(loose)
        if not other.passed and other.raised is None:
            return False
        try:
            function = _differentiable(func, tensors)
        except Exception as raised:
            raise theirs.raised or raised from None
        if function is None:  # whether nothing depends on the inputs is seen by differences
            return bool(theirs.again())
        ask = partial(
            check_gradient, function, tuple(tensors), argnums=argnums, seed=settings.seed, framework="torch",
            probes=PROBES, upstream="fail", **cotangent,
        )  # fmt: skip
        questions: list[Callable[[], Result]] = [partial(ask, mode=mode) for mode in asked]
        if not options.get("masked") and any(is_sparse(tensors[k]) for k in argnums):
            questions = [_of_all_elements]
        if other.raised:
            known = _wrong(questions)
            if known is None:
                return bool(theirs.again())
            wrong, number = known
            questions, asked = [lambda: wrong], [asked[number]]
        return bool(decide(name, questions, theirs.again, fail))


def _of_all_elements() -> Result:
    raise Unsupported(
        "masked=False asks about elements that a sparse tensor does not store, too; "
        "masked=True about those that it stores"
    )


def _hooks(tensors: Sequence[Any]) -> list[Function]:
    """What runs where the gradients of these are computed."""
    return [hook for one in tensors for hook in (getattr(one, "_backward_hooks", None) or {}).values()]


def _wrong(questions: Sequence[Callable[[], Result]]) -> tuple[Result, int] | None:
    """The first result that fails, and its question's number; None if there is none, or nothing is known."""
    for number, question in enumerate(questions):
        try:
            with unheard():
                found = question()
        except Exception:
            return None
        if answer_of(replace(found, faults=())) is Answer.FAIL:
            return found, number
    return None


def _mismatch(found: Result, argnums: Sequence[int], mode: Any) -> str:
    """How the original begins, of a gradient that it accepts: suites look for it."""
    worst = found.worst
    if mode == FORWARD:
        output = worst.argument if worst else 0
        return f"Jacobian computed with forward mode mismatch for output {output} with respect to input 0,\n"
    if worst is None or worst.argument >= len(argnums):
        return ""
    return f"Jacobian mismatch for output 0 with respect to input {argnums[worst.argument]},\n"


def _differentiable(func: Function, tensors: Sequence[Any]) -> Function | None:
    """The function as the original takes it; None if no result has a gradient.

    Of several results those that have a gradient count; an input on which nothing depends has the gradient 0.
    """
    with unheard():
        found = func(*tensors)
    several = isinstance(found, tuple | list)
    places = [
        k for k, one in enumerate(found if several else [found]) if getattr(one, "requires_grad", False)
    ]
    if not places:
        return None

    from oracles.frameworks.in_torch import is_trained

    def differentiable(*args: Any) -> Any:
        for leaf in args:
            if getattr(leaf, "requires_grad", False):
                is_trained(leaf)
        results = func(*args)
        return tuple(results[k] for k in places) if several else results

    return differentiable
