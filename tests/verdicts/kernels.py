"""Right kernels as people write them: attention, norms, losses, recurrences, quantisation.

Each is a function with a gradient that is right: the framework's own, or one by hand. `python -m
tests.verdicts.kernels` checks all of them in four dtypes, at ordinary and at large inputs; the tests take
each in one dtype by turns.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F

import harness
from harness.verdicts import Verdict
from tests.verdicts.kernel_witness import objections

DTYPES = ("float64", "float32", "float16", "bfloat16")
SIZES = {"ordinary": 1.0, "large": 12.0}
# What right kernels lose by themselves, seen with mpmath: the line that loses the digits is named.
ALLOWED = {Verdict.ACCURATE, Verdict.CONVENTION, Verdict.IMPRECISE}


class Kernel(NamedTuple):
    """A function, the shapes of its arguments, and what else `check_gradient` is told."""

    framework: str
    function: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    options: dict[str, Any] = {}  # noqa: RUF012 - read only


# -- NumPy, with gradients by hand ---------------------------------------------------------------------------


def np_softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def np_softmax_vjp(g, x):
    p = np_softmax(x)
    return p * (g - (g * p).sum(-1, keepdims=True))


def np_logsumexp(x):
    m = x.max(-1, keepdims=True)
    return (m + np.log(np.exp(x - m).sum(-1, keepdims=True)))[..., 0]


def np_layernorm(x):
    d = x - x.mean(-1, keepdims=True)
    return d / np.sqrt((d * d).mean(-1, keepdims=True) + 1e-5)


def np_layernorm_vjp(g, x):
    d = x - x.mean(-1, keepdims=True)
    s = 1 / np.sqrt((d * d).mean(-1, keepdims=True) + 1e-5)
    y = d * s
    return s * (g - g.mean(-1, keepdims=True) - y * (g * y).mean(-1, keepdims=True))


def np_rmsnorm(x):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)


def np_rmsnorm_vjp(g, x):
    r = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)
    return r * g - r**3 * x * (g * x).mean(-1, keepdims=True)


def np_sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def np_swish(x):
    return x * np_sigmoid(x)


def np_swish_vjp(g, x):
    s = np_sigmoid(x)
    return g * (s + x * s * (1 - s))


def np_huber(x):
    a = np.abs(x)
    return np.where(a <= 1, x * x / 2, a - x.dtype.type(0.5)).sum()


def np_rnn(x, w):
    h = np.zeros(x.shape[-1], x.dtype)
    for row in x:
        h = np.tanh(row + h @ w)
    return h


def np_rnn_vjp(g, x, w):
    hs = [np.zeros(x.shape[-1], x.dtype)]
    for row in x:
        hs.append(np.tanh(row + hs[-1] @ w))
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for t in range(len(x) - 1, -1, -1):
        d = g * (1 - hs[t + 1] ** 2)
        dx[t], dw, g = d, dw + np.outer(hs[t], d), d @ w.T
    return dx, dw


NUMPY = {
    "softmax": Kernel("numpy", np_softmax, ((3, 5),), {"vjp": np_softmax_vjp}),
    "logsumexp": Kernel("numpy", np_logsumexp, ((3, 5),), {"vjp": lambda g, x: g[..., None] * np_softmax(x)}),
    "layernorm": Kernel("numpy", np_layernorm, ((3, 8),), {"vjp": np_layernorm_vjp}),
    "rmsnorm": Kernel("numpy", np_rmsnorm, ((3, 8),), {"vjp": np_rmsnorm_vjp}),
    "sigmoid": Kernel("numpy", np_sigmoid, ((9,),), {"vjp": lambda g, x: g * np_sigmoid(x) * np_sigmoid(-x)}),
    "swish": Kernel("numpy", np_swish, ((9,),), {"vjp": np_swish_vjp}),
    "huber": Kernel("numpy", np_huber, ((9,),), {"vjp": lambda g, x: g * np.clip(x, -1, 1)}),
    "recurrent": Kernel("numpy", np_rnn, ((3, 4), (4, 4)), {"vjp": np_rnn_vjp}),
    "hinge": Kernel(
        "numpy",
        lambda x: np.maximum(1 - x, 0).sum(),
        ((9,),),
        {"vjp": lambda g, x: np.where(x < 1, -g, 0 * g)},
    ),
    "cosine": Kernel(
        "numpy",
        lambda x: x / np.sqrt((x * x).sum(-1, keepdims=True)),
        ((3, 5),),
        {
            "vjp": lambda g, x: (
                (g - x * (g * x).sum(-1, keepdims=True) / (x * x).sum(-1, keepdims=True))
                / np.sqrt((x * x).sum(-1, keepdims=True))
            )
        },
    ),
}

# -- torch ---------------------------------------------------------------------------------------------------

CAUSAL = torch.ones(5, 5).tril().bool()
CLASSES = torch.tensor([0, 2, 1, 4])


def attend(q, k, v, fill=float("-inf"), bias=0.0, cap=0.0):
    s = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + bias
    s = cap * torch.tanh(s / cap) if cap else s
    return torch.softmax(s.masked_fill(~CAUSAL, fill), -1) @ v


def alibi(q, k, v):
    steps = torch.arange(5, dtype=q.dtype)
    return attend(q, k, v, bias=-0.5 * (steps[:, None] - steps).abs())


def linear_attention(q, k, v):
    q, k = F.elu(q) + 1, F.elu(k) + 1
    return (q @ (k.transpose(-1, -2) @ v)) / (q @ k.sum(-2, keepdim=True).transpose(-1, -2))


def rotary(q, k, v):
    angle = torch.arange(5, dtype=q.dtype)[:, None] * torch.tensor([1.0, 0.125], dtype=q.dtype)
    c, s = angle.cos(), angle.sin()

    def turned(x):
        a, b = x[..., :2], x[..., 2:]
        return torch.cat([a * c - b * s, a * s + b * c], -1)

    return attend(turned(q), turned(k), v)


def flash(q, k, v):
    """By blocks, with the running maximum and sum."""
    m = torch.full((*q.shape[:-1], 1), -torch.inf, dtype=q.dtype)
    total, out = torch.zeros_like(m), torch.zeros_like(q)
    for block in (slice(0, 2), slice(2, 5)):
        s = q @ k[..., block, :].transpose(-1, -2) / q.shape[-1] ** 0.5
        new = torch.maximum(m, s.max(-1, keepdim=True).values)
        p, scale = torch.exp(s - new), torch.exp(m - new)
        total, out, m = total * scale + p.sum(-1, keepdim=True), out * scale + p @ v[..., block, :], new
    return out / total


class RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        r = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        ctx.save_for_backward(x, w, r)
        return x * r * w

    @staticmethod
    def backward(ctx, g):
        x, w, r = ctx.saved_tensors
        h = g * w
        return r * h - r**3 * x * (h * x).mean(-1, keepdim=True), (g * x * r).sum(0)


class BiasGelu(torch.autograd.Function):
    """As Megatron has it."""

    @staticmethod
    def forward(ctx, y, bias):
        ctx.save_for_backward(y, bias)
        x = bias + y
        return x * 0.5 * (1.0 + torch.tanh(0.79788456 * x * (1 + 0.044715 * x * x)))

    @staticmethod
    def backward(ctx, g):
        y, bias = ctx.saved_tensors
        x = bias + y
        t = torch.tanh(0.79788456 * x * (1 + 0.044715 * x * x))
        d = 0.5 * x * ((1 - t * t) * (0.79788456 + 0.1070322243 * x * x)) + 0.5 * (1 + t)
        return d * g, (d * g).sum(0)


class RoundThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.round(x * 4) / 4

    @staticmethod
    def backward(ctx, g):
        return g


class Clipped(torch.autograd.Function):
    """Fake quantisation to [-1, 1]: the straight-through gradient of the clip."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.round(x.clamp(-1, 1) * 8) / 8

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * ((x > -1) & (x < 1))


def focal(x):
    logs = F.log_softmax(x, -1).gather(-1, CLASSES[:, None])[:, 0]
    return -((1 - logs.exp()) ** 2 * logs).mean()


def contrastive(x, y):
    s = F.normalize(x, dim=-1) @ F.normalize(y, dim=-1).T / 0.5
    return F.cross_entropy(s, torch.arange(len(x)))


def triplet(a, p, n):
    return F.relu((a - p).norm(dim=-1) - (a - n).norm(dim=-1) + 1).sum()


def gru(x, w):
    h = torch.zeros(x.shape[-1] // 3, dtype=x.dtype)
    for row in x:
        r, z, n = row.chunk(3)
        a, b, c = (h @ w).chunk(3)
        r, z = torch.sigmoid(r + a), torch.sigmoid(z + b)
        h = (1 - z) * torch.tanh(n + r * c) + z * h
    return h


def smoothed(x):
    return F.cross_entropy(x, CLASSES, label_smoothing=0.1)


def swiglu(x, w, v):
    return F.silu(x @ w) * (x @ v)


def scanned(x, a):
    """A diagonal state space, step by step."""
    h, out = torch.zeros_like(x[0]), []
    for row in x:
        h = torch.sigmoid(a) * h + row
        out.append(h)
    return torch.stack(out)


QKV = ((1, 2, 5, 4),) * 3
TORCH = {
    "causal attention": Kernel("torch", attend, QKV),
    "attention with -1e9": Kernel("torch", lambda q, k, v: attend(q, k, v, -1e4), QKV),
    "soft-capped attention": Kernel("torch", lambda q, k, v: attend(q, k, v, cap=5.0), QKV),
    "alibi": Kernel("torch", alibi, QKV),
    "rotary": Kernel("torch", rotary, QKV),
    "linear attention": Kernel("torch", linear_attention, QKV),
    "flash by blocks": Kernel("torch", flash, QKV),
    "sdpa": Kernel("torch", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), QKV),
    "rmsnorm": Kernel("torch", RmsNorm.apply, ((3, 8), (8,))),
    "bias gelu": Kernel(
        "torch",
        BiasGelu.apply,
        ((3, 8), (8,)),
        {"spec": lambda y, bias: F.gelu(y + bias, approximate="tanh")},
    ),
    "layer_norm": Kernel("torch", lambda x, w, b: F.layer_norm(x, (8,), w, b), ((3, 8), (8,), (8,))),
    "group_norm": Kernel("torch", lambda x: F.group_norm(x, 2), ((2, 4, 3),)),
    "instance_norm": Kernel("torch", F.instance_norm, ((2, 3, 6),)),
    "normalize": Kernel("torch", lambda x: F.normalize(x, dim=-1), ((3, 5),)),
    "focal loss": Kernel("torch", focal, ((4, 5),)),
    "smoothed cross entropy": Kernel("torch", smoothed, ((4, 5),)),
    "contrastive loss": Kernel("torch", contrastive, ((4, 5), (4, 5))),
    "triplet": Kernel(
        "torch", lambda a, p, n: F.relu((a - p).norm(dim=-1) - (a - n).norm(dim=-1) + 1).sum(), ((3, 5),) * 3
    ),
    "kl": Kernel(
        "torch",
        lambda x, y: F.kl_div(F.log_softmax(x, -1), F.log_softmax(y, -1), log_target=True, reduction="sum"),
        ((3, 5), (3, 5)),
    ),
    "gru": Kernel("torch", gru, ((3, 6), (2, 6))),
    "swiglu": Kernel("torch", swiglu, ((3, 4), (4, 5), (4, 5))),
    "state space": Kernel("torch", scanned, ((4, 3), (3,))),
    "round through": Kernel("torch", RoundThrough.apply, ((9,),), {"surrogate": lambda x: x}),
    "fake quantisation": Kernel("torch", Clipped.apply, ((9,),), {"surrogate": lambda x: x.clamp(-1, 1)}),
    "mish": Kernel("torch", F.mish, ((9,),)),
    "softplus by hand": Kernel("torch", lambda x: torch.log1p(torch.exp(-x.abs())) + x.clamp(min=0), ((9,),)),
    "conv": Kernel("torch", lambda x, w: F.conv1d(x, w, padding=1), ((1, 2, 6), (3, 2, 3))),
}

# -- JAX -----------------------------------------------------------------------------------------------------


def j_attend(q, k, v, fill=-1e9):
    s = q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5
    s = jnp.where(jnp.tril(jnp.ones(s.shape[-2:], bool)), s, jnp.asarray(fill, s.dtype))
    return jax.nn.softmax(s, -1) @ v


@jax.custom_vjp
def j_rmsnorm(x, w):
    return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-6) * w


def j_rmsnorm_fwd(x, w):
    return j_rmsnorm(x, w), (x, w)


def j_rmsnorm_bwd(saved, g):
    x, w = saved
    r = jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-6)
    h = g * w
    return r * h - r**3 * x * (h * x).mean(-1, keepdims=True), (g * x * r).sum(0)


j_rmsnorm.defvjp(j_rmsnorm_fwd, j_rmsnorm_bwd)


def j_layernorm(x, w, b):
    d = x - x.mean(-1, keepdims=True)
    return d * jax.lax.rsqrt((d * d).mean(-1, keepdims=True) + 1e-5) * w + b


def j_scan(x, w):
    return jax.lax.scan(lambda h, row: (jnp.tanh(row + h @ w), h.sum()), jnp.zeros(x.shape[-1], x.dtype), x)[
        0
    ]


def j_softmax(x):
    e = jnp.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def j_loss(x):
    return -jax.nn.log_softmax(x, -1)[jnp.arange(4), jnp.array([0, 2, 1, 4])].mean()


def j_info(x, y):
    s = x @ y.T / jnp.sqrt(x.shape[-1])
    return (jax.nn.logsumexp(s, -1) - jnp.diag(s)).mean()


@jax.custom_jvp
def j_round(x):
    return jnp.round(x)


j_round.defjvp(lambda primals, tangents: (j_round(*primals), tangents[0]))


def j_associative(x, a):
    gates = jax.nn.sigmoid(a) * jnp.ones_like(x)
    return jax.lax.associative_scan(lambda a, b: (a[0] * b[0], a[1] * b[0] + b[1]), (gates, x))[1]


J = "jax"
JAX = {
    "attention": Kernel(J, j_attend, QKV),
    "attention with -inf": Kernel(J, lambda q, k, v: j_attend(q, k, v, -jnp.inf), QKV),
    "dot_product_attention": Kernel(
        J, lambda q, k, v: jax.nn.dot_product_attention(q, k, v), ((1, 3, 2, 4),) * 3
    ),
    "rmsnorm": Kernel(J, j_rmsnorm, ((3, 8), (8,))),
    "layernorm": Kernel(J, j_layernorm, ((3, 8), (8,), (8,))),
    "standardize": Kernel(J, jax.nn.standardize, ((3, 8),)),
    "gelu": Kernel(J, lambda x: jax.nn.gelu(x), ((9,),)),
    "erf gelu": Kernel(J, lambda x: jax.nn.gelu(x, approximate=False), ((9,),)),
    "silu": Kernel(J, jax.nn.silu, ((9,),)),
    "glu": Kernel(J, lambda x: jax.nn.glu(x), ((3, 8),)),
    "recurrent": Kernel(J, j_scan, ((3, 4), (4, 4))),
    "associative scan": Kernel(J, j_associative, ((4, 3), (3,))),
    "cross entropy": Kernel(J, j_loss, ((4, 5),)),
    "contrastive": Kernel(J, j_info, ((4, 5), (4, 5))),
    "logsumexp": Kernel(J, lambda x: jax.nn.logsumexp(x, -1), ((3, 5),)),
    "huber": Kernel(J, lambda x: jnp.where(jnp.abs(x) < 1, x * x / 2, jnp.abs(x) - 0.5).sum(), ((9,),)),
    "round through": Kernel(J, j_round, ((9,),), {"surrogate": lambda x: x}),
    "normalize": Kernel(J, lambda x: x / jnp.linalg.norm(x, axis=-1, keepdims=True), ((3, 5),)),
    "swiglu": Kernel(J, lambda x, w, v: jax.nn.silu(x @ w) * (x @ v), ((3, 4), (4, 5), (4, 5))),
    "rematerialized": Kernel(J, jax.checkpoint(lambda x, w: jnp.tanh(x @ w).sum()), ((3, 4), (4, 5))),
    "mapped": Kernel(J, jax.vmap(lambda x: jax.nn.softmax(x) * x), ((3, 5),)),
    "conv": Kernel(J, lambda x, w: jax.lax.conv_general_dilated(x, w, (1,), "SAME"), ((1, 2, 6), (3, 2, 3))),
    "softplus": Kernel(J, jax.nn.softplus, ((9,),)),
    "softmax by hand": Kernel(J, j_softmax, ((3, 5),)),
}
KERNELS = {
    **{f"numpy {name}": kernel for name, kernel in NUMPY.items()},
    **{f"torch {name}": kernel for name, kernel in TORCH.items()},
    **{f"jax {name}": kernel for name, kernel in JAX.items()},
}


def supports(kernel: Kernel, dtype: str) -> bool:
    """Whether the framework has that dtype for it: NumPy has no bfloat16."""
    return not (kernel.framework == "numpy" and dtype == "bfloat16")


def arguments(kernel: Kernel, dtype: str, size: float, seed: int = 0) -> tuple[Any, ...]:
    """Seeded arguments, the first of that size."""
    rng = np.random.default_rng(seed)
    first, *others = [rng.normal(size=shape) for shape in kernel.shapes]
    drawn = [size * first, *others]
    if kernel.framework == "torch":
        return tuple(torch.tensor(x).to(getattr(torch, dtype)) for x in drawn)
    if kernel.framework == "jax":
        return tuple(jnp.asarray(x, dtype) for x in drawn)
    return tuple(x.astype(dtype) for x in drawn)


def cotangent(kernel: Kernel, args: tuple[Any, ...], seed: int = 1) -> Any:
    """A seeded cotangent, in the shape and dtype of the result."""
    run = jax.eval_shape if kernel.framework == "jax" else lambda f, *args: f(*args)
    result = run(kernel.function, *args)
    drawn = np.random.default_rng(seed).normal(size=tuple(result.shape))
    if kernel.framework == "torch":
        return torch.tensor(drawn).to(result.dtype)
    return (jnp if kernel.framework == "jax" else np).asarray(drawn, result.dtype)


def posed(name: str, dtype: str, size: str) -> tuple[tuple[Any, ...], Any]:
    """The arguments of a kernel, and a cotangent."""
    args = arguments(KERNELS[name], dtype, SIZES[size])
    return args, cotangent(KERNELS[name], args)


def checked(name: str, dtype: str, size: str) -> harness.Result:
    """The verdict on one kernel."""
    kernel = KERNELS[name]
    with jax.enable_x64(True), np.errstate(all="ignore"):
        args, along = posed(name, dtype, size)
        return harness.check_gradient(
            kernel.function, args, **kernel.options, cotangent=along, probes=False, upstream="fail"
        )


def against(name: str, dtype: str, size: str, result: harness.Result) -> list[str]:
    """What the second witness has against a result, where that is imprecise."""
    kernel = KERNELS[name]
    if result.verdict is not Verdict.IMPRECISE:
        return []
    with jax.enable_x64(True), np.errstate(all="ignore"):
        args, along = posed(name, dtype, size)
    numbers = [x.double().numpy() if kernel.framework == "torch" else x for x in (*args, along)]
    code = [kernel.function, *(f for f in kernel.options.values() if callable(f))]
    return objections(name, result, numbers[:-1], numbers[-1], code)


def main() -> int:
    """Check all; 1 where a right kernel is accused, or nothing is known of it."""
    warnings.simplefilter("ignore")
    counts: dict[str, int] = {}
    bad = 0
    for name, kernel in KERNELS.items():
        for dtype in DTYPES:
            for size in SIZES:
                if supports(kernel, dtype):
                    result = checked(name, dtype, size)
                    counts[result.verdict.value] = counts.get(result.verdict.value, 0) + 1
                    if result.verdict not in {Verdict.ACCURATE, Verdict.CONVENTION}:
                        objected = against(name, dtype, size, result)
                        bad += result.verdict not in ALLOWED or bool(objected)
                        told = "\n".join([f"{name}, {dtype}, {size}: {result}", *objected])
                        print(told.replace("\n", "\n    "), flush=True)
    print(len(KERNELS), "kernels:", counts)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
