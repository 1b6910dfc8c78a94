"""The frameworks' own checkers by name and signature, answered by proofs.

`from harness.dropin import gradcheck` instead of `from torch.autograd import gradcheck`, and `check_grads`
instead of `jax.test_util`'s. What is `wrong` or `miscomputed` raises as the original does; what is
`imprecise` warns. The original's other checks (undefined and zero gradients, batches, a backward that gives
other numbers, dtypes) still run. What a probe alone finds warns: no test called the gradient so. What the
original rejects passes only where it is proven right, and the function does not move with what it holds
constant. Where nothing can be proven the original decides, and the check says so. `settings` change that.
"""

from harness.dropin.configuration import GradientWarning, settings
from harness.dropin.jax_checks import check_grads, check_jvp, check_vjp
from harness.dropin.made import Made
from harness.dropin.torch_checks import gradcheck, gradgradcheck

__all__ = [
    "GradientWarning",
    "Made",
    "check_grads",
    "check_jvp",
    "check_vjp",
    "gradcheck",
    "gradgradcheck",
    "settings",
]
