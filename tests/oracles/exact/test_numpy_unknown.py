"""A function without a rule is refused where what is asked for depends on it, and nowhere else."""

import numpy as np
import pytest
from scipy import special
from scipy.linalg import expm, expm_frechet, lapack

from gradproof import Unsupported, check_gradient, check_layer, exact_gradient, exact_value

A = np.array([[0.5, -0.25, 1.0], [0.125, 0.75, -0.5], [-1.0, 0.25, 0.375]])
T = np.array(0.3)
NAMED = "scipy.linalg.expm_frechet has no rule for values that depend on the inputs: .*; at .*"


def both(t):
    """As minimize(jac=True) has it."""
    return np.sum(expm(t * A)), np.sum(expm_frechet(t * A, A, compute_expm=False))


def value(t):
    return both(t)[0]


def gradient(t):
    return both(t)[1]


def written(whole):
    def function(t):
        r = np.zeros(2)
        r[:] = both(t)
        return (1 * r)[0] if whole else r[0]

    return function


def branching(t):
    return value(t) if gradient(t) > 0 else -value(t)


def catching(t):
    try:
        return branching(t)
    except Exception:
        return 2 * value(t)


def as_text(t):
    found, slope = both(t)
    return found if f"{float(slope):.3f}" else 0


def overwriting(t):
    a = np.asfortranarray(np.array([[2.0, 1.0], [t, 2.0]]))
    lapack.dgetrf(a, overwrite_a=1)
    return np.sin(t) + 0 * a[0, 0]


def of_a_ufunc(used):
    return lambda t: np.sin(t) + (special.pdtri(2, t) if used else special.pdtri(2, t) * 0)[()] * used


KNOWN = {
    "in the gradient": value,
    "in another element": written(False),
    "in a list": lambda t: list(reversed(both(t)))[1],
    "in a text": as_text,
}
REFUSED = {
    "in the value": lambda t: value(t) + 0 * gradient(t),
    "in an array that is used": written(True),
    "in a branch": branching,
    "in a branch whose refusal is caught": catching,
    "in a choice": lambda t: np.where(gradient(t) > 0, value(t), value(t)),
    "in a maximum": lambda t: max(both(t)),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_what_does_not_depend_on_it_is_known(name):
    right = check_gradient(KNOWN[name], (T,), grad=gradient)
    assert (right.verdict, right.is_examined) == ("accurate", False)
    wrong = check_gradient(KNOWN[name], (T,), grad=lambda t: 1.001 * np.sum(expm(t * A) @ A))
    assert wrong.verdict == "wrong"
    assert exact_gradient(KNOWN[name], (T,)).mid == pytest.approx(np.sum(expm(T * A) @ A), rel=1e-12)


@pytest.mark.parametrize("name", REFUSED)
def test_what_depends_on_it_is_refused_by_its_name(name):
    for exact in (exact_value, exact_gradient):
        with pytest.raises(Unsupported, match=NAMED):
            exact(REFUSED[name], (T,))
    assert check_gradient(REFUSED[name], (T,), grad=gradient).verdict == "unsupported"


def test_what_writes_into_its_arguments_is_refused_at_once():
    with pytest.raises(Unsupported, match=r"scipy\.linalg\.lapack\.dgetrf has no rule"):
        exact_value(overwriting, (T,))


def test_a_compiled_function_too():
    assert check_gradient(of_a_ufunc(False), (T,), grad=np.cos).verdict == "unsupported"  # 0 times it is it
    with pytest.raises(Unsupported, match=r"the compiled function scipy\.special\.pdtri has no rule"):
        exact_value(of_a_ufunc(True), (T,))
    assert check_gradient(lambda t: (special.pdtri(2, t), np.sin(t))[1], (T,), grad=np.cos).passed


class Eager:
    """Its forward has the gradient at hand."""

    factor = 1.0

    def forward(self, x):
        self.slope = expm_frechet(x, A, compute_expm=False)
        self.x = x
        return np.sin(x)

    def backward(self, dout):
        return self.factor * dout * np.cos(self.x)


class Scaled(Eager):
    factor = 1.01


@pytest.mark.parametrize(("layer", "verdict"), [(Eager, "accurate"), (Scaled, "wrong")])
def test_a_layer_that_keeps_it_is_judged(layer, verdict):
    assert check_layer(layer(), A).verdict == verdict
