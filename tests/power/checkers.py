"""Everything that is asked about a gradient: ours, the frameworks' own checkers, and rules of thumb.

Each is `checker(fault, right, args)`: whether the faulty (or the right) gradient passes at these arguments,
or None where the checker cannot be asked.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from jax.test_util import check_grads

from harness.dropin.originals import original
from harness.result import Result
from harness.verdicts import Verdict
from oracles.frameworks.in_torch import as_tensor
from tests.power.check import check
from tests.power.evidence import Evidence, evidence
from tests.power.fault import Arrays, Fault, loaded

Checker = Callable[[Fault, bool, Arrays], bool | None]
MANY = 2_000  # more elements than gradcheck's Jacobian is computed for
EPS, KINK = 1e-6, 1e-2


def home(fault: Fault) -> str:
    """Where ours looks: NumPy, where a rule is a plain pair, or the framework that has the fault."""
    return next(name for name in ("numpy", "torch", "jax") if fault.subject(name) is not None)


def result(fault: Fault, right: bool, args: Arrays, **options: Any) -> Result:
    """Our answer, whole; with more options of a check."""
    framework = home(fault)
    subject, argnums = fault.subject(framework, right), tuple(range(fault.moves))
    with warnings.catch_warnings(), np.errstate(all="ignore"), jax.enable_x64(True):
        warnings.simplefilter("ignore")
        if framework == "numpy":
            forward, vjp = subject
            return check(forward, args, vjp=vjp, argnums=argnums, **options)
        given = tuple(loaded(framework, a) for a in args)
        return check(subject, given, argnums=argnums, mode=fault.mode, order=fault.order, **options)


OPEN = frozenset({Verdict.UNDECIDED, Verdict.UNSUPPORTED, Verdict.NONE})


def ours(fault: Fault, right: bool, args: Arrays) -> bool | None:
    """Whether the verdict is a right one; None where there is none."""
    try:
        found = result(fault, right, args)
    except Exception:
        return None
    return found.passed if found.verdict not in OPEN or found.faults else None


def gradcheck(fault: Fault, right: bool, args: Arrays, fast: bool = False) -> bool | None:
    """torch.autograd.gradcheck in float64, or gradgradcheck."""
    function = fault.subject("torch", right)
    if function is None or (not fast and sum(np.size(a) for a in args) > MANY):
        return None
    tensors = [as_tensor(wide(a, "float64")) for a in args]
    for tensor in tensors[: fault.moves]:
        tensor.requires_grad_()
    forward = fault.mode == "forward"
    name, modes = "gradcheck", {"check_forward_ad": forward, "check_backward_ad": not forward}
    if fault.order > 1:
        name, modes = "gradgradcheck", {}
    torch.manual_seed(0)  # both draw, and the table is to be the same again
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bool(original(name)(function, tensors, fast_mode=fast, raise_exception=False, **modes))
    except Exception:
        return False


def jax_check(fault: Fault, right: bool, args: Arrays, dtype: str = "float64") -> bool | None:
    """jax.test_util.check_grads."""
    function = fault.subject("jax", right)
    if function is None:
        return None
    with jax.enable_x64(dtype == "float64"), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        arrays = [jnp.asarray(wide(a, dtype)) for a in args]
        moving, fixed = arrays[: fault.moves], arrays[fault.moves :]
        modes = ["fwd"] if fault.mode == "forward" else ["rev"]
        try:
            check_grads(lambda *xs: function(*xs, *fixed), moving, order=fault.order, modes=modes)
        except Exception:
            return False
    return True


def wide(array: Any, dtype: str) -> Any:
    """A floating array in the dtype that the checker works in; others, and the layout, as they are."""
    return array if array.dtype.kind not in "f" or array.dtype == dtype else array.astype(dtype)


def metric(fault: Fault, right: bool, args: Arrays, tolerance: float) -> bool | None:
    """|x - y| / max(1, |x| + |y|) against the truth; NaN does not pass."""
    found = _evidence(fault, right, args)
    if found is None:
        return None
    return all(within(c, t, tolerance) for c, t in zip(found.computed, found.truth, strict=True))


def within(computed: Any, truth: Any, tolerance: float) -> bool:
    """Whether |x - y| / max(1, |x| + |y|) is at most a tolerance everywhere; NaN and infinity are not."""
    with np.errstate(all="ignore"):
        gap = np.abs(computed - truth) / np.maximum(1, np.abs(computed) + np.abs(truth))
    return bool(np.all(gap <= tolerance))


def fuzzing(fault: Fault, right: bool, args: Arrays) -> bool | None:
    """Differences within atol 1e-1 and rtol 1e-3; what is NaN, and what has a kink near, is let through."""
    if fault.order != 1 or fault.mode != "reverse":
        return None
    found = _evidence(fault, right, args)
    if found is None:
        return None
    for k, computed in enumerate(found.computed):
        if computed.size > MANY:
            return None
        central, one_sided = differences(found, k)
        skipped = ~np.isfinite(computed) | ~np.isfinite(central) | (one_sided > KINK)
        if not np.all(np.isclose(computed, central, rtol=1e-3, atol=1e-1) | skipped):
            return False
    return True


def differences(found: Evidence, k: int) -> tuple[Any, Any]:
    """Central differences along argument k in float64, and how far the one-sided ones are apart."""
    x = np.asarray(found.args[k], np.float64)
    central, apart = np.empty(x.shape), np.empty(x.shape)
    with np.errstate(all="ignore"):
        for at in np.ndindex(x.shape):
            values = []
            for step in (-EPS, 0.0, EPS):
                moved = x.copy()
                moved[at] += step
                values.append(found.projected(k, moved))
            below, here, above = values
            central[at] = (above - below) / (2 * EPS)
            apart[at] = abs((above - here) - (here - below)) / EPS
    return central, apart


def _evidence(fault: Fault, right: bool, args: Arrays) -> Evidence | None:
    try:
        return evidence(fault, right, args, home(fault))
    except Exception:
        return None


CHECKERS: dict[str, Checker] = {
    "ours": ours,
    "gradcheck, slow": gradcheck,
    "gradcheck, fast": partial(gradcheck, fast=True),
    "check_grads, float64": jax_check,
    "check_grads, float32": partial(jax_check, dtype="float32"),
    "fuzzing rule": fuzzing,
    "metric 1e-4": partial(metric, tolerance=1e-4),
    "metric 1e-8": partial(metric, tolerance=1e-8),
}
