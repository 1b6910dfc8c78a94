"""What a subject does besides returning numbers: each fault and note, around a gradient known by hand."""

import itertools

import ml_dtypes
import numpy as np
import pytest

from harness.proof.observe import Loaded, observe
from oracles.frameworks.framework import Gradient, Subject

X, Y = np.array([1.0, -2.0, 4.0]), np.array([0.5, 3.0, 2.0])
CT = np.array([0.75, -1.5, 0.25])
LEAVE = "a gradient must leave its arguments alone"


def product(cotangent, x, y):
    """The gradient of x y."""
    return cotangent * y, cotangent * x


def subject(gradient=product, value=lambda x, y: x * y, load=np.asarray):
    return Subject(load, value, gradient, np.asarray, lambda found: Gradient(tuple(found)))


def seen(gradient=product, value=lambda x, y: x * y, x=X, y=Y, cotangent=CT, **more):
    """What is observed; x, y and the cotangent are copies."""
    args = [x.copy(), y.copy()]
    return observe(subject(gradient, value), args, cotangent.copy(), ("x", "y"), [("x", X), ("y", Y)], **more)


def test_a_gradient_that_behaves_is_returned_and_nothing_is_said():
    found = seen()
    np.testing.assert_array_equal(found.gradient.arrays, [CT * Y, CT * X])
    np.testing.assert_array_equal(found.value, X * Y)
    assert (found.others, found.misfits, found.faults, found.notes) == ((), (), (), ())
    assert found.first_call_time_s > 0


# -- its form ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g[:1], "1 gradient for 2 differentiated arguments: return one for each of x, y"),
        (lambda g: (*g, g[0]), "3 gradients for 2 differentiated arguments: return one for each of x, y"),
        (lambda g: (g[0][None], g[1]), "x: the gradient has shape (1, 3) instead of (3,)"),
        (lambda g: (g[0], g[1].sum()), "y: the gradient has shape () instead of (3,)"),
        (lambda g: (g[0], g[1][:1]), "y: the gradient has shape (1,) instead of (3,)"),
        (lambda g: (g[0].astype("float32"), g[1]), "x: the gradient has dtype float32 instead of float64"),
        (lambda g: (g[0], g[1].astype(int)), "y: the gradient has dtype int64 instead of float64"),
    ],
)
def test_what_is_no_gradient_of_these_arguments_is_misshapen(change, message):
    found = seen(lambda *a: change(product(*a)))
    assert tuple(map(str, found.misfits)) == (message,)
    assert found.others == ()


def test_every_misshapen_argument_is_named():
    found = seen(lambda *a: [g[:2] for g in product(*a)])
    assert [m.part for m in found.misfits] == ["x", "y"]


def test_none_is_no_gradient():
    found = seen(lambda *a: (None, product(*a)[1]))
    assert [(m.part, m.is_none) for m in found.misfits] == [("x", True)]
    assert found.others == ()
    assert found.gradient.arrays[0] is None


# -- what it does to its arguments ------------------------------------------------------------------------


@pytest.mark.parametrize(("position", "name"), [(0, "the cotangent"), (1, "x"), (2, "y")])
def test_an_overwritten_argument_is_a_fault_and_is_put_back(position, name):
    args, cotangent = [X.copy(), Y.copy()], CT.copy()

    def gradient(*given):
        honest = product(*given)
        given[position][...] = 7
        return honest

    found = observe(subject(gradient), args, cotangent, ("x", "y"), [("x", X), ("y", Y)])
    assert found.faults == (f"{name} was overwritten: {LEAVE}",)
    for now, before in zip((*args, cotangent), (X, Y, CT), strict=True):
        np.testing.assert_array_equal(now, before)
    np.testing.assert_array_equal(found.gradient.arrays, [CT * Y, CT * X])


def test_a_value_that_overwrites_is_a_fault_too():
    def value(x, y):
        x *= 2
        return x

    assert seen(value=value).faults == (f"x was overwritten: {LEAVE}",)


def test_nan_that_stays_is_not_overwritten():
    x = np.array([np.nan, 1.0, 2.0])
    assert seen(x=x).faults == ()


@pytest.mark.parametrize(("position", "name"), [(0, "the cotangent"), (1, "x"), (2, "y")])
def test_a_result_in_the_memory_of_an_argument_is_a_note(position, name):
    found = seen(lambda *given: (given[position], product(*given)[1]))
    assert found.notes == (f"the result is the memory of {name}",)
    assert found.faults == ()


def test_a_result_that_is_overwritten_later_stays_what_it_was():
    kept = np.zeros(3)

    def gradient(cotangent, x, y):
        kept[...] = cotangent * y
        return kept, cotangent * x

    np.testing.assert_array_equal(seen(gradient).gradient.arrays[0], CT * Y)


# -- run again --------------------------------------------------------------------------------------------


def alternating(*factors):
    turns = itertools.cycle(factors)
    return lambda *given: [g * next(turns) for g in product(*given)]


def test_two_runs_that_differ_are_both_kept_with_the_spread():
    found = seen(alternating(1, 1, 1.5, 1.5))
    ((label, again), *_) = found.others
    assert label == "run again"
    np.testing.assert_array_equal(again, [1.5 * CT * Y, 1.5 * CT * X])
    spread = np.abs(0.5 * np.array([CT * Y, CT * X])).max()
    assert found.notes == (f"not reproducible: two runs differ by {spread:.2g}",)


def test_the_last_bit_is_a_difference_of_two_runs():
    assert "run again" in dict(seen(alternating(1, 1, 1 + 2.0**-52, 1)).others)


def test_nan_in_both_runs_is_the_same():
    assert seen(lambda *given: (np.full(3, np.nan),) * 2).others == ()


# -- linear in the cotangent ------------------------------------------------------------------------------

TIMES_2 = "with the cotangent times -2, divided by -2"


@pytest.mark.parametrize(
    "bent",
    [np.abs, np.square, lambda c: np.maximum(c, 0), np.ones_like, lambda c: np.where(c < 0, 0, c)],
    ids=["abs", "square", "maximum", "ones", "guided"],
)
def test_a_gradient_that_is_not_linear_is_kept_along_the_other_cotangent(bent):
    found = seen(lambda c, x, y: product(bent(c), x, y), cotangent=np.abs(CT))
    wanted = product(bent(-2 * np.abs(CT)) / -2, X, Y)
    assert [label for label, _ in found.others] == [TIMES_2]
    np.testing.assert_array_equal(found.others[0][1], wanted)


def test_nan_along_the_other_cotangent_alone_is_not_linear():
    with np.errstate(invalid="ignore"):
        found = seen(lambda c, x, y: product(np.sqrt(c), x, y), cotangent=np.ones(3))
    ((label, back),) = found.others
    assert label == "with the cotangent times -0.5, divided by -0.5"
    assert np.isnan(back).all()


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", ml_dtypes.bfloat16])
@pytest.mark.parametrize("size", ["least", "largest"])
def test_a_linear_gradient_is_linear_at_the_ends_of_its_dtype(dtype, size):
    info = ml_dtypes.finfo(dtype)
    end = info.smallest_subnormal if size == "least" else info.max
    x, y = (np.full(3, v, dtype) for v in (end, 1))
    with np.errstate(over="ignore"):
        found = seen(lambda c, x, y: (c * y, c * x), x=x, y=y, cotangent=np.ones(3, dtype))
    assert found.others == ()


def test_below_the_normal_numbers_halves_may_be_rounded_away():
    third = np.array(1e-310)
    assert seen(lambda c, x, y: (c * third / 3, c * x)).others == ()


def test_an_oracle_that_only_informs_is_asked_once():
    calls = []
    seen(lambda *given: calls.append(1) or product(*given), thoroughly=False)
    assert len(calls) == 1


# -- devices ----------------------------------------------------------------------------------------------


class Placed:
    """An array that says where it is."""

    def __init__(self, array, device):
        self.array, self.device = array, device


def placed(where):
    def gradient(cotangent, x, y):
        found = product(cotangent.array, x.array, y.array)
        return [Placed(g, device) for g, device in zip(found, where, strict=True)]

    return Subject(
        lambda array: Placed(array, "gpu:0"),
        lambda x, y: x.array * y.array,
        gradient,
        np.asarray,
        lambda found: Gradient(tuple(g.array for g in found)),
    )


def test_a_gradient_on_another_device_is_a_fault():
    for where, faults in (
        (("gpu:0", "gpu:0"), ()),
        (("gpu:0", "cpu"), ("the gradient is on cpu, its arguments are on gpu:0",)),
    ):
        assert observe(placed(where), [X, Y], CT, ("x", "y"), [("x", X), ("y", Y)]).faults == faults


def test_a_gradient_that_does_not_say_where_it_is_is_no_fault():
    wrapped = Subject(
        np.asarray,
        lambda x, y: x * y,
        lambda *given: Gradient(product(*given)),
        np.asarray,
        lambda found: found,
    )
    assert observe(wrapped, [X, Y], CT, ("x", "y"), [("x", X), ("y", Y)]).faults == ()


def test_arguments_are_loaded_once_each():
    loaded = Loaded.of(subject(load=lambda a: a + 1), [X, Y], CT)
    np.testing.assert_array_equal(loaded.value(), (X + 1) * (Y + 1))
    np.testing.assert_array_equal(loaded.gradient()[0], (CT + 1) * (Y + 1))
