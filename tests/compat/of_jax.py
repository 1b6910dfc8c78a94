"""Functions of JAX with right gradients, and rules with wrong ones. JAX is imported when one is made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

Made = Callable[[], tuple[Callable[..., Any], tuple[Any, ...]]]

X, POSITIVE, UNIT = (
    np.array([[0.3, -1.2, 0.7], [1.9, -0.4, -2.1]]),
    np.array([0.2, 0.9, 2.7]),
    np.array([-0.7, 0.1, 0.4]),
)
# The functions by module, and at what they are asked.
ONE = {
    ("jax.numpy", "ordinary"): (
        "sin cos tan sinh cosh tanh arctan arcsinh exp exp2 expm1 square abs sinc sum prod mean var std max "
        "min median cumsum cumprod sort diff ravel transpose flip rot90 trapezoid linalg.norm nan_to_num"
    ),
    ("jax.numpy", "positive"): "log log1p log2 log10 sqrt cbrt reciprocal",
    ("jax.numpy", "unit"): "arcsin arccos arctanh",
    ("jax.nn", "ordinary"): (
        "relu relu6 sigmoid softplus silu gelu elu selu celu leaky_relu log_sigmoid soft_sign hard_tanh "
        "hard_sigmoid hard_swish softmax log_softmax logsumexp standardize squareplus"
    ),
    (
        "jax.scipy.special",
        "positive",
    ): "gammaln digamma erf erfc log_ndtr ndtr i0 i0e i1 i1e gamma exp1 expi entr",
    ("jax.scipy.special", "unit"): "erfinv",
}
AT = {"ordinary": X, "positive": POSITIVE, "unit": UNIT}


def _of(module: str, name: str, x: Any, dtype: str) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    function: Any = import_module(module)
    for part in name.split("."):
        function = getattr(function, part)
    return function, (_array(x, dtype),)


def _array(x: Any, dtype: str) -> Any:
    return import_module("jax.numpy").asarray(x, dtype)


RIGHT: dict[str, Made] = {
    f"{module}.{name} {dtype}": partial(_of, module, name, AT[kind], dtype)
    for (module, kind), names in ONE.items()
    for name in names.split()
    for dtype in ("float32", *(("bfloat16",) if module == "jax.nn" else ()))
}


def _sample(name: str) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    samples = import_module("tests.oracles.exact.jax_samples").SAMPLES
    function, *args = samples[name]
    return function, tuple(_array(a, "float32") for a in args)


SAMPLES = (
    "at set|at add twice|at max|dynamic_update_slice|segment_sum|top_k|pad|conv1d|conv2d groups|"
    "conv_transpose|"
    "max pool|sum pool|gradient of max pool|scan|fori_loop|cond|switch|vmap cond|map|associative_scan|"
    "checkpoint|custom_vjp|stop_gradient|jacfwd|jacrev|einsum|solve|hypot vmap|"
    "solve_triangular|slogdet|gelu|logsumexp where|nanmean|betainc|a column to a power"
)
RIGHT |= {f"sample: {name}": partial(_sample, name) for name in SAMPLES.split("|")}


def _while() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    lax = import_module("jax").lax

    def newton(x: Any) -> Any:
        """The square root, by an implicit rule."""
        return lax.custom_root(
            lambda y: y * y - x, x, lambda f, y: lax.fori_loop(0, 30, lambda _, y: (y + x / y) / 2, y),
            lambda g, y: y / g(1.0),
        )  # fmt: skip

    return newton, (_array(2.0, "float32"),)


def _attention() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    jax = import_module("jax")
    query = _array(np.linspace(-1, 1, 24).reshape(1, 3, 2, 4), "float32")
    return jax.nn.dot_product_attention, (query, query + 0.3, query - 0.2)


def _wrong(kind: str) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    jax = import_module("jax")
    jnp = jax.numpy

    @jax.custom_vjp
    def tanh(x: Any) -> Any:
        return jnp.tanh(x)

    rules = {
        "sign": lambda y, g: (-g * (1 - y * y),),
        "factor": lambda y, g: (1.001 * g * (1 - y * y),),
        "dropped": lambda y, g: (g * (1 - y),),
        "zero": lambda y, g: (0 * g,),
    }
    tanh.defvjp(lambda x: (jnp.tanh(x), jnp.tanh(x)), rules[kind])
    return tanh, (_array(X, "float32"),)


def _wrong_tangent() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    jax = import_module("jax")

    @jax.custom_jvp
    def sin(x: Any) -> Any:
        return jax.numpy.sin(x)

    sin.defjvp(lambda primals, tangents: (sin(*primals), -jax.numpy.cos(*primals) * tangents[0]))
    return sin, (_array(X, "float32"),)


def _kernel(factor: float) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    jax, pl = import_module("jax"), import_module("jax.experimental.pallas")

    def squares(x_ref: Any, o_ref: Any) -> None:
        o_ref[...] = x_ref[...] * x_ref[...]

    @jax.custom_vjp
    def squared(x: Any) -> Any:
        block, out = pl.BlockSpec((1, 3), lambda i: (i, 0)), jax.ShapeDtypeStruct(x.shape, x.dtype)
        return pl.pallas_call(
            squares, grid=(2,), in_specs=[block], out_specs=block, out_shape=out, interpret=True
        )(x)

    squared.defvjp(lambda x: (squared(x), x), lambda x, g: (factor * g * x,))
    return squared, (_array(X, "float32"),)


RIGHT |= {"custom_root": _while, "dot_product_attention": _attention, "pallas": partial(_kernel, 2.0)}
WRONG: dict[str, Made] = {
    **{f"custom_vjp: {kind}": partial(_wrong, kind) for kind in ("sign", "factor", "dropped", "zero")},
    "custom_jvp": _wrong_tangent,
    "pallas": partial(_kernel, 2.01),
}
