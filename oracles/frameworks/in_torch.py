"""torch: run eagerly or compiled, on one device; recorded operator by operator, as autograd runs them."""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.autograd import forward_ad
from torch.utils._pytree import tree_map

from oracles.exact.from_aten import record
from oracles.exact.from_aten.memory import is_leaf, name_of, strange
from oracles.exact.from_aten.sparse import dense
from oracles.exact.from_aten.watch import begins, explained, laid_out, noted
from oracles.exact.program.errors import Unsupported, first_line
from oracles.exact.program.program import Origin
from oracles.exact.program.recording import Recording
from oracles.exact.program.trees import flatten
from oracles.frameworks.calls import Mend, Watched
from oracles.frameworks.framework import Array, Framework, Function, Subject, bfloat16, gradient_by, values_by
from oracles.frameworks.torch_fast_paths import by_no_fast_path
from oracles.frameworks.torch_kept import Overwriting
from oracles.frameworks.torch_modules import as_called_in, as_function, calls_noted, is_marked, pass_for
from oracles.frameworks.torch_rules import has_hooks, has_rules, nodes_of

# Of what depends on the phase of eigenvectors or singular vectors, or by its rounding seems to.
PHASE = "specified up to multiplication by e^{i phi}"
NOT_FREED = "resize storage that is not resizable"
NOT_FOLLOWED = "One of the differentiated Tensors does not require grad"
PLAIN = (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer)


class _Torch(Framework):
    name = "torch"

    def _record(
        self, function: Function, args: Sequence[Any], differentiate: bool, exactly: bool
    ) -> Recording:
        return record(function, [_as_given(arg) for arg in args], {}, differentiate=differentiate)

    def subject(
        self, value: Function, gradient: Function, device: Any = None, wide: bool = True, primal: bool = False
    ) -> Subject:
        def load(array: Array) -> Any:
            return as_tensor(array, device or "cpu")

        value, gradient = _where_memory_is_freed(value), _where_memory_is_freed(gradient)

        def run(*args: Any) -> Any:
            """As it is called; as it is differentiated, if it needs that; or as autograd refuses it."""
            leaves, errors = tuple(map(_leaf, args)), list[Exception]()
            for mode, given in ((torch.no_grad, leaves), (torch.enable_grad, leaves), (torch.no_grad, args)):
                try:
                    with mode():
                        return by_no_fast_path(value, given)
                except Exception as error:
                    errors.append(error)
            raise errors[1]

        def pull(*args: Any) -> Any:
            try:
                return gradient(*args)
            except RuntimeError as problem:
                if PHASE not in str(problem):
                    raise
                raise Unsupported(f"torch has no derivative of a phase ({first_line(problem)})") from None

        return Subject(load, run, pull, values_by(self.on_host), gradient_by(self.on_host, primal))

    def watched(self, derivative: Function, inputs: Sequence[Any], mend: Mend, device: Any = None) -> Watched:
        from oracles.frameworks.torch_calls import TorchCalls, duplicate, watched

        def load(array: Array) -> Any:
            return duplicate(as_tensor(array, device or "cpu"))

        calls = TorchCalls(mend, lambda tensor: self.on_host(duplicate(tensor.detach())), load)
        return watched(derivative, tree_map(load, tuple(inputs)), calls)

    def device_of(self, args: Sequence[Any]) -> Any:
        devices = {str(a.device) for a in args if isinstance(a, torch.Tensor)}
        return devices.pop() if len(devices) == 1 else None

    def pullback(
        self, function: Function, argnums: Sequence[int], nested: bool = False, primal: bool = False
    ) -> Function:
        return pullback(function, argnums, nested)

    def graph(self, function: Function, argnums: Sequence[int]) -> Function:
        return graph(function, argnums)

    def pushforward(
        self, function: Function, argnums: Sequence[int], nested: bool = False, primal: bool = False
    ) -> Function:
        return pushforward(function, argnums, nested)

    def has_rules(self, function: Function, args: Sequence[Any]) -> bool:
        return has_rules(function, [_leaf(_as_given(arg)) for arg in args])

    def on_host(self, array: Any) -> Array:
        """An array as NumPy's; bfloat16 as that of `ml_dtypes`.

        Raises:
            Unsupported: It is sparse, nested, quantized, or of a class of its own; or it is bfloat16, and
                ml_dtypes is not installed.
        """
        if not isinstance(array, torch.Tensor):
            return np.asarray(array)
        kind = type(array)
        own = "" if kind in PLAIN else f"a {kind.__module__}.{kind.__name__}, and no plain torch.Tensor"
        array = dense(array) if not own else array
        own = own or strange(array)
        if own:
            raise Unsupported(f"{own}: not yet; pass real, dense tensors")
        name_of(array.dtype)
        array = array.detach().cpu()
        if array.dtype != torch.bfloat16:
            return np.asarray(array.numpy(force=True))  # autograd's zeros without memory too
        found: Array = array.view(torch.int16).numpy(force=True).view(bfloat16())
        return found

    def writing(self, forward: Callable[[], Any], backward: Callable[[Any], Any]) -> Origin | None:
        with Overwriting() as seen:
            graph = forward()
            seen.computed = seen.met
            backward(graph)
        first: Origin | None = seen.first
        return first

    def as_given(self, run: Function, natives: Sequence[Any]) -> Any:
        """Likewise: parameters are known by identity, in dictionaries and lists."""
        if not any(isinstance(tensor, torch.nn.Parameter) for tensor in natives):
            return None
        given = [a if isinstance(a, torch.Tensor) else as_tensor(a.copy()) for a in natives]
        before = [tensor.detach().clone() for tensor in given]
        try:
            with torch.enable_grad():
                return run(*given)
        except Exception:
            return None  # on copies it says why
        finally:
            with torch.no_grad():
                for tensor, old in zip(given, before, strict=True):
                    if not torch.equal(tensor, old):
                        tensor.copy_(old)

    def leaf(self, array: Any) -> Any:
        return _leaf(array)

    def joined(self, pairs: Any) -> Any:
        """A view where the pairs lie side by side."""
        steps = (*pairs.stride()[:-1], pairs.storage_offset())
        if pairs.stride(-1) == 1 and all(step % 2 == 0 for step in steps):
            numbers = torch.view_as_complex(pairs)
        else:
            numbers = torch.complex(pairs[..., 0], pairs[..., 1])
        numbers.pairs = pairs  # type: ignore[attr-defined]
        return numbers

    def split(self, numbers: Any) -> Any:
        tensor = torch.as_tensor(numbers).resolve_conj()
        if not tensor.numel():  # of its gradient torch wants strides that nothing empty has to have
            return torch.stack([tensor.real, tensor.imag], -1)
        return torch.view_as_real(tensor)

    def zeros_like(self, array: Any) -> Any:
        return torch.zeros_like(array)

    def where(self, mask: Array, number: float, array: Any) -> Any:
        return torch.where(torch.as_tensor(mask), number, array)

    def leaving_alone(self, gradient: Function) -> Function:
        def copying(directions: Any, *args: Any) -> Any:
            return gradient(tuple(d.clone() for d in directions), *(a.clone() for a in args))

        return copying


FRAMEWORK = _Torch()


def pullback(
    function: Callable[..., Any], argnums: Sequence[int], nested: bool = False
) -> Callable[..., tuple[Any, ...]]:
    """`pull(cotangent, *args)`: the gradients of a function of tensors for the arguments in `argnums`.

    The cotangent is a tuple where the function returns several tensors; None of one that is not used. A
    gradient is None where autograd has none, and zero where others have one and no result depends on its
    argument, as in JAX. `nested` ones are differentiated again.
    """
    run = graph(function, argnums, nested)

    def pull(cotangent: Any, *args: Any) -> tuple[Any, ...]:
        return run(*args)(cotangent, nested)

    pull.contains, pull.graph = function, run  # type: ignore[attr-defined]
    pull.argnums, pull.nested = argnums, nested  # type: ignore[attr-defined]
    return pull


def graph(
    function: Callable[..., Any], argnums: Sequence[int], nested: bool = False
) -> Callable[..., Callable[..., tuple[Any, ...]]]:
    """`graph(*args)` runs the forward and gives `pull(cotangent)`, which may be called again."""

    def run(*args: Any) -> Callable[..., tuple[Any, ...]]:
        # Whatever grad mode the caller is in: a gradient is what is asked for.
        with explained(), torch.enable_grad():
            leaves = [a.detach() if isinstance(a, torch.Tensor) and not nested else a for a in args]
            active = [leaves[i] if leaves[i].requires_grad else leaves[i].requires_grad_() for i in argnums]
            begins(leaves)
            with calls_noted() as calls:
                result = function(*leaves)
            noted(result)

        def pull(cotangent: Any, retain: bool = True) -> tuple[Any, ...]:
            several = isinstance(result, (tuple, list))
            pairs = zip(result, cotangent, strict=True) if several else [(result, cotangent)]
            reached = [(out, ct) for out, ct in pairs if out.requires_grad and ct is not None]
            if not reached:
                return tuple(_trained(one, None) for one in active)
            outputs, cotangents = zip(*reached, strict=True)
            with explained(), torch.enable_grad(), as_called_in(calls):
                found: tuple[Any, ...] = torch.autograd.grad(
                    outputs, active, cotangents, retain, create_graph=nested, allow_unused=True
                )
                missing = [gradient is None for gradient in found]
                if not any(missing):
                    return found
                if not all(missing):
                    found = tuple(_or_nothing(one, g, outputs) for one, g in zip(active, found, strict=True))
                return tuple(map(_trained, active, found))

        return pull

    return run


def pushforward(
    function: Callable[..., Any], argnums: Sequence[int], nested: bool = False
) -> Callable[..., tuple[Any, ...]]:
    """`push(tangents, *args)`: the derivatives of a function's results along tangents, by dual numbers.

    `nested` ones are differentiated again.
    """
    kept = (lambda tensor: tensor) if nested else torch.Tensor.detach
    base = kept if nested else _leaf

    def push(tangents: Sequence[Any], *args: Any) -> tuple[Any, ...]:
        load_forward_mode()
        if forward_ad._current_level >= 0:
            raise Unsupported("torch does not nest forward mode; one step may be forward, the others reverse")
        with explained(), forward_ad.dual_level(), torch.enable_grad():
            full = list(args)
            for position, tangent in zip(argnums, tangents, strict=True):
                if tangent is None:  # it does not move
                    continue
                full[position] = forward_ad.make_dual(  # type: ignore[no-untyped-call]
                    base(args[position]), tangent
                )
            try:
                results = function(*full)
            except RuntimeError as problem:
                if NOT_FOLLOWED not in str(problem) or all(t is not None for t in tangents):
                    raise
                raise Unsupported("the function differentiates by an argument that does not move") from None
            duals = [
                forward_ad.unpack_dual(out)  # type: ignore[no-untyped-call]
                for out in results
            ]
            return tuple(torch.zeros_like(d.primal) if d.tangent is None else kept(d.tangent) for d in duals)

    return push


def _where_memory_is_freed(function: Function) -> Function:
    """The function; where it frees the memory of an argument, on copies, since NumPy's cannot be freed."""

    @functools.wraps(function)
    def run(*args: Any) -> Any:
        try:
            return function(*args)
        except RuntimeError as problem:
            if NOT_FREED not in str(problem):
                raise
        return function(*tree_map(_own, args))

    return run


def _own(given: Any) -> Any:
    """A tensor in memory that torch has allocated."""
    if not isinstance(given, torch.Tensor):
        return given
    return laid_out(given.detach()).requires_grad_(given.requires_grad)


def _leaf(given: Any) -> Any:
    """A tensor as autograd is given it, whose history begins here; a floating one requires grad."""
    if not isinstance(given, torch.Tensor):
        return given
    leaf = given.detach()
    return leaf.requires_grad_() if leaf.is_floating_point() else leaf


def _trained(leaf: Any, gradient: Any) -> Any:
    """A gradient as an optimizer has it: a parameter without one stays where it is."""
    return torch.zeros_like(leaf) if gradient is None and hasattr(leaf, "is_trained") else gradient


def _or_nothing(leaf: Any, gradient: Any, outputs: Sequence[Any]) -> Any:
    """A gradient; zeros where there is none and no output depends on the leaf."""
    return torch.zeros_like(leaf) if gradient is None and not _depend(outputs, leaf) else gradient


def _depend(outputs: Sequence[Any], leaf: Any) -> bool:
    """Whether the graph of any of them leads to the leaf."""
    wanted = torch.autograd.graph.get_gradient_edge(leaf).node
    return any(node is wanted for node in nodes_of(outputs))


def load_forward_mode() -> None:
    """Load what torch loads with its first dual number, which warns of itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        importlib.import_module("torch._decomp.decompositions_for_jvp")


def as_tensor(array: Any, device: str = "cpu") -> Any:
    """A NumPy array (bfloat16 is that of `ml_dtypes`) as a tensor with its strides; a tensor as it is."""
    if isinstance(array, torch.Tensor):
        return array.to(device)
    whole = np.asarray(array)
    if whole.strides and min(whole.strides) < 0:  # PyTorch has no negative strides
        whole = np.ascontiguousarray(whole)
    if (offset := _offset(whole)) > 0:  # which torch counts from the memory's beginning, and code may forget
        steps = [step // whole.itemsize for step in whole.strides]
        assert whole.base is not None
        return as_tensor(whole.base.reshape(-1), device).as_strided(whole.shape, steps, offset)
    half = whole.dtype.kind == "V" and whole.dtype.name == "bfloat16"
    given = whole.view(np.int16) if half else whole
    if whole.flags.writeable:
        tensor = torch.from_numpy(given)
    else:
        with warnings.catch_warnings():
            # A broadcast view is read-only, and its strides are what is to be tried; nothing writes.
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")
            tensor = torch.from_numpy(given)
    return (tensor.view(torch.bfloat16) if half else tensor).to(device)


def _offset(array: Array) -> int:
    """After how many elements of a larger array of the same kind one begins; 0 where it is all, or alone."""
    base = array.base
    if not isinstance(base, np.ndarray) or base.dtype != array.dtype or not base.flags.c_contiguous:
        return 0
    if not array.size or not base.flags.writeable:
        return 0
    return (array.ctypes.data - base.ctypes.data) // array.itemsize


def _as_given(arg: Any) -> Any:
    """An array, or arrays in tuples, as tensors."""
    if isinstance(arg, np.ndarray | np.generic):
        return as_tensor(arg)
    return tuple(map(_as_given, arg)) if type(arg) is tuple else arg


def as_trained(
    f: Function, args: Sequence[Any], parameters: bool, hooked: bool
) -> tuple[Function, Sequence[Any]]:
    """A function as it is differentiated in training, and its arguments.

    A `torch.nn.Module` is a function of `parameters` of its parameters too. Where `hooked`, arguments and
    parameters keep their hooks.

    Raises:
        ValueError: A lazy module has no parameters yet.
    """
    if isinstance(f, torch.nn.Module):
        f, args = as_function(f, args, parameters)
    else:
        f = _with_attributes(f, args)
    if not hooked:
        return f, args
    hooks = [_hooks_of(leaf) for leaf in flatten("torch", args)[0]]
    return (_with_hooks(f, hooks), args) if any(hooks) else (f, args)


def _with_attributes(f: Function, args: Sequence[Any]) -> Function:
    """The function, which gets tensors that pass for its arguments: as parameters, with their attributes."""
    given = flatten("torch", args)[0]
    if not any(isinstance(leaf, torch.nn.Parameter) or is_marked(leaf) for leaf in given):
        return f

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        for leaf, original in zip(flatten("torch", args)[0], given, strict=True):
            if isinstance(leaf, torch.Tensor) and isinstance(original, torch.Tensor):
                pass_for(leaf, original)
        return f(*args, **kwargs)

    return call


def _hooks_of(leaf: Any) -> list[Callable[[Any], Any]]:
    """What is called with the gradient of a tensor, and may change it."""
    if not isinstance(leaf, torch.Tensor):
        return []
    late = [_refused] if _is_stored_with_hooks(leaf) else []
    return [*(leaf._backward_hooks or {}).values(), *late]


def _is_stored_with_hooks(leaf: torch.Tensor) -> bool:
    """Whether hooks run where its gradient is added to `.grad`: after that, or around its graph's node."""
    if not (leaf.requires_grad and is_leaf(leaf)):
        return False
    node = torch.autograd.graph.get_gradient_edge(leaf).node
    return bool(leaf._post_accumulate_grad_hooks) or has_hooks(node)


def _refused(*gradients: Any) -> None:
    """In place of a hook on the stored gradient, which may well be an optimizer's step."""
    raise Unsupported(
        "a hook runs where this gradient is added to .grad (post-accumulate, or of the graph's node), not "
        "here: training may get another gradient; remove the hook for the check"
    )


def _with_hooks(f: Function, hooks: Sequence[Sequence[Callable[[Any], Any]]]) -> Function:
    """The function, which gives each leaf of its arguments its own hooks."""

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        for leaf, own in zip(flatten("torch", args)[0], hooks, strict=True):
            for hook in own if getattr(leaf, "requires_grad", False) else ():
                leaf.register_hook(hook)
        return f(*args, **kwargs)

    return call
