"""The batched differences against the literal loop, which they must equal but for rounding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from reference import batched_differences
from tests.reference.functions import decimals, one_hot
from tests.sampling import long


def literal(net, x, t, h=1e-4):
    return {
        name: reference.numerical_gradient(lambda _: net.loss(x, t), parameter, h)
        for name, parameter in net.params.items()
    }


def drawn(seed, inputs=4, hidden=3, classes=3, rows=5, std=0.5):
    rng = np.random.default_rng(seed)
    net = reference.TwoLayerNet(inputs, hidden, classes, weight_init_std=std, rng=rng)
    net.params["b1"], net.params["b2"] = decimals(rng, hidden), decimals(rng, classes)
    return net, decimals(rng, rows, inputs), one_hot(rng, rows, classes)


def assert_equal(got, expected, atol=1e-9):
    assert got.keys() == expected.keys()
    for name in expected:
        assert got[name].shape == expected[name].shape
        assert got[name].dtype == expected[name].dtype
        np.testing.assert_allclose(got[name], expected[name], rtol=0, atol=atol, err_msg=name)


sizes = st.integers(1, 5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), inputs=sizes, hidden=sizes, classes=sizes, rows=sizes)
def test_equals_the_literal_loop_on_all_entries(seed, inputs, hidden, classes, rows):
    net, x, t = drawn(seed, inputs, hidden, classes, rows)
    assert_equal(net.numerical_gradient(x, t), literal(net, x, t))


@pytest.mark.parametrize("h", [1e-2, 0.5, 3.0])
def test_large_steps_are_differences_and_no_derivatives(h):
    net, x, t = drawn(1)
    got = net.numerical_gradient(x, t, h)
    assert_equal(got, literal(net, x, t, h), atol=1e-12)
    assert np.abs(got["W1"] - net.gradient(x, t)["W1"]).max() > 1e-7


@long
def test_equals_the_literal_loop_at_the_documents_size_on_sampled_entries():
    rng = np.random.default_rng(0)
    net = reference.TwoLayerNet(784, 100, 10, rng=rng)
    x, t = rng.random((100, 784)), rng.random((100, 10))
    got = net.numerical_gradient(x, t)
    h = 1e-4
    for name, parameter in net.params.items():
        for flat in rng.choice(parameter.size, min(parameter.size, 40), replace=False):
            index = np.unravel_index(flat, parameter.shape)
            kept = parameter[index]
            parameter[index] = kept + h
            up = net.loss(x, t)
            parameter[index] = kept - h
            down = net.loss(x, t)
            parameter[index] = kept
            assert abs(got[name][index] - (up - down) / (2 * h)) <= 1e-9
    for name, by_hand in net.gradient(x, t).items():
        np.testing.assert_allclose(got[name], by_hand, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("block", "chunk"), [(2, 1), (3, 50), (1, 7), (256, 1)])
def test_blocks_and_chunks_do_not_matter(monkeypatch, block, chunk):
    net, x, t = drawn(2, rows=7)
    expected = net.numerical_gradient(x, t)
    monkeypatch.setattr(batched_differences, "BLOCK", block)
    monkeypatch.setattr(batched_differences, "CHUNK", chunk)
    assert_equal(net.numerical_gradient(x, t), expected, atol=1e-12)


def test_the_working_memory_does_not_grow_with_the_batch():
    import tracemalloc

    def peak(rows):
        net, x, t = drawn(0, inputs=6, hidden=3, classes=4, rows=rows)
        tracemalloc.start()
        net.numerical_gradient(x, t)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(8192) - peak(1024) < 1_000_000


@pytest.mark.parametrize("scale", [40.0, 710.0, 1e4])
def test_saturated_scores_give_what_the_literal_loop_gives_without_a_warning(scale):
    net, x, t = drawn(3)
    net.params["W2"] *= scale
    net.params["b2"] *= scale
    with np.errstate(all="raise"):
        got = net.numerical_gradient(x, t)
    assert_equal(got, literal(net, x, t), atol=1e-7)


def test_float32_parameters_move_by_what_they_can_hold():
    # 5 + 1e-4 is 2 ulps off in float32: the literal loop moves by another step than h, and so must this
    net, x, t = drawn(4)
    net.params = {name: (p + 5).astype(np.float32) for name, p in net.params.items()}
    got, expected = net.numerical_gradient(x, t), literal(net, x, t)
    assert all(g.dtype == np.float32 for g in got.values())
    assert_equal(got, expected, atol=1e-8)
    moved_by_h = net.gradient(x, t)
    assert max(np.abs(moved_by_h[name] - expected[name]).max() for name in got) > 1e-5


def test_parameters_and_inputs_are_not_touched():
    net, x, t = drawn(5)
    for a in (*net.params.values(), x, t):
        a.flags.writeable = False
    net.numerical_gradient(x, t)


def test_nan_makes_every_difference_nan_as_it_makes_every_loss_nan():
    net, x, t = drawn(6)
    for bad_x, bad_t in (
        (np.where(x == x[1, 2], np.nan, x), t),
        (x, np.where(np.arange(5)[:, None] == 2, np.nan, t)),
    ):
        assert all(np.isnan(g).all() for g in net.numerical_gradient(bad_x, bad_t).values())


@pytest.mark.parametrize("h", [0, -1, np.nan, np.inf])
def test_h_must_be_finite_and_positive(h):
    net, x, t = drawn(0)
    with pytest.raises(
        ValueError, match=r"TwoLayerNet\.numerical_gradient: h must be finite and above 0, got"
    ):
        net.numerical_gradient(x, t, h)
