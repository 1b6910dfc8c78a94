"""What recorded code holds besides its arguments: plain arrays, modules, sources of random numbers."""

import builtins
import copy
import functools
import random
import sys
import types
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

from harness import check_gradient
from harness.proof.alone import _of_what_is_finite
from oracles.exact.from_numpy import record
from oracles.exact.from_numpy.places import Search
from oracles.exact.program.errors import Unsupported
from oracles.frameworks.calls import Call
from tests.oracles.exact.numpy_samples import W, X, draw
from tests.oracles.exact.numpy_tools import value

DATA = draw((3, 4), 11)
TABLE = {"data": DATA, "sets": [(DATA, "train")]}
OBJECT = SimpleNamespace(data=DATA)


class Model:
    data = DATA
    both = (DATA, W)

    def __init__(self):
        self.rows = [DATA]


MODEL = Model()


def _captured(data):
    return lambda w: data.dot(w)


def _by_position(data, w):
    return data.dot(w)


def _partly_new(w):
    new = np.where(DATA > 0, DATA, DATA.copy() * 1)
    return np.vstack([new[:2], DATA[2:]]).dot(w)


DOTS = {
    "a global": lambda w: DATA.dot(w),
    "a closure": _captured(DATA),
    "a tuple in a closure": (lambda both: lambda w: both[0].dot(w))((DATA, 1)),
    "a default": lambda w, data=DATA: data.dot(w),
    "a keyword's default": lambda w, *, data=DATA: data.dot(w),
    "a partial": functools.partial(_by_position, DATA),
    "a partial's keyword": functools.partial(lambda w, data: data.dot(w), data=DATA),
    "a dictionary": lambda w: TABLE["data"].dot(w),
    "a tuple in a list in a dictionary": lambda w: TABLE["sets"][0][0].dot(w),
    "an object": lambda w: OBJECT.data.dot(w),
    "a list of an object": lambda w: MODEL.rows[0].dot(w),
    "a class": lambda w: Model.data.dot(w),
    "a tuple of a class": lambda w: MODEL.both[0].dot(w),
    "views and copies": lambda w: DATA[:, ::-1].T.copy().T[:, ::-1].dot(w),
    "what is computed of it": lambda w: ((DATA + 1) - np.ones(4)).dot(w),
    "what NumPy makes of it": _partly_new,
    "asarray": lambda w: np.asarray(DATA).dot(w),
    "the operator by its name": lambda w: DATA.__matmul__(w),
}


@pytest.mark.parametrize("name", DOTS)
def test_a_method_of_a_plain_array_takes_recorded_numbers(name):
    np.testing.assert_allclose(value(DOTS[name], W), DATA @ W, rtol=1e-14)
    held = (DATA, TABLE["data"], TABLE["sets"][0][0], OBJECT.data, MODEL.rows[0], Model.data, Model.both[0])
    assert all(one is DATA for one in held)
    assert DOTS["a default"].__defaults__[0] is DOTS["a partial"].args[0] is DATA


def test_the_door_sees_the_same():
    """What the state of a check puts back is what stood there, and not what stands for it."""
    found = check_gradient(lambda w: np.sum(DATA.dot(w)), (W,), grad=lambda w: DATA.T.dot(np.ones(3)))
    assert found.passed
    off = check_gradient(lambda w: np.sum(DATA.dot(w)), (W,), grad=lambda w: 1.001 * DATA.T.dot(np.ones(3)))
    assert off.verdict.name == "WRONG"


@pytest.mark.parametrize(("function", "wanted"), [
    (lambda w: DATA[0].clip(w, w + 1), DATA[0].clip(W, W + 1)),
    (lambda w: np.arange(4).dot(w), np.arange(4).dot(W)),
    (lambda w: (DATA > 0).dot(w), (DATA > 0).dot(W)),
    (lambda w: (DATA > 0).choose([w, 2 * w]), (DATA > 0).choose([W, 2 * W])),
    (lambda w: DATA.sum(initial=w[0]), DATA.sum(initial=W[0])),
    (lambda w: DATA.take(np.argsort(w), 1) * w, DATA.take(np.argsort(W), 1) * W),
    (lambda w: w * DATA.sum() + DATA.mean(0).max(), W * DATA.sum() + DATA.mean(0).max()),
])  # fmt: skip
def test_other_methods_too_and_of_plain_numbers_they_are_numpy_s(function, wanted):
    np.testing.assert_allclose(value(function, W), wanted, rtol=1e-14)


WRITTEN = r"plain array; copy it before, inside the function: r = np\.array\(r\); or write r = r - x"


@pytest.mark.parametrize(("function", "message"), [
    (lambda w: np.ndarray.dot(DATA, w), r"write X @ w for X\.dot\(w\), np\.f\(X, w\) for X\.f\(w\)"),
    (lambda w: DATA.fill(w[0]), WRITTEN),
    (lambda w: DATA.put(0, w[0]), WRITTEN),
    (lambda w: DATA.__iadd__(w), WRITTEN),
    (lambda w: DATA.__setitem__(0, w), WRITTEN),
    (lambda w: DATA[0].partition(w), r"^a conversion to a plain array would take"),
    (lambda w: _less(-DATA, w), WRITTEN),
    (lambda w: _first(DATA * 2, [w]), WRITTEN),
    (lambda w: np.copyto(DATA[0], w), WRITTEN),
    (lambda w: np.add.at(DATA[0], [0, 1], w[:2]), WRITTEN),
])  # fmt: skip
def test_what_plain_arrays_cannot_take_says_what_to_write(function, message):
    before = DATA.copy()
    with pytest.raises(Unsupported, match=message):
        record(function, (W,), {})
    np.testing.assert_array_equal(DATA, before)


def _less(made, x):
    made -= x
    return made


def _first(made, x):
    made[0] = x[0]
    return made


COUNTS = np.array([3, 1, 2, 4])
COPIES = {
    "copy": lambda w: _less(DATA.copy(), w),
    "np.copy": lambda w: _less(np.copy(DATA), w),
    "another dtype": lambda w: _less(COUNTS.astype(float), w),
    "the same dtype": lambda w: _first(DATA.astype(float)[1], w),
    "flatten": lambda w: _first(DATA.flatten(), w),
    "deepcopy": lambda w: _first(copy.deepcopy(DATA)[0], w),
    "copy.copy": lambda w: _first(copy.copy(DATA[0]), w),
    "a column": lambda w: _less(DATA[:, 0].copy(), w[:3]),
    "another order": lambda w: _less(DATA.T.copy("F"), w[:3]),
    "a mask": lambda w: w[(DATA[0] > 0).copy() | (w > 0)],
    "whole numbers": lambda w: w[np.argsort(COUNTS.copy())] * COUNTS.copy().tolist(),
    "what is computed": lambda w: (DATA[0].copy() - DATA[0].mean()) / DATA.std() * w,
    "itself": lambda w: DATA.astype(float, copy=False) @ w,
    "lists beside it": lambda w: DATA[0] + [w[0], w[1], 1.0, 2.0],
    "what NumPy copies": lambda w: np.median(DATA, 0) * np.gradient(COUNTS) * w + np.nan_to_num(DATA)[0],
    "plain numbers": lambda w: _less(DATA * 2, 1.0)[0] * w + np.divmod(DATA, 2.0)[0][0],
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_takes_recorded_numbers(name):
    before = DATA.copy()
    np.testing.assert_allclose(value(COPIES[name], W), COPIES[name](W), rtol=1e-13)
    np.testing.assert_array_equal(DATA, before)


def test_a_rule_that_copies_is_judged():
    target, data = np.array([1.0, 2.0, 4.0]), DATA

    def loss(w):
        left = target.copy()
        left -= data @ w
        return 0.5 * np.sum(left**2)

    assert check_gradient(loss, (W,), grad=lambda w: data.T @ (data @ w - target)).passed
    off = check_gradient(loss, (W,), grad=lambda w: data.T @ (data @ w + target))
    assert off.verdict.name == "WRONG"


def test_a_large_copy_is_computed_with_as_it_is():
    many = np.arange(2000.0)
    np.testing.assert_array_equal(value(lambda w: (many.copy() * np.copy(many) @ many.astype(int)) * w, W),
                                  many @ many**2 * W)  # fmt: skip
    with pytest.raises(Unsupported, match=WRITTEN):
        record(lambda w: _first(many.copy(), w), (W,))


def test_what_is_stored_of_it_is_forgotten():
    kept = SimpleNamespace(rows=None)
    record(lambda w: setattr(kept, "act", np.exp) or setattr(kept, "module", np) or w, (W,), {})
    assert vars(kept) == {"rows": None}
    record(lambda w: setattr(kept, "rows", DATA[:2]) or DATA[:2].dot(w), (W,), {})
    assert kept.rows is None


# -- modules, however the code comes to them --------------------------------------------------------------

CODE = """
import numpy as np

def largest(x):
    out = np.zeros(len(x))
    for i, row in enumerate(x):
        out[i] = row.max()
    return out

def noisy(x):
    return x * np.random.rand()
"""


@pytest.fixture
def layers(monkeypatch):
    module = types.ModuleType("layers_of_a_user")
    exec(CODE, vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def _of_the_parameter(layers, name, x):
    return layers.largest(x) if name == "largest" else layers.noisy(x)


WAYS = {
    "a closure": lambda layers, name: lambda x: _of_the_parameter(layers, name, x),
    "a default": lambda layers, name: lambda x, own=layers: _of_the_parameter(own, name, x),
    "a partial": lambda layers, name: functools.partial(_of_the_parameter, layers, name),
    "an object": lambda layers, name: (
        lambda own: lambda x: _of_the_parameter(own.layers, name, x)
    )(SimpleNamespace(layers=layers)),
    "a dictionary": lambda layers, name: (
        lambda own: lambda x: _of_the_parameter(own["layers"], name, x)
    )({"layers": layers}),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_module_is_followed_however_it_is_held(layers, way):
    np.testing.assert_array_equal(value(WAYS[way](layers, "largest"), X), X.max(1))
    with pytest.raises(Unsupported, match=r"np\.random\.rand: random numbers"):
        record(WAYS[way](layers, "noisy"), (X,), {})
    assert layers.np is np


def test_a_module_that_the_function_imports_is_followed(layers):
    def of_user(x):
        import layers_of_a_user as own

        return own.largest(x)

    def of_numpy(x):
        import numpy as own
        from numpy import zeros

        out = zeros(3) + own.zeros(3)
        out[:] = x.max(1)
        return out

    def drawn(x):
        import random as own

        return x * own.random()

    before = builtins.__import__
    np.testing.assert_array_equal(value(of_user, X), X.max(1))
    np.testing.assert_array_equal(value(of_numpy, X), X.max(1))
    with pytest.raises(Unsupported, match=r"random\.random: random numbers"):
        record(drawn, (X,), {})
    assert builtins.__import__ is before


# -- seeds ------------------------------------------------------------------------------------------------


def _both_set(w):
    random.seed(7)
    np.random.seed(seed=8)  # noqa: NPY002
    return w * (np.random.rand() + random.random())  # noqa: NPY002


def _one_set(w):
    np.random.seed(7)  # noqa: NPY002
    return w * random.random()


def _set_no_more(w):
    np.random.seed(7)  # noqa: NPY002
    np.random.seed()  # noqa: NPY002
    return w * np.random.rand()  # noqa: NPY002


def test_a_seed_by_itself_is_no_random_number():
    def seeded(w):
        random.seed(1)
        np.random.seed()  # noqa: NPY002
        return w

    assert check_gradient(seeded, (W,), vjp=lambda g, w: g).passed


@pytest.mark.parametrize("function", [
    _both_set,
    lambda w: w * np.random.default_rng(3).normal(size=4),
    lambda w: w * np.random.RandomState(3).rand(4),
    lambda w: w * random.Random(3).random(),
])  # fmt: skip
def test_what_is_drawn_after_the_code_has_set_the_seed_is_the_same_every_time(function):
    slope = function(np.ones(4))
    assert check_gradient(function, (W,), vjp=lambda g, w: g * slope).passed
    assert check_gradient(function, (W,), vjp=lambda g, w: 1.01 * g * slope).verdict.name == "WRONG"


@pytest.mark.parametrize(("function", "message"), [
    (_one_set, r"random\.random: random numbers"),
    (_set_no_more, r"np\.random\.rand: random numbers"),
    (lambda w: w * np.random.default_rng(None).normal(), r"np\.random\.default_rng: random numbers"),
])  # fmt: skip
def test_a_source_whose_seed_the_code_has_not_set_is_refused(function, message):
    with pytest.raises(Unsupported, match=message):
        record(function, (W,), {})


def test_numpy_s_own_tester_may_be_in_reach_of_the_code():
    """It has a module, as what draws random numbers has, and no name; autograd.numpy.random holds it."""
    from numpy.random import test

    def loss(x):
        return np.sum(x**2) if test else None

    assert check_gradient(loss, (np.array([0.25, 0.5]),), grad=lambda x: 2 * x).verdict == "accurate"


MASKED = Call(0, "numpy", "numpy.exp", None, np.exp, (np.array([-np.inf, 0.5]),))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: globals()["check_gradient"],
        lambda x: check_gradient,
        _of_what_is_finite(MASKED, "numpy").function,
    ],
    ids=["found by name", "named", "of finite numbers"],
)
def test_of_our_code_that_asks_what_it_names_is_not_followed(function):
    """It is most of what is loaded, and nothing that is differentiated is computed there."""
    assert 5 < len(list(Search().items([function]))) < 200


def test_recorded_arrays_may_be_referred_to_weakly():
    """As MyGrad's guard of memory does."""
    alive = weakref.WeakValueDictionary()

    def function(x):
        alive[id(x)] = x
        return np.sin(weakref.ref(x)())

    assert check_gradient(function, (X,), vjp=lambda g, x: g * np.cos(x)).verdict == "accurate"
