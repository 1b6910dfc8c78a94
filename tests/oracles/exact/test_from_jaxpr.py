"""JAX functions, recorded from their jaxprs: gradients are JAX's own, and the truth where JAX's are not."""

from __future__ import annotations

import dataclasses
import math
import sys
import warnings

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from flint import arb

import reference
from harness.commands.coverage import by_function
from oracles.exact.coverage.jax import Sample, coverage, examine, parameters, samples
from oracles.exact.coverage.jax_functions import OPTIONS, words
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_jaxpr import RULES, record
from oracles.exact.from_jaxpr.rules.definitions import DEFINITIONS
from oracles.exact.program.balls import exact, precision
from oracles.exact.program.derive import jvp, vjp
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.primitives import convert
from oracles.exact.program.scalars import SCALARS
from oracles.exact.program.unchanging import unchanging
from oracles.jax_functions import FUNCTIONS
from tests.oracles.exact.jax_samples import ROW, SAMPLES, X
from tests.sampling import sample

BITS = 192
# What an option may be that says nothing about what is computed.
HINTS = frozenset(
    words(
        "accuracy allow_negative_indices assume_unique_indices check_finite copy debug device dtype kind"
        " dimension_numbers implementation indices_are_sorted lapack_driver lwork max_squarings order out"
        " out_dtype out_sharding overwrite_a overwrite_b overwrite_input precision preferred_element_type"
        " recall_target rcond rtol sharding stable subset_by_index turbo eigvals unique_indices unroll"
        " aggregate_to_topk axis_index_groups reduction_input_size_override"
    )
)


def gradient(function, *args, wrt=None, cotangent=1.0, **kwargs):
    """The gradient of the only output, as balls; one array if one argument is asked for."""
    recording = record(function, args, kwargs)
    wrt = range(len(recording.values)) if wrt is None else wrt
    found = evaluate(vjp(recording.program, wrt), [*recording.values, np.asarray(cotangent)], BITS)
    return found[0] if len(found) == 1 else found


def value(function, *args):
    recording = record(function, args, {})
    return [
        np.array([float(b) for b in v.ravel()]).reshape(v.shape)
        for v in evaluate(recording.program, recording.values, BITS)
    ]


def contains(ball, decimals):
    with precision(BITS):
        return bool(ball.item().overlaps(arb(decimals)))


# -- against JAX, and against itself ----------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLES)
def test_gradients_are_jaxs_own(name):
    function, *args = SAMPLES[name]
    with jax.enable_x64(True):
        assert examine(Sample(name, function, tuple(args), {})) == "proven"


@pytest.mark.parametrize("name", SAMPLES)
def test_forward_and_reverse_agree_as_enclosures(name):
    function, *args = SAMPLES[name]
    recording = record(function, tuple(args), {})
    outputs = tuple(v for v in recording.program.outputs if v.is_float)
    program, values = dataclasses.replace(recording.program, outputs=outputs), recording.values
    rng = np.random.default_rng(1)
    u = [np.round(rng.normal(size=v.shape), 2) for v in program.outputs]
    v = [np.round(rng.normal(size=x.shape), 2) for x in values]
    wrt = range(len(values))
    forward = evaluate(jvp(program, wrt), [*values, *v], BITS)
    reverse = evaluate(vjp(program, wrt), [*values, *u], BITS)
    with precision(BITS):
        left = sum(np.sum(exact(a) * b) for a, b in zip(u, forward, strict=True))
        right = sum(np.sum(exact(a) * b) for a, b in zip(v, reverse, strict=True))
        assert left.overlaps(right)
        assert (left - right).rad() < 1e-30


@pytest.mark.parametrize(
    "name",  # of which `make coverage` asks all
    sample(
        [
            "jax.numpy.linalg.inv",
            "jax.nn.silu",
            "jax.scipy.special.expn",
            "jax.lax.igammac",
            "jax.scipy.stats.gamma.cdf",
        ],
        3,
    ),
)
def test_the_coverage_is_proven(name):
    with jax.enable_x64(True):
        assert examine(next(s for s in samples() if s.name == name)) == "proven"


def test_the_coverage_sees_a_wrong_gradient():
    @jax.custom_vjp
    def wrong(x):
        return jnp.sin(x)

    wrong.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (g * jnp.cos(x) * (1 + 1e-6),))
    with jax.enable_x64(True):
        assert examine(Sample("wrong", wrong, (ROW,), {})).startswith("disagrees: gradient 0, element 0 is")


def test_every_function_of_the_table_exists_once():
    names = [s.name for s in samples()]
    assert len(names) == len(set(names)) == 459


def test_every_option_of_every_function_is_asked():
    """With other values than its default, or it says nothing about what is computed."""
    silent = {
        f"{s.name}({p.name})"
        for s in samples()
        for p in parameters(s.function)[len(s.args) :]
        if p.name not in {*OPTIONS, *HINTS, *s.kwargs} and f"{s.name}.{p.name}" not in OPTIONS
    }
    assert not silent


def test_a_sum_that_is_taken_for_the_identity_is_seen(monkeypatch):
    """`psum` over an axis: differences of the record agree with the identity, JAX's values do not."""
    monkeypatch.setitem(RULES, "psum", lambda call, *xs: xs)
    found = by_function(coverage("jax.lax.psum"))["jax.lax.psum"]
    assert any("JAX's psum with these parameters has no rule" in text for text in found)
    monkeypatch.setattr(sys.modules["oracles.exact.from_jaxpr.record"], "_compare", lambda *_: None)
    found = by_function(coverage("jax.lax.psum"))["jax.lax.psum"]
    assert any(text.startswith("disagrees: value 0 has shape") for text in found)


# -- against closed forms ---------------------------------------------------------------------------------


@pytest.fixture(params=[True, False], ids=["x64", "x32"])
def setting(request):
    """The user's own setting, which must not matter and must not change."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", request.param)
    yield
    assert jax.config.jax_enable_x64 is request.param
    jax.config.update("jax_enable_x64", before)


def test_sigmoid_keeps_its_tail(setting):
    assert contains(gradient(jax.nn.sigmoid, np.float64(40.7)), "2.1096702884774950491e-18 +/- 1e-37")


def close(ball, truth):
    """Whether a ball is narrow and agrees with a number of mpmath's to 25 digits."""
    with precision(BITS):
        return bool(abs(ball.item() / arb(mpmath.nstr(truth, 34)) - 1) < arb("1e-25"))


SLOPES = {
    jax.scipy.special.digamma: (-9.3, lambda x: mpmath.polygamma(1, x)),
    jax.scipy.special.expi: (3.0, lambda x: mpmath.exp(x) / x),
    jnp.sinc: (1e-9, lambda x: (mpmath.cospi(x) - mpmath.sinc(mpmath.pi * x)) / x),
    jax.scipy.special.dawsn: (
        0.7,
        lambda x: 1 - x * mpmath.exp(-x * x) * mpmath.erfi(x) * mpmath.sqrt(mpmath.pi),
    ),
    jax.scipy.special.erfcx: (
        0.7,
        lambda x: 2 * x * mpmath.exp(x * x) * mpmath.erfc(x) - 2 / mpmath.sqrt(mpmath.pi),
    ),
    jax.scipy.special.log_ndtr: (-30.5, lambda x: mpmath.npdf(x) / mpmath.ncdf(x)),
    jax.scipy.special.exp1: (0.7, lambda x: -mpmath.exp(-x) / x),
    jnp.i0: (0.7, lambda x: mpmath.besseli(1, x)),
    jax.nn.softplus: (0.0, lambda x: mpmath.mpf(1) / 2),
}


@pytest.mark.parametrize("function", SLOPES)
def test_library_functions_are_their_definitions(function, setting):
    point, slope = SLOPES[function]
    with mpmath.workdps(80):
        truth = slope(mpmath.mpf(point))
    assert close(gradient(function, np.float64(point)), truth)


def test_the_digamma_and_sinc_slopes_of_the_issue():
    assert str(gradient(jax.scipy.special.digamma, np.float64(-9.3)).item()).startswith("[14.97746110")
    assert str(gradient(jnp.sinc, np.float64(1e-9)).item()).startswith("[-3.28986813")


MEETS = {
    "special.expi": (jax.scipy.special.expi, abs(ROW)),
    "special.expn": (jax.scipy.special.expn, np.array([1, 2, 3, 4]), abs(ROW)),
    "special._ndtri": (jax.scipy.special.ndtri, abs(ROW) / 10),
    "special._spence": (jax.scipy.special.spence, abs(ROW)),
    "special.log_ndtr": (jax.scipy.special.log_ndtr, ROW),
    "special.hyp1f1": (jax.scipy.special.hyp1f1, abs(ROW), abs(ROW), ROW),
    "special.hyp2f1": (jax.scipy.special.hyp2f1, abs(ROW), abs(ROW), abs(ROW), ROW / 4),
    "special._dawsn": (jax.scipy.special.dawsn, ROW),
    "special._erfcx": (jax.scipy.special.erfcx, ROW),
    "special.sici": (jax.scipy.special.sici, ROW),
    "special.fresnel": (jax.scipy.special.fresnel, ROW),
    "lax_numpy._i0": (jnp.i0, ROW),
    "ufuncs.sinc": (jax.vmap(jnp.sinc), ROW),
    "ufuncs.hypot": (jnp.hypot, ROW, ROW),
    "ufuncs.signbit": (jnp.signbit, ROW),
    "ufuncs.frexp": (jnp.frexp, ROW),
    "ufuncs.ldexp": (jnp.ldexp, ROW, np.array([1, 2, 3, 4])),
    "ufuncs.remainder": (jnp.remainder, ROW, ROW),
    "ufuncs.floor_divide": (jnp.floor_divide, ROW, ROW),
    "ufuncs.divmod": (jnp.divmod, ROW, ROW),
    "other.logaddexp": (jnp.logaddexp, ROW, ROW),
    "other.logaddexp2": (jnp.logaddexp2, ROW, ROW),
    "linalg.solve": (jnp.linalg.solve, np.eye(4), ROW),
}


SINCE_012 = {
    "special.expn": "special._expn",
    "lax_numpy._i0": "lax_numpy.i0_impl",
}  # the names they have there
NEW_IN_012 = {"erf.exp_neg_sq": (jax.grad(lambda x: jax.lax.erf(x).sum()), ROW)}
HERE = MEETS | (NEW_IN_012 if jax.__version_info__ >= (0, 12) else {})


def test_every_definition_has_a_function_to_meet():
    assert {*MEETS, *NEW_IN_012, *SINCE_012.values()} == set(DEFINITIONS)


@pytest.mark.parametrize("name", HERE)
def test_every_definition_meets_its_function(name, monkeypatch):
    """A new JAX may rename or rewrite a function: then its definition would be passed by in silence."""
    met = []

    def noting(original):
        def rule(call, *operands):
            met.append(name)
            return original.rule(call, *operands)

        return original._replace(rule=rule)

    for known in {name, SINCE_012.get(name, name)}:
        monkeypatch.setitem(DEFINITIONS, known, noting(DEFINITIONS[known]))
    function, *args = HERE[name]
    record(function, tuple(args), {})
    assert met == [name]


def test_a_function_of_the_users_with_a_librarys_name_is_followed():
    @jax.jit
    def expi(x):
        return x * x

    assert gradient(expi, 3.0).item() == 6


def test_parameters_of_special_functions_move():
    with mpmath.workdps(80):
        x = mpmath.mpf(1.3)
        slope = mpmath.diff(lambda a: mpmath.gammainc(a, 0, x, regularized=True), mpmath.mpf(0.9))
    assert close(gradient(jax.scipy.special.gammainc, 0.9, 1.3)[0], slope)


MIXED = {  # of the zeta function mpmath's differences take seconds
    "gamma_lower": (lambda x, a: mpmath.gammainc(a, 0, x, regularized=True), [(2.3, 1.7), (11.5, 4.1)], 3),
    "gamma_upper": (
        lambda x, a: mpmath.gammainc(a, x, mpmath.inf, regularized=True), [(2.3, 1.7), (11.5, 4.1)], 3),
    "hurwitz_zeta": (lambda x, a: mpmath.zeta(a, x), [(2.3, 1.7)], 2),
    "real_power": (lambda x, a: x**a, [(2.3, 1.7), (11.5, 4.1)], 3),
    "bessel_jv": (lambda x, a: mpmath.besselj(a, x), [(2.3, 1.7)], 2),
    "bessel_iv": (lambda x, a: mpmath.besseli(a, x), [(2.3, 1.7)], 2),
    "bessel_yv": (lambda x, a: mpmath.bessely(a, x), [(2.3, 1.7)], 2),
    "bessel_kv": (lambda x, a: mpmath.besselk(a, x), [(2.3, 1.7)], 2),
    "hyp1f1 a": (lambda x, a: mpmath.hyp1f1(a, 0.75, x), [(2.3, 1.75)], 2),
    "hyp1f1 b": (lambda x, b: mpmath.hyp1f1(0.75, b, x), [(2.3, 1.75)], 2),
}  # fmt: skip


@pytest.mark.parametrize("name", MIXED)
def test_mixed_coefficients_contain_mpmath(name):
    function, points, orders = MIXED[name]
    scalar, _, parameter = name.partition(" ")
    for x, a in points:
        for k in range(orders):
            for j in range(1, 3):
                parameters, along = (arb(a),), j
                if parameter:
                    first = parameter == "a"
                    parameters = (arb(a), arb(0.75)) if first else (arb(0.75), arb(a))
                    along = (j, 0) if first else (0, j)
                with precision(128):
                    ball = SCALARS[scalar].taylor(arb(x), k, *parameters, along=along)[k]
                with mpmath.workdps(50):
                    truth = mpmath.diff(function, (mpmath.mpf(x), mpmath.mpf(a)), (k, j))
                    truth /= math.factorial(k) * math.factorial(j)
                assert ball.rel_accuracy_bits() > 90
                with precision(128):
                    assert abs(ball / arb(mpmath.nstr(truth, 30)) - 1) < 1e-12


def test_the_inverse_has_its_closed_form():
    a = np.array([[2.0, 0.5], [-0.25, 1.5]])
    cotangent = np.array([[0.3, -1.0], [0.7, 0.2]])
    b = exact(np.array([[1.5, -0.5], [0.25, 2.0]])) / arb(3.125)
    found = gradient(jnp.linalg.inv, a, cotangent=cotangent)
    with precision(BITS):
        expected = -b.T @ exact(cotangent) @ b.T
        assert all(x.overlaps(y) for x, y in zip(found.ravel(), expected.ravel(), strict=True))


def test_eigenvalues_of_two_by_two():
    """(a + b)/2 -+ sqrt(((a - b)/2)^2 + c^2)."""
    recording = record(
        lambda a, b, c: jnp.linalg.eigvalsh(jnp.array([[a, c], [c, b]]))[1], (1.0, 2.0, 0.75), {}
    )
    found = evaluate(vjp(recording.program, range(3)), [*recording.values, np.array(1.0)], BITS)
    root = math.sqrt(0.25 + 0.75**2)
    assert [float(b.item()) for b in found] == pytest.approx(
        [0.5 - 0.25 / root, 0.5 + 0.25 / root, 0.75 / root]
    )


def test_the_catalogue_agrees_with_the_derivations_by_hand():
    rng = np.random.default_rng(0)
    w1, b1, w2, b2 = rng.normal(size=(4, 5)), np.zeros(5), rng.normal(size=(5, 3)), np.zeros(3)
    x, t = rng.normal(size=(6, 4)), np.eye(3)[rng.integers(0, 3, 6)]
    found = gradient(FUNCTIONS["two_layer_net"], w1, b1, w2, b2, x, t, wrt=range(4))
    network = reference.TwoLayerNet(4, 5, 3)
    network.params = {"W1": w1, "b1": b1, "W2": w2, "b2": b2}
    for name, balls in zip(("W1", "b1", "W2", "b2"), found, strict=True):
        np.testing.assert_allclose(balls.astype(float), network.gradient(x, t)[name], atol=1e-8)


# -- what counts as the function --------------------------------------------------------------------------


def test_a_custom_rule_is_not_followed():
    @jax.custom_vjp
    def backwards(x):
        return x * x

    backwards.defvjp(lambda x: (x * x, x), lambda x, g: (-g,))

    @jax.custom_jvp
    def sideways(x):
        return x * x

    sideways.defjvp(lambda x, t: (x[0] ** 2, 7 * t[0]))
    assert gradient(backwards, 3.0).item() == 6
    assert gradient(sideways, 3.0).item() == 6


def test_a_linear_solve_is_its_equation_and_not_its_algorithm():
    def solve(a, b):
        return jax.lax.custom_linear_solve(lambda x: a @ x, b, lambda _, y: y, lambda _, y: y)

    found = gradient(lambda a: solve(a, jnp.array([1.0, 2.0])).sum(), np.array([[2.0, 0.0], [0.0, 4.0]]))
    assert found.astype(float).tolist() == [[-0.25, -0.25], [-0.125, -0.125]]


def _windows(x):
    return jax.lax.reduce_window(x, 1.0, jax.lax.mul, (2,), (1,), "SAME")


def _two_windows(x):
    def both(a, b):
        return a[0] * b[0], jnp.logaddexp(a[1], b[1])

    return jax.lax.reduce_window((x, x * x), (1.0, -jnp.inf), both, (2, 3), (1, 2), "SAME")


@pytest.mark.parametrize(("function", "x"), [(_windows, ROW), (_two_windows, X)])
def test_windows_of_any_function_have_their_tangents(function, x):
    """JAX has no gradient of them."""
    recording = record(function, (x,), {})
    along = np.cos(x)
    found = evaluate(jvp(recording.program, [0]), [x, along], BITS)
    with jax.enable_x64(True):
        wanted = jax.tree.leaves(jax.jvp(function, (jnp.asarray(x),), (jnp.asarray(along),))[1])
    for balls, numbers in zip(found, wanted, strict=True):
        np.testing.assert_allclose(balls.astype(float), numbers, rtol=1e-13, atol=1e-13)


def test_literals_are_taken_as_written():
    assert gradient(lambda x: 0.1 * x, np.float64(2.0)).item() == arb(0.1)
    assert gradient(lambda x: 0.1 * x, np.float32(2.0)).item() == arb(float(np.float32(0.1)))


def test_a_loop_until_a_condition_is_unrolled_and_guarded():
    """Doubled until it exceeds 10: three times from 1.5, two times from 3."""
    recording = record(lambda x: jax.lax.while_loop(lambda c: c < 10, lambda c: 2 * c, x), (1.5,), {})
    assert evaluate(jvp(recording.program, [0]), [np.array(1.5), np.array(1.0)], BITS)[0].item() == 8
    with pytest.raises(Undecided, match="recorded where a branch"):
        evaluate(recording.program, [np.array(3.0)], BITS)


def test_a_loop_of_several_elements_stops_each_in_its_time():
    def doubled(x):
        return jax.lax.while_loop(lambda c: c < 10, lambda c: 2 * c, x)

    assert value(jax.vmap(doubled), np.array([1.5, 3.0, 20.0]))[0].tolist() == [12, 12, 20]


def test_second_derivatives():
    recording = record(lambda x: jnp.sum(jnp.sinc(x)), (np.array([0.0, 0.5]),), {})
    second = vjp(vjp(recording.program, [0]), [0])
    found = evaluate(second, [*recording.values, np.array(1.0), np.ones(2)], BITS)[0]
    assert float(found[0]) == pytest.approx(-(math.pi**2) / 3)
    assert float(found[1]) == pytest.approx(4 * (4 - math.pi**2 / 2) / math.pi)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_programs_keep_their_dtype_and_inputs_are_exact(dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = np.array([0.1, 0.7]).astype(jnp.dtype(dtype))
        recording = record(lambda x: x * 3 + 1, (x,), {})
    assert {v.dtype for v in (*recording.program.inputs, *recording.program.outputs)} == {dtype}
    assert recording.values[0].tolist() == x.tolist()


def test_leaves_of_structures():
    def function(params, flag, *, scale):
        return params["w"] * scale + params["b"][0] if flag else None

    args = ({"w": X, "b": [2.0, np.array([3])]}, True)
    recording = record(function, args, {"scale": 2})
    assert recording.argument == (0, 0)
    b, w = recording.values
    assert (b.tolist(), w.shape) == (2.0, (3, 4))


# -- what is refused --------------------------------------------------------------------------------------

OUTSIDE = jax.new_ref(np.ones(4))
REFUSED = {
    "a branch in Python": (lambda x: x if x.max() > 0 else -x, r"test_from_jaxpr.py:\d+\).*jnp.where"),
    "float()": (lambda x: float(x[0]) * x, "needs numbers while it is traced"),
    "NumPy": (lambda x: np.sin(x), "needs numbers while it is traced"),
    "random numbers": (lambda x: jax.lax.rng_uniform(x[0], x[1], (4,)) * x, "draws random numbers"),
    "a callback": (lambda x: jax.pure_callback(np.random.rand, x, x), "pure_callback: .* no NumPy"),
    "complex numbers": (lambda x: jnp.max(x * (1 + 1j)).real, "reduce_max of complex numbers has no rule"),
    "no rule": (
        lambda x: jax.lax.linalg.schur(jnp.outer(x, x))[0],
        r"schur has no rule: say what it computes with gradproof.register_rule .*test_from_jaxpr.py:\d+",
    ),
    "a mutable array from outside": (
        lambda x: x * OUTSIDE[...], "mutable array that was made outside",
    ),
    "a sum from a half": (
        lambda x: jax.lax.reduce_window(x, 0.5, jax.lax.add, (2,), (1,), "SAME"),
        "initial value more than once",
    ),
    "the bits of a number": (
        lambda x: jax.lax.bitcast_convert_type(x, jnp.int64) * x, "bits of a number that is rounded",
    ),
    "a narrow dtype": (lambda x: x.astype(jnp.float8_e4m3fn), "float8_e4m3fn: use one of bfloat16"),
    "a narrow argument": (
        lambda x: x * jnp.ones(x.shape, jnp.float8_e4m3fn).astype(x.dtype),
        "float8_e4m3fn: use one of bfloat16",
    ),
    "integers of a few bits": (lambda x: x.astype(jnp.int4).astype(x.dtype), "to int4.*use int8"),
    "psum over a positional axis": (lambda x: jax.lax.psum(x, 0), "psum has no rule"),
    "psum over a mapped axis": (
        lambda x: jax.vmap(lambda r: jax.lax.psum(r, "i") * r, axis_name="i")(x), "psum has no rule",
    ),
    "pmean over a mapped axis": (
        lambda x: jax.vmap(lambda r: jax.lax.pmean(r, "i"), axis_name="i")(x), "psum has no rule",
    ),
    "a function applied in place": (lambda x: x.at[1].apply(jnp.sin), r"write x.at\[...\].set"),
    "another shape": (
        lambda x: jax.lax.approx_max_k(x, 2, aggregate_to_topk=False)[0],
        r"approx_top_k with these parameters has no rule: it gives \[\(\(4,\), 'float64'\).*ours \[\(\(2,\)",
    ),
}  # fmt: skip


def test_what_reads_nothing_that_changes_is_traced_once():
    traced = []

    def function(x, power):
        traced.append(power)
        return x**power

    def slopes(*numbers, power=2, dtype=np.float64):
        record(function, (np.array(numbers, dtype), np.int32(power)), {})
        return len(traced)

    with unchanging():
        assert [slopes(1.0, 2.0), slopes(3.0, 4.0)] == [1, 1]
        assert [slopes(1.0), slopes(1.0, 2.0, power=3), slopes(1.0, 2.0, dtype=np.float32)] == [2, 3, 4]
        found = record(function, (np.array([3.0, 4.0]), np.int32(2)), {})
        assert [float(y) for y in evaluate(found.program, [exact(a) for a in found.values], 60)[0]] == [9, 16]
    assert [slopes(1.0, 2.0), slopes(1.0, 2.0)] == [5, 6]


@pytest.mark.parametrize("why", REFUSED)
def test_refusals_say_what_and_where(why):
    function, message = REFUSED[why]
    with pytest.raises(Unsupported, match=message):
        record(function, (ROW,), {})


def test_a_table_of_integers_of_a_few_bits_is_its_numbers():
    table = jnp.array([[1, -7, 3], [2, 5, -8]], jnp.int4)
    found = record(lambda x: (table[1, ::-1] + table[1]).astype(x.dtype) * x, (np.ones(3, np.float32),), {})
    values = evaluate(found.program, [exact(a) for a in found.values], 60)[0]
    assert [float(y) for y in values] == [-6, -6, -6]  # 10 and -16 + 10 in four bits


@pytest.mark.parametrize(
    "rule", [lambda call, x: convert(x, "float16"), lambda call, x: [x, x], lambda call, x: x[:1]]
)
def test_a_rule_of_another_dtype_number_or_shape_is_refused(rule, monkeypatch):
    monkeypatch.setitem(RULES, "neg", rule)
    with pytest.raises(Unsupported, match=r"neg with these parameters has no rule: it gives .* ours "):
        record(lambda x: -x, (ROW,), {})
