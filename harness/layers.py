"""Layers of the book's kind: one call, one verdict on the gradients of the input and of every parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np

from harness.accepted import Upstream
from harness.answers import answers, without_numbers
from harness.asked import Asked
from harness.asking import question_of
from harness.check import accepting, asserting, searching
from harness.inputs.points import points
from harness.proof.accusation import SURROGATE
from harness.proof.materiality import Resolution
from harness.proof.question import Part, Probe, Question, ValueRule
from harness.proof.repeated import are_once
from harness.result import Result
from harness.subject import given
from harness.subject.copies import takes
from harness.subject.derivative import Array, Derivative
from harness.subject.layers import Layer
from harness.subject.moving import has_numbers
from harness.subject.refused import refuse_infinite_of_object
from harness.subject.state import leaving_no_trace
from harness.subject.target import Target, target_of
from harness.subject.tested import Tested, under_test
from harness.subject.variants import OfArrays
from harness.verdicts import Verdict
from oracles.exact.from_numpy.chance import seeded_chance
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.program import FLOATS
from oracles.exact.program.words import kind_of, package_of, shown
from oracles.exact_oracle import LIMITS
from oracles.frameworks.framework import differentiating

FOREIGN = frozenset({"torch", "jax", "jaxlib", "tensorflow", "cupy", "mlx"})
OF_NUMPY = "check_gradient takes functions of torch and JAX, and modules of torch"
AS_FUNCTION = "if the gradient is meant to be another function's, check_gradient takes that as surrogate="


@given.known_keywords
@leaving_no_trace
@differentiating()
def check_layer(
    layer: Any,
    x: Any,
    t: Any = None,
    *,
    spec: Callable[..., Any] | None = None,
    options: Mapping[str, Any] | None = None,
    cotangent: Any = None,
    seed: int = 0,
    bits_lost: float | None = None,
    seconds: float = LIMITS.seconds,
    boundary: bool | Sequence[str] = False,
    samples: int = 0,
    search: int = 0,
    probes: bool | Sequence[str] = True,
    resolution: Resolution | Literal["format", "exact"] = Resolution.FORMAT,
    constants: Sequence[str] = (),
    upstream: Upstream | Literal["warn", "fail"] = Upstream.WARN,
    known: Any = None,
) -> Result:
    """The verdict on the backward of a layer: of its input, and of every parameter that is found.

    Parameters stand beside their gradients, in the layer or in layers that it holds, in objects, lists
    and dictionaries: `W` and `dW`, `grad_W` or `dLdW` (any name), `params` and `grads`, `parameters` and
    `gradients` or `weights` and `dweights` (dictionaries with the same keys, or lists in the same
    order), `value` and `grad` of one parameter. A parameter is a floating array or a float; an integer is
    compared as a float, and a list of numbers beside a gradient is named, and fails. Of an array that several
    layers share, the sum of its gradients is compared.
    What else moves the result is named, and fails; where `params` lists the parameters it is a note, as of
    what a layer collects: `running_...`, or what forward writes and is private. Layers may be behind bound
    methods and partials. What is held where a copy has no other (a closure, a global, a class, a set) is
    unsupported where backward leaves a gradient beside it, and told in a note where it does not.

    The layer itself is not changed: every question is asked of a copy, with the seed of `np.random` and
    `random` reset before each forward, and all gradients 0. What clears them (`zero_grad`, `clear_grads`,
    `flush_gradients`) is called first; a layer that has it may add to its gradients.

    Args:
        layer: An object with forward(x) and backward(dout), in NumPy, such as those of "Deep Learning from
            Scratch", chapter 5. They return the result and the gradient of x, or return nothing and leave
            them in `output` and `dinputs`, as in "Neural Networks from Scratch in Python".
        x: Its input, an array of any shape in float64, float32, float16 or bfloat16, or of integers; of
            several a tuple of arrays or numbers, for forward(x, h), whose backward returns as many
            gradients. Of integers, which an embedding looks up, no gradient is compared, nor of the input of
            a loss whose backward returns None.
        t: The target, for a loss layer: forward(x, t), of any shape and dtype; it is not differentiated. One
            of floats that are all 0 or all 1, or of indices each there once, is asked at others, too.
        spec: The function whose derivative is meant, of what forward takes and then the parameters by
            position, where the forward is not quite it (a loss with + 1e-7 in its logarithm).
        options: Keyword arguments of forward, such as {"train_flg": True}.
        cotangent: What backward is given; seeded and random if not given, and 1 for a loss, which may ignore
            it.
        seed: Seeds the draws of the layer, and the cotangent.
        bits_lost: The budget of lost bits; `explain budget` says what it is if not given.
        seconds: The limit for the exact evaluations, counted in work: what a machine of 2025 does in them,
            at the least, so that a slow or busy one gives the same verdict.
        boundary: As in `check_gradient`.
        samples: How many more points to draw around the given one.
        search: As in `check_gradient`; parameters are searched too.
        probes: As in `check_gradient`; "reused" runs the layer on one object that has run elsewhere before,
            and on one whose arrays had other numbers, and were written over in place.
        resolution: As in `check_gradient`.
        constants: What moves the result and is no parameter: attributes, or places such as "layers[0].scale";
            all that is held there is left out.
        upstream: As in `check_gradient`.
        known: As in `check_gradient`.

    Returns:
        A `Result`, as `check_gradient`. There are no threads: the layer's state belongs to one run at a time.

    Raises:
        ValueError: The object is no layer, or holds what cannot be copied, or an argument is not what it must
            be.
        TypeError: There is no such keyword.
        Exception: Whatever the layer raises.

    Warns:
        UpstreamWarning: As `check_gradient`.
    """
    asked = Asked.of(
        seed=seed, bits_lost=bits_lost, seconds=seconds, boundary=boundary, samples=samples, search=search,
        probes=probes, resolution=resolution, upstream=upstream, known=known,
    )  # fmt: skip
    if spec is not None:
        given.function("spec", spec)
    keywords = given.mapping("options", options)
    inputs = _inputs(x, getattr(layer, "forward", None), t is not None)
    for array in inputs:
        if array.dtype.name not in FLOATS and array.dtype.kind not in "iu":
            raise ValueError(
                f"x must be an array of {', '.join(sorted(FLOATS))} or integers, got {kind_of(x)} of dtype "
                f"{array.dtype}"
            )
    with seeded_chance():
        own = Layer(layer, inputs, t, keywords, asked.seed, _names(constants))
        if not any(own.moves) and not own.names:
            raise ValueError(
                f"x must hold floating numbers, got {inputs[0].dtype}: the layer has no parameters, so there "
                "is nothing else to differentiate"
            )
        args = (*inputs, *own.parameters)
        argnums = [k for k in range(len(args)) if k >= len(inputs) or own.moves[k]]
        own.compares = hides(t) and not asked.search
        target = () if own.compares else (t,)
        held = [] if asked.search or own.refused else own.hold(_names(constants), hides)
        counts = len(inputs), len(own.parameters), len(held)
        meant = partial(_with_target, spec, counts, target) if spec else None
        told = {"spec": spec, "options": options, "constants": constants or None}
        args = (*args, *held, *([t] if own.compares else []))
        return judged(own, layer, args, argnums, meant, cotangent, asked, "layer", target, told)


def judged(
    own: Any,
    thing: Any,
    args: Sequence[Any],
    argnums: Sequence[int],
    meant: Callable[..., Any] | None,
    cotangent: Any,
    asked: Asked,
    door: str,
    more: Sequence[Any],
    told: Mapping[str, Any],
) -> Result:
    """The answer about an object that is a function and its gradient: a `Layer` or a `Network`.

    Args:
        own, thing: It, and what the user has.
        args, argnums, meant, cotangent, asked: What is asked.
        door: "layer" or "network".
        more, told: What else the check was given, for a check of another input as code.
    """
    function = own.call(own.forward)
    result = partial(Result, subject=function.__name__, seed=asked.seed, allowed=asked.allowed)
    try:
        if own.refused:
            raise Unsupported(own.refused)
        names = (*function.argument_names, *("t" for _ in more))
        refuse_infinite_of_object(
            names, (*args, *more), argnums, lambda: own.is_loss and not has_numbers(own.forward(*args))
        )
        target = target_of(function, args, {}, argnums, "numpy")
        if own.is_loss and cotangent is None:
            cotangent = [np.ones(shape) for shape in target.results.shapes]
        question = question_of(
            target, Derivative(), meant, cotangent=cotangent, seed=asked.seed, limits=asked.limits,
            allowed=asked.allowed, value=ValueRule.NEAR if meant else ValueRule.NOTED,
            linear=not own.needs_none, probes=asked.probes, resolution=asked.resolution,
        )  # fmt: skip
        others = asked.boundary is not False or asked.samples
        beside = points(target, asked.boundary, asked.samples, asked.seed) if others else ()
        own.steps = Probe.REUSED in asked.probes
        written = under_test(target, Derivative(), own.backward)
        tested = replace(written, graph=OfArrays(own.reused, target.flat).graph, reuses=True, rule=own.rule)
        found = answers(question, tested, target, result, beside)
        if asked.search:
            found = _searched(own, thing, question, tested, target, found, asked, door, more, told)
    except (Unsupported, Undecided) as reason:
        found = result((without_numbers(reason, "given"),))
    parts = tuple(p if p.passes else _with_reason(p, _reason(own, p)) for p in found.parts)
    parts = tuple(replace(p, diagnosis=p.diagnosis.replace(SURROGATE, AS_FUNCTION)) for p in parts)
    added = own.added if Probe.REUSED in asked.probes else ()
    faults, notes = (*found.faults, *own.faults, *added), (*found.notes, *own.notes)
    return accepting(
        replace(found, parts=parts, faults=faults, notes=notes), asked.known, asked.upstream, f"check_{door}"
    )


def _searched(
    own: Any, thing: Any, question: Question, tested: Tested, target: Target, found: Result, asked: Asked,
    door: str, more: Sequence[Any], told: Mapping[str, Any],
) -> Result:  # fmt: skip
    from harness.search.paste import of_object

    given = [one for one in more if one is not None]
    options = {name: value for name, value in told.items() if value is not None}
    options |= {"seed": asked.seed} if asked.seed else {}
    code = partial(of_object, thing, door, target, own.places, given, options)
    inputs = len(target.arrays) - len(own.places)
    pinned, alone = frozenset(range(inputs, len(target.arrays))), inputs == 1 and not given
    return searching(found, question, tested, target, asked.search, code, pinned=pinned, shapes=alone)


def _reason(own: Any, part: Part) -> str:
    """What is known of the object that may be why a part is not right."""
    reason: str = (
        own.advice if own.advice and part.verdict is Verdict.WRONG else own.unmoved.get(part.name, "")
    )
    return reason


def _with_reason(part: Part, reason: str) -> Part:
    return replace(part, diagnosis="; ".join(filter(None, [reason, part.diagnosis])))


def _names(constants: Any) -> list[str]:
    names = list(constants) if isinstance(constants, list | tuple | set) else [constants]
    if isinstance(constants, str) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"constants must be a list of attributes' names, got {shown(constants)}")
    return names


def _inputs(x: Any, forward: Any, more: int) -> tuple[Array, ...]:
    """The inputs of forward: those of a tuple, or one; a tuple of numbers may be one, where forward takes so.

    Numbers of several are floating, as the book's `(100, 2)`.

    Args:
        x, forward: What was given, and of what.
        more: How many arguments forward takes besides.
    """
    if isinstance(x, tuple) and x:
        needs_each = takes(forward, len(x) + more) and not takes(forward, 1 + more)
        if _are_arrays(x) or (len(x) > 1 and needs_each):
            return tuple(_as_array(float(one) if type(one) is int else one) for one in x)
    return (_as_array(x),)


def _are_arrays(x: Sequence[Any]) -> bool:
    return all(isinstance(one, np.ndarray) for one in x)


def _as_array(x: Any) -> Array:
    if package_of(x) in FOREIGN:
        raise ValueError(f"x must be an array of NumPy's, got {kind_of(x)}: {OF_NUMPY}")
    return np.asarray(x)


def hides(t: Any) -> bool:
    """Whether a target may hide something: floats that are all 0 or all 1, or indices each there once.

    Then it is asked at others.
    """
    if not isinstance(t, np.ndarray) or not t.size:
        return False
    return are_once(t) or (t.dtype.name in FLOATS and bool((t == 0).all() or (t == 1).all()))


def _with_target(
    spec: Callable[..., Any], counts: tuple[int, int, int], target: Sequence[Any], *arrays: Any
) -> Any:
    """The specification; the target stands after the arrays, or is `target`, of a loss.

    `counts`: Of inputs, parameters and constants; these are its own.
    """
    count, parameters, held = counts
    end = count + parameters
    given = [t for t in (*arrays[end + held :], *target) if t is not None]
    return spec(*arrays[:count], *given, *arrays[count:end])


assert_layer = asserting(check_layer)
assert_layer.__name__ = assert_layer.__qualname__ = "assert_layer"
assert_layer.__doc__ = """Check the backward of a layer, and raise if a gradient is not right.

    It takes what `check_layer` takes, and returns its result.

    Raises:
        GradientError: A gradient is not right; an AssertionError whose text is the failure.
        ValueError: As `check_layer`.
    """
