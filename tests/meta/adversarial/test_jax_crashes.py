"""JAX: what used to end in a raw error, or was accused for its dtype, has a verdict or a clear message."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import harness
from harness.dropin import check_grads, check_jvp, check_vjp, settings

X = np.array([1.5, 2.0], np.float32)
KEY = jax.random.key(0)
A = jnp.array([[2.0, 1.0], [1.0, 3.0]], jnp.float32)


def x32():
    return jnp.asarray(X)


def check(f, *args, **options):
    return harness.check_gradient(f, args, framework="jax", **options)


# -- keys of random numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "args"),
    [
        (lambda x, key: x * x, (x32(), KEY)),
        (lambda key, x: x * x, (KEY, x32())),
        (lambda p: p["x"] ** 2, ({"x": x32(), "key": KEY},)),
        (lambda x, keys: x * x, (x32(), jax.random.split(KEY, 2))),
        (lambda x, key: (x * x, key), (x32(), KEY)),
        (lambda x, key: x * x, (x32(), jax.random.PRNGKey(0))),
        (lambda x, key=KEY: x * x, (x32(),)),
    ],
)
def test_a_key_is_passed_on(f, args):
    assert check(f, *args).verdict == "accurate"


@pytest.mark.parametrize(
    ("f", "args"),
    [
        (lambda x, key: x * jax.random.normal(key, x.shape), (x32(), KEY)),
        (lambda x: x * jax.random.bernoulli(KEY, 0.5, x.shape), (x32(),)),
        (lambda x, key: x * jax.random.normal(key, x.shape), (x32(), jax.random.PRNGKey(0))),
    ],
)
def test_drawing_inside_is_proven(f, args):
    assert check(f, *args).verdict == "accurate"


# -- donated arguments --------------------------------------------------------------------------------------

DONATING = jax.jit(lambda x: x * jnp.sin(x), donate_argnums=0)
DONATING_BACKWARD = jax.jit(lambda g, x: g * (jnp.sin(x) + x * jnp.cos(x)), donate_argnums=(0, 1))


@pytest.mark.filterwarnings("ignore:Some donated buffers")
@pytest.mark.parametrize(
    ("f", "options", "verdict"),
    [
        (DONATING, {}, "unsupported"),  # eager jax.vjp of it raises too
        (DONATING, {"jit": True}, "accurate"),
        (DONATING, {"mode": "forward"}, "accurate"),
        (jax.jit(lambda x: 3 * x, donate_argnums=0), {}, "accurate"),
        (lambda x: x * jnp.sin(x), {"vjp": DONATING_BACKWARD}, "accurate"),
    ],
)
def test_what_is_donated_is_a_copy(f, options, verdict):
    x = x32()
    found = check(f, x, **options)
    assert found.verdict == verdict, str(found)
    assert verdict == "accurate" or "donates an argument (donate_argnums)" in str(found)
    assert not x.is_deleted()


# -- mixed dtypes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda x, w: x @ w,
        lambda x, w: w.T @ x,
        lambda x, w: jnp.einsum("ij,jk->ik", x, w),
        lambda x, w: jax.lax.dot(x, w, preferred_element_type=jnp.bfloat16),
        lambda x, w: jnp.logaddexp(x, w[:, :2]),
    ],
)
def test_products_of_two_dtypes_are_right(f):
    found = check(f, A, jnp.array([[0.7, -0.3, 0.2], [1.1, 0.4, -0.9]], jnp.bfloat16))
    assert found.passed, str(found)
    assert [part.dtype for part in found.parts][:2] == ["float32", "bfloat16"]


def test_float16_meets_float32():
    assert check(lambda x, w: x @ w, A, A.astype(jnp.float16)).passed


@pytest.mark.parametrize(
    ("f", "dtypes"),
    [
        (lambda a, b: a @ b, ("float64", "float32")),
        (jnp.linalg.solve, ("float64", "float32")),
    ],
)
def test_float64_meets_float32(f, dtypes):
    with jax.enable_x64(True):
        found = check(f, jnp.asarray(A, dtypes[0]), jnp.asarray(X, dtypes[1]))
        assert found.passed, str(found)
        assert tuple(part.dtype for part in found.parts)[:2] == dtypes


def test_a_convolution_that_adds_up_in_another_dtype():
    image, kernel = jnp.full((1, 1, 3, 3), 0.3, jnp.bfloat16), jnp.full((1, 1, 2, 2), 0.7, jnp.bfloat16)
    conv = partial(jax.lax.conv_general_dilated, window_strides=(1, 1), padding="VALID")
    found = check(partial(conv, preferred_element_type=jnp.float32), image, kernel)
    assert found.passed, str(found)


# -- others -------------------------------------------------------------------------------------------------


def solved(x, aux):
    def algorithm(_, b):
        return jnp.linalg.solve(A, b), aux(b)

    return jax.lax.custom_linear_solve(lambda v: A @ v, x, algorithm, symmetric=True, has_aux=True)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: solved(x, lambda b: 3)[0],
        lambda x: solved(x, lambda b: {"residual": b.sum()})[0],
        lambda x: solved(x, lambda b: b.sum())[0] * 2,
    ],
)
def test_a_linear_solve_with_something_beside(f):
    assert check(f, x32()).passed


def test_what_stands_beside_a_linear_solve_has_no_gradient():
    found = check(lambda x: (lambda y, total: y * total)(*solved(x, lambda b: b.sum())), x32())
    assert found.passed, str(found)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: jax.device_put(x) * 2,
        lambda x: jax.device_put({"a": x}, jax.devices()[0])["a"] ** 2,
        jax.jit(lambda x: jax.device_put(x, jax.devices()[0]) * 2),
        lambda x: jax.lax.optimization_barrier(x) * 2,
    ],
)
def test_moving_to_a_device_is_the_identity(f):
    assert check(f, x32()).verdict == "accurate"


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize(
    ("f", "args", "kwargs"),
    [
        (jax.jit(lambda x, n: x**n, static_argnums=1), (3,), {}),
        (jax.jit(lambda x, how: x * 2 if how == "twice" else x, static_argnums=1), ("twice",), {}),
        (jax.jit(lambda x, n=2: x**n, static_argnames="n"), (), {"n": 3}),
        (lambda x, y: x * 2 + y.sum(), (jnp.zeros((0, 3), jnp.float32),), {}),
    ],
)
def test_static_and_empty_arguments(f, args, kwargs, jit):
    found = harness.check_gradient(f, (x32(), *args), kwargs=kwargs, argnums=0, jit=jit)
    assert found.verdict == "accurate", str(found)


def proven(checker, *args, **options):
    settings.made.clear()
    with jax.enable_checks(True):
        checker(*args, **options)
    (made,) = settings.made
    assert (made.unproven, made.verdict) == ("", "accurate")


def test_rules_are_proven_where_jax_checks_itself():
    proven(check_jvp, jax.nn.elu, partial(jax.jvp, jax.nn.elu), (1.5,))
    proven(check_vjp, jax.nn.elu, partial(jax.vjp, jax.nn.elu), (1.5,))


def test_a_rule_gets_the_arguments_that_were_given():
    seen = []

    def f(x, alpha=2.0):
        return alpha * x

    def rule(*primals):
        seen.append(len(primals))
        return f(*primals), lambda g: (2.0 * g,)

    check_vjp(f, rule, (x32(),))
    assert set(seen) == {1}


def test_orders_that_are_the_originals_do_not_ask_again(monkeypatch):
    from jax._src import public_test_util

    def inner(*args, **options):
        from harness.dropin.originals import is_inside

        assert is_inside()

    monkeypatch.setattr(public_test_util, "check_jvp", inner)
    monkeypatch.setattr(public_test_util, "check_vjp", inner)
    check_grads(jnp.sin, (x32(),), order=4, modes=["rev"])


@pytest.mark.parametrize(
    "ask",
    [
        lambda f: harness.check_gradient(f, (X,)),
        lambda f: harness.check_gradient(f, (X,), vjp=lambda g, x: g * jnp.cos(x)),
        lambda f: harness.exact_gradient(f, (X,), cotangent=np.ones(2)),
    ],
)
@pytest.mark.parametrize(
    "f", [lambda x: jnp.sin(x), jax.jit(lambda x: jnp.sin(x)), lambda x: {"y": jnp.sin(x)}]
)
def test_numpy_arguments_of_a_function_of_jax(ask, f):
    with pytest.raises(ValueError, match=r'written in jax.*pass framework="jax"'):
        ask(f)


# -- numbers in other formats, results of other kinds, and callers in other states --------------------------


def test_fewer_bits_of_the_same_exponent_round():
    found = check(lambda x: jax.lax.reduce_precision(x, 8, 7) * x, x32() / 3)
    assert found.value.verdict == "accurate", str(found)
    assert found.verdict == "accurate"  # so much is lost on purpose
    assert "the function casts to bfloat16 on the way of x" in str(found)
    assert check(lambda x: jax.lax.reduce_precision(x, 8, 23) * x, x32()).verdict == "accurate"


def test_a_smaller_exponent_is_unsupported():
    found = check(lambda x: jax.lax.reduce_precision(x, 5, 10) * x, x32())
    assert found.verdict == "unsupported"
    assert "reduce_precision of float32 to 5 and 10 bits" in str(found)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: (x * x, 1.0),
        lambda x: {"y": x * x, "n": 3},
        lambda x: (x * x, None),
        lambda x: [x * x, jnp.argmax(x)],
    ],
)
def test_results_beside_that_do_not_move(f):
    assert check(f, x32()).passed


def test_a_deleted_argument():
    x = x32()
    x.delete()
    with pytest.raises(ValueError, match="an argument has been deleted"):
        check(lambda x: x * x, x)


@pytest.mark.parametrize("around", [jax.jit, jax.vmap, jax.grad, jax.checkpoint])
def test_a_check_where_the_caller_is_traced(around):
    seen, x = [], x32()

    def caller(y):
        seen.append(check(lambda x: x * jnp.sin(x), x).verdict)
        seen.append(harness.exact_gradient(jnp.sin, (x,), cotangent=np.ones(2)).mid.shape)
        return y * 2

    around(caller)(jnp.ones(1) if around is jax.vmap else jnp.float32(1))
    assert seen == ["accurate", (2,)]


@jax.custom_vjp
def ruled(x):
    return jnp.sin(x)


ruled.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (g * jnp.cos(x),))


def halved(x):
    return jax.lax.while_loop(lambda c: jnp.sum(jnp.abs(c)) > 0.7, lambda c: c * 0.5, x)


@pytest.mark.parametrize(
    ("f", "mode", "said"),
    [
        (ruled, "forward", "forward mode needs a jvp"),
        (halved, "reverse", "JAX has no reverse mode of this loop"),
    ],
)
def test_what_jax_refuses_is_unsupported_and_no_exception(f, mode, said):
    found = check(f, jnp.array([0.5, 1.5]), mode=mode)
    assert found.verdict == "unsupported"
    assert said in found.diagnosis
    assert check(f, jnp.array([0.5, 1.5]), mode={"forward": "reverse"}.get(mode, "forward")).passed
