"""JAX: the 64-bit setting, dtypes, and what is compiled."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from harness.cases import catalogue
from harness.subject.target import target_of
from oracles import JaxOracle
from oracles.frameworks.in_jax import FRAMEWORK

each_setting = pytest.mark.parametrize("global_x64", [False, True])
each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])


@pytest.fixture
def user_setting():
    before = jax.config.jax_enable_x64
    yield lambda value: jax.config.update("jax_enable_x64", value)
    jax.config.update("jax_enable_x64", before)


@each_setting
@pytest.mark.parametrize(
    ("name", "dtype"), [("sigmoid_grad", "float64"), ("sigmoid_grad", "float32"), ("softmax_loss", "float32")]
)
def test_results_have_the_dtype_asked_for_and_the_users_setting_stays(user_setting, global_x64, dtype, name):
    user_setting(global_x64)
    case = catalogue()[name]
    args, cotangent = case.draw("ordinary", dtype, 0)
    subject = JaxOracle().subject(case, np.dtype(dtype))
    loaded = [subject.load(a) for a in args]
    value, gradient = subject.value(*loaded), subject.gradient(subject.load(cotangent), *loaded)
    assert jax.config.jax_enable_x64 is global_x64
    assert jnp.ones(1).dtype == ("float64" if global_x64 else "float32")
    for array in (loaded[0], value, gradient[0]):
        assert array.dtype == dtype
    assert subject.fetch_gradient(gradient).arrays[0].dtype == dtype


@each_setting
def test_float64_has_float64_digits_under_both_settings(user_setting, global_x64):
    user_setting(global_x64)
    case = catalogue()["sigmoid"]
    subject = JaxOracle().subject(case, np.dtype("float64"))
    x = np.array([[1.0, -2.0]])
    value = subject.fetch_value(subject.value(subject.load(x)))
    np.testing.assert_allclose(value, 1 / (1 + np.exp(-x)), rtol=4e-16)


def test_the_setting_stays_when_the_function_raises(user_setting):
    user_setting(False)
    subject = JaxOracle().subject(catalogue()["softmax_loss"], np.dtype("float64"))
    with pytest.raises(TypeError):
        subject.value(subject.load(np.ones((2, 2))))
    assert jax.config.jax_enable_x64 is False


@each_dtype
def test_no_step_of_a_program_in_one_dtype_is_in_another(dtype):
    """The compiled program, equation by equation: a float64 inside a float32 program would show here."""
    case = catalogue()["two_layer_net"]
    args, cotangent = case.draw("ordinary", dtype, 0)
    _, gradient = JaxOracle()._programs(case)
    with jax.enable_x64(dtype == "float64"):
        text = str(jax.make_jaxpr(gradient)(cotangent, *args))
    other, mine = ("f32[", "f64[") if dtype == "float64" else ("f64[", "f32[")
    assert mine in text
    assert other not in text


def test_a_program_is_traced_once_for_a_shape_and_dtype(monkeypatch):
    from oracles import jax_functions

    traced = []

    def counted(x):
        traced.append(x.dtype.name)
        return 3.0 * x

    monkeypatch.setitem(jax_functions.FUNCTIONS, "counted", counted)
    case = dataclasses.replace(catalogue()["identity_function"], name="counted")
    oracle = JaxOracle(compiled=True)
    for _ in range(3):
        subject = oracle.subject(case, np.dtype("float64"))
        subject.value(subject.load(np.ones(2)))
    assert traced == ["float64"]
    subject = oracle.subject(case, np.dtype("float32"))
    subject.value(subject.load(np.ones(2, np.float32)))
    assert traced == ["float64", "float32"]


def test_results_are_finished_when_they_return(monkeypatch):
    """A time taken around an unfinished result would be the time of sending, not of computing."""
    waited = []
    monkeypatch.setattr(jax, "block_until_ready", lambda result: waited.append(result) or result)
    case = catalogue()["function_2"]
    subject = JaxOracle().subject(case, np.dtype("float64"))
    x = subject.load(np.ones(2))
    value = subject.value(x)
    gradient = subject.gradient(subject.load(np.ones(())), x)
    assert [any(one is result for one in waited) for result in (value, gradient)] == [True, True]


def test_an_unknown_device_is_an_error():
    with pytest.raises(RuntimeError, match="nosuch"):
        JaxOracle("nosuch").subject(catalogue()["relu"], np.dtype("float64"))


def test_an_array_runs_on_its_device_and_is_bound_to_it_as_it_was():
    """JAX compiles for bound arrays apart, and refuses to mix them with another device's."""
    free, bound = jnp.ones(2), jax.device_put(jnp.ones(2), jax.devices()[0])
    assert FRAMEWORK.device_of([free, 1.0]) is None
    assert FRAMEWORK.device_of([free, bound]) == jax.devices()[0]
    committed = []

    def seen(x):
        committed.append(x.committed)
        return jnp.sin(x)

    for device, said in ((free, False), (bound, True)):
        target = target_of(seen, (device,), {}, None, "jax")
        committed.clear()
        own = target.subject(target.flat, target.flat)
        own.value(*map(own.load, target.arrays))
        assert committed == [said]


@pytest.mark.parametrize("layout", ["strided", "stride-0"])
def test_the_callers_arrays_are_not_changed(layout):
    case = catalogue()["relu"]
    args, cotangent = case.draw(layout, "float64", 0)
    before = [a.copy() for a in (*args, cotangent)]
    subject = JaxOracle().subject(case, np.dtype("float64"))
    subject.gradient(subject.load(cotangent), *map(subject.load, args))
    assert all(np.array_equal(a, b) for a, b in zip(before, (*args, cotangent), strict=True))
