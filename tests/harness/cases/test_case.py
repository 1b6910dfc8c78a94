"""Cases: what they draw, and that the draws are what their names say."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cases import catalogue
from harness.cases.case import Case, InputMaker
from harness.subject.derivative import signed
from oracles.exact_oracle import enclosed_gradient

CASES = list(catalogue().values())
INPUTS = [(case, maker) for case in CASES for maker in case.inputs]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
each_input = pytest.mark.parametrize(("case", "maker"), INPUTS, ids=[f"{c.name}-{m.name}" for c, m in INPUTS])
each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])
seeds = st.integers(0, 2**32 - 1)


def drawn(case, maker, dtype="float64", seed=0):
    args, cotangent = case.draw(maker.name, dtype, seed)
    return (*args, cotangent)


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def floats(arrays):
    return [a for a in arrays if a.dtype.kind == "f"]


def inputs_named(name):
    found = [(case, maker) for case, maker in INPUTS if maker.name == name]
    assert found
    return found


@each_input
def test_the_same_names_and_seed_draw_the_same(case, maker):
    assert same(drawn(case, maker, seed=7), drawn(case, maker, seed=7))


@each_input
def test_the_seed_varies_the_ordinary_inputs_and_no_boundary_input(case, maker):
    assert same(drawn(case, maker, seed=1), drawn(case, maker, seed=2)) == maker.boundary


@each_case
def test_the_inputs_of_a_case_are_drawn_apart_from_each_other(case):
    """Were the draws seeded by the number alone, `ordinary` would show `labels` the same numbers."""
    first = [case.draw(m.name, "float64", 0)[0][0] for m in case.inputs if not m.boundary]
    assert all(not np.array_equal(a, b) for a, b in itertools.combinations(first, 2))


@each_case
def test_a_case_has_ordinary_and_boundary_inputs_under_different_names(case):
    assert {maker.boundary for maker in case.inputs} == {False, True}
    assert len({maker.name for maker in case.inputs}) == len(case.inputs)


@each_case
def test_a_case_looks_at_zeros_ties_tiny_huge_and_layouts(case):
    wanted = {"zeros", "ties", "equal-rows", "tiny", "huge", "strided", "stride-0"}
    if case.name != "function_2":  # its domain is two numbers
        wanted |= {"one-element", "batch-of-one"}
    if case.name != "cross_entropy_error":  # its domain is probabilities
        wanted |= {"saturated-20", "saturated-40", "saturated-710"}
    assert wanted <= {maker.name for maker in case.inputs if maker.boundary}


@each_dtype
@each_input
def test_floating_arrays_have_the_dtype_asked_for(case, maker, dtype):
    arrays = drawn(case, maker, dtype)
    assert {a.dtype.name for a in floats(arrays)} == {dtype}
    assert all(a.dtype.kind in "fi" for a in arrays)


@each_dtype
@each_input
def test_a_program_in_one_dtype_stays_in_it(case, maker, dtype):
    args, cotangent = case.draw(maker.name, dtype, 0)
    with np.errstate(all="ignore"):
        value = np.asarray(case.function(*args))
        gradients = case.vjp(cotangent, *args) if case.vjp else ()
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    assert value.dtype.kind == "i" if case.vjp is None else value.dtype == dtype
    assert all(np.asarray(g).dtype == dtype for g in gradients)


@each_input
def test_a_cotangent_has_the_values_shape_and_is_neither_zero_nor_constant(case, maker):
    args, cotangent = case.draw(maker.name, "float64", 0)
    assert cotangent.shape == np.shape(case.function(*args))
    assert np.all(np.abs(cotangent) >= 0.25)
    assert np.all(np.abs(cotangent) <= 2)
    assert cotangent.size == 1 or np.ptp(cotangent) > 0


@each_case
def test_cotangents_of_a_case_come_in_both_signs(case):
    signs = {s for m in case.inputs for s in np.sign(case.draw(m.name, "float64", 0)[1]).ravel()}
    assert signs == {-1.0, 1.0}


@settings(max_examples=50, deadline=None)
@given(seed=seeds, shape=st.tuples(st.integers(1, 6), st.integers(1, 6)))
def test_signed_numbers_are_short_and_away_from_zero(seed, shape):
    numbers = signed(np.random.default_rng(seed), np.dtype("float64"), shape)
    assert numbers.shape == shape
    assert np.all((np.abs(numbers) >= 0.25) & (np.abs(numbers) <= 2))
    assert np.array_equal(numbers, np.round(numbers, 2))


@each_case
@settings(max_examples=5, deadline=None)
@given(seed=seeds)
def test_ordinary_draws_can_be_read_and_typed(case, seed):
    for maker in case.inputs:
        if not maker.boundary:
            args, _ = case.draw(maker.name, "float64", seed)
            assert all(np.array_equal(a, np.round(a, 4)) for a in args)


@pytest.mark.parametrize(("case", "maker"), inputs_named("strided"), ids=lambda v: v.name)
def test_strided_is_contiguous_in_neither_order(case, maker):
    args, _ = case.draw(maker.name, "float64", 0)
    assert any(not (a.flags.c_contiguous or a.flags.f_contiguous) for a in args)


@pytest.mark.parametrize(("case", "maker"), inputs_named("stride-0"), ids=lambda v: v.name)
def test_stride_0_repeats_one_row_without_memory(case, maker):
    args, _ = case.draw(maker.name, "float64", 0)
    assert any(a.strides[0] == 0 and a.shape[0] > 1 for a in args if a.ndim)


@pytest.mark.parametrize(("case", "maker"), inputs_named("zeros"), ids=lambda v: v.name)
def test_zeros_have_both_signs(case, maker):
    args, _ = case.draw(maker.name, "float64", 0)
    assert any(np.all(a == 0) and len(set(np.signbit(a).ravel())) == 2 for a in args)


@pytest.mark.parametrize("magnitude", [20, 40, 710])
def test_saturated_inputs_have_both_ends(magnitude):
    for case, maker in inputs_named(f"saturated-{magnitude}"):
        args, _ = case.draw(maker.name, "float64", 0)
        assert any(set(np.unique(a)) == {-magnitude, magnitude} for a in args), case.name


def test_ties_equal_rows_and_shapes_are_what_their_names_say():
    softmax = catalogue()["softmax"]
    x = {maker.name: softmax.draw(maker.name, "float64", 0)[0][0] for maker in softmax.inputs}
    assert np.all(x["ties"][:, 0] == x["ties"][:, 1])
    assert np.all(x["ties"].max(axis=1) == x["ties"][:, 0])
    assert np.all(np.ptp(x["equal-rows"], axis=1) == 0)
    assert np.ptp(x["equal-rows"]) > 0
    assert x["one-element"].shape == (1, 1)
    assert x["batch-of-one"].shape[0] == 1
    assert set(np.unique(np.abs(x["huge"]))) == {1e10}


@each_dtype
def test_tiny_numbers_survive_the_dtype(dtype):
    for case, maker in inputs_named("tiny"):
        args, _ = case.draw(maker.name, dtype, 0)
        smallest = np.finfo(dtype).smallest_normal
        assert any(np.all((abs(a) >= smallest) & (abs(a) < 1e-30)) for a in floats(args)), case.name


def test_the_flagship_is_the_documents_own_call():
    args, _ = catalogue()["two_layer_net"].draw("document", "float64", 0)
    assert [a.shape for a in args] == [(784, 100), (100,), (100, 10), (10,), (100, 784), (100, 10)]
    x, t = args[4:]
    assert x.min() >= 0
    assert x.max() <= 1
    assert len(np.unique(t)) > 2  # the document passes random numbers as t, not one-hot rows


def test_an_unknown_input_names_the_known_ones():
    with pytest.raises(KeyError, match=r"'relu' has no input 'ordinray'; it has ordinary, zeros"):
        catalogue()["relu"].input("ordinray")


@each_dtype
@each_input
def test_every_kink_that_is_met_is_declared_in_words(case, maker, dtype):
    args, cotangent = case.draw(maker.name, dtype, 0)
    gradients = enclosed_gradient(case, args, cotangent)
    assert (gradients is None) == (case.vjp is None)
    kinks = [kink for enclosure in gradients or () for kink in enclosure.kinks]
    assert case.nondifferentiable if kinks or gradients is None else True
    assert bool(kinks) == (case.name == "relu" and bool(np.any(args[0] == 0)))


@settings(max_examples=50, deadline=None)
@given(seed=seeds, dtype=st.sampled_from(["float64", "float32"]))
def test_the_hull_at_a_kink_holds_the_hand_derived_gradient_and_is_wide_at_kinks_only(seed, dtype):
    """At 0 every slope of relu in [0, 1] is legal; elsewhere there is one."""
    relu = catalogue()["relu"]
    rng = np.random.default_rng(seed)
    x = rng.choice([-2.0, -0.0, 0.0, 1.5], (4, 3)).astype(dtype)
    cotangent = signed(rng, x.dtype, x.shape)
    (hull,) = enclosed_gradient(relu, (x,), cotangent)
    at_kink = x == 0
    assert bool(hull.kinks) == at_kink.any()
    assert np.array_equal(hull.wide, at_kink)
    assert hull.contains(relu.vjp(cotangent, x)).all()
    for slope in (0.0, 0.25, 1.0):
        assert hull.contains(np.where(at_kink, slope * cotangent, relu.vjp(cotangent, x))).all()
    for slope in (-1e-6, 1 + 1e-6):
        assert not hull.contains(slope * cotangent.astype(float))[at_kink].any()
    np.testing.assert_allclose(2 * hull.radius[at_kink], np.abs(cotangent)[at_kink], rtol=1e-8)


MAKER = InputMaker("ordinary", lambda rng, dtype, shape: (rng.normal(size=shape).astype(dtype),), (3,))
CUBE = Case("cube", lambda x: x**3, lambda g, x: 3 * g * x**2, ("x",), (0,), (MAKER,), "mine")


@pytest.mark.parametrize(
    ("field", "bad", "said"),
    [
        ("name", "", "Case.name must be a name, got ''"),
        ("name", None, "Case.name must be a name, got None"),
        ("function", 3, "Case.function must be a function, got 3"),
        ("vjp", 3, "Case.vjp must be a function, got 3"),
        ("arguments", "x", r'Case.arguments must be a tuple of names, such as \("x",\), got \'x\''),
        ("arguments", (3,), "Case.arguments must be a tuple of names, .*, got 3 in it"),
        ("argnums", (3,), r"Case.argnums must be among 0 to 0, each once, got \(3,\)"),
        ("argnums", (0, 0), r"Case.argnums must be among 0 to 0, each once, got \(0, 0\)"),
        ("argnums", (), r"Case.argnums must be a tuple of numbers of arguments, such as \(0,\), got \(\)"),
        ("argnums", 0, "Case.argnums must be a tuple of numbers of arguments, .*, got 0"),
        ("inputs", [3], "Case.inputs must be a tuple of InputMaker, got a list"),
        ("inputs", (3,), "Case.inputs must be a tuple of InputMaker, got 3 in it"),
        ("inputs", (MAKER, MAKER), "Case.inputs must have names of their own, got ordinary, ordinary"),
    ],
)
def test_a_case_that_could_not_be_asked_is_refused_where_it_is_written(field, bad, said):
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(CUBE, **{field: bad})


@pytest.mark.parametrize(
    ("field", "bad", "said"),
    [
        ("name", "", "InputMaker.name must be a name, got ''"),
        ("make", 3, "InputMaker.make must be a function, got 3"),
        ("shape", "a", "InputMaker.shape must be a tuple of integers >= 0, .*, got 'a'"),
        ("shape", (-1,), r"InputMaker.shape must be a tuple of integers >= 0, .*, got \(-1,\)"),
    ],
)
def test_inputs_that_could_not_be_drawn_are_refused_where_they_are_written(field, bad, said):
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(MAKER, **{field: bad})


def test_a_shape_of_one_axis_may_be_a_number():
    assert dataclasses.replace(MAKER, shape=4).shape == (4,)
