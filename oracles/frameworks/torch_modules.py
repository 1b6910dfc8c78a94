"""A `torch.nn.Module` as a function of its parameters, which its attributes are while it is called.

And while its gradient is pulled back: a checkpoint runs the module again then.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import torch
from torch.func import functional_call
from torch.nn.parameter import is_lazy
from torch.nn.utils.stateless import _reparametrize_module

from oracles.exact.from_aten.replaced import read_otherwise, replaced
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.trees import flatten
from oracles.frameworks.torch_rules import nodes_of

Function = Callable[..., Any]
Calls = list[tuple[Any, Any]]  # modules, and the parameters that they were called with
_calls: ContextVar[Calls | None] = ContextVar("_calls", default=None)


class calls_noted:
    """A context that notes the calls of modules. Each call of a gradient enters it, so it is no generator."""

    def __enter__(self) -> Calls:
        """The list in which they will be."""
        noted: Calls = []
        self._token = _calls.set(noted)
        return noted

    def __exit__(self, *raised: object) -> None:
        _calls.reset(self._token)


def as_called_in(calls: Calls) -> AbstractContextManager[None]:
    """Within, the modules have the parameters that they were called with.

    Raises:
        Unsupported: What ran within stored a gradient in one of them.
    """
    return _as_called_in(calls) if calls else nullcontext()


@contextmanager
def _as_called_in(calls: Calls) -> Iterator[None]:
    with ExitStack() as stack:
        for module, parameters in calls:
            stack.enter_context(_reparametrize_module(module, _in_each_part(module, parameters)))
        yield
    for module, parameters in calls:
        for name, parameter in parameters.items():
            if parameter.is_leaf and parameter.grad is not None:
                raise Unsupported(
                    f"a backward in {type(module).__name__} writes into {name}.grad, to which training adds "
                    "what it returns: what is in .grad then is not compared; return the gradient alone, or "
                    "pass lambda x: net(x) in place of net, which checks the gradient of its input"
                )


def is_trained(leaf: Any) -> None:
    """Mark a leaf: without a gradient it stays where it is. One of complex numbers is a leaf of pairs."""
    getattr(leaf, "pairs", leaf).is_trained = True


def unregistered(module: Any) -> list[str]:
    """Where a module keeps weights that it does not know of, in words: plain lists and dictionaries."""
    if not isinstance(module, torch.nn.Module):
        return []
    known, found = {id(p) for p in module.parameters()}, []
    for path, part in module.named_modules():
        plain = {n: v for n, v in vars(part).items() if isinstance(v, list | tuple | dict) and n[0] != "_"}
        for name, kept in plain.items():
            leaves = flatten("torch", kept)[0]
            held = [leaf for leaf in leaves if isinstance(leaf, torch.nn.Parameter)]
            held += [p for leaf in leaves if isinstance(leaf, torch.nn.Module) for p in leaf.parameters()]
            if any(id(p) not in known for p in held):
                where = f"{path}.{name}" if path else name
                found.append(
                    f"{where} holds parameters in a plain {type(kept).__name__}, of which the module "
                    "knows nothing: no optimizer moves them, and they are not checked; use ParameterList"
                )
    return found


def as_function(module: Any, args: Sequence[Any], parameters: bool) -> tuple[Function, Sequence[Any]]:
    """A module as a function of its `parameters` too, and the arguments of that.

    Raises:
        ValueError: A lazy module has no parameters yet.
        Unsupported: They cannot be replaced.
    """
    lazy = [name for name, p in module.named_parameters() if is_lazy(p)]
    if lazy:
        raise ValueError(f"the module's {lazy[0]} has no numbers yet, since it is lazy; call the module once")
    active = {name: p for name, p in module.named_parameters() if p.requires_grad and parameters}
    if not active:
        return module, args
    if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
        raise Unsupported(
            "parameters of a torch.jit module cannot be replaced: pass the module that it was made of, or "
            "argnums= for the arguments alone"
        )

    return _of_parameters(module), (active, *args)


def _of_parameters(module: Any) -> Function:
    """A module as a function of its parameters, a dictionary, and then its arguments."""

    def call(parameters: Any, *args: Any, **kwargs: Any) -> Any:
        originals = dict(module.named_parameters())
        if all(parameter is originals[name] for name, parameter in parameters.items()):
            return module(*args, **kwargs)
        for name, parameter in parameters.items():
            is_trained(parameter)
            pass_for(parameter, originals[name])
        noted = _calls.get()
        if noted is not None:
            noted.append((module, parameters))
        own = _in_each_part(module, parameters)
        others = {n: originals[n] for n, p in parameters.items() if p is not originals[n]}
        with replaced(type(module).__name__, others):
            result = functional_call(module, own, args, kwargs, tie_weights=False)
        _refuse_others(module, result)
        return result

    def alike(other: Function) -> Function:
        """Another module as such a function; what is none takes the parameters first, as it is."""
        if not isinstance(other, torch.nn.Module):
            return other
        names = dict(module.named_parameters()).keys(), dict(other.named_parameters()).keys()
        if names[0] != names[1]:
            raise ValueError(
                f"the parameters of {type(module).__name__} are {', '.join(names[0])}, and those of the "
                f"other module {', '.join(names[1]) or 'none'}; pass a module with the same, or a function "
                "of (parameters, *args)"
            )
        return _of_parameters(other)

    own = inspect.signature(module.forward).parameters.values()
    positional = [p.name for p in own if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    call.argument_names = ["parameters", *positional]  # type: ignore[attr-defined]
    call.alike = alike  # type: ignore[attr-defined]
    call.__name__ = type(module).__name__
    return call


def is_marked(leaf: Any) -> bool:
    """Whether it is a tensor on which attributes were set, as on Megatron's and DeepSpeed's weights."""
    return isinstance(leaf, torch.Tensor) and bool(vars(leaf))


def pass_for(tensor: Any, original: Any) -> None:
    """Give a tensor the attributes of the one that it stands for, and make it a parameter as that is.

    A module registers leaves alone.
    """
    if tensor is original:
        return
    vars(tensor).update(vars(original))
    if isinstance(original, torch.nn.Parameter) and tensor.is_leaf:
        tensor._is_param = True  # as torch marks those of subclasses


def _in_each_part(module: Any, parameters: Any) -> dict[str, Any]:
    """The parameters by each attribute that holds one, also where several do.

    A part that has two names is in it once: torch would replace its parameters twice, and put back the wrong
    ones in the end.
    """
    names = {id(p): name for name, p in module.named_parameters() if name in parameters}
    return {
        f"{path}.{attribute}" if path else attribute: parameters[names[id(p)]]
        for path, part in module.named_modules()
        for attribute, p in part._parameters.items()
        if id(p) in names
    }


def _refuse_others(module: Any, result: Any) -> None:
    """Its own parameters have been replaced: what still leads to one has it by another reference.

    Raises:
        Unsupported: Something does.
    """
    own = {id(p): name for name, p in module.named_parameters()}
    for node in nodes_of(flatten("torch", result)[0]):
        name = own.get(id(getattr(node, "variable", None)))
        if name is not None:
            raise read_otherwise(type(module).__name__, name)
