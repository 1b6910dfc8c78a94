"""The reference's hand-derived rules as subjects to mutate, and how users of NumPy check a gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

import harness
import reference
from harness.cases import catalogue
from tests.power.check import check
from tests.power.checkers import within
from tests.power.mutants import Mutant, Pull, Subject, changed, of_result

EPS, ATOL, RTOL = 1e-6, 1e-5, 1e-3  # gradcheck's
NETWORKS = ("simple_net", "two_layer_net")
BIASES = ("b1", "b2")

# The rules that are a sum of terms, without one of them.
DROPPED: dict[str, Pull] = {
    "sigmoid": lambda g, x: (g * reference.sigmoid(x),),  # s - s^2
    "sigmoid_grad": lambda g, x: (g * reference.sigmoid_grad(x),),  # s' - 2 s s'
    "softmax": lambda g, x: (g * reference.softmax(x),),  # p g - p sum(p g)
    "softmax_loss": lambda g, x, t: (g * reference.softmax(x) / len(x),),  # p - onehot
    "mean_squared_error": lambda g, y, t: (g * y, g * t),  # y - t, t - y
}


def _one_sample_less(vjp: Callable[..., Any]) -> Pull:
    """The sum over the batch without its last term."""

    def pull(g: Any, *args: Any) -> tuple[Any, ...]:
        *parameters, x, t = args
        return _tuple(vjp(g * (len(x) - 1) / len(x), *parameters, x[:-1], t[:-1]))

    return pull


def _first_row(vjp: Callable[..., Any]) -> Pull:
    """The first term of the sum over the batch."""

    def pull(g: Any, *args: Any) -> tuple[Any, ...]:
        *parameters, x, t = args
        return _tuple(vjp(g / len(x), *parameters, x[:1], t[:1]))

    return pull


def _tuple(found: Any) -> tuple[Any, ...]:
    return found if isinstance(found, tuple) else (found,)


def names() -> list[str]:
    """Every argument of every rule."""
    return [
        case.name if len(case.differentiated) == 1 else f"{case.name}, {argument}"
        for case in catalogue().values()
        if case.vjp
        for argument in case.differentiated
    ]


def subject(name: str, size: tuple[int, int], dtype: str) -> Subject:
    """A rule at ordinary numbers of a size."""
    name, _, argument = name.partition(", ")
    case = catalogue()[name]
    vjp = case.vjp
    assert vjp
    shape = (2, *size) if name == "function_2" else size  # two coordinates, and a grid of them
    args = case.input("ordinary").make(np.random.default_rng(3), np.dtype(dtype), shape)
    broadcast = argument in BIASES
    return Subject(
        "numpy", case.function, args, lambda g, *given: _tuple(vjp(g, *given)),
        moves=len(case.argnums),
        changed=case.differentiated.index(argument) if argument else 0,
        dropped=_one_sample_less(vjp) if name in NETWORKS else DROPPED.get(name),
        first_row=_first_row(vjp) if broadcast else None,
        rows=len(args[-1]) if broadcast else 1,
    )  # fmt: skip


def ours(s: Subject, mutant: Mutant | None) -> harness.Result:
    """Our answer about a rule."""
    vjp = changed(s, mutant) if mutant else s.pull
    return check(s.function, s.args, vjp=vjp, argnums=tuple(range(s.moves)))


def metric(s: Subject, mutant: Mutant | None, tolerance: float) -> bool | None:
    """|x - y| / max(1, |x| + |y|) against the truth."""
    if s.framework != "numpy":
        return None
    return within(_computed(s, mutant), _truth(s), tolerance)


def central(s: Subject, mutant: Mutant | None) -> bool | None:
    """Central differences with gradcheck's step and tolerances, in float64."""
    if s.framework != "numpy" or s.args[0].dtype != np.float64:
        return None
    return bool(np.allclose(_computed(s, mutant), _differences(s), rtol=RTOL, atol=ATOL))


def _cotangent(s: Subject) -> Any:
    return s.cotangent().astype(s.args[0].dtype)


def _computed(s: Subject, mutant: Mutant | None) -> Any:
    right = of_result(lambda found: found)
    return np.asarray((mutant or right)(s, _cotangent(s), s.args), np.float64)


@lru_cache(maxsize=1)  # all checks of a subject come one after another
def _truth(s: Subject) -> Any:
    found = harness.exact_gradient(s.function, s.args, cotangent=_cotangent(s), argnums=(s.changed,))
    return (found[0] if isinstance(found, tuple) else found).mid


@lru_cache(maxsize=1)
def _differences(s: Subject) -> Any:
    g, x = _cotangent(s), s.args[s.changed]
    found = np.empty(x.shape)
    for at in np.ndindex(x.shape):
        sides = []
        for step in (EPS, -EPS):
            moved = x.copy()
            moved[at] += step
            sides.append(s.function(*s.args[: s.changed], moved, *s.args[s.changed + 1 :]))
        found[at] = np.sum(g * (sides[0] - sides[1])) / (2 * EPS)
    return found
