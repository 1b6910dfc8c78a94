"""Objects that hold arrays: constants where a function takes them, and else it is said what to pass."""

import dataclasses
from array import array
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from harness import check_gradient, exact_gradient

X = np.array([0.5, -1.25, 2.0])
MATRIX = np.array([[1.5, 0.0, 0.0], [0.0, 0.0, -2.0], [0.25, 3.0, 0.0]])


@dataclasses.dataclass
class Pair:
    w: object
    b: object


class Named(NamedTuple):
    w: object
    b: object


class Holder:
    def __init__(self):
        self.w, self.name = X, "w"


def notes(*args, f=lambda p, x: (x * x).sum(), **more):
    return check_gradient(f, args, **more).notes


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csr_array, sparse.coo_array])
@pytest.mark.parametrize("dtype", ["float64", "int64"])
@pytest.mark.parametrize("factor", [2, 3])
def test_a_sparse_matrix_is_a_constant_where_it_is_not_differentiated(make, dtype, factor):
    a = make(MATRIX.astype(dtype))
    of_argument = check_gradient(
        lambda a, x: np.sum((a @ x) ** 2), (a, X), grad=lambda a, x: factor * (a.T @ (a @ x)), argnums=1
    )
    of_keyword = check_gradient(
        lambda x, a: np.sum((a @ x) ** 2), (X,), kwargs={"a": a},
        grad=lambda x, a: factor * (a.T @ (a @ x)),
    )  # fmt: skip
    assert [of_argument.passed, of_keyword.passed] == [factor == 2] * 2


@pytest.mark.parametrize("make", [pd.Series, pd.DataFrame])
@pytest.mark.parametrize("kind", [np.array, torch.tensor, jnp.array])
def test_a_table_is_a_constant_where_it_is_not_differentiated(make, kind):
    def f(x, table):
        return (x * kind(table.to_numpy().reshape(3))).sum()

    assert check_gradient(f, (kind(X), make(X)), argnums=0, grad=lambda x, t: kind(t.to_numpy().reshape(3)))
    assert not check_gradient(f, (kind(X), make(X)), argnums=0, grad=lambda x, t: 2 * x)


@pytest.mark.parametrize(("given", "said"), [
    (sparse.csr_array(MATRIX), r"p is a scipy csr_array, .*; pass p.toarray\(\), and .*; as a "),
    (pd.Series(X), r"p is a pandas Series, .*; pass p.to_numpy\(\), and make it inside of the function"),
    ({"a": [sparse.csr_array(MATRIX), X]}, r"p\['a'\]\[0\] is a scipy csr_array"),
])  # fmt: skip
def test_what_is_to_be_differentiated_is_named_with_what_to_pass(given, said):
    with pytest.raises(ValueError, match=said):
        check_gradient(lambda p, x: np.sum(x), (given, X), grad=lambda p, x: np.ones(3))


@pytest.mark.parametrize(("given", "said"), [
    (pd.DataFrame(MATRIX), r"got DataFrame: pass x.to_numpy\(\)"),
    (Pair(X, np.array(0.5)), "pass x.w, x.b, and make the Pair inside of the function"),
    (Holder(), "pass x.w, and make the Holder inside of the function"),
    (memoryview(X), r"pass np.asarray\(x\)"),
    (array("d", [1.0]), r"pass np.asarray\(x\)"),
    ("words", "got str$"),
    (np.sum, "got "),
])  # fmt: skip
def test_alone_an_object_says_what_to_pass(given, said):
    for door in (check_gradient, exact_gradient):
        with pytest.raises(ValueError, match=rf"an argument must be an array of .*{said}"):
            door(lambda p: p, (given,))


def test_a_class_of_arrays_is_refused_as_a_constant_too():
    class Metres(np.ndarray):
        pass

    with pytest.raises(ValueError, match=r"p is a tests Metres, .* inside the function if it must be$"):
        check_gradient(lambda p, x: np.sum(x), (X.view(Metres), X), argnums=1, grad=lambda p, x: np.ones(3))


@pytest.mark.parametrize("kind", [np.array, torch.tensor, jnp.array])
def test_that_an_object_is_a_constant_is_said(kind):
    told = "p is a Pair, and so a constant; for its gradient, pass p.w, p.b, and make the Pair inside"
    pair, x = Pair(kind(X), kind(0.5)), kind(X)
    assert any(note.startswith(told) for note in notes(pair, x, grad=lambda p, x: (p, 2 * x)))
    assert not any("Pair" in note for note in notes(pair, x, grad=lambda p, x: 2 * x, argnums=1))
    assert not any(
        "Named" in note for note in notes(Named(x, x), x, grad=lambda p, x: (Named(0 * x, 0 * x), 2 * x))
    )


@pytest.mark.parametrize("given", ["words", None, np.sum, Pair(1, "b"), pd.Series(list("abc")), {"k": print}])
def test_of_what_holds_no_floating_array_nothing_is_said(given):
    assert notes(given, X, grad=lambda p, x: (None, 2 * x)) == ()
