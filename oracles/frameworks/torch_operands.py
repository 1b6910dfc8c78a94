"""What `autograd.Function`s get besides what is differentiated, and how they get something else there."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch.autograd.function import BackwardCFunction
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from oracles.exact.from_aten.watch import InPlaceOf
from oracles.exact.program.trees import Flat
from oracles.frameworks.operands import Operands, chosen_of, is_one_number, names_for
from oracles.frameworks.torch_rules import nodes_of

Function = Callable[..., Any]
Rule = type[torch.autograd.Function]


class Place(NamedTuple):
    """An argument of a custom function, by its number and shape: of one that several layers share."""

    rule: Rule
    number: int
    shape: tuple[int, ...]

    def __str__(self) -> str:
        names = list(inspect.signature(self.rule.forward).parameters)[_lead(self.rule) :]
        name = names[self.number] if self.number < len(names) else f"argument {self.number}"
        return f"{name} of {self.rule.__name__}"


def rules_in(function: Flat, leaves: Sequence[Any]) -> set[Rule]:
    """The custom functions that get more than what is differentiated.

    Raises:
        Exception: What the function raises.
    """
    with torch.enable_grad():
        results = tree_leaves(function(*leaves))
    nodes = nodes_of([leaf for leaf in results if isinstance(leaf, torch.Tensor)])
    ruled: list[Any] = [node for node in nodes if isinstance(node, BackwardCFunction)]
    return {node._forward_cls for node in ruled if not all(node.needs_input_grad)}


def operands_of(function: Flat, points: Sequence[Sequence[Any]]) -> Operands | None:
    """What is the same in each call of a custom function, at all of these leaves; None where nothing is.

    Raises:
        Exception: What the function raises.
    """
    rules = rules_in(function, points[0])
    with torch.enable_grad():
        runs = [_calls(rules, function, own) for own in points]
    found = {place: value for place, value in runs[0].items() if all(_has(run, place, value) for run in runs)}
    few = chosen_of(found)
    places = dict(zip(names_for((str(place), place.shape) for place in few), few, strict=True))
    if not places:
        return None
    latest: dict[str, Any] = {}

    def around(function: Function) -> Function:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            latest.update({name: kwargs.pop(name) for name in places})
            return function(*args, **kwargs)

        return call

    def instead(rule: Rule, args: Sequence[Any]) -> list[Any]:
        own = {(place.number, place.shape): name for name, place in places.items() if place.rule is rule}
        names = [own.get((k, _shape(value))) for k, value in enumerate(args)]
        return [latest[name] if name else value for name, value in zip(names, args, strict=True)]

    values = {name: found[place] for name, place in places.items()}
    return Operands(values, around, lambda: _forwards(rules, instead))


class _Sources(TorchFunctionMode):
    """Knows of which tensors others are computed."""

    def __init__(self) -> None:
        self._of: dict[int, set[int]] = {}
        self._kept: list[Any] = []  # an identity stays that of one tensor

    def of(self, tensor: Any) -> set[int]:
        return self._of.get(id(tensor), {id(tensor)})

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        found = func(*args, **(kwargs or {}))
        for made in tree_leaves(found):
            if isinstance(made, torch.Tensor) and given:
                self._of[id(made)] = set().union(*map(self.of, given))
                self._kept += [made, *given]
        return found


def _calls(rules: set[Rule], function: Flat, leaves: Sequence[Any]) -> dict[Place, Any]:
    """What they get in a run that is one number throughout, and no argument of the function.

    It must be the same in each call. A rule that gets two that are computed of one tensor, as a weight and
    its inverse, is left out: one may have to follow the other.
    """
    found: dict[Place, Any] = {}
    tied, sources, floats = set[Rule](), _Sources(), [f.leaf for f in function.fixed if type(f.leaf) is float]
    moving = {id(leaf) for leaf in leaves}
    held = {id(leaves[k]) for k in function.held}

    def note(rule: Rule, args: Sequence[Any]) -> Sequence[Any]:
        known = set[int]()
        for k, value in enumerate(args):
            of = sources.of(value) if isinstance(value, torch.Tensor) and not value.requires_grad else set()
            is_own = value in floats if type(value) is float else bool(of & held)
            place, own = Place(rule, k, _shape(value)), None if is_own else _constant(value)
            found[place] = own if place not in found or _are_same(found[place], own) else None
            tied.update({rule} if (of - moving) & known else ())
            known |= of - moving
        return args

    with _forwards(rules, note), sources:
        function(*leaves)
    return {place: own for place, own in found.items() if own is not None and place.rule not in tied}


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape) if isinstance(value, torch.Tensor) else ()


def _constant(value: Any) -> Any:
    """A copy of what is not differentiated, and is one number throughout; None of anything else."""
    if type(value) is float and is_one_number(value):
        return value
    if not isinstance(value, torch.Tensor) or value.requires_grad or value.layout != torch.strided:
        return None
    if not (value.is_floating_point() or value.is_complex()):
        return None
    return value.detach().clone() if is_one_number(value.detach().to("cpu", torch.complex128)) else None


def _has(run: dict[Place, Any], place: Place, value: Any) -> bool:
    return place in run and _are_same(run[place], value)


def _are_same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other)
    return type(one) is type(other) and type(one) is float and one == other


def _lead(rule: Rule) -> int:
    """How many arguments of its forward are no inputs: the context, where no method of its own sets it up."""
    return 0 if rule.setup_context is not torch.autograd.Function.setup_context else 1


@contextmanager
def _forwards(rules: set[Rule], change: Callable[[Rule, Sequence[Any]], Sequence[Any]]) -> Iterator[None]:
    """Within, the forwards of these rules get other arguments; so does what sets up their contexts.

    Their `apply` may be held anywhere, but looks these up in the class.
    """
    before = {rule: {name: vars(rule)[name] for name in METHODS if name in vars(rule)} for rule in rules}
    for rule in rules:
        _replace(rule, change)
    try:
        yield
    finally:
        for rule, own in before.items():
            for name in METHODS:
                if name in own:
                    setattr(rule, name, own[name])
                elif name in vars(rule):
                    delattr(rule, name)


METHODS = ("forward", "setup_context")


def _replace(rule: Rule, change: Callable[[Rule, Sequence[Any]], Sequence[Any]]) -> None:
    forward, set_up, lead = rule.forward, rule.setup_context, _lead(rule)

    def changed(*args: Any, **kwargs: Any) -> Any:
        return forward(*args[:lead], *change(rule, args[lead:]), **kwargs)

    @functools.wraps(set_up)
    def set_up_changed(context: Any, inputs: Any, output: Any) -> Any:
        return set_up(context, tuple(change(rule, inputs)), output)

    rule.forward = staticmethod(InPlaceOf(forward, changed))  # type: ignore[method-assign]
    if not lead:
        rule.setup_context = staticmethod(set_up_changed)  # type: ignore[method-assign,assignment]
