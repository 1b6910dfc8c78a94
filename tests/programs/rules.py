"""Custom derivative rules: JAX's custom_jvp and custom_vjp, torch's autograd.Function; and mistakes in them."""

from __future__ import annotations

import numpy as np

from tests.programs.scope import Scope, Unfit

# A function of u, its derivative, and what is left of that where a term is forgotten.
FUNCTIONS = (
    ("np.sin(u) * u", "np.cos(u) * u + np.sin(u)", "np.cos(u) * u"),
    ("u * u * u", "3 * u * u", "2 * u * u"),
    ("np.tanh(u)", "1 - np.tanh(u) ** 2", "1 - np.tanh(u)"),
    ("u / (1 + u * u)", "1 / (1 + u * u) - 2 * u * u / (1 + u * u) ** 2", "1 / (1 + u * u)"),
    ("np.exp(-u * u)", "-2 * u * np.exp(-u * u)", "-u * np.exp(-u * u)"),
)
VJP = """@jax.custom_vjp
def {name}(u):
    return F


{name}.defvjp(lambda u: ({name}(u), u), lambda u, g: (g * (D),))"""
JVP = """@jax.custom_jvp
def {name}(u):
    return F


@{name}.defjvp
def _(primals, tangents):
    (u,), (t,) = primals, tangents
    return {name}(u), t * (D)"""
FUNCTION = """class {name}(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return F

    @staticmethod
    def backward(ctx, g):
        (u,) = ctx.saved_tensors
        return g * (D)"""


def rule(scope: Scope) -> None:
    """A function with a rule of its own."""
    if scope.framework == "numpy":
        raise Unfit
    x = scope.pick(lambda v: bool(np.max(np.abs(v.array), initial=0) < 4))
    f, d, wrong = scope.one_of(*FUNCTIONS)
    template = scope.one_of(VJP, JVP)
    before = {"jax": (template, "jnp."), "torch": (FUNCTION, "torch.")}

    def written(derivative: str) -> dict[str, str]:
        return {
            dialect: text.replace("F\n", f.replace("np.", own) + "\n").replace(
                "(D)", f"({derivative.replace('np.', own)})"
            )
            for dialect, (text, own) in before.items()
        }

    texts = {"exact": f.replace("u", "{0}"), "jax": "{name}({0})", "torch": "{name}.apply({0})", "numpy": ""}
    scope.add("custom rule", [x], texts, outside=written(d), wrong=written(wrong))


MAKERS = {rule: 2}
