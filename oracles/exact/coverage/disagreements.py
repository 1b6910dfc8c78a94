"""Where a framework's own numbers are not those of the function: the reason, and how to see it.

Every other disagreement is ours, and fails `make coverage`.
"""

from __future__ import annotations

from typing import NamedTuple


class Explained(NamedTuple):
    """Why a framework is off, a line that shows it or the report, and what alone is off: "value", "gradient";
    "" for both.
    """

    reason: str
    shown_by: str
    what: str = ""


_BLANK = Explained(
    "memory that nothing has written is no number",
    "torch.empty_like(x): another one each time",
    "value",
)
_BESSEL = Explained(
    "two of its denominators lack the leading 1 that Cephes' p1evl adds: off by up to 5e-7, most just above "
    "5 (ATen/native/Math.h, bessel_j0_forward: `rq = 0.0`, and `qq = 0.0`)",
    "torch.special.bessel_j0(torch.tensor(5.5, dtype=torch.float64)) + 0.006843869417819 is -1.6e-7",
    "value",
)
_CHOLESKY = Explained(
    "only one triangle is read, and the gradient is spread over both",
    "https://github.com/jax-ml/jax/issues/40421",
    "gradient",
)
_EIGH = Explained(
    "only one triangle is read, and the gradient is that of a symmetric argument",
    "https://github.com/jax-ml/jax/issues/12795",
    "gradient",
)

EXPLAINED: dict[str, dict[str, Explained]] = {
    "torch": {
        "as_strided_scatter": Explained(
            "the gradient of the input is kept where it was overwritten, and lost elsewhere",
            "a = torch.zeros(4, requires_grad=True); torch.as_strided_scatter(a, torch.ones(2), (2,), (1,), "
            "1).sum().backward(): a.grad is [0, 1, 1, 0]",
            "gradient 0",
        ),
        **dict.fromkeys(("empty_like", "new_empty", "new_empty_strided"), _BLANK),
        **dict.fromkeys(("special.bessel_j0", "special.bessel_j1"), _BESSEL),
    },
    "jax": {
        "jax.nn.dot_product_attention": Explained(
            "its softmax is computed in float32, whatever the dtype; of integers it is truncated, to 1 where "
            "it rounds up to that",
            "https://github.com/jax-ml/jax/pull/34114",
        ),
        **dict.fromkeys(
            ("jax.numpy.linalg.cholesky", "jax.scipy.linalg.cholesky", "jax.scipy.linalg.cho_factor"),
            _CHOLESKY,
        ),
        **dict.fromkeys(("jax.numpy.linalg.eigh", "jax.numpy.linalg.eigvalsh"), _EIGH),
    },
}
