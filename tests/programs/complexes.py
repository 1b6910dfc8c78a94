"""Complex numbers between real ones."""

from __future__ import annotations

import numpy as np

from tests.programs.scope import Scope, Unfit, Value

# Of a complex z: what is done with it, and which real number is taken of that.
BODIES = (
    "z * z", "np.exp(z)", "1 / (z + 5)", "z * np.conj(z) * z", "np.sin(z)", "z * abs(z)", "np.sum(z) * z", "np.tanh(z * 0.25)",
    "np.sqrt(z + 5)", "np.log(z + 5)", "(0.5 - 2j) * z", "np.cumsum(z)", "np.prod(z)", "z * np.max(re(z))",
)  # fmt: skip
TAKEN = ("re(w)", "im(w)", "re(w * np.conj(w))", "abs(w + 7)")


def through(scope: Scope) -> None:
    """Two real arrays as one complex one, something with that, and a real number again."""
    if scope.dtype not in {"float64", "float32"}:
        raise Unfit

    def small(v: Value) -> bool:
        return v.dtype == scope.dtype and v.ndim == 1 and bool(np.max(np.abs(v.array)) < 4)

    x = scope.pick(small)
    y = scope.pick(lambda v: small(v) and v.shape == x.shape)
    body, taken = scope.one_of(*BODIES), scope.one_of(*TAKEN)
    make = {
        "exact": "{0} + 1j * {1}",
        "numpy": "{0} + 1j * {1}",
        "jax": "lax.complex({0}, {1})",
        "torch": "torch.complex({0}, {1})",
    }
    own = {"numpy": ("np.", "np.real(", "np.imag("), "jax": ("jnp.", "jnp.real(", "jnp.imag("),
           "torch": ("torch.", "torch.real(", "torch.imag("), "exact": ("np.", "re(", "im(")}  # fmt: skip
    texts = {}
    for dialect, (module, real, imag) in own.items():
        text = f"z = {make[dialect]}\nw = {body}\n{{out}} = {taken}"
        text = text.replace("np.", module).replace("re(", real).replace("im(", imag)
        texts[dialect] = text.replace("cumsum(z)", "cumsum(z, 0)")
    scope.add("complex", [x, y], texts)


MAKERS = {through: 2}
