"""The outputs that the document prints, beside ours: digit for digit as printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

import reference
from harness.exact import Enclosure, exact_gradient, exact_value
from harness.report.tables import Table, frame_of
from harness.subject.derivative import Array


@dataclass(frozen=True, slots=True)
class Printed:
    """One printed output: what was run, what the document shows, how we compute it, and what is true."""

    what: str
    documented: str
    ours: Callable[[], object]
    proven: Callable[[], str] = lambda: ""


@dataclass(frozen=True, slots=True)
class Reproduced:
    """A printed output with ours beside it."""

    what: str
    documented: str
    ours: str
    equal: bool
    proven: str


def _gradient(documented: str, *point: float) -> Printed:
    return Printed(
        f"numerical_gradient at ({', '.join(f'{number:g}' for number in point)})",
        documented,
        lambda: reference.numerical_gradient(reference.function_2, np.array(point)),
        lambda: _first_digits(exact_gradient(reference.function_2, (np.array(point),))),
    )


def _descent(documented: str, lr: float) -> Printed:
    """A hundred steps; beside them the same with the exact gradient, in exact arithmetic."""

    def descend(x: Array) -> Array:
        for _ in range(100):
            x = x - lr * reference.function_2_vjp(1.0, x)
        return x

    start = np.array([-3.0, 4.0])
    return Printed(
        f"gradient_descent, lr {lr:g}",
        documented,
        lambda: reference.gradient_descent(reference.function_2, start.copy(), lr=lr, step_num=100),
        lambda: _first_digits(exact_value(descend, (start,))),
    )


def _first_digits(found: Enclosure) -> str:
    return f"[{' '.join(found.digits(i, 9) for i in range(found.balls.size))}]"


def _simple_net() -> object:
    """The document drew W at random; any W whose softmax output is the one it printed will do."""
    x, t = np.array([0.6, 0.9]), np.array([0, 0, 1])
    p = np.array([0.3545849324, 0.3315628723, 0.3138521953])
    net = reference.SimpleNet(np.outer(x, np.log(p)) / (x @ x))
    return reference.numerical_gradient(lambda w: net.loss(x, t), net.W)


def _two_layer_net() -> reference.TwoLayerNet:
    return reference.TwoLayerNet(784, 100, 10, rng=0)


def _gradient_shape() -> object:
    rng = np.random.default_rng(0)
    return _two_layer_net().gradient(rng.random((100, 784)), rng.random((100, 10)))["W1"].shape


PRINTED = (
    _gradient("[6. 8.]", 3.0, 4.0),
    _gradient("[6. 0.]", 3.0, 0.0),
    _descent("[-6.11110793e-10 8.14814391e-10]", 0.1),
    # Rounding of the differences, amplified: exact gradients give 19^100 (-3, 4) = (-2.25e128, 3.00e128).
    _descent("[-2.58983747e+13 -1.29524862e+12]", 10.0),
    _descent("[-2.99999994 3.99999992]", 1e-10),
    Printed(
        "simpleNet, dW",
        "[[0.21275089 0.19893766 -0.41168855] [0.31912634 0.29840649 -0.61753283]]",
        _simple_net,
    ),
    Printed("TwoLayerNet, W1", "(784, 100)", lambda: _two_layer_net().params["W1"].shape),
    Printed("TwoLayerNet, grads['W1']", "(784, 100)", _gradient_shape),
    Printed("relu_grad at (-1, 0, 2)", "[0. 1. 1.]", lambda: reference.relu_grad(np.array([-1.0, 0.0, 2.0]))),
)


def reproduce() -> list[Reproduced]:
    """Every printed output, computed anew."""
    return [
        Reproduced(p.what, p.documented, ours, ours == p.documented, p.proven())
        for p in PRINTED
        for ours in [as_printed(p.ours())]
    ]


def as_printed(value: object) -> str:
    """NumPy's default print without its alignment spaces and line breaks, which are not digits."""
    with np.printoptions(precision=8, suppress=False, floatmode="maxprec"):
        return " ".join(str(value).split()).replace("[ ", "[")


def table_of(rows: Sequence[Reproduced]) -> Table:
    """What the document prints, and what we print."""
    frame = frame_of(asdict(row) for row in rows)
    return Table(
        "documents",
        "The document's printed outputs, digit for digit",
        frame.sort_values("equal", kind="stable"),
        ("equal", "what", "documented", "ours", "proven"),
        "proven: with exact gradients, in exact arithmetic",
    )
