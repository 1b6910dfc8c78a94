"""Numbers beside the arrays, and lists of numbers, that a gradient by hand gives."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient
from harness.subject.gradient_names import under_own_names
from harness.verdicts import Verdict

RNG = np.random.default_rng(0)
X, W, Y = RNG.normal(size=(5, 3)), RNG.normal(size=3), RNG.normal(size=5)


def loss(w, b):
    return np.mean((X @ w + b - Y) ** 2)


def grad(w, b, n=5):
    r = X @ w + b - Y
    return 2 * X.T @ r / 5, 2 * np.sum(r) / n


def without_division(w, b):
    return grad(w, b, 1)


def arguments(found):
    return list(found.rows["argument"])


NUMBERS = [0.5, 0, 1, np.int64(2), np.float64(0.5), np.array(3)]


@pytest.mark.parametrize("b", NUMBERS)
def test_a_number_that_the_gradient_gives_a_part_for_is_compared(b):
    right, wrong = (check_gradient(loss, (W, b), grad=g) for g in (grad, without_division))
    assert (right.passed, arguments(right)) == (True, ["w", "b"])
    assert (wrong.verdict, arguments(wrong)) == (Verdict.WRONG, ["w", "b"])


@pytest.mark.parametrize("given", [np.nan, "no", 0.0, -1.0])
def test_whatever_is_given_for_a_float_is_compared(given):
    assert not check_gradient(loss, (W, 0.5), grad=lambda w, b: (grad(w, b)[0], given)).passed


@pytest.mark.parametrize("b", [0.5, 0])
@pytest.mark.parametrize("given", [lambda dw: dw, lambda dw: (dw,), lambda dw: (dw, None)])
def test_where_nothing_is_given_for_it_a_number_is_a_constant(given, b):
    found = check_gradient(loss, (W, b), grad=lambda w, b: given(grad(w, b)[0]))
    assert (found.passed, arguments(found), found.notes) == (True, ["w"], ())


def test_argnums_say_what_is_compared():
    found = check_gradient(loss, (W, 0.5), grad=without_division, argnums=0)
    assert (found.passed, arguments(found)) == (True, ["w"])


@pytest.mark.parametrize("argnums", [None, 0])
@pytest.mark.parametrize("b", [0.5, 2])
def test_a_number_in_a_dictionary_is_compared(b, argnums):
    found = check_gradient(
        lambda p: loss(p["w"], p["b"]), ({"w": W, "b": b},), argnums=argnums,
        grad=lambda p: dict(zip("wb", without_division(p["w"], p["b"]), strict=True)),
    )  # fmt: skip
    assert (found.verdict, len(arguments(found))) == (Verdict.WRONG, 2)


def test_the_zero_for_a_count_is_not_compared_and_that_is_said():
    found = check_gradient(lambda x, n: np.sum(x**n), (W, 2), grad=lambda x, n: (n * x ** (n - 1), 0))
    assert found.passed
    assert found.notes == ("n is an integer, so a constant: the 0 given for it is not compared",)


def test_what_is_given_for_an_index_is_not_compared_and_that_is_said():
    found = check_gradient(lambda x, n: x[n] ** 2, (W, 1), grad=lambda x, n: (2 * x * np.eye(3)[n], 5.0))
    assert found.passed
    assert found.notes[0].startswith("the gradient given for n is not compared: f takes no floating array")


@pytest.mark.parametrize("sign", [-2, 2])
def test_labels_that_a_gradient_is_given_for_are_compared(sign):
    found = check_gradient(
        lambda x, t: np.sum((x - t) ** 2), (W, np.array([0, 1, 0])),
        grad=lambda x, t: (2 * (x - t), sign * (x - t)),
    )  # fmt: skip
    assert (found.passed, arguments(found)) == (sign == -2, ["x", "t"])


@pytest.mark.parametrize("make", [
    lambda: W.astype("f4"), lambda: W.astype("f2"), lambda: torch.tensor(W), lambda: torch.tensor(W).float(),
    lambda: jnp.asarray(W, "float32"), lambda: jnp.asarray(W, "bfloat16"),
])  # fmt: skip
@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("b", [0.1, 3])
def test_a_number_beside_arrays_of_any_kind(make, factor, b):
    found = check_gradient(
        lambda w, b: (w**2).sum() * b, (make(), b), grad=lambda w, b: (2 * w * b, factor * (w**2).sum())
    )
    assert (found.passed, arguments(found)) == (factor == 1, ["w", "b"])


@pytest.mark.parametrize("w", [np.float64(0.3), np.array(0.3), 0.3])
@pytest.mark.parametrize("b", [0.5, 2])
@pytest.mark.parametrize("factor", [1, 2])
def test_of_numbers_alone_an_array_has_one_for_each(w, b, factor):
    found = check_gradient(lambda w, b: w * b, (w, b), grad=lambda w, b: np.array([b, factor * w]))
    assert (found.passed, arguments(found)) == (factor == 1, ["w", "b"])


def test_a_residual_s_gradient_of_a_number_is_compared():
    for db, passes in ((lambda w, g: g * np.sum(w), True), (lambda w, g: 7 * g, False)):
        found = check_gradient(
            lambda w, b: (np.sum(w) * b, (w, b)), (W, 0.5),
            residual_vjp=lambda r, g, db=db: (g * r[1] * np.ones(3), db(r[0], g)),
        )  # fmt: skip
        assert found.passed is passes


@pytest.mark.parametrize("b", [0.5, 3])
@pytest.mark.parametrize(("given", "compared"), [
    (lambda dw, db: (dw, db), ["w", "b"]), (lambda dw, db: (dw, db, None), ["w", "b"]),
    (lambda dw, db: (dw, None), ["w"]), (lambda dw, db: (dw,), ["w"]),
])  # fmt: skip
def test_beside_a_flag_there_is_one_for_each_array_and_number(b, given, compared):
    def f(w, b, flag):
        return np.sum(w**2) * b if flag else 0.0

    for factor in (1, 2):
        found = check_gradient(
            f, (W, b, True),
            grad=lambda w, b, flag, factor=factor: given(2 * w * b, factor * np.sum(w**2)),
        )  # fmt: skip
        assert arguments(found) == compared
        assert found.passed == (factor == 1 or compared == ["w"])


def test_a_gradient_that_writes_into_its_argument_leaves_the_user_s_array():
    mine, before = W.copy(), W.copy()

    def writing(w, b):
        found = 2 * w * b, 1.0
        w[...] = 0
        return found

    assert not check_gradient(lambda w, b: np.sum(w**2) * b, (mine, 0.5), grad=writing).passed
    np.testing.assert_array_equal(mine, before)


# -- what has axes, and what is left out -------------------------------------------------------------------


@pytest.mark.parametrize("b", [0.5, 1, np.float64(0.5)])
@pytest.mark.parametrize("shape", [(1,), (1, 1)])
@pytest.mark.parametrize("make", [np.array, torch.tensor, jnp.array])
def test_a_number_has_no_axes_and_an_array_of_one_element_stands_for_its_gradient(make, shape, b):
    for factor in (1, 2):
        found = check_gradient(
            lambda w, b: (w**2).sum() * b, (make(W), b),
            grad=lambda w, b, factor=factor: (2 * w * b, factor * (w**2).sum().reshape(shape)),
        )  # fmt: skip
        assert (found.passed, arguments(found)) == (factor == 1, ["w", "b"])
        assert any(f"its gradient an array of shape {shape}, whose one" in note for note in found.notes)


@pytest.mark.parametrize("given", [lambda s: s.reshape(1), lambda s: np.float32(s), lambda s: None])
@pytest.mark.parametrize(("factor", "verdict"), [(2, "accurate"), (3, "wrong")])
def test_beside_what_is_no_gradient_the_others_are_judged(given, factor, verdict):
    def grad(w, b):
        return factor * w * b, given(np.sum(w**2))

    found = check_gradient(lambda w, b: np.sum(w**2) * b, (W, np.array(0.5)), grad=grad)
    assert dict(zip(arguments(found), found.rows["verdict"], strict=True)) == {"w": verdict, "b": "wrong"}


def test_they_are_judged_with_what_the_forward_kept():
    kept = {}

    def forward(w, b):
        kept["w"] = np.exp(w)
        return np.sum(kept["w"]) * b

    for factor, verdict in ((1, "accurate"), (2, "wrong")):
        found = check_gradient(
            forward, (W, np.array([0.5])), vjp=lambda g, w, b, factor=factor: (factor * g * kept["w"] * b, g)
        )
        assert list(found.rows["verdict"]) == [verdict, "wrong"]


@pytest.mark.parametrize("make", [np.array, torch.tensor, jnp.array])
@pytest.mark.parametrize("more", [{}, {"b": None}])
@pytest.mark.parametrize("factor", [2, 3])
def test_a_number_in_a_dictionary_of_arrays_is_a_constant_where_nothing_is_given_for_it(make, more, factor):
    found = check_gradient(
        lambda p: (p["w"] ** 2).sum() * p["b"], ({"b": 0.5, "w": make(W)},),
        grad=lambda p: {"w": factor * p["w"] * p["b"], **more},
    )  # fmt: skip
    assert (found.passed, arguments(found)) == (factor == 2, ["p['w']"])
    assert "p['b'] is a number that the gradient gives nothing for, so a constant" in found.notes


@pytest.mark.parametrize("args", [{"w": W, "b": np.array(0.5)}, {"w": 0.25, "b": 0.5}])
def test_what_else_is_left_out_of_a_dictionary_is_wrong(args):
    found = check_gradient(
        lambda p: np.sum(p["w"] ** 2) * p["b"], (args,), grad=lambda p: {"w": 2 * p["w"] * p["b"]}
    )
    assert list(found.rows["verdict"]) == ["accurate", "wrong"]


@pytest.mark.parametrize("form", ["{}", "d{}", "d_{}", "grad_{}", "{}_grad"])
@pytest.mark.parametrize("make", [np.array, torch.tensor, jnp.array])
@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("tree", [False, True])
def test_a_dictionary_names_gradients_as_people_do(form, make, factor, tree):
    def loss(w, b):
        return (w**2).sum() * (b**3).sum()

    def gradient(w, b):
        dw, db = factor * w * (b**3).sum(), 3 * (w**2).sum() * b**2
        return {form.format("b"): db, form.format("w"): dw}

    w, b = make(W), make(W[:2] + 1)
    if tree:
        found = check_gradient(lambda p: loss(**p), ({"w": w, "b": b},), grad=lambda p: gradient(**p))
        names = ["p['w']", "p['b']"] if make is not jnp.array else ["p['b']", "p['w']"]
    else:
        found, names = check_gradient(loss, (w, b), grad=gradient), ["w", "b"]
    assert (found.passed, arguments(found)) == (factor == 2, names)


@pytest.mark.parametrize("make", [np.array, torch.tensor, jnp.array])
@pytest.mark.parametrize("factor", [2, 3])
def test_they_may_be_in_lists_and_in_other_dictionaries(make, factor):
    def loss(layers):
        return sum((p["w"] ** 2).sum() * (p["b"] ** 3).sum() for p in layers["all"])

    def gradient(layers):
        return {"dall": [
            {"dw": factor * p["w"] * (p["b"] ** 3).sum(), "db": 3 * (p["w"] ** 2).sum() * p["b"] ** 2}
            for p in layers["all"]
        ]}  # fmt: skip

    layers = {"all": [{"w": make(W), "b": make(W[:2] + 1)}, {"w": make(W + 1), "b": make(W[:2])}]}
    assert check_gradient(loss, (layers,), grad=gradient).passed == (factor == 2)


def test_names_of_two_forms_are_none():
    assert under_own_names({"w": 1, "dw": 2}, ["w", "dw"]) == {"w": 1, "dw": 2}
    assert under_own_names({"w": 1, "db": 2}, ["w", "b"]) == {"w": 1, "db": 2}
    assert under_own_names({0: 1}, [0, 1]) == {0: 1}
    assert under_own_names({"dw": 1, "db": 2, "loss": 3}, ["w", "b"]) == {"w": 1, "b": 2, "loss": 3}
    found = check_gradient(
        lambda w, b: np.sum(w) * b, (W, np.array(2.0)), grad=lambda w, b: {"w": w, "db": b}
    )
    assert not found.passed


# -- lists of numbers, as scipy.optimize takes them --------------------------------------------------------


def rosenbrock(x):
    return (x[0] - 1) ** 2 + (x[1] - 2.5) ** 2 * x[0]


def jac(x, factor=2):
    return [2 * (x[0] - 1) + (x[1] - 2.5) ** 2, factor * (x[1] - 2.5) * x[0]]


@pytest.mark.parametrize("make", [np.array, torch.tensor, jnp.array])
@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("more", [(), (2,), (0.5,)])
def test_a_list_of_numbers_is_an_array(make, factor, more):
    found = check_gradient(
        lambda x, *more: rosenbrock(x), (make([2.0, 0.3]), *more), grad=lambda x, *more: jac(x, factor)
    )
    assert (found.passed, arguments(found)) == (factor == 2, ["x"])


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("given", [list, np.ndarray.tolist])
def test_a_list_has_no_dtype(given, factor):
    x = np.array([2.0, 0.3], np.float32)
    assert check_gradient(lambda x: np.sum(x**2), (x,), grad=lambda x: given(factor * x)).passed == (
        factor == 2
    )


@pytest.mark.parametrize("given", [
    lambda x: tuple(jac(x)), lambda x: jac(x)[:1], lambda x: [*jac(x), 0.0], lambda x: [jac(x)[0], None],
    lambda x: jac(x)[::-1], lambda x: [np.array(jac(x)), 0.0],
])  # fmt: skip
def test_other_lists_are_no_gradient_of_an_array(given):
    assert not check_gradient(rosenbrock, (np.array([2.0, 0.3]),), grad=given).passed


@pytest.mark.parametrize("start", [(2, 0.3), [2, 0.3], (2.0, 0.3), [2.0, 0.3]])
@pytest.mark.parametrize("kind", [list, tuple, np.array])
@pytest.mark.parametrize("factor", [2, 3])
def test_of_a_list_or_tuple_of_numbers_it_is_one_of_either_kind(start, kind, factor):
    found = check_gradient(rosenbrock, (start,), grad=lambda x: kind(jac(x, factor)))
    assert (found.passed, arguments(found)) == (factor == 2, ["x[0]", "x[1]"])


def test_an_integer_that_no_float_holds_is_said_not_to_be_compared():
    found = check_gradient(lambda x, n: x / 2 if n else x, (X, 10**400), vjp=lambda g, x, n: (g / 2, 1.0))
    assert found.passed, str(found)
    assert any("the gradient given for n is not compared" in note for note in found.notes)
