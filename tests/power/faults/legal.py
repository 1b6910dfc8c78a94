"""Reports of gradients that are legal: a subgradient at a kink, or what the function says."""

from __future__ import annotations

import numpy as np
import torch

from harness.verdicts import Verdict
from tests.power.fault import Fault, Rule
from tests.power.faults.draws import array, normal

clamp = Rule(
    lambda xp, x: xp.where(x < 0, x * 0, xp.where(x > 1, x * 0 + 1, x)),
    lambda xp, g, x: g * xp.where((x > 0) & (x < 1), x * 0 + 1, x * 0),
)
relu = Rule(
    lambda xp, x: xp.where(x > 0, x, x * 0),
    lambda xp, g, x: g * xp.where(x > 0, x * 0 + 1, x * 0),
)
normalize = {"torch": lambda x: torch.nn.functional.normalize(x, dim=0)}

FAULTS = (
    Fault(
        "GB036", "pytorch/pytorch#7002", "clamp", "0 exactly at the bound", "convention",
        clamp, clamp, (array(0.0, 1.0),), normal((3,)), Verdict.CONVENTION, legal=True,
    ),
    Fault(
        "GB038", "pytorch/pytorch#114234", "relu", "0 at 0, where the differences say 1/2", "convention",
        relu, relu, (array(0.0, 0.0),), normal((3,)), Verdict.CONVENTION, legal=True,
    ),
    Fault(
        "GB045", "pytorch/pytorch#137284", "cholesky", "symmetrised, as the matrix is", "convention",
        {"torch": torch.linalg.cholesky}, {"torch": torch.linalg.cholesky},
        (array(2.0, 0.5, 0.5, 1.5).reshape(2, 2),),
        lambda rng: (np.eye(2) * 3 + 0.5 * rng.normal() * np.ones((2, 2)),), Verdict.ACCURATE, legal=True,
    ),
    Fault(
        "GB004", "pytorch/pytorch#184575", "normalize", "1 / eps at the zero vector: what eps makes of it",
        "convention", normalize, normalize, (array(0.0, 0.0, 0.0),), normal((3,)), Verdict.ACCURATE,
        legal=True,
    ),
)  # fmt: skip
