"""What a user may give by mistake: a clear error or a verdict, never a raw one, and never a silent pass."""

import copy
import pickle
import subprocess
import sys
import warnings
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import torch
from jax.numpy import tanh

from harness import GradientError, assert_gradient, check_gradient, check_layer, exact_gradient, exact_value
from harness.exact import Enclosure
from harness.result import Result

X = np.array([0.5, -1.25, 2.0])
TX, JX = torch.tensor(X), jnp.asarray(X)


def square(x):
    return x * x


def square_vjp(g, x):
    return 2 * g * x


def checked(f=square, args=(X,), **more):
    return check_gradient(f, args, **{"vjp": square_vjp, **more})


class Doubling:
    def forward(self, x):
        return 2.0 * x

    def backward(self, dout):
        return 2.0 * dout


def layered(layer=None, x=X, **more):
    return check_layer(Doubling() if layer is None else layer, x, **more)


def exactly(f=square, args=(X,), **more):
    return exact_gradient(f, args, **more)


class Metres(np.ndarray):
    """An array whose operations may be others."""


NUMBER, ABOVE = "must be a number >= 0, got", "must be a number > 0, got"
INTEGER = "must be an integer >= 0, got"
ARGNUMS = "argnums must be numbers of arguments, from 0, got"
REAL = "the cotangent must hold real numbers, got dtype"
BOUNDARY = "boundary must be True, False or a list of names, got"
MODES = "mode must be one of reverse, forward, forward-over-reverse, got "
OTHER = r"whose operations may be others than an array's; pass"
WRITTEN = 'the function is written in {0} and its arguments are {1}\'s: pass framework="{0}", or {0} arrays'

REFUSED = [
    (checked, {"bits_lost": "a"}, f"bits_lost {NUMBER} 'a'"),
    (checked, {"bits_lost": True}, f"bits_lost {NUMBER} True"),
    (checked, {"bits_lost": float("nan")}, f"bits_lost {NUMBER} nan"),
    (checked, {"bits_lost": np.ones(2)}, f"bits_lost {NUMBER} array"),
    (layered, {"bits_lost": "a"}, f"bits_lost {NUMBER} 'a'"),
    (checked, {"seconds": "a"}, f"seconds {ABOVE} 'a'"),
    (checked, {"seconds": float("nan")}, f"seconds {ABOVE} nan"),
    (exactly, {"seconds": -1}, f"seconds {ABOVE} -1"),
    (layered, {"seconds": None}, f"seconds {ABOVE} None"),
    (checked, {"kwargs": [1]}, "kwargs must be a dictionary of keyword arguments, got a list"),
    (checked, {"kwargs": {1: 2}}, "kwargs must have names as keys, got 1"),
    (exactly, {"kwargs": "ab"}, "kwargs must be a dictionary of keyword arguments, got 'ab'"),
    (layered, {"options": [1]}, "options must be a dictionary of keyword arguments, got a list"),
    (checked, {"f": None}, "f must be a function, got None"),
    (exactly, {"f": None}, "f must be a function, got None"),
    (exactly, {"f": 3}, "f must be a function, got 3"),
    (checked, {"args": None}, r"args must be a tuple of arguments, got None: pass \(x,\) for one argument"),
    (checked, {"args": {"x": X}}, "args must be a tuple of arguments, got a dict: pass"),
    (checked, {"args": (a for a in [X])}, "args must be a tuple of arguments, got a generator: pass"),
    (exactly, {"args": X}, "args must be a tuple of arguments, got an ndarray: pass"),
    (checked, {"argnums": 1.0}, f"{ARGNUMS} 1.0"),
    (checked, {"argnums": "x"}, f"{ARGNUMS} 'x'"),
    (checked, {"argnums": True}, f"{ARGNUMS} True"),
    (checked, {"argnums": [None]}, f"{ARGNUMS} None"),
    (exactly, {"argnums": [[0]]}, rf"{ARGNUMS} \[0\]"),
    (exactly, {"argnums": 5}, "among the floating arguments, 0, got 5, and the function has 1 argument"),
    (exactly, {"argnums": -5}, "argnums must be among the floating arguments, 0, got -5"),
    (exactly, {"argnums": (0, 0)}, "argnums must name each argument once, got 0 twice"),
    (checked, {"samples": True}, f"samples {INTEGER} True"),
    (checked, {"samples": 1.5}, f"samples {INTEGER} 1.5"),
    (checked, {"samples": None}, f"samples {INTEGER} None"),
    (layered, {"samples": "3"}, f"samples {INTEGER} '3'"),
    (checked, {"seed": -1}, f"seed {INTEGER} -1"),
    (checked, {"seed": None}, f"seed {INTEGER} None"),
    (checked, {"seed": 1.5}, f"seed {INTEGER} 1.5"),
    (exactly, {"seed": "a"}, f"seed {INTEGER} 'a'"),
    (layered, {"seed": -1}, f"seed {INTEGER} -1"),
    (checked, {"mode": "revers"}, f"{MODES}'revers'"),
    (checked, {"mode": None}, f"{MODES}None"),
    (checked, {"mode": 3}, f"{MODES}3"),
    (exactly, {"mode": []}, r"must be one to 3 steps of reverse and forward, with order 1, got \[\]"),
    (exactly, {"mode": [["reverse"]]}, r"must be one to 3 steps of reverse and forward, .* got \[\["),
    (checked, {"order": 0}, "order must be 1, 2 or 3, got 0"),
    (checked, {"order": 1.0}, "order must be 1, 2 or 3, got 1.0"),
    (exactly, {"order": True}, "order must be 1, 2 or 3, got True"),
    (exactly, {"order": None}, "order must be 1, 2 or 3, got None"),
    (exactly, {"bits": True}, "bits, the starting precision, must be an integer >= 32, got True"),
    (exactly, {"max_bits": "a"}, "max_bits must be an integer >= 32, got 'a'"),
    (exactly, {"max_bits": 10}, "max_bits must be an integer >= 32, got 10"),
    (checked, {"boundary": 3}, f"{BOUNDARY} 3"),
    (checked, {"boundary": None}, f"{BOUNDARY} None"),
    (checked, {"boundary": []}, f"{BOUNDARY} an empty list: leave it out"),
    (checked, {"probes": "twice"}, r"probes must be True, False or a list of names, got 'twice': write"),
    (checked, {"framework": ["jax"]}, r"framework must be one of numpy, jax, torch, got \['jax'\]"),
    (checked, {"framework": 3}, "framework must be one of numpy, jax, torch, got 3"),
    (checked, {"jit": True}, "jit must be False where the arguments are numpy's, got True"),
    (checked, {"jit": "x"}, "jit must be True or False, got 'x'"),
    (checked, {"jit": 1}, "jit must be True or False, got 1"),
    (check_gradient, {"f": torch.sin, "args": (TX,), "jit": True}, "jit must be False .* torch's"),
    (checked, {"cotangent": "ones"}, f"{REAL} <U4"),
    (checked, {"cotangent": 1j * X}, f"{REAL} complex128"),
    (checked, {"cotangent": np.array([1, None, 2])}, f"{REAL} object"),
    (checked, {"cotangent": X > 0}, f"{REAL} bool"),
    (checked, {"cotangent": 1.0}, r"the cotangent must have shape \(3,\), got \(\)"),
    (checked, {"cotangent": [1.0, 2.0, 3.0]}, r"cotangents must have shapes \[\(3,\)\], got \[\(\), "),
    (checked, {"cotangent": [None]}, r"the cotangents must have shapes \[\(3,\)\], got \[\]"),
    (check_gradient, {"f": torch.sin, "args": (TX,), "order": 2, "cotangent": 3}, "of 2 directions, got 3"),
    (check_gradient, {"f": torch.sin, "args": (TX,), "mode": "forward", "cotangent": X[:2]},
     r"the tangent must have shape \(3,\), got \(2,\)"),
    (check_gradient, {"f": lambda x: torch.sin(x), "args": (X,)}, WRITTEN.format("torch", "numpy")),
    (exactly, {"f": lambda x: torch.sin(x)}, WRITTEN.format("torch", "numpy")),
    (check_gradient, {"f": lambda x: 2 * jnp.sin(x), "args": (X,)}, WRITTEN.format("jax", "numpy")),
    (exactly, {"f": lambda x: 2 * jnp.sin(x)}, WRITTEN.format("jax", "numpy")),
    (exact_value, {"f": lambda x: 2 * jnp.sin(x), "args": (X,)}, WRITTEN.format("jax", "numpy")),
    (check_gradient, {"f": lambda x: jnp.sin(x), "args": (TX,)}, WRITTEN.format("jax", "torch")),
    (check_gradient, {"f": lambda x: torch.sin(x), "args": (JX,)}, WRITTEN.format("torch", "jax")),
    (check_gradient, {"f": lambda x: tanh(x), "args": (TX,)}, WRITTEN.format("jax", "torch")),
    (checked, {"args": (np.ma.masked_array(X, [0, 1, 0]),)}, rf"x is a numpy MaskedArray, {OTHER} np"),
    (checked, {"args": (X.reshape(1, 3).view(np.matrix),)}, f"x is a numpy matrix, {OTHER} np"),
    (exactly, {"args": (X.view(Metres),)}, f"x is a tests Metres, {OTHER} np"),
    (checked, {"args": (pd.Series(X),)}, rf"x is a pandas Series, {OTHER} x.to_numpy\(\)"),
    (checked, {"args": (X, np.ma.masked_array([1, 2]))}, f"argument 1 is a numpy MaskedArray, {OTHER} np"),
    *((door, {"args": (bad,)}, "an argument must be an array of bfloat16, float16, .* complex128, got ")
      for door in (checked, exactly)
      for bad in (X.astype(object), np.array(["a"]), np.zeros(3, [("a", float)]), X.astype("M8[s]"),
                  X.astype(np.longdouble), X.astype(">f8"), 2, True, "a", None)),
    (layered, {"layer": Doubling}, r"layer must be an object, got the class Doubling: pass Doubling\(...\)"),
    (layered, {"layer": len}, "got a builtin_function_or_method without forward and"),
    (layered, {"layer": torch.nn.Linear(3, 2)}, "layer must have .*, got a Linear without backward"),
    (layered, {"x": "abc"}, "x must be an array of bfloat16, .* or integers, got a str of dtype <U3"),
    (layered, {"x": np.arange(3)}, "x must hold floating numbers, got int64: the layer has no parameters"),
    (layered, {"spec": 5}, "spec must be a function, got 5"),
    (layered, {"constants": 5}, "constants must be a list of attributes' names, got 5"),
]  # fmt: skip


@pytest.mark.parametrize(("door", "given", "said"), REFUSED)
def test_a_mistake_is_refused_in_words(door, given, said):
    with pytest.raises(ValueError, match=said):
        door(**given)


@pytest.mark.parametrize("given", [
    {"argnums": np.int64(0)}, {"argnums": np.array([0]), "vjp": lambda g, x: (2 * g * x,)},
    {"argnums": range(1), "vjp": lambda g, x: (2 * g * x,)}, {"samples": np.int64(1)},
    {"bits_lost": np.float32(20)}, {"cotangent": np.arange(1, 4)}, {"cotangent": np.ones(3, "f4")},
    {"kwargs": {}}, {"seed": np.uint8(3)}, {"order": np.int64(1)}, {"args": [X]},
])  # fmt: skip
def test_what_means_the_same_is_taken(given):
    assert checked(**given).passed


def in_a_file(tmp_path):
    made = np.memmap(tmp_path / "x", dtype=float, mode="w+", shape=(3,))
    made[:] = X
    return made


def read_only(tmp_path):
    made = X.copy()
    made.flags.writeable = False
    return made


@pytest.mark.parametrize("make", [
    in_a_file, read_only, lambda _: X[::-1], lambda _: np.array(2.0), lambda _: 2.0, lambda _: np.float64(2),
    lambda _: np.float32(2), lambda _: np.ones((1, 1, 1, 1)), lambda _: np.broadcast_to(X, (2, 3)),
])  # fmt: skip
def test_arrays_of_every_making_are_taken(make, tmp_path):
    found = checked(args=(make(tmp_path),))
    assert found.passed, str(found)


# -- what a gradient, and a function, may return -------------------------------------------------------------

NO_GRADIENT = [
    (lambda g, x: (t for t in [2 * g * x]), "a generator instead of an array"),
    (lambda g, x: {"y": 2 * g * x}, "a dictionary with the keys 'y'; the arguments are x"),
    (lambda g, x: "hello", "a str instead of an array"),
    (lambda g, x: {1.0}, "a set instead of an array"),
    (lambda g, x: len, "a builtin_function_or_method instead of an array"),
    (lambda g, x: None, r"no gradient \(None\)"),
    (lambda g, x: (), "0 gradients for 1 differentiated argument"),
    (lambda g, x: (1.0, 2.0, 3.0), "3 gradients for 1 differentiated argument"),
    (lambda g, x: 2 * g * x + 0j, "dtype complex128 instead of float64"),
    (lambda g, x: np.ones(3, int), "dtype int64 instead of float64"),
    (lambda g, x: x > 0, "dtype bool instead of float64"),
    (lambda g, x: (2 * g * x).astype(object), "dtype object instead of float64"),
]  # fmt: skip


@pytest.mark.parametrize(("vjp", "said"), NO_GRADIENT)
def test_what_is_no_gradient_is_wrong(vjp, said):
    found = checked(vjp=vjp)
    assert (found.verdict, found.passed) == ("wrong", False)
    with pytest.raises(GradientError, match=said):
        raise GradientError(found)


@pytest.mark.parametrize("f", [
    lambda x: None, lambda x: "a", lambda x: 3, lambda x: {1.0}, lambda x: (t for t in [x]),
    lambda x: (), lambda x: [None, [None]], lambda x: x.astype(object), lambda x: x > 0,
])  # fmt: skip
def test_a_function_without_floating_results_has_no_gradient(f):
    found = checked(f)
    assert (found.verdict, found.passed) == ("unsupported", False)
    assert "which has no gradient (not a zero one)" in found.diagnosis


def test_what_the_function_raises_is_the_users_to_see():
    with pytest.raises(ZeroDivisionError):
        checked(lambda x: 1 / 0)
    with pytest.raises(TypeError, match="takes 0 positional arguments"):
        checked(vjp=lambda: 1)


# -- results ---------------------------------------------------------------------------------------------

RESULTS = {
    "accurate": lambda: checked(),
    "a budget": lambda: checked(bits_lost=3),
    "wrong": lambda: checked(vjp=lambda g, x: g * x),
    "none": lambda: checked(args=(np.zeros((0, 3)),)),
    "a kink": lambda: check_gradient(np.abs, (np.zeros(2),), vjp=lambda g, x: g * np.sign(x)),
    "probed": lambda: checked(vjp=lambda g, x: 2 * np.clip(g, -10, 10) * x),
    "boundary": lambda: checked(boundary=["zeros"], bits_lost=0),
    "torch": lambda: check_gradient(torch.sin, (TX,), bits_lost=3),
    "jax": lambda: check_gradient(jnp.sin, (JX,), bits_lost=3),
    "a layer": lambda: layered(bits_lost=3),
    "unsupported": lambda: checked(lambda x: np.frexp(x)[0]),
}


@cache
def made(name):
    return RESULTS[name]()


@pytest.fixture(params=RESULTS)
def result(request):
    return made(request.param)


@pytest.mark.parametrize("through", [lambda r: pickle.loads(pickle.dumps(r)), copy.deepcopy, copy.copy])
def test_a_result_pickles(result, through):
    other = through(result)
    assert (str(other), repr(other), bool(other)) == (str(result), repr(result), bool(result))
    assert other.allowed("float64") == result.allowed("float64")
    pd.testing.assert_frame_equal(other.rows, result.rows)


def test_a_result_is_short_in_a_debugger(result):
    assert len(repr(result)) < 120
    assert repr(result).startswith("<Result of ")
    assert repr(result).endswith(", passed>" if result else ", not passed>")


def test_a_result_without_a_budget_pickles():
    assert pickle.loads(pickle.dumps(Result(()))).verdict == ""


def test_an_error_pickles_with_its_result():
    with pytest.raises(GradientError) as raised:
        assert_gradient(square, (X,), vjp=lambda g, x: g, bits_lost=4)
    other = pickle.loads(pickle.dumps(raised.value))
    assert str(other) == str(raised.value)
    assert other.result.verdict == "wrong"


ENCLOSURES = {
    "a gradient": lambda: exactly(np.sin),
    "a value": lambda: exact_value(np.exp, (X,), bits=500),
    "a kink": lambda: exactly(np.abs, (np.zeros(2),)),
    "a number": lambda: exactly(lambda x: np.sum(x * x), (np.array(0.1),)),
    "huge and tiny": lambda: exact_value(lambda x: np.exp(1000 * x), (np.array([5.0, -5.0, 0.0]),)),
    "two axes": lambda: exactly(np.tanh, (np.arange(6.0).reshape(2, 3),)),
}


@pytest.mark.parametrize("through", [lambda r: pickle.loads(pickle.dumps(r)), copy.deepcopy])
@pytest.mark.parametrize("make", ENCLOSURES.values(), ids=ENCLOSURES)
def test_an_enclosure_pickles_to_the_bit(make, through):
    one = make()
    other = through(one)
    assert isinstance(other, Enclosure)
    assert (other.shape, other.bits, other.kinks, repr(other)) == (one.shape, one.bits, one.kinks, repr(one))
    for a, b in zip(one.balls.ravel(), other.balls.ravel(), strict=True):
        assert a.mid().man_exp() == b.mid().man_exp()
        assert a.rad().man_exp() == b.rad().man_exp()


def test_results_cross_processes(tmp_path):
    both = tmp_path / "both"
    both.write_bytes(pickle.dumps((RESULTS["a budget"](), ENCLOSURES["a gradient"]())))
    program = (
        f"import pickle; r, e = pickle.loads(open({str(both)!r}, 'rb').read()); "
        "print(r.passed, r.allowed('float64'), e.digits(0, 20))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["True", "3.0", "-1.1935122841709069797"]


# -- the caller's settings ---------------------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


WIDE = np.array([[0.5, -1.25, 2.0, 0.1], [30.0, -40.0, 1e-5, 3.0]])
UNDERFLOWING = {  # somewhere in our own arithmetic
    "sigmoid": lambda: checked(sigmoid, (WIDE,), vjp=lambda g, x: g * sigmoid(x) * (1 - sigmoid(x))),
    "relu": lambda: checked(
        lambda x: np.maximum(x, 0), (WIDE,), vjp=lambda g, x: g * (x > 0), boundary=["tiny"]
    ),
    "abs at 0": lambda: checked(np.abs, (0 * WIDE,), vjp=lambda g, x: g * np.sign(x)),
    "a zero rule": lambda: checked(args=(WIDE,), vjp=lambda g, x: 0 * g),
    "not a number": lambda: checked(args=(WIDE,), vjp=lambda g, x: np.nan * g),
    "gelu, order 2": lambda: check_gradient(torch.nn.functional.gelu, (torch.tensor(WIDE),), order=2),
    "bfloat16": lambda: check_gradient(torch.tanh, (torch.tensor(WIDE).bfloat16(),), upstream="fail"),
    "silu": lambda: check_gradient(jax.nn.silu, (jnp.asarray(WIDE, "float32"),)),
    "a layer": lambda: layered(x=WIDE * 1e-300),
    "exp, exactly": lambda: exactly(np.exp, (-1000 * WIDE,)).radius,
    "exp's value": lambda: exact_value(np.exp, (-1000 * WIDE,)).mid,
}


@pytest.mark.parametrize("setting", ["raise", "warn"])
@pytest.mark.parametrize("ask", UNDERFLOWING.values(), ids=UNDERFLOWING)
def test_floating_point_errors_of_ours_are_nobodys(ask, setting):
    with np.errstate(all=setting), warnings.catch_warnings():
        warnings.simplefilter("error")
        inside = ask()
    assert str(inside) == str(ask())


@pytest.mark.parametrize("where", ["f", "vjp"])
def test_floating_point_errors_of_the_users_functions_are_theirs(where):
    """As with any other caller; where we call them unasked, along tiny cotangents say, they are no news."""
    tiny = np.array([1e-200, 1e-180])
    given = {"f": {}, "vjp": {"f": np.sin, "vjp": lambda g, x: g * np.cos(x) + x * x}}[where]
    with np.errstate(all="raise"), pytest.raises(FloatingPointError, match="underflow"):
        checked(args=(tiny,), **given)
    seen = []
    with np.errstate(under="raise", over="warn"):
        checked(vjp=lambda g, x: seen.append(np.geterr()["under"]) or 2 * g * x, probes=False)
    assert set(seen) == {"raise", "ignore"}  # as called, and where it is recorded


def test_settings_of_the_caller_are_left_as_they_were():
    before = np.geterr()
    with np.errstate(divide="raise"):
        inside = np.geterr()
        checked()
        layered()
        exactly()
        assert np.geterr() == inside
    assert np.geterr() == before


def test_an_error_of_a_function_that_names_its_own_framework_too_is_that_alone():
    """NumPy is named beside JAX in half of JAX's code: nobody is told to pass NumPy's arrays."""

    def strict(x):
        if x.dtype != np.float64:
            raise TypeError(f"{x.dtype} is not supported")
        return jnp.sin(x)

    with pytest.raises(TypeError, match=r"^float32 is not supported$"):
        check_gradient(strict, (jnp.ones(2, "float32"),))
