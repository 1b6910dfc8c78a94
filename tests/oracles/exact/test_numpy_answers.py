"""What a recorded number, or array, answers where code asks what it is: as what runs does."""

import collections.abc
import copy
import functools
import math
import numbers
import operator
import typing
from contextlib import nullcontext

import numpy as np
import pytest

import harness
from oracles.exact.from_numpy import record
from oracles.exact.program.errors import Undecided, Unsupported

X = np.array([0.25, 1.75])
ABSTRACT = [
    *(
        getattr(collections.abc, name)
        for name in ("Iterable", "Sized", "Container", "Collection", "Hashable")
    ),
    *(getattr(collections.abc, name) for name in ("Callable", "Iterator", "Sequence", "Reversible")),
    *(getattr(numbers, name) for name in ("Number", "Complex", "Real", "Rational", "Integral")),
    *(getattr(typing, name) for name in ("SupportsFloat", "SupportsInt", "SupportsIndex", "SupportsRound")),
    *(np.ndarray, np.generic, np.floating, np.complexfloating, float, complex, int, bool, str, list, tuple),
]


@functools.singledispatch
def dispatched(x):
    return "other"


dispatched.register(np.ndarray)(lambda x: "an array")
dispatched.register(float)(lambda x: "a float")


def matched(x):
    match x:
        case float():
            return "a float"
        case [_, *_]:
            return "a sequence"
        case np.ndarray():
            return "an array"
        case _:
            return "other"


def unpacked(x):
    (one,) = x
    return np.shape(one)


def looped(x):
    return ["something" for _ in x]


ASKED = {
    **{kind.__name__: lambda x, kind=kind: isinstance(x, kind) for kind in ABSTRACT},
    "its type": lambda x: (type(x) == type(np.asarray(1.0)), type(x) == np.float64, type(x) == float),  # noqa: E721
    "names": lambda x: (type(x).__name__, type(x).__module__, x.__class__.__name__),
    "__array__": lambda x: hasattr(x, "__array__"),
    "__array_ufunc__": lambda x: hasattr(x, "__array_ufunc__"),
    "__array_function__": lambda x: hasattr(x, "__array_function__"),
    "units": lambda x: hasattr(x, "value") or hasattr(x, "magnitude"),
    "call": callable,
    "iterable": np.iterable,
    "scalar": np.isscalar,
    "axes": lambda x: (np.ndim(x), np.shape(x), np.size(x)),
    "len": len,
    "iter": lambda x: iter(x) and "an iterator",
    "list": lambda x: len(list(x)),
    "unpack": unpacked,
    "loop": looped,
    "in": lambda x: 1e9 in x,
    "index": operator.index,
    "write": lambda x: operator.setitem(x, ..., x[...]),
    "element": lambda x: np.shape(x[0]),
    "itself": lambda x: np.shape(x[()]),
    "round": lambda x: type(round(x, 1)).__name__,
    "whole": lambda x: (math.floor(x), math.ceil(x), math.trunc(x)),
    "truth": lambda x: not x,
    "copies": lambda x: (np.shape(copy.copy(x)), np.shape(copy.deepcopy(x))),
    "dispatch": dispatched,
    "match": matched,
    "dir": lambda x: sorted({"__len__", "__iter__", "shape", "tokens"} & set(dir(x))),
}
NAMES = [name for name in dir(np.ndarray) if not name.startswith("_")]
NAMES += ["__len__", "__iter__", "__setitem__", "__index__", "__iadd__", "append", "value", "units"]
KINDS = {
    "of an array": lambda x: x[0],
    "a sum": np.sum,
    "float32": lambda x: x.astype(np.float32)[1],
    "Python's": lambda x: float(x[0]),
    "an item": lambda x: x.item(1),
    "complex": lambda x: (x * 1j)[0],
    "Python's complex": lambda x: (x * 1j).item(0),
    "a truth": lambda x: x[0] > 0,
    "a position": lambda x: np.argmax(x * x),
    "no axes": lambda x: np.asarray(x[0]),
    "one axis": lambda x: x[:1],
    "two elements": lambda x: x * 1,
}


def answers(of, where, x):
    """What it answers to each question; the kind of error where that is raised."""
    found = {}

    def asking(x):
        for name, ask in ASKED.items():
            try:
                found[name] = ask(of(x))
            except (TypeError, ValueError, IndexError) as error:
                found[name] = type(error).__name__
        return x

    where(asking, x)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_what_is_recorded_answers_as_what_runs(kind):
    ran = answers(KINDS[kind], lambda f, x: f(x), X)
    recorded = answers(KINDS[kind], lambda f, x: record(f, (x,)), X)
    if kind not in {"of an array", "a sum", "Python's", "an item"}:
        ran["whole"] = recorded["whole"]  # others have no whole part of their own
    assert {k: v for k, v in recorded.items() if v != ran[k]} == {}


@pytest.mark.parametrize("kind", ["of an array", "Python's", "complex", "one axis"])
def test_it_has_the_names_that_what_runs_has_or_refuses_them(kind):
    has = {}

    def asking(x):
        one = KINDS[kind](x)
        for name in NAMES:
            try:
                getattr(one, name)
                has[name] = True
            except Unsupported:
                has[name] = True
            except (AttributeError, ValueError) as error:  # mT of one axis
                has[name] = type(error).__name__
        return x

    asking(X)
    ran = has.copy()
    with pytest.raises(Undecided, match="catches what is refused") if kind != "Python's" else nullcontext():
        record(asking, (X,))
    assert has == ran


def rotated(v, is_many):
    return np.array([v[0]]) if is_many(v[0]) else np.sin(v[0]) * v


def rotated_back(g, v):
    found = g * np.sin(v[0])
    found[0] += np.cos(v[0]) * np.sum(g * v)
    return found


ASKING = {
    "abstract": lambda v: isinstance(v, collections.abc.Iterable),
    "by name": lambda v: hasattr(v, "__len__"),
    "by a computed name": lambda v: hasattr(v, "__" + "iter__"),
    "tried": lambda v: np.shape(list(v) if hasattr(v, "__iter__") else 1) != (),
    "by its type": lambda v: type(v) != np.float64,  # noqa: E721
    "units": lambda v: hasattr(v, "value"),
}


@pytest.mark.parametrize("name", ASKING)
def test_what_code_asks_of_a_number_turns_no_branch(name):
    def function(v):
        return rotated(v, ASKING[name])

    assert harness.check_gradient(function, (X,), vjp=rotated_back).passed
    wrong = harness.check_gradient(function, (X,), vjp=lambda g, v: rotated_back(g, v) * [1, 1.001])
    assert wrong.verdict == "wrong"


def test_a_clean_up_of_arrays_does_not_hide_a_derivative():
    def function(x):
        v = x[0]
        if isinstance(v, collections.abc.Sized):
            v = np.round(np.array(v), 12)
        return v * v

    assert harness.check_gradient(function, (X,), grad=lambda x: np.array([2 * x[0], 0])).passed
    assert harness.check_gradient(function, (X,), grad=np.zeros_like).verdict == "wrong"


def test_a_complex_number_is_true_where_a_part_is_none():
    """As `any`, and `while z`, ask."""

    def function(x):
        z = x[0] * 1j
        return x * any(z for _ in range(1)) if z else 2 * x

    assert harness.check_gradient(function, (X,), vjp=lambda g, x: g).passed


@pytest.mark.parametrize("name", ["__array_interface__", "__dlpack__", "ctypes"])
def test_what_has_no_answer_is_refused_by_name(name):
    code = compile(f"lambda x: x * (2 if hasattr(x, {name!r}) else 3)", __file__, "eval")
    result = harness.check_gradient(eval(code), (X,), vjp=lambda g, x: 2 * g)
    assert result.verdict == "undecided"
    assert f"no attribute {name}" in str(result)
