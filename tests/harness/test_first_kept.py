"""A gradient that keeps what it saw first is wrong at the next point, wherever it keeps that."""

import collections
import contextvars
import dataclasses
import functools
import threading
import types
import weakref
from typing import ClassVar

import numpy as np
import pytest
import torch

from gradproof import check_gradient, check_layer

X = np.array([0.3, -0.2, 0.9])


class Kept:
    table = None


class Slotted:
    __slots__ = ("table",)


def of_attribute(owner):
    return lambda: getattr(owner, "table", None), lambda value: setattr(owner, "table", value)


def of_mapping(table):
    return lambda: table.get("k"), lambda value: table.__setitem__("k", value)


def of_list(table):
    count = len(table)
    return lambda: table[count] if len(table) > count else None, table.append


def of_variable(variable):
    return variable.get, variable.set


def of_new_global():
    def get():
        return globals().get("_new")

    def put(value):
        global _new
        _new = value

    return get, put


def of_new_class():
    class New:
        pass

    return of_attribute(New)


def of_metaclass():
    class Meta(type):
        store: ClassVar = {}

    class New(metaclass=Meta):
        pass

    return lambda: New.store.get("k"), lambda value: New.store.__setitem__("k", value)


def of_object_with_a_table():
    keeper = types.SimpleNamespace(tables=collections.defaultdict(list))
    return (
        lambda: next(iter(keeper.tables["k"]), None),
        lambda value: keeper.tables["k"].append(value),
    )


def of_memoized():
    table = functools.cache(lambda: [])  # noqa: PIE807
    return lambda: next(iter(table()), None), lambda value: table().append(value)


def of_weak_keys():
    key, table = Kept(), weakref.WeakKeyDictionary()
    return lambda: table.get(key), lambda value: table.__setitem__(key, value)


def of_context():
    return of_variable(contextvars.ContextVar("table", default=None))


PLACES = {
    "a class": lambda: of_attribute(Kept),
    "a class that had nothing": of_new_class,
    "its metaclass": of_metaclass,
    "a slot": lambda: of_attribute(Slotted()),
    "a module": lambda: of_attribute(types.ModuleType("settings_of_a_user")),
    "a new global": of_new_global,
    "a function": lambda: of_attribute(lambda: None),
    "a namespace": lambda: of_attribute(types.SimpleNamespace()),
    "a thread": lambda: of_attribute(threading.local()),
    "a context": of_context,
    "a dictionary": lambda: of_mapping({}),
    "a large dictionary": lambda: of_mapping(dict.fromkeys(range(3000))),
    "a user's dictionary": lambda: of_mapping(collections.UserDict()),
    "a chain": lambda: of_mapping(collections.ChainMap({})),
    "weak keys": of_weak_keys,
    "a list": lambda: of_list([]),
    "a user's list": lambda: of_list(collections.UserList()),
    "an object": of_object_with_a_table,
    "a memoized function": of_memoized,
}


def in_numpy(get, put, forward):
    def note(x):
        if get() is None:
            put(np.exp(x))

    def function(x):
        if forward:
            note(x)
        return np.exp(x)

    def backward(g, x):
        if not forward:
            note(x)
        return g * get()

    return check_gradient(function, (X,), vjp=backward)


def in_torch(get, put, forward):
    def note(x):
        if get() is None:
            put(x.exp())

    class Exp(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            if forward:
                note(x)
            return x.exp()

        @staticmethod
        def backward(ctx, g):
            if not forward:
                note(*ctx.saved_tensors)
            return g * get()

    return check_gradient(lambda x: Exp.apply(x), (torch.tensor(X),))


@pytest.mark.parametrize("checked", [in_numpy, in_torch])
@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_what_is_kept_of_the_first_point_is_found(place, forward, checked):
    get, put = PLACES[place]()
    found = checked(get, put, forward)
    assert not found.passed
    assert place == "a memoized function" or "at another point" in found.diagnosis


def stepping(step, forward):
    """A function and its gradient, of which one leaves something behind in each run."""

    def function(x):
        if forward:
            step(x)
        return np.exp(x)

    def backward(g, x):
        if not forward:
            step(x)
        return g * np.exp(x)

    return function, backward


class Counted:
    calls, last, table, shapes, log = 0, None, None, {}, []


def counts(x):
    Counted.calls += 1
    Counted.last = x.copy()


def makes_once(x):
    if Counted.table is None:
        Counted.table = np.arange(3.0)


def makes_by_shape(x):
    Counted.shapes.setdefault(x.shape, np.ones(x.shape))


def logs(x):
    Counted.log.append(x.shape)


@functools.cache
def table_of(n):
    return np.arange(float(n))


@pytest.mark.parametrize("step", [counts, makes_once, makes_by_shape, logs, lambda x: table_of(x.size)])
@pytest.mark.parametrize("forward", [True, False])
def test_what_may_be_kept_accuses_nobody(step, forward):
    function, backward = stepping(step, forward)
    assert check_gradient(function, (X,), vjp=backward).passed
    assert (Counted.calls, Counted.last, Counted.table) == (0, None, None)


def test_a_backward_that_goes_on_from_where_it_stopped_passes():
    class Root:
        found = None

    def backward(g, x):
        guess = np.ones_like(x) if Root.found is None else Root.found
        for _ in range(60):
            guess = (guess + np.exp(2 * x) / guess) / 2
        Root.found = guess
        return g * guess

    assert check_gradient(np.exp, (X,), vjp=backward).passed


class Stack:
    """An object that counts what its list holds."""

    def __init__(self):
        self.items, self.n = [], 0

    def add(self, x):
        assert len(self.items) == self.n
        self.items.append(x)
        self.n += 1


class Counter:
    items: ClassVar = []
    n = 0

    @classmethod
    def add(cls, x):
        assert len(cls.items) == cls.n
        cls.items.append(x)
        cls.n += 1


class Engine:
    found = None

    @classmethod
    def get(cls):
        if cls.found is None:
            assert not REGISTRY
            REGISTRY["engine"] = cls.found = cls()
        return cls.found


REGISTRY = {}


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("step", [Stack().add, Counter.add, lambda x: Engine.get()])
def test_what_counts_what_is_kept_agrees_with_it(step, forward):
    function, backward = stepping(step, forward)
    for _ in range(2):
        assert check_gradient(function, (X,), vjp=backward).passed
    step(X)


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    factor: float
    table: object = None


def test_a_frozen_object_may_keep_something():
    own = Frozen(2.0)

    def function(x):
        object.__setattr__(own, "table", x * own.factor)
        return np.exp(x)

    assert check_gradient(function, (X,), vjp=lambda g, x: g * np.exp(x)).passed
    assert own.table is None


def test_a_layer_whose_backward_keeps_the_first_point_elsewhere_is_found():
    class Table:
        exp = None

    class Exp:
        def forward(self, x):
            self.y = np.exp(x)
            return self.y

        def backward(self, d):
            if Table.exp is None:
                Table.exp = self.y
            return d * Table.exp

    for _ in range(2):
        assert not check_layer(Exp(), np.array([X, 2 * X])).passed
