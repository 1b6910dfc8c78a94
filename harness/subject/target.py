"""What the user asks about, made plain: a function of arrays, and the derivative of it that is under test."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.frameworks import NAMES, UserFunction, differentiate, framework_of, on_host, with_parameters
from harness.inputs.arrays import Array
from harness.subject.derivative import Derivative
from harness.subject.tested import Argument, First, HandWritten
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.program import FLOATS
from oracles.exact.program.trees import Fixed, Flat, Tree, dtype_of, flatten, is_floating

Function = Callable[..., Any]


@dataclass(frozen=True)
class Results:
    """The structure of what a function returns: its tree, and the leaves in it that are not floating."""

    tree: Tree
    fixed: tuple[Fixed, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Problem:
    """One gradient under test.

    Attributes:
        user: The function and the derivative under test, of arrays.
        specification: The function whose derivative is the truth, of the same arrays.
        results: What the function returns.
        derivative: Which derivative it is.
        names, arrays: The arrays' names, and they themselves on the host.
        moving: Which of them are differentiated.
        device: Arrays of the framework, which say where to run.
    """

    user: UserFunction
    specification: Flat
    results: Results
    derivative: Derivative
    names: tuple[str, ...]
    arrays: tuple[Array, ...]
    moving: tuple[int, ...]
    device: tuple[Any, ...]


def problem_of(
    f: Function,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    backward: Function | None,
    keeps_residuals: bool,
    specification: Function | None,
    argnums: int | Sequence[int] | None,
    derivative: Derivative,
    framework: str | None,
    jit: bool,
) -> Problem:
    """A user's problem.

    Raises:
        ValueError: An argument is not what it must be.
        Unsupported: The framework cannot differentiate this.
    """
    if not isinstance(args, tuple | list):
        raise ValueError(f"args is a {type(args).__name__}; pass a tuple, (x,) for one argument")
    if argnums is None and backward is None:
        f, args = with_parameters(f, args)
    trees = "jax" if "jax" in sys.modules else "numpy"  # JAX knows nodes of other libraries
    name = framework or framework_of(f, flatten(trees, [tuple(args), dict(kwargs)])[0])
    if name not in NAMES:
        raise ValueError(f"framework is {name!r}; it must be one of {', '.join(NAMES)}")
    parts = [flatten(name, a) for a in args]
    chosen = _chosen([leaves for leaves, _ in parts], argnums)
    leaves = [*(leaf for own, _ in parts for leaf in own), *flatten(name, dict(kwargs))[0]]
    owners = [k for k, (own, _) in enumerate(parts) for _ in own]
    for k, owner in enumerate(owners):
        if type(leaves[k]) is float and owner in chosen:
            leaves[k] = np.array(leaves[k])
    _refuse_traced(leaves)
    tree = flatten(name, (tuple(args), dict(kwargs)))[1]
    places = [k for k, leaf in enumerate(leaves) if dtype_of(leaf)]
    fixed = tuple(Fixed.of(k, leaf) for k, leaf in enumerate(leaves) if k not in places)
    inner = First(f) if keeps_residuals else f
    arrays = tuple(on_host(leaves[k]) for k in places)
    # Several arguments in the order that argnums has: so come the gradients of a hand-written backward.
    moving = tuple(
        at
        for k in chosen
        for at, place in enumerate(places)
        if place < len(owners) and owners[place] == k and is_floating(leaves[place])
    )
    held = tuple(k for k, place in enumerate(places) if k not in moving and is_floating(leaves[place]))
    flat = Flat(inner, tree, fixed, held)
    device = tuple(leaves[k] for k in places)
    results = _results(UserFunction(name, flat.result, flat.result), arrays, device)
    if backward is None:
        pull = differentiate(name, flat, moving, nested=len(derivative.steps) > 1)
    else:
        asked = [
            Argument(k, parts[k][1], tuple(is_floating(leaf) or type(leaf) is float for leaf in parts[k][0]))
            for k in chosen
        ]
        pull = HandWritten(backward, flat, results.tree, results.fixed, tuple(asked))
    under_test = derivative.of_subject(name, flat, pull, moving, len(results.names))
    value = (lambda *inputs: flat(*inputs[: len(arrays)])) if len(derivative.steps) > 1 else flat
    user = UserFunction(name, value, under_test, jit)
    spec = Flat(specification, tree, fixed, held) if specification else flat
    return Problem(user, spec, results, derivative, _names(f, tree, places), arrays, moving, device)


def _chosen(leaves: Sequence[Sequence[Any]], argnums: int | Sequence[int] | None) -> list[int]:
    """The differentiated arguments: those with floating arrays; Python numbers only if nothing else is."""
    floating = [k for k, own in enumerate(leaves) if any(map(is_floating, own))]
    numbers = [k for k, own in enumerate(leaves) if any(type(leaf) is float for leaf in own)]
    if not floating and not numbers:
        kinds = ", ".join(dtype_of(x) or type(x).__name__ for own in leaves for x in own) or "none"
        allowed = ", ".join(sorted(FLOATS))
        raise ValueError(f"no argument is floating (dtypes: {kinds}); allowed are {allowed}")
    if argnums is None:
        return floating or numbers
    asked = [argnums] if isinstance(argnums, int) else list(argnums)
    if not asked:
        raise ValueError("argnums is empty; name at least one argument, or leave it out")
    allowed = ", ".join(map(str, sorted({*floating, *numbers})))
    for k in asked:
        if k not in floating and k not in numbers:
            raise ValueError(f"argnums has {k}{_what(leaves, k)}; the floating arguments are {allowed}")
        if asked.count(k) > 1:
            raise ValueError(f"argnums has {k} twice; name each argument once")
    return asked


def _what(leaves: Sequence[Sequence[Any]], k: int) -> str:
    if not isinstance(k, int) or not 0 <= k < len(leaves):
        return f", and the function got {len(leaves)} arguments"
    kinds = {dtype_of(leaf) or type(leaf).__name__ for leaf in leaves[k]}
    return f", which holds {', '.join(sorted(kinds)) or 'nothing'}"


def _refuse_traced(leaves: Sequence[Any]) -> None:
    """What stands for numbers while something else is traced has none to check."""
    for leaf in leaves:
        kind = type(leaf)
        home = f"{kind.__module__}.{kind.__name__}"
        if home.startswith("jax") and "Tracer" in kind.__name__:
            raise ValueError(
                f"an argument is JAX's {kind.__name__}, which has no numbers: call this outside of jit, grad "
                "and vmap"
            )
        if home in {"torch._subclasses.fake_tensor.FakeTensor"} or getattr(leaf, "is_meta", False) is True:
            raise ValueError("an argument is a tensor without numbers (fake, or on the device meta)")


def _results(user: UserFunction, arrays: Sequence[Array], device: Sequence[Any]) -> Results:
    """What the function returns, run once on copies: what it does to its arguments is seen later."""
    subject = user.subject(device)
    result = subject.value(*(subject.load(a.copy()) for a in arrays))
    leaves, tree = flatten(user.framework, result)
    floating = [is_floating(leaf) or type(leaf) is float for leaf in leaves]
    if not any(floating):
        kinds = ", ".join(dtype_of(leaf) or type(leaf).__name__ for leaf in leaves) or "nothing"
        raise Unsupported(f"the function returns {kinds}, which has no gradient (not a zero one)")
    fixed = tuple(Fixed(k, None, "") for k, moves in enumerate(floating) if not moves)
    return Results(tree, fixed, tuple(n for n, moves in zip(tree.names, floating, strict=True) if moves))


def _names(function: Function, tree: Tree, places: Sequence[int]) -> tuple[str, ...]:
    """The arrays' names: the parameters' own, where the function tells them, and the path inside."""
    own = _parameters(function)
    found = []
    for place in places:
        path = tree.names[place]
        which, rest = path[1 : path.index("]")], path[path.index("]") + 1 :]
        head, tail = rest[1 : rest.index("]")], rest[rest.index("]") + 1 :]
        if which == "1":
            found.append(head.strip("'\"") + tail)
        else:
            k = int(head)
            found.append((own[k] if k < len(own) else f"argument {k}") + tail)
    return tuple(found)


def _parameters(function: Function) -> list[str]:
    """What the function calls its positional arguments, as far as it tells."""
    if hasattr(function, "argument_names"):
        return list(function.argument_names)
    owner = getattr(function, "__self__", None)
    rule = isinstance(owner, type) and hasattr(owner, "setup_context")  # the apply of an autograd.Function
    told = owner.forward if rule else getattr(function, "forward", function)  # type: ignore[union-attr]
    try:
        found = [
            p.name
            for p in inspect.signature(told).parameters.values()
            if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}
        ]
    except (TypeError, ValueError):
        return []
    return found[1:] if rule and found[:1] == ["ctx"] else found
