"""What the tests of the drop-ins share: settings of their own, leaves, and what the originals warn of."""

import pytest
import torch

from harness import dropin
from harness.dropin import decide

GradcheckError = torch.autograd.gradcheck.__globals__["GradcheckError"]
# What the originals warn of, of small arguments and with the first dual number.
USUAL = [
    pytest.mark.filterwarnings("ignore:Input #"),  # is of float32
    pytest.mark.filterwarnings("ignore:Backwards compatibility"),
    pytest.mark.filterwarnings("ignore:`torch.jit.script"),
]


def own_settings(monkeypatch, quiet=True):
    """Fresh settings, in place of the drop-ins' own."""
    fresh = dropin.configuration.Settings(quiet=quiet)
    checkers = (dropin.torch_checks, dropin.jax_checks)
    for module in (dropin, dropin.configuration, dropin.kept, decide, *checkers):
        monkeypatch.setattr(module, "settings", fresh)
    return fresh


def leaf(*numbers, dtype=torch.float64):
    return torch.tensor(numbers, dtype=dtype, requires_grad=True)
