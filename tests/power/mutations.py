"""Mutation power: the smallest error in a gradient that each checker sees, and which kinds it lets through.

Right gradients of twenty functions of torch, of twenty of JAX, and of the reference's rules are changed in
systematic ways; the forward stays.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import torch
import torch.nn.functional as F
from jax.test_util import check_grads

import harness
from harness.cases import catalogue
from harness.dropin.made import original
from tests.power.fault import loaded
from tests.verdicts.corpus import to_jax, to_torch

Function = Callable[[Any], Any]
SIZES = ((4, 8), (16, 16), (32, 64))
DTYPES = ("float64", "float32", "float16", "bfloat16")
FINEST = 40  # scales are 1 + 2^-k up to this
SLOW = 256  # elements up to which gradcheck's whole Jacobian is computed
WEIGHTS = np.random.default_rng(7).normal(size=(64, 64)).astype(np.float32)


def _columns(x: Any) -> int:
    return int(x.shape[-1])


TORCH: dict[str, Function] = {
    "softmax": lambda x: F.softmax(x, -1),
    "log_softmax": lambda x: F.log_softmax(x, -1),
    "layer_norm": lambda x: F.layer_norm(x, (_columns(x),)),
    "logsumexp": lambda x: torch.logsumexp(x, -1),
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "elu": F.elu,
    "softplus": F.softplus,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "exp": torch.exp,
    "sin": torch.sin,
    "square": torch.square,
    "cumsum": lambda x: torch.cumsum(x, -1),
    "mean": lambda x: torch.mean(x, -1),
    "norm": lambda x: torch.linalg.vector_norm(x, dim=-1),
    "matmul": lambda x: x @ torch.from_numpy(WEIGHTS[: _columns(x), :4].copy()).to(x.dtype),
    "mse_loss": lambda x: F.mse_loss(x, torch.zeros_like(x)),
    "cross_entropy": lambda x: F.cross_entropy(x, torch.arange(x.shape[0]) % _columns(x)),
}
JAX: dict[str, Function] = {
    "softmax": jax.nn.softmax,
    "log_softmax": jax.nn.log_softmax,
    "standardize": jax.nn.standardize,
    "logsumexp": lambda x: jax.nn.logsumexp(x, -1),
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
    "mish": jax.nn.mish,
    "elu": jax.nn.elu,
    "softplus": jax.nn.softplus,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "exp": jnp.exp,
    "sin": jnp.sin,
    "square": jnp.square,
    "cumsum": lambda x: jnp.cumsum(x, -1),
    "mean": lambda x: jnp.mean(x, -1),
    "norm": lambda x: jnp.sqrt(jnp.sum(x * x, -1)),
    "matmul": lambda x: x @ jnp.asarray(WEIGHTS[: x.shape[-1], :4], x.dtype),
    "mse": lambda x: jnp.mean(x * x),
    "cross_entropy": lambda x: -jnp.mean(jax.nn.log_softmax(x)[:, 0]),
}


def _rolled(g: Any) -> Any:
    rows = [*range(1, g.shape[0]), 0]
    return g[np.array(rows)]


def _part(g: Any, where: Callable[[Any], Any]) -> Any:
    """Zero where a mask of NumPy's says so."""
    mask = np.ones(tuple(g.shape), np.float32)
    where(mask)[...] = 0
    return g * (torch.from_numpy(mask).to(g.dtype) if isinstance(g, torch.Tensor) else mask.astype(g.dtype))


# Each takes a right gradient of shape (rows, columns).
KINDS: dict[str, Callable[[Any], Any]] = {
    "sign": lambda g: -g,
    "zero": lambda g: g * 0,
    "shifted index": _rolled,
    "transposed": lambda g: g.T if g.shape[0] == g.shape[1] else _rolled(g),
    "wrong axis": lambda g: g - g.mean(0),
    "no row sums": lambda g: g - g.mean(1)[:, None],
    "one element": lambda g: _part(g, lambda m: m[1:2, 1:2]),
    "one row": lambda g: _part(g, lambda m: m[1]),
    "half the batch": lambda g: _part(g, lambda m: m[: m.shape[0] // 2]),
    "summed for the mean": lambda g: g * g.shape[0],
}


def scaled(k: int) -> Callable[[Any], Any]:
    """Times 1 + 2^-k, in the gradient's own dtype: nothing for a k that is too large for it."""
    return lambda g: g * (1 + 2.0**-k)


def mutated(framework: str, f: Function, change: Callable[[Any], Any]) -> Function:
    """A function with its own gradient, changed."""
    if framework == "jax":
        function = jax.custom_vjp(lambda x: f(x))  # f's own further arguments stay out of it
        function.defvjp(lambda x: (f(x), x), lambda x, g: (change(jax.vjp(f, x)[1](g)[0]),))
        return function

    class Mutated(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(x)
            return f(x)

        @staticmethod
        def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
            (x,) = ctx.saved_tensors
            with torch.enable_grad():
                leaf = x.detach().requires_grad_()
                (found,) = torch.autograd.grad(f(leaf), leaf, g)
            return change(found)

    return Mutated.apply


def _ours(framework: str, f: Function, x: Any) -> bool:
    return bool(harness.check_gradient(f, (loaded(framework, x),)).passed)


def _gradcheck(framework: str, f: Function, x: Any, fast: bool) -> bool | None:
    if framework != "torch" or x.dtype != np.float64 or (not fast and x.size > SLOW):
        return None
    leaf = to_torch(x).requires_grad_()
    return bool(original("gradcheck")(f, (leaf,), fast_mode=fast, raise_exception=False))


def _check_grads(framework: str, f: Function, x: Any) -> bool | None:
    if framework != "jax" or x.dtype not in (np.float64, np.float32):
        return None
    try:
        check_grads(f, (to_jax(x),), order=1, modes=["rev"])
    except AssertionError:
        return False
    return True


CHECKERS: dict[str, Callable[[str, Function, Any], bool | None]] = {
    "ours": _ours,
    "gradcheck, slow": partial(_gradcheck, fast=False),
    "gradcheck, fast": partial(_gradcheck, fast=True),
    "check_grads": _check_grads,
}


def drawn(size: tuple[int, int], dtype: str) -> Any:
    """Normal numbers that bfloat16 holds, so that every dtype sees the same."""
    x = np.random.default_rng(3).normal(size=size).astype(ml_dtypes.bfloat16)
    return x.astype(getattr(ml_dtypes, dtype) if dtype == "bfloat16" else dtype)


def of_cell(framework: str, name: str, size: tuple[int, int], dtype: str) -> list[dict[str, Any]]:
    """One function at one size and dtype: a row per checker."""
    f = (TORCH if framework == "torch" else JAX)[name]
    x = drawn(size, dtype)
    found = []
    with warnings.catch_warnings(), np.errstate(all="ignore"), jax.enable_x64(dtype == "float64"):
        warnings.simplefilter("ignore")
        for checker, check in CHECKERS.items():
            if check(framework, f, x) is None:
                continue
            row: dict[str, Any] = {
                "framework": framework, "function": name, "rows": size[0], "columns": size[1], "dtype": dtype,
                "checker": checker, "passes the right one": bool(check(framework, f, x)),
            }  # fmt: skip
            sees = partial(_sees, check, framework, f, x)
            row["finest scale"] = _finest(sees)
            if checker == "ours":
                own = harness.check_gradient(f, (loaded(framework, x),))
                row["bound ulps"] = own.rows["bound_ulp"].max()
                row["verdict"] = "" if own.passed else own.verdict.value
            kinds = KINDS if size == SIZES[1] and dtype in {"float64", "float32"} else {}
            row["kinds"] = len(kinds)
            row["let through"] = ", ".join(kind for kind, change in kinds.items() if not sees(change))
            found.append(row)
    return found


def _sees(
    check: Callable[[str, Function, Any], bool | None],
    framework: str,
    f: Function,
    x: Any,
    change: Callable[[Any], Any],
) -> bool:
    """Whether a checker fails a changed gradient, or the change is none."""
    if _is_none(framework, f, x, change):
        return True
    return check(framework, mutated(framework, f, change), x) is False


def _is_none(framework: str, f: Function, x: Any, change: Callable[[Any], Any]) -> bool:
    """Whether a change leaves this gradient as it is: rows without a mean have none to lose."""
    if change in _SCALES:
        return False
    if framework == "torch":
        leaf = to_torch(x).double().requires_grad_()
        (g,) = torch.autograd.grad(f(leaf).sum(), leaf)
        pair = change(g), g
    else:
        with jax.enable_x64(True):
            wide = jnp.asarray(x.astype(np.float64))
            g = jax.vjp(f, wide)[1](jnp.ones_like(f(wide)))[0]
            pair = change(g), g
    return bool(np.allclose(*(np.asarray(p, np.float64) for p in pair), rtol=1e-5, atol=1e-7))


_SCALES = {scaled(k): k for k in range(1, FINEST + 1)}


def _finest(sees: Callable[[Callable[[Any], Any]], bool]) -> int:
    """The largest k whose scale is seen, by halving; 0 if not even 1 + 1/2 is."""
    scales = list(_SCALES)
    low, high = 0, FINEST
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if sees(scales[middle - 1]) else (low, middle - 1)
    return low


def of_reference(name: str) -> list[dict[str, Any]]:
    """One of the reference's rules, in NumPy: ours alone can be asked."""
    case = catalogue()[name]
    found = []
    for dtype in ("float64", "float32"):
        args, _ = case.draw("ordinary", dtype, 0)

        def passes(change: Callable[[Any], Any], args: Any = args) -> bool:
            def vjp(g: Any, *given: Any) -> Any:
                parts = case.vjp(g, *given)
                return tuple(map(change, parts if isinstance(parts, tuple) else (parts,)))

            return bool(harness.check_gradient(case.function, args, vjp=vjp, argnums=case.argnums).passed)

        found.append(
            {
                "framework": "numpy", "function": name, "rows": args[0].shape[0] if args[0].ndim else 1,
                "columns": args[0].shape[-1] if args[0].ndim else 1, "dtype": dtype, "checker": "ours",
                "passes the right one": passes(lambda g: g), "kinds": 2,
                "finest scale": _finest(lambda change: not passes(change)),
                "let through": ", ".join(
                    kind for kind, change in (("sign", lambda g: -g), ("zero", lambda g: g * 0))
                    if passes(change)
                ),
            }
        )  # fmt: skip
    return found


def cells() -> Iterator[tuple[str, str, tuple[int, int], str]]:
    """All functions at all sizes and dtypes."""
    for framework, functions in (("torch", TORCH), ("jax", JAX)):
        for name in functions:
            for size in SIZES:
                for dtype in DTYPES:
                    yield framework, name, size, dtype
