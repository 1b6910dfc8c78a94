"""What is asked in the place of torch's checkers: which derivatives, of what, along what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial, update_wrapper
from typing import Any

import numpy as np

from harness.check import check_gradient
from harness.directions import in_arguments_alone
from harness.dropin.decide import Answer, answer_of
from harness.dropin.held import as_differences_see, digits_of
from harness.dropin.proofs import probes_of, unheard
from harness.result import Result
from harness.subject.derivative import FORWARD, REVERSE, signed
from harness.subject.names import name_of
from harness.verdicts import Standing
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.patterns import is_sparse
from oracles.frameworks.torch_gradients import Gradients, filled, on_host, several
from oracles.frameworks.torch_modules import is_trained
from oracles.frameworks.torch_pieces import add_up

ALL_ELEMENTS = (
    "masked=False asks about elements that a sparse tensor does not store, too; masked=True about those that "
    "it stores"
)
OF_FIRST = "the first derivative is another function's"
Function = Callable[..., Any]


@dataclass(frozen=True)
class Asked:
    """A question.

    Attributes:
        ask: Gives its result.
        mode: Which derivative.
        argnums: Which arguments are differentiated.
        add_up: Whether what was proven holds for the original's runs too, along whole directions or elements,
            in a format of so many bits.
    """

    ask: Callable[[], Result]
    mode: Any
    argnums: Sequence[int]
    add_up: Callable[[bool, int], bool] = lambda *_: False

    def confirmed(self, whole: bool) -> Result:
        """The result, of a gradient that the original rejects.

        Raises:
            Undecided: It is right along one direction, and that says nothing of the original's.
        """
        found = self.ask()
        if answer_of(found) is not Answer.PASS or found.is_empty:
            return found
        with unheard():
            holds = self.add_up(whole, digits_of(found))
        if not holds:
            raise Undecided("it is right along one direction, and not the sum of those along its pieces")
        return as_differences_see(found)


def questions_of(
    function: Function,
    inputs: Sequence[Any],
    cotangents: Sequence[Any],
    modes: Sequence[Any],
    masked: bool,
    rejected: bool,
    seed: int,
) -> list[Asked]:
    """The questions of a checker, or why there is none.

    Args:
        function: Its results have a gradient.
        inputs: Its inputs.
        cotangents: Those of `gradgradcheck`, or None if they are to be drawn; empty for `gradcheck`.
        modes: Which derivatives.
        masked: Whether elements that a sparse tensor does not store are left out.
        rejected: Whether the original rejects a gradient.
        seed: Seeds what is drawn.
    """
    try:
        if not masked and any(is_sparse(of) for of in inputs if moves(of)):
            raise Unsupported(ALL_ELEMENTS)
        if cotangents:
            return _of_second(function, inputs, cotangents[0], modes, seed)
        return _of_first(function, inputs, modes, rejected, seed)
    except Exception as problem:
        return [Asked(partial(_raise, problem), REVERSE, ())]


def first_wrong(asked: Sequence[Asked]) -> Asked | None:
    """The first question whose result fails, with that; None if there is none, or nothing is known."""
    for one in asked:
        try:
            with unheard():
                found = one.ask()
        except Exception:
            return None
        if answer_of(replace(found, faults=())) is Answer.FAIL:
            return replace(one, ask=partial(_same, found))
    return None


def _same(found: Result) -> Result:
    return found


def _raise(problem: Exception) -> Result:
    raise problem


def _of_first(
    function: Function, inputs: Sequence[Any], modes: Sequence[str], rejected: bool, seed: int
) -> list[Asked]:
    """The questions of `gradcheck`; of a gradient that is `rejected` they are along directions known here."""
    argnums = [k for k, one in enumerate(inputs) if moves(one)]
    rng = np.random.default_rng(seed)
    asked = []
    for mode in modes:
        ask = partial(_check, function, inputs, argnums, mode, seed=seed)
        own = Asked(ask, mode, argnums)
        if rejected:
            forward = mode == FORWARD
            with unheard():
                like = [inputs[k] for k in argnums] if forward else several(function(*inputs))
            along = [_drawn(of, rng) for of in like]
            holds = partial(add_up, function, inputs, argnums, along, forward)
            own = replace(own, ask=partial(ask, cotangent=list(map(on_host, along))), add_up=holds)
        asked.append(own)
    return asked


def _of_second(
    function: Function, inputs: Sequence[Any], cotangents: Any, modes: Sequence[Any], seed: int
) -> list[Asked]:
    """The questions of `gradgradcheck`: in the inputs, and in the cotangents that require a gradient.

    The gradient in a cotangent is the function's value. It is no second derivative, and is left out of what
    is contracted: a small second derivative would not show beside a large first one.
    """
    rng = np.random.default_rng(seed)
    if cotangents is None:
        with unheard():
            results = several(function(*inputs))
        cotangents = [_drawn(of, rng).requires_grad_() for of in results]
    gradients = Gradients(function, tuple(inputs), several(cotangents))
    arguments, count = gradients.arguments, len(inputs)
    argnums = [k for k, one in enumerate(arguments) if moves(one)]
    split = sum(map(moves, inputs))
    drawn = [_drawn(arguments[k], rng) for k in argnums]
    zeros = [0 * of for of in drawn]
    in_inputs, in_cotangents = [*drawn[:split], *zeros[split:]], [*zeros[:split], *drawn[split:]]
    along_these = list(map(on_host, gradients.cotangents))
    first = partial(_check, function, inputs, argnums[:split], REVERSE, seed=seed, cotangent=along_these)
    of_cotangents = {f"argument {k}" for k in range(count, len(arguments))}
    asked = []
    for mode in modes:
        forward = mode[-1] == FORWARD
        for along in [in_inputs, in_cotangents] if forward and drawn[split:] else [in_inputs]:
            ask = partial(
                _check, gradients.product, arguments, argnums, mode, seed=seed,
                cotangent=[None, list(map(on_host, along))],
            )  # fmt: skip
            if forward and along is in_inputs:
                ask = partial(_without, of_cotangents, ask)
            else:
                ask = partial(_second, None if forward else of_cotangents, ask, first)
            pieces = along if forward else along[:split]
            holds = partial(add_up, gradients, arguments, argnums, pieces, forward)
            asked.append(Asked(ask, mode, argnums, holds))
    return asked


def _without(names: set[str], ask: Callable[[], Result]) -> Result:
    """The result without the parts of these names: derivatives of the value, which are first ones."""
    found = ask()
    return replace(found, parts=tuple(part for part in found.parts if part.name not in names))


def _second(names: set[str] | None, ask: Callable[[], Result], first: Callable[[], Result]) -> Result:
    """The result, where the parts of these names (None: all) only inform if the first derivative is wrong.

    They say then that a gradient depends on its cotangent as it should, if it were right: of a gradient that
    is reversed or passed straight through on purpose, say. `gradcheck` finds that, and is asked of it.
    """
    found = ask()
    suspects = [p for p in found.parts if names is None or p.name in names]
    if all(p.verdict.standing is not Standing.FAULTY for p in suspects):
        return found
    if answer_of(first()) is not Answer.FAIL:
        return found
    marked = [replace(p, probe=OF_FIRST, diagnosis=f"{OF_FIRST}: {p.diagnosis}") for p in suspects]
    return replace(found, parts=(*(p for p in found.parts if p not in suspects), *marked))


def _check(
    function: Function, arguments: Sequence[Any], argnums: Sequence[int], mode: Any, **others: Any
) -> Result:
    with in_arguments_alone():
        return check_gradient(
            function, tuple(arguments), argnums=argnums, mode=mode, framework="torch",
            probes=probes_of(mode), upstream="fail", **others,
        )  # fmt: skip


def _drawn(like: Any, rng: np.random.Generator) -> Any:
    """Random numbers in a tensor's shape and dtype."""
    real, imaginary = (signed(rng, np.dtype("float64"), tuple(like.shape)) for _ in range(2))
    return filled(like, real + 1j * imaginary if like.is_complex() else real)


def moves(one: Any) -> bool:
    """Whether it requires a gradient."""
    return bool(getattr(one, "requires_grad", False))


def differentiable(func: Function, inputs: Sequence[Any]) -> Function | None:
    """The function as the original takes it; None if no result has a gradient.

    Of several results those that have a gradient count; an input on which nothing depends has the gradient 0.
    """
    with unheard():
        found = func(*inputs)
    places = [k for k, one in enumerate(several(found)) if moves(one)]
    if not places:
        return None
    many = isinstance(found, tuple | list)

    def differentiable(*args: Any) -> Any:
        for leaf in args:
            if moves(leaf):
                is_trained(leaf)
        results = func(*args)
        return tuple(results[k] for k in places) if many else results

    with suppress(Exception):  # of its own `__getattr__`
        update_wrapper(differentiable, func, updated=())  # a module's dictionary holds more than names
    differentiable.__name__ = name_of(func)
    return differentiable
