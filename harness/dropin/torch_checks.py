"""`gradcheck` and `gradgradcheck` of `torch.autograd`, answered by proofs.

Signatures, results and errors are the originals'; eps, atol, rtol, fast_mode and masked are accepted. The
original runs first, exactly as it was called, so that a suite observes what it always does; what the proofs
run besides leaves no trace. Where the original fails, it runs once more with a tolerance that anything
meets: it raises then for what is no question of size.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.dropin.configuration import note_unused, settings
from harness.dropin.decide import decide
from harness.dropin.originals import LOOSE, is_inside, original, outcome
from harness.dropin.proofs import unheard
from harness.result import Result
from harness.subject.derivative import FORWARD, REVERSE
from harness.subject.state import unchanged
from harness.verdicts import RIGHT

if TYPE_CHECKING:
    from harness.dropin.torch_questions import Asked

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

    Args:
        func: A function of tensors.
        inputs: A tensor, or a tuple of them, in float64, float32, float16, bfloat16, complex64 or complex128;
            those that require a gradient are differentiated.
        eps, atol, rtol: Accepted for the original, which runs first; a proof needs none of them.
        raise_exception: Whether what is wrong raises; otherwise it gives False.
        check_forward_ad, check_backward_ad: Which modes are asked.
        others: Handed on to the original, which checks them: nondet_tol, check_batched_grad and the like.

    Raises:
        GradcheckError: A gradient is wrong, or what else the original checks is not as it should be.

    Warns:
        GradientWarning: A gradient loses digits, or a probe found something; or nothing could be proven.
    """
    given = {"eps": eps, "atol": atol, "rtol": rtol}
    options = {
        **others,
        "raise_exception": raise_exception,
        "check_forward_ad": check_forward_ad,
        "check_backward_ad": check_backward_ad,
    }
    modes = [REVERSE] * bool(check_backward_ad) + [FORWARD] * bool(check_forward_ad)
    return _decided("gradcheck", func, (inputs,), modes, given, options)


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

    The gradient is differentiated in the inputs and in `grad_outputs`.

    Args:
        func, inputs: As for `gradcheck`.
        grad_outputs: The cotangents; drawn, as the original draws them, if not given.
        eps, atol, rtol: Accepted for the original, which runs first; a proof needs none of them.
        raise_exception: As for `gradcheck`.
        check_fwd_over_rev, check_rev_over_rev: Which second derivatives are asked.
        others: Handed on to the original.

    Raises:
        GradcheckError: A gradient is wrong, or what else the original checks is not as it should be.

    Warns:
        GradientWarning: A gradient loses digits, or a probe found something; or nothing could be proven.
    """
    given = {"eps": eps, "atol": atol, "rtol": rtol}
    options = {
        **others,
        "raise_exception": raise_exception,
        "check_fwd_over_rev": check_fwd_over_rev,
        "check_rev_over_rev": check_rev_over_rev,
    }
    modes = [(REVERSE, REVERSE)] * bool(check_rev_over_rev)
    modes += [(REVERSE, FORWARD)] * bool(check_fwd_over_rev)
    return _decided("gradgradcheck", func, (inputs, grad_outputs), modes, given, options)


def _decided(
    name: str,
    func: Function,
    args: Sequence[Any],
    modes: Sequence[Any],
    given: dict[str, float],
    options: dict[str, Any],
) -> bool:
    checker, inputs, raises = original(name), args[0], options["raise_exception"]
    if is_inside():
        return bool(checker(func, *args, **given, **options))
    note_unused(given, USUAL)
    if options.get("check_forward_ad") or options.get("check_fwd_over_rev"):
        from oracles.frameworks.torch_derivatives import load_forward_mode

        load_forward_mode()
    run = partial(checker, func, *args, **options)
    theirs = outcome(partial(run, **given))
    tensors = inputs if isinstance(inputs, tuple | list) else (inputs,)
    asked: list[Asked] = []

    def fail(found: Result, number: int) -> bool:
        if raises:
            error = importlib.import_module("torch.autograd.gradcheck").GradcheckError
            said = theirs.words(error) or _mismatch(found, asked[number])
            raise error(said + str(found))
        return False

    with unchanged((func, *tensors, *_hooks(tensors))):
        # What the original finds besides the size of a gradient.
        with unheard():
            other = theirs if theirs.passed else outcome(partial(run, **given | LOOSE))
        if not other.passed and other.raised is None:
            return False
        from harness.dropin.torch_questions import differentiable, first_wrong, questions_of

        try:
            function = differentiable(func, tensors)
        except Exception as raised:
            raise theirs.raised or raised from None
        if function is None:  # whether nothing depends on the inputs is seen by differences
            return bool(theirs.again())
        masked, whole = (bool(options.get(option)) for option in ("masked", "fast_mode"))
        asked = questions_of(function, tensors, args[1:], modes, masked, not theirs.passed, settings.seed)
        if other.raised:
            known = first_wrong(asked)
            if known is None:
                return bool(theirs.again())
            asked = [known]
        questions = [one.ask if theirs.passed else partial(one.confirmed, whole) for one in asked]
        return bool(decide(name, questions, theirs, fail))


def _hooks(tensors: Sequence[Any]) -> list[Function]:
    """What runs where the gradients of these are computed."""
    return [hook for one in tensors for hook in (getattr(one, "_backward_hooks", None) or {}).values()]


def _mismatch(found: Result, asked: Asked) -> str:
    """How the original begins, of a gradient that it accepts: suites look for it.

    Not where its numbers are right, and it fails for what it does besides, as writing over its arguments.
    """
    if found.verdict in RIGHT:
        return ""
    worst, argnums = found.worst, asked.argnums
    if asked.mode == FORWARD:
        output = worst.argument if worst else 0
        return f"Jacobian computed with forward mode mismatch for output {output} with respect to input 0,\n"
    if worst is None or worst.argument >= len(argnums):
        return ""
    return f"Jacobian mismatch for output 0 with respect to input {argnums[worst.argument]},\n"
