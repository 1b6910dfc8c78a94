"""What the recorder finds, and a check puts back: by whichever name, and whatever an object answers."""

import collections
import functools
import importlib
import operator
import sys
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

from gradproof import check_gradient, check_layer
from oracles.exact.program import code_names, reach
from tests.harness import found_by_name as lib

X = np.array([0.3, -0.7])
NAME, KIND = "double", "dou"
HERE = lib.__name__
getter, of_lib = operator.attrgetter("double"), functools.partial(getattr, lib)


class Holds:
    """A module, and in what names its functions."""

    def __init__(self):
        self.lib, self.act = lib, "double"

    def forward(self, x):
        return getattr(self.lib, self.act)(x)

    def joined(self, x):
        return getattr(self.lib, KIND + "ble")(x)


class Lazy:
    def __getattr__(self, name):
        return getattr(importlib.import_module(HERE), name)


class Cached:
    @functools.cached_property
    def two(self):
        return lib.double(np.ones(2))


holds, lazy, cached = Holds(), Lazy(), Cached()
BY_NAME = {
    "a constant": lambda x: lib.__dict__["double"](x),
    "a global": lambda x: getattr(lib, NAME)(x),
    "joined": lambda x: getattr(lib, KIND + "ble")(x),
    "an attribute": holds.forward,
    "of a module that is held": holds.joined,
    "a module's string": lambda x: vars(lib)[lib.ACT](x),
    "attrgetter": lambda x: getter(lib)(x),
    "methodcaller": lambda x: operator.methodcaller("double", x)(lib),
    "partial": lambda x: of_lib(KIND + "ble")(x),
    "sys.modules": lambda x: sys.modules[HERE].double(x),
    "its own module": lib.chosen,
    "a lazy module": lambda x: lazy.double(x),
    "eval": lambda x: eval("lib.double(x)"),
    "a cached property": lambda x: x * cached.two,
}


@pytest.mark.parametrize("name", BY_NAME)
def test_what_code_finds_by_a_string_is_followed_and_put_back(name):
    found = check_gradient(BY_NAME[name], (X,), vjp=lambda g, x: 2 * g)
    assert found.passed, str(found)
    assert lib.calls == 0


def test_what_the_recorder_puts_in_place_is_not_replaced_again():
    def vjp(g, x):
        return g * np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * (1 - x)

    found = check_gradient(lambda x: lib.shared(x), (X,), vjp=vjp)
    assert found.passed, str(found)


def unanswered(*args):
    raise NotImplementedError


class Context:
    @property
    def __class__(self):
        raise RuntimeError("outside of a context")


class Slotted:
    __slots__ = ("inside",)

    def __getattr__(self, name):
        raise RuntimeError(name)


MUTE = {"__len__": unanswered, "__iter__": unanswered}
TONGUE_TIED = {
    **{k.__name__: type("Mute", (k,), MUTE)([1]) for k in (list, tuple, set, frozenset, collections.deque)},
    "dict": type("Mute", (dict,), MUTE | dict.fromkeys(("values", "items", "get", "copy"), unanswered))(a=1),
    "proxy": Context(),
    "dead": weakref.proxy(Holds()),
    "slots": Slotted(),
}


@pytest.mark.parametrize("kind", TONGUE_TIED)
def test_what_does_not_answer_is_passed_over(kind):
    held = SimpleNamespace(inside=TONGUE_TIED[kind])
    found = check_gradient(lambda x: (held, 2 * x)[1], (X,), vjp=lambda g, x: 2 * g)
    assert found.passed, str(found)


def test_a_layer_that_holds_what_cannot_be_copied_is_told():
    class Layer:
        def __init__(self):
            self.W, self.sizes = np.ones(2), TONGUE_TIED["list"]

        def forward(self, x):
            return x * self.W

        def backward(self, g):
            return g * self.W

    with pytest.raises(
        ValueError, match=r"Layer.sizes is a Mute, which cannot be copied \(NotImplementedError\)"
    ):
        check_layer(Layer(), X)


def test_what_has_no_gradient_is_told_what_to_return():
    found = check_gradient(lambda x: SimpleNamespace(loss=x), (X,), vjp=lambda g, x: g)
    assert found.verdict == "unsupported"
    assert "returns SimpleNamespace" in str(found).replace("a SimpleNamespace", "SimpleNamespace")
    assert "return floating arrays, or tuples, lists and dictionaries of them" in str(found)


class Unit:
    """A small object, of which a large package has thousands."""

    def __init__(self, *bases):
        self.bases, self.powers, self.cache = list(bases), (1,) * len(bases), {}

    def scale(self, x):
        return 2 * x


def many():
    units = [Unit()]
    for k in range(500):
        units.append(Unit(units[k], units[k // 2]))
    return units


UNITS = many()


def in_units(x):
    return UNITS[-1].scale(x)


def test_a_large_package_is_walked_once_for_the_state_and_once_for_each_recording(monkeypatch):
    walked, read = [], []
    plain, reading = reach.Walk.items, code_names._read

    def items(walk, roots):
        for item in plain(walk, roots):
            walked.append(item)
            yield item

    monkeypatch.setattr(reach.Walk, "items", items)
    monkeypatch.setattr(code_names, "_read", lambda code: read.append(code) or reading(code))

    def vjp(g, x):
        return UNITS[-2].scale(g)

    for _ in range(2):
        walked.clear()
        read.clear()
        assert check_gradient(in_units, (X,), vjp=vjp).passed
    units = sum(type(item) is Unit for item in walked)
    assert units <= 3 * len(UNITS)
    assert not [code for code in read if code in (in_units.__code__, vjp.__code__)]


def test_what_a_large_package_keeps_is_put_back():
    def counted(x):
        UNITS[100].cache["n"] = UNITS[100].cache.get("n", 0) + 1
        UNITS[7].bases.append(x)
        UNITS[9].new = x
        Unit.scale.last = x
        return UNITS[100].cache["n"] * in_units(x)

    assert check_gradient(counted, (X,), vjp=lambda g, x: 2 * g).passed
    assert (UNITS[100].cache, len(UNITS[7].bases)) == ({}, 2)
    assert not hasattr(UNITS[9], "new")
    assert not hasattr(Unit.scale, "last")
