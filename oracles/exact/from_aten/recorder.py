"""Translates a run of ATen's operators, each by its rule, as it happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from oracles.exact.from_aten.call import (
    BLANK,
    ON_INTEGERS,
    SAVED,
    WITH_STATUS,
    OperatorCall,
    Rule,
    above_autograd,
    base_of,
    equal,
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
from oracles.exact.from_aten.following import AutogradView
from oracles.exact.from_aten.lost_gradients import UNFOLLOWED
from oracles.exact.from_aten.memory import (
    constant,
    has_memory,
    innermost,
    is_moving,
    key_of,
    name_of,
    numbers,
    refuse_strange,
)
from oracles.exact.from_aten.mode import handed_on
from oracles.exact.from_aten.operators import body_of, is_step, missing_rule, padded, plain_name, rule_of
from oracles.exact.from_aten.rules.complex import of_complex
from oracles.exact.from_aten.sparse import has_own_layout, is_sparse
from oracles.exact.from_aten.watch import where
from oracles.exact.program.complex import REAL, Complex, as_complex, each_part, vars_of
from oracles.exact.program.errors import ExactError, Opaque, Undecided, Unsupported
from oracles.exact.program.patterns import values_of
from oracles.exact.program.primitives import convert
from oracles.exact.program.primitives.arrays import constant_value, reduced
from oracles.exact.program.primitives.reductions import reduce_and
from oracles.exact.program.program import Program, Var
from oracles.exact.program.registered import definition_of
from oracles.exact.rounding.bound import leaving

TORCHS = ("aten", "prims")


class OperatorRecorder(AutogradView):  # type: ignore[no-untyped-call]
    """Writes the equations of every operator while it runs.

    Attributes:
        rules: The rule of each operator, by whether it works in place.
        executed: The numbers that the run returned.
        loses: As of a `Recording`.
        result: What the function has returned, or the one whose gradient is recorded.
        results: The values of the latter, where they are known.
    """

    def __init__(self, moves: bool = True) -> None:
        super().__init__(moves)
        self.loses = ""
        self.result: Any = None
        self.results: list[Var] = []
        self.rules: dict[tuple[Any, bool], Rule | None] = {}

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
        self._refuse_marked(outputs)
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

    def given_by_rule(self, gradients: list[Tensor]) -> None:
        """Autograd must follow what counts: else it is a constant to all that comes after."""
        if self.loses and any(self._counts(t) and not t.requires_grad for t in map(innermost, gradients)):
            raise Unsupported(self.loses)

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
            is_view = makes_view(func) and func.namespace in TORCHS  # a user's schema may say what is not so
            silent = (is_view and not written_out) or only_checks(func)
            results = (
                handed_on(func, args, kwargs) if silent else self._translate(func, args, kwargs, changed)
            )
            if self.marks and torch.is_grad_enabled() and base_of(func) != "detach":  # no constant is meant
                self.spread_marks(tensors_of((args, kwargs)), tensors_of(results) or changed)
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
        name, tensors = plain_name(func, bool(changed)), tensors_of((args, kwargs))
        rule = self._rule_for(func, bool(changed))
        tracked, in_rule = self._is_tracked(tensors), self.moves and self.within and not self.depth
        unfollowed = in_rule and self._counts_unfollowed(tensors)  # before it writes into them
        self.recorder.calls(name, self.place)
        if rule is None:
            if (own := definition_of("torch", func._schema.name)) is not None:
                return self._as_defined(own, args, kwargs)
            if (body := body_of(func, tensors)) is not None:
                return self._as_written(func, body, args, kwargs)
        for tensor in changed:
            self.memory.prepare_write(tensor, overwrites(func))
        operands, named = self._operands(func, args, kwargs)
        vars_ = [v for v in leaves_of((operands, named)) if isinstance(v, Var | Complex)]
        results, found, exact = self._run(func, args, kwargs, changed, rule, vars_)
        if not any(has_memory(t) or has_own_layout(t) for t in found):
            return results  # zeros and bare shapes that torch.func makes up
        if not changed and {key_of(t) for t in found} <= {key_of(t) for t in tensors}:
            return results  # a view in fact
        call = OperatorCall(self.recorder, func, args, kwargs, found)
        returned = _tensors_or_none(results) or changed
        if exact is not None:
            values: Any = [None if t is None else numbers(t) for t in exact]
        elif any(isinstance(v, Complex) for v in vars_) or any(t.is_complex() for t in found):
            values = of_complex(call, name, operands, named)
        elif rule is None:
            if not self._are_fixed(vars_):
                raise Opaque(missing_rule(func))
            values = [None if t is None else numbers(t) for t in returned]
        else:
            unused = unused_keywords(func)
            values = rule(call, *operands, **{k: v for k, v in named.items() if k not in unused})
        live = tracked or self._below is not None or any(v in self.memory.live for v in vars_)
        live = live and base_of(func) not in BLANK  # what nothing has written depends on nothing
        pairs = [*zip(returned, padded(values, len(returned)), strict=True)]
        for result, value in pairs + call.writes:
            if result is not None:
                self._write(func, result, value, live, changed, tracked)
        if unfollowed and any(self._counts(result) for result, _ in pairs if result is not None):
            self.loses, self.notes.complete = UNFOLLOWED, False
        self._note_lost(func, args, kwargs, found, changed, tracked)
        return results

    def _rule_for(self, func: Any, in_place: bool) -> Rule | None:
        """The rule of an operator that may be recorded, which is noted."""
        if torch.is_inference_mode_enabled() and is_composite(func):
            raise Unsupported(f"aten.{base_of(func)} in inference mode; use torch.no_grad() in the function")
        if func.namespace == "c10d":  # these write, and their schemas do not say so
            raise Opaque(
                "other processes take part, of which a record knows nothing; check what one computes"
            )
        rule = self.rules[func, in_place] = rule_of(func, in_place)
        return rule

    def _run(
        self, func: Any, args: Any, kwargs: Any, changed: list[Tensor], rule: Rule | None, vars_: list[Any]
    ) -> tuple[Any, list[Tensor], list[Tensor | None] | None]:
        """Run the operator: what it gives, all tensors of it, and those that are known without a rule.

        These are whole numbers that are made of whole numbers, by exact arithmetic; and of what steps which
        side a rounded constant is on, as it is for NumPy and JAX. None where the values are a rule's.
        """
        integers = not any(v.is_float for v in vars_)
        known = integers and all(isinstance(v, Var) and self.recorder.known(v) is not None for v in vars_)
        decides = integers and not known and rule is not moved
        decides = decides and plain_name(func, bool(changed)) not in ON_INTEGERS
        decided = self._decided(args, kwargs, changed) if decides and changed else None  # before it writes
        results = handed_on(func, args, kwargs)
        found = tensors_of(results) or changed
        if integers:
            whole = not any(t.is_floating_point() or t.is_complex() for t in found)
            is_exact = whole and (known or decides)
        else:
            is_exact = is_step(func, kwargs, found, bool(changed)) and self._are_fixed(vars_)
        if not is_exact:
            return results, found, None
        if not decides:
            return results, found, _tensors_or_none(results) or [*changed]
        exact_args, exact_kwargs = decided or self._decided(args, kwargs, changed)
        return results, found, _tensors_or_none(func(*exact_args, **exact_kwargs)) or [*changed]

    def _are_fixed(self, values: Sequence[Any]) -> bool:
        """Whether nothing of them moves with an input: what is made of them is what this run makes of it."""
        fixed = all(isinstance(v, Var) and self.recorder.is_fixed(v) for v in values)
        self.recorder.looked |= fixed
        return fixed

    def _as_defined(self, definition: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run what an operator is by its user, and record that: nothing in it is held fixed."""
        self.notes.complete = False
        self.depth += 1
        try:
            with self, above_autograd(), torch.no_grad():
                return definition(*args, **kwargs)
        finally:
            self.depth -= 1

    def _as_written(self, func: Any, body: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Likewise, of the Python code that computes it."""
        results = self._as_defined(body, args, kwargs)
        try:
            for tensor in tensors_of(results):
                self.read(tensor)
        except Unsupported:  # filled from outside torch
            raise Opaque(missing_rule(func)) from None
        return results

    def _write(
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


def _tensors_or_none(results: Any) -> list[Tensor | None]:
    """The tensors that an operator returns, and None in place of those that it leaves out."""
    return [leaf for leaf in leaves_of(results) if leaf is None or isinstance(leaf, Tensor)]
