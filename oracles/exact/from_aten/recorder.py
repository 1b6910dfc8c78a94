"""Translates a run of ATen's operators, each by its rule, as it happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from oracles.exact.from_aten.call import (
    BLANK,
    ON_INTEGERS,
    SAVED,
    STEPS,
    WITH_STATUS,
    OperatorCall,
    Rule,
    base_of,
    equal,
    gives_gradient,
    is_composite,
    leaves_of,
    makes_view,
    moved,
    only_checks,
    overwrites,
    tensors_of,
    unused_keywords,
    with_leaves,
)
from oracles.exact.from_aten.memory import (
    REPLACED,
    Hold,
    Memory,
    constant,
    has_memory,
    innermost,
    is_leaf,
    is_moving,
    key_of,
    name_of,
    numbers,
    refuse_strange,
)
from oracles.exact.from_aten.mode import handed_on
from oracles.exact.from_aten.rules import RULES
from oracles.exact.from_aten.rules.complex import of_complex
from oracles.exact.from_aten.sparse import has_own_layout, is_sparse
from oracles.exact.from_aten.watch import Watch, where
from oracles.exact.program.complex import REAL, Complex, as_complex, each_part, vars_of
from oracles.exact.program.errors import ExactError, Opaque, Undecided, Unsupported
from oracles.exact.program.patterns import values_of
from oracles.exact.program.primitives import convert, detach, no_grad
from oracles.exact.program.primitives.arrays import constant_value, reduced
from oracles.exact.program.primitives.reductions import reduce_and
from oracles.exact.program.program import Line, Program, Var
from oracles.exact.program.recording import Recorder
from oracles.exact.program.registered import definition_of
from oracles.exact.rounding.bound import leaving


class OperatorRecorder(Watch):  # type: ignore[no-untyped-call]
    """Writes the equations of every operator while it runs.

    What autograd would not differentiate is held fixed: a tensor that does not require grad (`detach`,
    `.data`), and all that runs under `no_grad`; but not inside the `forward` of a custom function, which is a
    forward like any.

    Attributes:
        moves: Whether the program will be differentiated; if not, nothing is held fixed.
        rules: The rule of each operator, by whether it works in place.
        executed: The numbers that the run returned.
        copies: Whether an argument of a custom function was copied, as no other run does.
        marks: What custom functions have marked as non-differentiable, and which of them.
        attached: The values that are held fixed, and that custom functions give a gradient (see `attached`).
        released: The first `detach` of the user's inside a custom function's forward of what moves; torch
            detaches what `torch.ones` makes there, too.
        result: What the function has returned, or the one whose gradient is recorded.
        results: The values of the latter, where they are known.
    """

    def __init__(self, moves: bool = True) -> None:
        super().__init__()
        self.result: Any = None
        self.results: list[Var] = []
        self.copies = False
        self.moves = moves
        self.rules: dict[tuple[Any, bool], Rule | None] = {}
        self.recorder = Recorder()
        self.memory = Memory(self.recorder)
        self._below: list[Tensor] | None = None
        self._lost: dict[int, str] = {}  # the operator without a gradient that made this memory
        self.marks: dict[int, tuple[Tensor, str]] = {}
        self.attached: set[Var] = set()
        self.released: Line | None = None
        self._held: set[Var] = set()  # what was read of these, though it moves with what is differentiated
        self._silent: dict[Var, str] = {}  # and went into something that autograd follows
        self._followed = self._entering = False  # whether autograd follows what is recorded; or may
        self._resolved: dict[int, tuple[Tensor, Tensor]] = {}  # written out below autograd, and lazily

    def begin(self, tensor: Tensor) -> None:
        """A floating argument is an input of the program."""
        super().begin(tensor)
        if tensor.is_complex():
            raise Unsupported("an argument of complex numbers is recorded as pairs of real ones")
        if tensor.is_floating_point():
            var = self.recorder.input_at(numbers(tensor), name_of(tensor.dtype))
            self.memory.live.add(var)
            self.memory.create(tensor, var)
        self.memory.inputs.add(key_of(tensor))

    def end(self, result: Any) -> list[Var]:
        """The outputs of the program."""
        outputs = self.outputs(result)
        super().end(result)
        return outputs

    def outputs(self, result: Any) -> list[Var]:
        """The values of what a function returns."""
        leaves = [leaf for leaf in tree_flatten(result)[0] if leaf is not None]
        for leaf in leaves:
            if not isinstance(leaf, Tensor):
                kind = type(leaf).__name__
                raise Unsupported(f"the function returns a {kind} ({leaf!r}); return tensors only")
        self._followed = True
        outputs = [self.read(leaf) for leaf in leaves]
        self._refuse_silent(outputs)
        self.executed = tuple(map(numbers, leaves))
        return outputs

    def beside(self, gradient: Program) -> Program | None:
        """A gradient's program with the function's results; None where these would be rounded otherwise.

        What is a result leaves the call that computes it, and is rounded there.
        """
        if not self.results or self.moves:
            return None
        inside = {e.output for e in gradient.equations} - leaving(gradient)
        return (
            None if inside & set(self.results) else self.recorder.program([*gradient.outputs, *self.results])
        )

    def returned(self, result: Any) -> list[Tensor]:
        """Likewise."""
        self.result = result
        return super().returned(result)

    def read(self, tensor: Tensor) -> Any:
        """The value of a tensor, held fixed where autograd would not differentiate it."""
        if not self.moves:
            return self.memory.read(tensor)
        if torch.is_grad_enabled() and not self.depth:
            self._refuse_lost(tensor)
        own = self._as_followed(tensor)
        seen = own.requires_grad and not self._begins_anew(own)
        seen = seen or self._is_below(tensor)
        free = self.depth or self.within or (torch.is_grad_enabled() and seen)
        var = self.memory.read(tensor, None if free else self._hold_of(seen))
        if not free and torch.is_grad_enabled() and id(tensor) in self.marks:
            self._hold(tensor, var)
        if own.requires_grad and is_leaf(own) and seen and free and var not in self.memory.live:
            raise Unsupported(REPLACED)
        return self._attached(var) if seen and free and key_of(own) in self.memory.returned else var

    def attach(self, operands: list[Tensor], results: list[Tensor]) -> None:
        """Those that move, and have no derivative: they step, or move with what was held fixed before."""
        unseen = (t for t in map(innermost, operands) if is_moving(t) and not t.requires_grad)
        if not self.moves or self.depth or not any(map(self.memory.knows, unseen)):
            return
        for tensor in map(innermost, results):
            store = self.memory.stores.get(key_of(tensor)) if is_moving(tensor) else None
            if store is None or store.var is None or self._depends(store.var):
                continue
            if not all(map(self.recorder.is_fixed, vars_of(store.var))):
                self.memory.returned.add(key_of(tensor))

    def _attached(self, value: Any) -> Any:
        """The value of such a result, where it is read as that: others read that memory too."""
        if self._depends(value) or not any(map(self.recorder.is_held, vars_of(value))):
            return value
        self.notes.complete = False
        held = each_part(detach, value)
        self.attached.update(vars_of(held))
        return held

    def _hold_of(self, seen: bool) -> Hold:
        """How a tensor is held fixed that autograd follows (`seen`), or does not."""
        if not seen or torch.is_grad_enabled():
            return detach
        in_backward = torch._C._current_autograd_node() is not None and not self.within
        return partial(no_grad, in_backward=in_backward)

    def _begins_anew(self, tensor: Tensor) -> bool:
        """Whether another graph begins here: `x.detach().requires_grad_()`, a new Parameter."""
        base = tensor._base if tensor.requires_grad and tensor._base is not None else tensor
        return base.is_leaf and base.requires_grad and not any(base is t for t in self.leaves)

    def _as_followed(self, leaf: Any) -> Any:
        """The tensor that autograd saw: torch writes out a lazy conjugate or negative below it."""
        return self._resolved[id(leaf)][1] if id(leaf) in self._resolved else leaf

    def _hold(self, tensor: Tensor, var: Any) -> None:
        """A marked tensor is read as that."""
        whole = self.memory.read(tensor)
        if self._depends(whole) or self.recorder.reach(vars_of(whole), self._held):
            self._held.update(vars_of(var))
            if self._followed:
                self._silent |= dict.fromkeys(vars_of(var), self.marks[id(tensor)][1])

    def mark(self, ctx: Any) -> None:
        """What a custom function's forward has marked as non-differentiable."""
        super().mark(ctx)
        name = type(ctx).__name__.removesuffix("Backward")
        marked = tensors_of(getattr(ctx, "non_differentiable", None) or ())
        self.marks |= {id(t): (t, name) for t in marked}

    def _release(self, tensor: Tensor) -> None:
        """A tensor is detached where that is nothing: what moves, moves on."""
        if self.moves and self.released is None and self.memory.knows(tensor):
            self.released = self.place if self._depends(self.memory.read(tensor)) else None

    def spread(self, operands: list[Tensor], results: list[Tensor]) -> None:
        """What is made of a marked result is as that is."""
        by = next((self.marks[id(t)][1] for t in operands if id(t) in self.marks), "")
        self.marks |= {id(t): (t, by) for t in results if by}

    def _refuse_silent(self, outputs: list[Var]) -> None:
        """A constant would be a silent zero; who means one says so outside of the custom function."""
        by = next((self._silent[v] for v in self._silent if self.recorder.reach(outputs, {v})), "")
        if by:
            raise Unsupported(
                f"{by} marks a result as non-differentiable (ctx.mark_non_differentiable) that depends on "
                "what is differentiated, and what is returned depends on it: torch leaves its part of the "
                "gradient out and says nothing; detach() it after the call if a constant is meant"
            )

    def _depends(self, value: Any) -> bool:
        return any(map(self.recorder.depends, vars_of(value)))

    def _refuse_lost(self, tensor: Tensor) -> None:
        """Autograd knows no gradient of the operator that made this, and its value is not constant.

        A constant would be a silent zero. What steps, or depends on a shape alone (`zeros_like`), is one.
        """
        operator = self._lost.get(key_of(tensor))
        if operator and self._depends(self.memory.read(tensor)):
            raise Unsupported(
                f"torch gives no gradient through {operator}, though its value depends on what is "
                "differentiated; call it under torch.no_grad() if a constant is meant"
            )

    def _refuse_held(self, tensors: list[Tensor], results: list[Tensor]) -> None:
        """In a custom derivative that is differentiated: autograd does not follow something that counts."""

        def counts(tensor: Tensor) -> bool:
            store = self.memory.stores.get(key_of(tensor)) if is_moving(tensor) else None
            return store is not None and store.live and self._depends(self.memory.read(tensor))

        unseen = [t for t in tensors if not (t.requires_grad or self._is_below(t))]
        if any(map(counts, unseen)) and any(map(counts, results)):
            raise Unsupported(
                "a custom backward, or jvp, that is differentiated again uses what autograd does not follow "
                "(detached, or saved without history), so its own derivative is lost; check it with order=2"
            )

    def frozen(self, value: Any) -> Any:
        """In a custom function's forward `detach` is nothing; what comes detached is copied on its way in."""
        if not self.moves or self.depth:
            return value
        if isinstance(value, Tensor) and is_moving(value) and not (own := innermost(value)).requires_grad:
            store = self.memory.stores.get(key_of(own))
            if store is not None and store.live:
                self.copies = self._entering = True
                try:
                    with torch.enable_grad():  # it is read before the forward begins
                        return value.clone()
                finally:
                    self._entering = False
        return value

    def _follow(self, args: Any, results: Any) -> None:
        """Forward mode adds a made-up zero to x by working out the shape alone and then copying x.

        Autograd sees the sum and not these steps, so what they make does not require grad, but counts. They
        are the operators after one without data, each working on what the last one gave.
        """
        if self._below is not None:
            goes_on = not self._below or any(t is b for t in tensors_of(args) for b in self._below)
            self._below = self._below + tensors_of(results) if goes_on else None

    def _is_below(self, tensor: Tensor) -> bool:
        """Whether it is made in such a step."""
        return any(tensor is t for t in self._below or ())

    def forget(self, key: int) -> None:
        """It is read as a constant then."""
        self.notes.complete = False
        super().forget(key)
        del self.memory.stores[key]

    def apply(self, func: Any, args: Any, kwargs: Any, changed: list[Tensor]) -> Any:
        """Run the operator and write its equations."""
        try:
            if func._schema.name in {"aten::_local_scalar_dense", "aten::equal"}:
                return self._number(func, args)
            if any(t.is_meta for t in tensors_of((args, kwargs))):
                self._below = []
                return func(*args, **kwargs)
            if base_of(func).startswith("as_strided") and key_of(args[0]) in self.parts:
                raise Unsupported("as_strided of an argument that is a view of a larger tensor; pass a copy")
            written_out = base_of(func) != "detach" and any(map(has_own_layout, tensors_of((args, kwargs))))
            if self.depth and func is torch.ops.aten.detach.default:
                self._release(args[0])
            silent = (makes_view(func) and not written_out) or only_checks(func)
            results = (
                handed_on(func, args, kwargs) if silent else self._translate(func, args, kwargs, changed)
            )
            if self.marks and torch.is_grad_enabled() and base_of(func) != "detach":  # no constant is meant
                self.spread(tensors_of((args, kwargs)), tensors_of(results) or changed)
            self._follow(args, results)
            if func is torch.ops.aten.clone.default and (args[0].is_conj() or args[0].is_neg()):
                self._resolved[id(results)] = results, args[0]
            return results
        except ExactError as error:
            if " in aten" in str(error):
                raise
            name, line = str(func).rpartition(".")[0], where()
            said = f"{error} (in {name}, called at {line.file}:{line.number})"
            raise type(error)(said, line=line) from None

    def _translate(self, func: Any, args: Any, kwargs: Any, changed: list[Tensor]) -> Any:
        if torch.is_inference_mode_enabled() and is_composite(func):
            raise Unsupported(f"aten.{base_of(func)} in inference mode; use torch.no_grad() in the function")
        if func.namespace == "c10d":  # these write, and their schemas do not say so
            raise Opaque(
                "other processes take part, of which a record knows nothing; check what one computes"
            )
        rule, tensors = rule_of(func, bool(changed)), tensors_of((args, kwargs))
        self.rules[func, bool(changed)] = rule
        tracked = not self.moves or self.depth > 0
        tracked = tracked or (
            torch.is_grad_enabled() and any(self._as_followed(t).requires_grad for t in tensors)
        )
        self._followed = tracked or self._entering
        self.recorder.calls(_plain_name(func, bool(changed)), self.place)
        own = definition_of("torch", func._schema.name) if rule is None else None
        if own is not None:
            return self._as_defined(own, args, kwargs)
        for tensor in changed:
            self.memory.prepare_write(tensor, overwrites(func))
        operands, named = self._operands(func, args, kwargs)
        vars_ = [v for v in leaves_of((operands, named)) if isinstance(v, Var | Complex)]
        integers = not any(v.is_float for v in vars_)
        known = integers and all(isinstance(v, Var) and self.recorder.known(v) is not None for v in vars_)
        decides = integers and not known and rule is not moved
        decides = decides and _plain_name(func, bool(changed)) not in ON_INTEGERS
        decided = self._decided(args, kwargs, changed) if decides and changed else None  # before it writes
        results = handed_on(func, args, kwargs)
        found = tensors_of(results) or changed
        whole = integers and not any(t.is_floating_point() or t.is_complex() for t in found)
        computed = results
        if not integers and _cuts(func, kwargs, found, bool(changed)):
            # Which side of a step a rounded constant is on is known by running it, as NumPy and JAX do.
            whole = known = self._are_fixed(vars_)
        if whole and decides:
            exact_args, exact_kwargs = decided or self._decided(args, kwargs, changed)
            computed, known = func(*exact_args, **exact_kwargs), True
        if not any(has_memory(t) or has_own_layout(t) for t in found):
            return results  # zeros and bare shapes that torch.func makes up
        if not changed and {key_of(t) for t in found} <= {key_of(t) for t in tensors}:
            return results  # a view in fact
        call = OperatorCall(self.recorder, func, args, kwargs, found)
        returned = [leaf for leaf in leaves_of(results) if leaf is None or isinstance(leaf, Tensor)]
        if known and whole:
            exact = [leaf for leaf in leaves_of(computed) if leaf is None or isinstance(leaf, Tensor)]
            values: Any = [None if t is None else numbers(t) for t in exact or changed]
        elif any(isinstance(v, Complex) for v in vars_) or any(t.is_complex() for t in found):
            values = of_complex(call, _plain_name(func, bool(changed)), operands, named)
        elif rule is None:
            if not self._are_fixed(vars_):
                raise Opaque(_missing(func))
            values = [None if t is None else numbers(t) for t in returned or changed]
        else:
            unused = unused_keywords(func)
            values = rule(call, *operands, **{k: v for k, v in named.items() if k not in unused})
        live = tracked or self._below is not None or any(v in self.memory.live for v in vars_)
        live = live and base_of(func) not in BLANK  # what nothing has written depends on nothing
        pairs = [*zip(returned or changed, _padded(values, len(returned or changed)), strict=True)]
        for result, value in pairs + call.writes:
            if result is not None:
                self._put(func, result, value, live, changed, tracked)
        if self.moves and self.within and not self.depth:
            self._refuse_held(tensors, [result for result, _ in pairs if result is not None])
        for tensor in changed:
            self._lost.pop(key_of(tensor), None)
        follows = self.moves and tracked and not (self.depth or changed)
        follows = follows and any(map(is_moving, found))
        if self._resolved:
            args, kwargs = with_leaves(self._as_followed, (args, kwargs))
        if follows and not gives_gradient(func, args, kwargs):
            self._lost |= {key_of(t): str(func._schema.name).replace("::", ".") for t in found}
        return results

    def _are_fixed(self, values: Sequence[Any]) -> bool:
        """Whether nothing of them moves with an input: what is made of them is what this run makes of it."""
        fixed = all(isinstance(v, Var) and self.recorder.is_fixed(v) for v in values)
        self.recorder.looked |= fixed
        return fixed

    def _as_defined(self, definition: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run what the user says that an operator is, and record that: nothing in it is held fixed."""
        self.notes.complete = False
        self.depth += 1
        try:
            with self:
                return definition(*args, **kwargs)
        finally:
            self.depth -= 1

    def _put(
        self, func: Any, tensor: Tensor, value: Any, live: bool, changed: list[Tensor], tracked: bool
    ) -> None:
        """A result of an operator, new or in place, gets its value."""
        var = self._as_var(func, tensor, value)
        var = None if var is None else each_part(self.recorder.first, var)
        if live and var is not None and var.is_float:
            self.memory.live.add(var)
        if any(tensor is c for c in changed):
            self.memory.write(tensor, var, tracked)
        else:
            self.memory.create(tensor, var)

    def _operands(self, func: Any, args: Any, kwargs: Any) -> Any:
        """The arguments with the values of tensors; what a backward kernel got saved has its history."""

        def value(leaf: Any) -> Any:
            return self.read(leaf) if isinstance(leaf, Tensor) else leaf

        operands, named = with_leaves(value, (args, kwargs))
        if torch.is_grad_enabled():
            saved = {i: args[i] for i in SAVED.get(base_of(func), ()) if args[i] is not None}
            operands = [self.memory.read(saved[i]) if i in saved else x for i, x in enumerate(operands)]
        return operands, named

    def _decided(self, args: Any, kwargs: Any, changed: list[Tensor]) -> Any:
        """The arguments, with the exact numbers of integers; what the operator writes into is a copy."""

        def decided(leaf: Any) -> Any:
            if not isinstance(leaf, Tensor) or not self.memory.knows(leaf):
                return leaf.clone() if any(leaf is t for t in changed) else leaf
            return torch.from_numpy(np.array(self.recorder.decide(self.read(leaf)))).to(leaf.dtype)

        return with_leaves(decided, (args, kwargs))

    def _as_var(self, func: Any, tensor: Tensor, value: Any) -> Any:
        """What a rule gave, checked and in the dtype of the tensor it is for; None if it gave nothing."""
        if value is None:
            status = not is_moving(tensor) and base_of(func).startswith(WITH_STATUS)
            if tensor.numel() and not status:
                return None
            self.notes.complete = False
            value = numbers(tensor)
        if not isinstance(value, Var | Complex):
            value = constant(self.recorder, np.asarray(value), name_of(tensor.dtype))
        if isinstance(value, Complex):
            refuse_strange(values_of(tensor) if is_sparse(tensor) else tensor)
        if value.shape != tuple(tensor.shape):
            raise Undecided(
                f"exact arithmetic gives shape {value.shape} where torch computed {tuple(tensor.shape)}"
            )
        return as_complex(value, kind) if (kind := name_of(tensor.dtype)) in REAL else convert(value, kind)

    def _number(self, func: Any, args: Any) -> Any:
        """A Python number read from a tensor: a guard if it is an integer or boolean."""
        if func._schema.name == "aten::equal":
            x, y = (self.read(a) for a in args)
            same = x.shape == y.shape and len(vars_of(x)) == len(vars_of(y))
            pairs = zip(vars_of(x), vars_of(y), strict=False)
            # One that certainly differs is enough, whatever is not told of others.
            return same and all(self.recorder.decide(_every(equal("eq", v, w))).item() for v, w in pairs)
        var = self.read(args[0])
        if not var.is_float:
            return self.recorder.decide(var).item()
        known = [constant_value(v) for v in vars_of(var)]
        value = None if any(k is None for k in known) else known[0]
        if value is not None and len(known) == 2:
            return complex(*(float(k.item()) for k in known if k is not None))
        if value is None and all(map(self.recorder.is_fixed, vars_of(var))):
            self.recorder.looked = True
            return numbers(args[0]).item()  # of constants alone: it is what torch has computed
        if value is None:
            raise Opaque(
                "a number leaves the tensors (.item() or float()), and its derivative with it; "
                "keep it a tensor, and log what is only logged outside the function"
            )
        return float(value.item())


def _every(x: Var) -> Var:
    return reduced(reduce_and, x, range(x.ndim), False, "bool")


def _cuts(func: Any, kwargs: Any, found: list[Tensor], in_place: bool) -> bool:
    """Whether an operator of floating numbers gives integers or booleans, or steps."""
    discrete = not any(t.is_floating_point() or t.is_complex() for t in found)
    return bool(discrete or _plain_name(func, in_place) in STEPS or kwargs.get("rounding_mode"))


def _plain_name(func: Any, in_place: bool) -> str:
    """The operator's name; an in-place operator has its twin's."""
    base = base_of(func)
    return base.removesuffix("_") if in_place and not base.endswith("__") else base


def rule_of(func: Any, in_place: bool) -> Rule | None:
    """The rule of an operator: of this overload, or of all; an in-place operator has its twin's.

    Raises:
        Unsupported: It draws random numbers.
    """
    base = base_of(func)
    for name in (base, base.removesuffix("_")) if in_place else (base,):
        for key in (f"{name}.{func._schema.overload_name}", name):
            if key in RULES:
                return RULES[key]
    if torch.Tag.nondeterministic_seeded in func.tags:
        raise Unsupported("random numbers have no derivative to prove; draw them before, and pass them in")
    return None


def _missing(func: Any) -> str:
    name = str(func._schema.name).replace("::", ".")
    return f"{name} has no rule: say what it computes with gradproof.register_rule"


def _padded(values: Any, count: int) -> list[Any]:
    """One value per result; the last ones may have none."""
    flat = list(values) if isinstance(values, (tuple, list)) else [values]
    return flat + [None] * (count - len(flat))
