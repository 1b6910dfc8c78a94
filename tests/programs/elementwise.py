"""Functions of one number and of two, comparisons as masks, and casts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.programs.scope import Scope, Unfit, Value, broadcast

# By kind: the exact text, JAX's, torch's, NumPy's own where it is another, and which numbers it takes.
Entry = tuple[str, str, str, str, Callable[[np.ndarray], bool]]


def _any(x: np.ndarray) -> bool:
    return bool(np.max(np.abs(x), initial=0) < 20)


def _small(x: np.ndarray) -> bool:
    return bool(np.max(np.abs(x), initial=0) < 4)


def _positive(x: np.ndarray) -> bool:
    return bool(np.min(x, initial=1) > 0.05)


def _inside(x: np.ndarray) -> bool:
    return bool(np.max(np.abs(x), initial=0) < 0.95)


def _smooth(x: np.ndarray) -> bool:
    return bool(np.min(np.abs(x), initial=1) > 0.05)


SIGMOID = "1 / (1 + np.exp(-{0}))"
RELU = "np.where({0} > 0, {0}, 0 * {0})"
# JAX's gelu is coded with a rounded root of 2, which counts as it stands.
# torch's derivative of digamma is a known defect (reports/defects.md): right to ten digits only.
UNARY: dict[str, Entry] = {
    **{
        name: (f"np.{name}({{0}})", f"jnp.{name}({{0}})", f"torch.{name}({{0}})", "", fits)
        for name, fits in {
            "sin": _any, "cos": _any, "tanh": _any, "exp": _small, "expm1": _small, "sinh": _small,
            "cosh": _small, "sqrt": _positive, "log": _positive, "log1p": _positive, "log2": _positive,
            "tan": _inside, "arctan": _any, "arcsinh": _any, "arcsin": _inside, "arctanh": _inside, "exp2": _small,
        }.items()
    },
    "square": ("{0} * {0}", "jnp.square({0})", "torch.square({0})", "np.square({0})", _any),
    "cube": ("{0} ** 3", "{0} ** 3", "{0} ** 3", "", _small),
    "power": ("np.exp(1.5 * np.log({0}))", "{0} ** 1.5", "{0} ** 1.5", "{0} ** 1.5", _positive),
    "inverse square": ("1 / ({0} * {0})", "{0} ** -2", "{0} ** -2", "{0} ** -2.0", _smooth),
    "reciprocal": ("1 / {0}", "jnp.reciprocal({0})", "torch.reciprocal({0})", "np.reciprocal({0})", _smooth),
    "rsqrt": ("1 / np.sqrt({0})", "lax.rsqrt({0})", "torch.rsqrt({0})", "{0} ** -0.5", _positive),
    "abs": ("abs({0})", "jnp.abs({0})", "torch.abs({0})", "np.abs({0})", _any),
    "neg": ("-{0}", "jnp.negative({0})", "torch.neg({0})", "np.negative({0})", _any),
    "sign": ("{0} * np.where({0} > 0, 1, -1)", "{0} * jnp.sign({0})", "{0} * torch.sign({0})",
             "{0} * np.sign({0})", _smooth),
    "erf": ("erf({0})", "jax.scipy.special.erf({0})", "torch.erf({0})", "scipy.special.erf({0})", _any),
    "erfc": ("1 - erf({0})", "jax.scipy.special.erfc({0})", "torch.erfc({0})", "scipy.special.erfc({0})", _small),
    "lgamma": ("lgamma({0})", "jax.scipy.special.gammaln({0})", "torch.lgamma({0})", "scipy.special.gammaln({0})",
               _positive),
    "digamma": ("digamma({0})", "jax.scipy.special.digamma({0})", "", "scipy.special.digamma({0})",
                _positive),
    "sigmoid": (SIGMOID, "jax.nn.sigmoid({0})", "torch.sigmoid({0})", "scipy.special.expit({0})", _any),
    "silu": (f"{{0}} * {SIGMOID}", "jax.nn.silu({0})", "F.silu({0})", "", _any),
    "softplus": ("np.log(1 + np.exp({0}))", "jax.nn.softplus({0})", "F.softplus({0})", "np.logaddexp({0}, 0)",
                 _any),
    "log_sigmoid": ("-np.log(1 + np.exp(-{0}))", "jax.nn.log_sigmoid({0})", "F.logsigmoid({0})", "", _any),
    "gelu": ("{0} * (1 + erf({0} / np.sqrt(0 * {0} + 2))) / 2", "", "F.gelu({0})",
             "", _small),
    "relu": (RELU, "jax.nn.relu({0})", "torch.relu({0})", "np.maximum({0}, 0)", _any),
    "leaky_relu": ("np.where({0} > 0, {0}, 0.125 * {0})", "jax.nn.leaky_relu({0}, 0.125)", "F.leaky_relu({0}, 0.125)",
                   "", _any),
    "elu": ("np.where({0} > 0, {0}, np.exp({0}) - 1)", "jax.nn.elu({0})", "F.elu({0})", "", _small),
    "softsign": ("{0} / (1 + abs({0}))", "jax.nn.soft_sign({0})", "F.softsign({0})", "", _any),
    "mish": ("{0} * np.tanh(np.log(1 + np.exp({0})))", "jax.nn.mish({0})", "F.mish({0})", "", _small),
    "clamp": ("np.clip({0}, N(-0.5), N(1.5))", "jnp.clip({0}, -0.5, 1.5)", "torch.clamp({0}, -0.5, 1.5)", "np.clip({0}, -0.5, 1.5)", _any),
    "clamp one side": ("np.maximum({0}, N(0.25))", "jnp.clip({0}, min=0.25)", "{0}.clamp(min=0.25)", "np.maximum({0}, 0.25)", _any),
    "nan_to_num": ("+{0}", "jnp.nan_to_num({0})", "torch.nan_to_num({0})", "np.nan_to_num({0})", _any),
    "stop": ("{0} * stop({0})", "{0} * lax.stop_gradient({0})", "{0} * {0}.detach()", "", _any),
}  # fmt: skip

BINARY: dict[str, tuple[str, str, str, str]] = {
    "add": ("{0} + {1}", "{0} + {1}", "torch.add({0}, {1})", ""),
    "add scaled": ("{0} + 0.5 * {1}", "{0} + 0.5 * {1}", "torch.add({0}, {1}, alpha=0.5)", ""),
    "sub": ("{0} - {1}", "jnp.subtract({0}, {1})", "{0} - {1}", "np.subtract({0}, {1})"),
    "mul": ("{0} * {1}", "{0} * {1}", "{0} * {1}", ""),
    "div": ("{0} / {1}", "{0} / {1}", "{0} / {1}", ""),
    "maximum": ("np.maximum({0}, {1})", "jnp.maximum({0}, {1})", "torch.maximum({0}, {1})", ""),
    "minimum": ("np.minimum({0}, {1})", "jnp.minimum({0}, {1})", "torch.minimum({0}, {1})", "np.fmin({0}, {1})"),
    "hypot": ("np.sqrt({0} * {0} + {1} * {1})", "jnp.hypot({0}, {1})", "torch.hypot({0}, {1})", "np.hypot({0}, {1})"),
    "atan2": ("atan2({0}, {1})", "jnp.arctan2({0}, {1})", "torch.atan2({0}, {1})", "np.arctan2({0}, {1})"),
    "logaddexp": ("np.log(np.exp({0}) + np.exp({1}))", "jnp.logaddexp({0}, {1})", "torch.logaddexp({0}, {1})",
                  "np.logaddexp({0}, {1})"),
    "where": ("np.where({0} > {1}, {0} * {1}, {1} - {0})", "jnp.where({0} > {1}, {0} * {1}, {1} - {0})",
              "torch.where({0} > {1}, {0} * {1}, {1} - {0})", ""),
    "where guarded": ("np.where({1} > 0.5, {0} / np.where({1} > 0.5, {1}, 1.0), {0})",
                      "jnp.where({1} > 0.5, {0} / jnp.where({1} > 0.5, {1}, 1.0), {0})",
                      "torch.where({1} > 0.5, {0} / torch.where({1} > 0.5, {1}, 1.0), {0})", ""),
    "mask": ("{0} * ({1} > 0.25)", "{0} * ({1} > 0.25)", "{0} * ({1} > 0.25)", ""),
    "lerp": ("{0} + 0.25 * ({1} - {0})", "{0} + 0.25 * ({1} - {0})", "torch.lerp({0}, {1}, 0.25)", ""),
    "addcmul": ("{0} + 0.5 * {0} * {1}", "{0} + 0.5 * {0} * {1}", "torch.addcmul({0}, {0}, {1}, value=0.5)", ""),
}  # fmt: skip
# What has no derivative where the second operand is near 0, or both are.
AWAY = {"div", "hypot", "atan2"}
WIDER = {"float16": "float32", "bfloat16": "float32", "float32": "float64", "float64": "float32"}


def unary(scope: Scope) -> None:
    """A function of one number."""
    kind = scope.one_of(*UNARY)
    exact, jax, torch, numpy, fits = UNARY[kind]
    x = scope.pick(lambda v: fits(v.array))
    renamed = torch.replace("torch.arc", "torch.a")
    texts = {"exact": exact, "jax": jax, "torch": renamed, "numpy": numpy or exact}
    if kind == "stop":
        texts["numpy"] = ""
    if kind == "gelu" and scope.framework == "numpy":
        raise Unfit
    scope.add(kind, [x], texts)


def _fit(kind: str, x: Value, y: Value) -> bool:
    if not broadcast(x.shape, y.shape):
        return False
    if kind in AWAY and not _smooth(y.array):
        return False
    return kind != "logaddexp" or (_small(x.array) and _small(y.array))


def binary(scope: Scope) -> None:
    """A function of two numbers, with broadcasting and mixed dtypes."""
    kind = scope.one_of(*BINARY)
    x = scope.pick()
    y = scope.pick(lambda v: _fit(kind, x, v) and (v.name != x.name or kind in {"mul", "maximum"}))
    exact, jax, torch, numpy = BINARY[kind]
    dtype = scope.widest(x, y)
    if x.dtype != y.dtype and kind in {"lerp", "addcmul", "add scaled"}:
        raise Unfit
    scope.add(kind, [x, y], {"exact": exact, "jax": jax, "torch": torch, "numpy": numpy or exact}, dtype)


def literal(scope: Scope) -> None:
    """Arithmetic with a written number, on either side."""
    x, number = scope.pick(), scope.number()
    number = scope.one_of(number, number, 0.1, 1e-3)
    text = scope.one_of(
        f"{{0}} * {number}", f"{number} - {{0}}", f"{{0}} + {number}", f"{{0}} / {number}",
        f"({{0}} + {number}) * ({{0}} - {number})",
    )  # fmt: skip
    scope.add("literal", [x], {"exact": text, "jax": text, "torch": text})


def cast(scope: Scope) -> None:
    """Another dtype: wider, narrower, or there and back."""
    x = scope.pick()
    to = scope.one_of(WIDER[x.dtype], "float16", scope.dtype)
    if scope.framework != "numpy":
        to = scope.one_of(to, "bfloat16")
    texts = {"exact": "+{0}", "numpy": f"{{0}}.astype(np.{to})", "jax": f"{{0}}.astype(jnp.{to})"}
    texts["torch"] = f"{{0}}.to(torch.{to})" + (".clone()" if to == x.dtype else "")
    scope.add(f"cast to {to}", [x], texts, dtype=to)


MAKERS = {unary: 6, binary: 5, literal: 2, cast: 1}
