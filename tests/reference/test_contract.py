"""What every function with a gradient promises, whatever it computes."""

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from tests.reference.functions import ENTRIES, Entry, decimals

each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.name)
seeds = st.integers(0, 2**32 - 1)


def drawn(entry: Entry, seed: int):
    rng = np.random.default_rng(seed)
    args = entry.make(rng)
    return rng, args, decimals(rng, *np.shape(entry.f(*args)))


def test_the_catalogue_is_complete():
    with_vjp = {name.removesuffix("_vjp") for name in reference.__all__ if name.endswith("_vjp")}
    assert {entry.name for entry in ENTRIES} == with_vjp


@each_entry
def test_vjp_takes_the_cotangent_and_then_the_functions_arguments(entry):
    of_f, of_vjp = (list(inspect.signature(f).parameters) for f in (entry.f, entry.vjp))
    assert of_vjp == ["cotangent", *of_f]


@each_entry
@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_vjp_agrees_with_central_differences(entry, seed):
    _, args, cotangent = drawn(entry, seed)
    gradients = entry.gradients(cotangent, args)
    assert len(gradients) == len(entry.differentiable)
    for position, gradient in zip(entry.differentiable, gradients, strict=True):

        def scalar(moved, position=position):
            return np.sum(cotangent * entry.f(*args[:position], moved, *args[position + 1 :]))

        expected = reference.numerical_gradient(scalar, args[position].copy())
        assert gradient.shape == expected.shape
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)


@each_entry
@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_vjp_is_linear_in_the_cotangent(entry, seed):
    rng, args, g1 = drawn(entry, seed)
    g2 = decimals(rng, *g1.shape)
    both = entry.gradients(2 * g1 - 3 * g2, args)
    first, second = entry.gradients(g1, args), entry.gradients(g2, args)
    for combined, one, two in zip(both, first, second, strict=True):
        np.testing.assert_allclose(combined, 2 * one - 3 * two, rtol=1e-12, atol=1e-13)


@each_entry
@pytest.mark.parametrize("seed", range(5))
def test_inputs_are_neither_written_to_nor_shared_with_the_results(entry, seed):
    _, args, cotangent = drawn(entry, seed)
    inputs = [a for a in (cotangent, *args) if isinstance(a, np.ndarray)]
    before = [a.tobytes() for a in inputs]
    for a in inputs:
        a.flags.writeable = False  # a function that writes raises, one that writes and restores as well
    results = (entry.f(*args), *entry.gradients(cotangent, args))
    assert [a.tobytes() for a in inputs] == before
    for result in results:
        assert not any(np.shares_memory(result, a) for a in inputs)


def fortran(a):
    # asfortranarray makes a 0-d array 1-d
    return np.array(a, order="F") if isinstance(a, np.ndarray) else a


def strided(a):
    """The same numbers, every second element of a larger array, back to front."""
    if not isinstance(a, np.ndarray) or a.ndim == 0:
        return a
    larger = np.full([2 * n for n in a.shape], 77, dtype=a.dtype)
    view = larger[tuple(slice(None, None, -2) for _ in a.shape)]
    view[...] = a
    return view


@each_entry
@pytest.mark.parametrize("seed", range(5))
def test_memory_layout_does_not_matter(entry, seed):
    _, args, cotangent = drawn(entry, seed)
    expected = (entry.f(*args), *entry.gradients(cotangent, args))
    for layout in (strided, fortran):
        moved = tuple(layout(a) for a in args)
        got = (entry.f(*moved), *entry.gradients(layout(cotangent), moved))
        for g, e in zip(got, expected, strict=True):
            np.testing.assert_allclose(g, e, rtol=1e-14, atol=1e-15)


@each_entry
def test_stride_0_inputs_are_read_as_their_copies(entry):
    _, args, cotangent = drawn(entry, 3)
    flat = tuple(
        np.broadcast_to(a.flat[0], a.shape) if i in entry.differentiable else a for i, a in enumerate(args)
    )
    copies = tuple(np.array(a) if i in entry.differentiable else a for i, a in enumerate(flat))
    flat_cotangent = np.broadcast_to(np.float64(-0.5), cotangent.shape)
    got = (entry.f(*flat), *entry.gradients(flat_cotangent, flat))
    expected = (entry.f(*copies), *entry.gradients(flat_cotangent.copy(), copies))
    for g, e in zip(got, expected, strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-14, atol=1e-15)


@each_entry
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(4))
def test_dtype_is_kept(entry, dtype, seed):
    _, args, cotangent = drawn(entry, seed)
    floats = [isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in args]
    cast = tuple(a.astype(dtype) if is_float else a for a, is_float in zip(args, floats, strict=True))
    got = (entry.f(*cast), *entry.gradients(cotangent, cast))  # the cotangent stays float64
    expected = (entry.f(*args), *entry.gradients(cotangent, args))
    for g, e in zip(got, expected, strict=True):
        assert g.dtype == dtype
        np.testing.assert_allclose(g, e, rtol=1e-4, atol=1e-5)


@each_entry
def test_integers_become_float64(entry):
    _, args, cotangent = drawn(entry, 0)
    whole = tuple(
        np.ceil(np.abs(a)).astype(np.int64) if i in entry.differentiable else a for i, a in enumerate(args)
    )
    for result in (entry.f(*whole), *entry.gradients(cotangent, whole)):
        assert result.dtype == np.float64


@each_entry
def test_nan_in_gives_nan_out_without_a_warning(entry):
    # pytest turns warnings into errors
    for position in entry.differentiable:
        _, args, cotangent = drawn(entry, 2)
        args[position][...] = np.nan
        assert np.isnan(entry.f(*args)).all()
        linear = entry.name == "identity_function"  # its gradient does not depend on x
        if not linear:
            assert all(np.isnan(g).all() for g in entry.gradients(cotangent, args))
        _, args, cotangent = drawn(entry, 2)
        assert all(np.isnan(g).any() for g in entry.gradients(cotangent * np.nan, args))


@each_entry
def test_a_cotangent_of_another_shape_is_refused(entry):
    _, args, cotangent = drawn(entry, 0)
    with pytest.raises(
        ValueError, match=r"cotangent has shape \(7,.*the output has shape .*; pass one number"
    ):
        entry.vjp(np.ones((7, *cotangent.shape)), *args)


@each_entry
@pytest.mark.parametrize("dtype", [complex, object, str])
def test_other_dtypes_are_refused(entry, dtype):
    _, args, cotangent = drawn(entry, 0)
    for position in entry.differentiable:
        bad = (*args[:position], args[position].astype(dtype), *args[position + 1 :])
        with pytest.raises(TypeError, match=r"must hold real numbers, got dtype .*pass e\.g\. \w+\.astype"):
            entry.f(*bad)
        with pytest.raises(TypeError, match=f"{entry.name}_vjp: .* must hold real numbers"):
            entry.vjp(cotangent, *bad)
    with pytest.raises(TypeError, match="cotangent must hold real numbers"):
        entry.vjp(cotangent.astype(dtype), *args)


def test_the_global_random_state_is_neither_read_nor_changed():
    def run():
        net = reference.TwoLayerNet(3, 4, 2)
        reference.SimpleNet()
        x = np.ones((4, 3))
        reference.train(net, x, np.array([0, 1, 0, 1]), steps=2, batch_size=2)
        return net.params["W1"]

    before = np.random.get_state()  # noqa: NPY002
    first = run()
    after = np.random.get_state()  # noqa: NPY002
    assert before[0] == after[0]
    assert (before[1] == after[1]).all()
    assert before[2:] == after[2:]
    np.random.set_state(before)  # noqa: NPY002
    assert not np.array_equal(first, run())
