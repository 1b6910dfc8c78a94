"""Warnings of ours never leave us; those of the user's functions arrive as from a plain call."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax.experimental import pallas as pl

import harness
import reference
from tests.harness import book_layers
from tests.sampling import sample

ORDINARY = np.array([0.5, -1.0, 2.0])
POINTS = {
    "zeros": 0 * ORDINARY,
    "negative zeros": -0.0 * np.abs(ORDINARY),
    "subnormal": ORDINARY * 1e-310,
    "huge": ORDINARY * 1e300,
    "near overflow": np.array([6e4, -6.5e4, 1.0], "float16"),
    "subnormal, float32": (ORDINARY * 1e-44).astype("float32"),
    "empty": np.empty((0, 3)),
    "read only": np.broadcast_to(np.array(0.5), 3),
}
MODULES = {"numpy": np, "torch": torch, "jax": jnp}
LOADED = {
    "numpy": lambda x: x,
    "torch": lambda x: torch.tensor(np.array(x)),
    "jax": lambda x: jnp.asarray(x),
}


def smooth(module):
    """A function that is finite everywhere, and warns of nothing."""
    return lambda x: module.tanh(x) * module.cos(module.tanh(x))


def slope(g, x):
    t = np.tanh(x)
    return g * (np.cos(t) - t * np.sin(t)) * (1 - t * t)


def asked(framework, x, **options):
    by_hand = {"vjp": slope} if framework == "numpy" else {}
    return harness.check_gradient(smooth(MODULES[framework]), (LOADED[framework](x),), **by_hand, **options)


def shown(result):
    return str(result), repr(result), result.explain(), result._repr_html_(), result.rows.to_dict()


ASKED = [
    (framework, point)
    for framework in MODULES
    for point in POINTS
    if framework != "jax" or point in {"zeros", "near overflow", "empty"}  # it compiles each
]


@pytest.mark.parametrize(("framework", "point"), sample(ASKED, 2))
def test_no_warning_of_ours_leaves_a_check(framework, point):
    """Neither as one, nor as an error that ends in another verdict."""
    with jax.enable_x64(True):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            strict = shown(asked(framework, POINTS[point]))
            harness.exact_gradient(smooth(MODULES[framework]), (LOADED[framework](POINTS[point]),))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert shown(asked(framework, POINTS[point])) == strict


@pytest.mark.parametrize(
    ("framework", "options"),
    [
        ("numpy", {"boundary": True, "samples": 1}),
        ("numpy", {"resolution": "exact"}),
        ("torch", {"order": 2}),
        ("torch", {"mode": "forward"}),
        ("torch", {"boundary": True, "upstream": "fail"}),
        ("jax", {"order": 2}),
        ("jax", {"mode": "forward-over-reverse"}),
    ],
)
def test_nor_does_one_leave_other_questions(framework, options):
    with jax.enable_x64(True), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert shown(asked(framework, ORDINARY, **options))


def overflowing(x):
    return 1 / (1 + np.exp(x * x))


def by_hand(g, x):
    e = np.exp(-(x * x))
    return -2 * g * x * e / (1 + e) ** 2


def written(framework):
    """A function that says something."""

    def says(x):
        warnings.warn("as written", UserWarning, stacklevel=1)
        return x * x

    return says


def heard(run):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        run()
    return {(str(one.message), one.category, one.filename, one.lineno) for one in seen}


def test_numpys_warnings_of_the_users_functions_arrive_as_from_a_plain_call():
    x = np.array([30.0, 1.0])
    plain = heard(lambda: overflowing(x))
    assert len(plain) == 1
    assert heard(lambda: harness.check_gradient(overflowing, (x,), vjp=by_hand)) == plain


@pytest.mark.parametrize("framework", MODULES)
def test_what_a_function_says_itself_arrives_too_and_is_an_error_where_the_caller_has_it_so(framework):
    f, x = written(framework), LOADED[framework](ORDINARY)
    given = {"vjp": lambda g, x: 2 * g * x} if framework == "numpy" else {}
    ask = lambda: harness.check_gradient(f, (x,), **given)  # noqa: E731
    assert heard(ask) == heard(lambda: f(x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="as written"):
            f(x)
        with pytest.raises(UserWarning, match="as written"):
            ask()


W, B = np.array([[0.5, -1.0], [2.0, 0.25]]), np.zeros(2)
EXTREME = np.array([[1e300, 1e-310], [0.0, -0.0]])
T = torch.tensor(W)
QUIET = {
    "a layer": lambda: harness.check_layer(book_layers.Affine(W, B), EXTREME, boundary=["zeros"]),
    "a loss layer": lambda: harness.check_layer(book_layers.SoftmaxWithLoss(), W, np.array([0, 1])),
    "a network": lambda: harness.check_network(
        reference.TwoLayerNet(2, 2, 2, rng=0), 40 * W, np.array([0, 1])
    ),
    "grad": lambda: harness.check_gradient(
        lambda x: np.sum(x * x), (EXTREME,), grad=lambda x: 2 * x, boundary=["huge"]
    ),
    "no cotangent": lambda: harness.check_gradient(lambda x: x * x, (W,), vjp=lambda g, x: 2 * x),
    "nothing known": lambda: harness.check_gradient(lambda x: np.frexp(x)[0], (W,), vjp=lambda g, x: g),
    "dropout": lambda: harness.check_gradient(torch.nn.Dropout(), (T,), boundary=["zeros"]),
    "a module and its spec": lambda: harness.check_gradient(LSTM, (T[None].float(),), spec=LSTM),
    "a kernel": lambda: harness.check_gradient(kernel, (jnp.asarray(W, "float32"),), mode="forward"),
    "another mode": lambda: harness.check_gradient(torch.sin, (T,), mode="forward-over-reverse"),
    "infinite": lambda: harness.check_gradient(lambda x: 1 / x, (np.zeros(2),), vjp=lambda g, x: -g / x / x),
    "huge": lambda: harness.check_gradient(torch.exp, (T * 1e3,), boundary=["huge", "subnormal"]),
}  # fmt: skip
LSTM = torch.nn.LSTM(2, 2)


def cube(x_ref, o_ref):
    o_ref[...] = x_ref[...] ** 3


def kernel(x):
    return pl.pallas_call(cube, out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype), interpret=True)(x)


@pytest.mark.parametrize("name", sample(QUIET, 2))
def test_nor_other_doors(name):
    """What NumPy warns of in the user's own functions (a division by zero) is off here."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        assert shown(QUIET[name]())
