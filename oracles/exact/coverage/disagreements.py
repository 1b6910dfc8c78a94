"""Where a framework's own numbers are not those of the function: the reason, and how to see it.

Every other disagreement is ours, and fails `make coverage`.
"""

from __future__ import annotations

from typing import NamedTuple


class Explained(NamedTuple):
    """Why a framework is off, and a line that shows it or the report."""

    reason: str
    shown_by: str


_BLANK = Explained(
    "memory that nothing has written is no number", "torch.empty_like(x): another one each time"
)
_BESSEL = Explained(
    "its float64 is off by 1e-7 below 26: it multiplies out the zeros in few digits",
    "torch.special.bessel_j0(torch.tensor(1.7).double()) against scipy.special.j0",
)

_TRIANGLE = Explained(
    "one triangle is read, and the gradient is put into both: a difference in the other one is 0",
    "jax.grad(lambda a: jnp.linalg.cholesky(a, symmetrize_input=False).sum())",
)

EXPLAINED: dict[str, dict[str, Explained]] = {
    "torch": {
        "as_strided_scatter": Explained(
            "the gradient of the input is kept where it was overwritten, and lost elsewhere",
            "torch's gradcheck rejects as_strided_scatter(a, b, (2,), (1,), 1) for a of shape (4,)",
        ),
        **dict.fromkeys(("empty_like", "new_empty", "new_empty_strided"), _BLANK),
        **dict.fromkeys(("special.bessel_j0", "special.bessel_j1"), _BESSEL),
    },
    "jax": {
        "jax.nn.dot_product_attention": Explained(
            "its softmax is computed in float32, whatever the dtype",
            "jax/_src/nn/functions.py, _dot_product_attention_core",
        ),
        **dict.fromkeys(
            (
                "jax.numpy.linalg.cholesky",
                "jax.numpy.linalg.eigh",
                "jax.numpy.linalg.eigvalsh",
                "jax.scipy.linalg.cholesky",
                "jax.scipy.linalg.cho_factor",
            ),
            _TRIANGLE,
        ),
    },
}
