"""Literals of JAX programs: what was written, from a second trace in float64; and which traces are kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import harness
from harness.cases import catalogue
from oracles import JaxOracle
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.enclose.literals import replaced, rounded
from oracles.exact.from_jaxpr import record
from oracles.exact.program.balls import precision
from oracles.exact.program.derive import vjp
from oracles.exact.program.formats import FORMATS
from oracles.frameworks.in_jax import Pullback
from tests.oracles.exact.jax_programs import PROGRAMS, arguments
from tests.sampling import WHOLE

NARROW = ["float32", "bfloat16", "float16"]
BITS = 192
each_narrow = pytest.mark.parametrize("dtype", NARROW)


def numbers(recording):
    """The literals of a recording, as float64."""
    found = []
    for e in recording.program.equations:
        if e.primitive.name == "constant" and e.output.is_float and not e.output.ndim:
            value = e.params["value"]
            found.append(value.item() if value.dtype == object else float(value))
    return found


def balls(recording):
    return [v for v in numbers(recording) if not isinstance(v, float) and v.is_finite()]


def ones(dtype, shape=(3,)):
    return np.ones(shape, jnp.dtype(dtype))


def with_backward(forward, slope):
    """A function with a hand-written backward pass: the cotangent times `slope(x)`."""
    f = jax.custom_vjp(forward)
    f.defvjp(lambda x: (forward(x), x), lambda x, ct: (ct * slope(x),))
    return f


# -- pairing ----------------------------------------------------------------------------------------------


@each_narrow
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_literal_of_ordinary_programs_finds_its_partner(name, dtype):
    function, args, argnums = arguments(name, (3, 4), dtype)
    out = jax.eval_shape(function, *args)
    cotangent = np.ones(out.shape, out.dtype)
    for recording in (
        record(function, args, {}, paired=True),
        record(Pullback(function, tuple(argnums)), (cotangent, *args), {}, differentiate=False, paired=True),
    ):
        assert recording.notes == ()
        assert balls(recording) == []


@each_narrow
@pytest.mark.parametrize(
    "function",
    [
        lambda x: 0.1 * x,
        lambda x: x + jnp.asarray(0.1, x.dtype),
        lambda x: x * jnp.full((), 0.1, x.dtype),
        lambda x: jnp.where(x > 0, x, 0.1),
        jax.jit(lambda x: jnp.where(x > 0, 0.1 * x, x)),
        lambda x: jax.lax.cond(x.sum() > 0, lambda y: 0.1 * y, lambda y: y, x),
        lambda x: jax.lax.scan(lambda c, row: (c, 0.1 * row), 0.0, x)[1],
        lambda x: jax.lax.fori_loop(0, 2, lambda _, y: 0.1 * y, x),
        with_backward(lambda x: 0.1 * x, lambda x: x),
        lambda x: 0.1 * x.astype(x.dtype),
        lambda x: jnp.mean(x) * 0.1,
    ],
    ids=["weak", "asarray", "full", "where", "jit", "cond", "scan", "while", "custom", "cast", "mean"],
)
def test_a_literal_is_the_number_that_was_written(function, dtype):
    recording = record(function, (ones(dtype),), {}, paired=True)
    assert 0.1 in numbers(recording)
    assert recording.notes == ()


@each_narrow
def test_without_pairing_a_literal_is_what_the_program_has(dtype):
    rounded = float(np.asarray(0.1, jnp.dtype(dtype)))
    assert numbers(record(lambda x: 0.1 * x, (ones(dtype),), {})) == [rounded]


@each_narrow
def test_the_constant_keeps_the_programs_own_dtype(dtype):
    program = record(lambda x: 0.1 * x, (ones(dtype),), {}, paired=True).program
    assert {v.dtype for e in program.equations for v in (*e.operands, e.output)} == {dtype}


def by_dtype(x):
    return x * (0.3 if x.dtype == jnp.float64 else 0.7)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_literal_that_depends_on_a_narrow_dtype_is_a_ball_and_is_named(dtype):
    recording = record(by_dtype, (ones(dtype),), {}, paired=True)
    (ball,) = balls(recording)
    ulp = float(FORMATS[dtype].ulp(np.asarray(0.7)))
    assert 0.7 in ball
    assert float(ball.rad()) == pytest.approx(ulp / 2, rel=1e-6)
    (note,) = recording.notes
    assert f"half an ulp of {dtype}" in note
    assert "test_jax_literals.py:" in note

    found = harness.check_gradient(by_dtype, (jnp.asarray(ones(dtype)),))
    assert found.verdict == "undecided"
    assert f"is known to half an ulp of {dtype} only" in str(found)


def computed(x, factor=1.0):
    """Divided by a number that jnp computes while it is traced, as e3nn_jax scales its activations."""
    with jax.ensure_compile_time_eval():
        size = jnp.mean(jnp.exp(jnp.linspace(-1.0, 1.0, 101)))
    return factor * x / size


@pytest.mark.parametrize("function", [by_dtype, computed])
def test_what_float32_makes_of_other_numbers_is_the_number_that_stands_there(function):
    recording = record(function, (ones("float32"),), {}, paired=True)
    assert (balls(recording), recording.notes) == ([], ())
    x = jnp.asarray([0.3, -1.2, 0.8])
    assert harness.check_gradient(function, (x,)).verdict == "accurate"


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1, "accurate"), (1.01, "wrong"), (1 + 2.0**-20, "wrong"), (-1, "wrong")]
)
def test_a_rule_that_scales_by_such_a_number_is_told_from_a_wrong_one(factor, verdict):
    rule = with_backward(lambda x: computed(x), lambda x: computed(jnp.ones_like(x), factor))
    assert harness.check_gradient(rule, (jnp.asarray([0.3, -1.2, 0.8]),)).verdict == verdict


def alone(function):
    """Code for one dtype: no trace of it in float64 is there."""

    def f(x):
        if x.dtype == jnp.float64:
            raise TypeError("not in float64")
        return function(x)

    return f


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_literals_of_code_for_a_narrow_dtype_only_are_balls_and_it_is_said_why(dtype):
    recording = record(alone(lambda x: x * 0.7), (ones(dtype),), {}, paired=True)
    assert len(balls(recording)) == 1
    literal, why = recording.notes
    assert literal.endswith(f"is known to half an ulp of {dtype} only")
    assert why == "the function cannot be traced in float64 (TypeError: not in float64)"


X5 = np.array([-2.3, -0.7, 0.2, 0.9, 2.4], np.float32)
SCALE = jnp.float32(0.7)
IN_FLOAT32_ALONE = {
    "a literal": alone(lambda x: jnp.sin(0.7 * x)),
    "closed over": alone(lambda x: jnp.sin(SCALE * x)),
    "lax.mul": lambda x: jax.lax.mul(x, jax.lax.broadcast(jnp.float32(0.7), x.shape)),
    "scan": lambda x: jax.lax.scan(lambda c, y: (c * jnp.float32(0.7) + y, c), jnp.float32(0.1), x)[0],
    "fori": lambda x: jax.lax.fori_loop(0, 3, lambda _, c: c * jnp.float32(0.7) + x.sum(), jnp.float32(0.1)),
}


@pytest.mark.parametrize("name", IN_FLOAT32_ALONE)
def test_literals_of_code_for_float32_only_are_numbers_of_float32(name):
    recording = record(IN_FLOAT32_ALONE[name], (X5,), {}, paired=True)
    assert balls(recording) == []
    assert float(np.float32(0.7)) in numbers(recording)
    (note,) = recording.notes
    assert note.startswith("the function cannot be traced in float64 (TypeError: ")
    assert harness.check_gradient(IN_FLOAT32_ALONE[name], (jnp.asarray(X5),)).verdict == "accurate"


SCANNED = jnp.asarray([0.7**4, 0.7**3, 0.7**2, 0.7, 1], jnp.float32)


@pytest.mark.parametrize(("factor", "verdict"), [(1, "accurate"), (2, "wrong"), (1 + 2.0**-20, "wrong")])
def test_a_wrong_rule_of_code_for_float32_only_is_found(factor, verdict):
    rule = jax.custom_vjp(IN_FLOAT32_ALONE["scan"])
    rule.defvjp(lambda x: (rule(x), x), lambda x, g: (g * SCANNED * np.float32(factor),))
    assert harness.check_gradient(rule, (jnp.asarray(X5),)).verdict == verdict


def test_a_literal_that_is_multiplied_out_is_no_error_where_it_is_rounded_to_float32():
    rule = with_backward(alone(lambda x: 0.1 * x**3), lambda x: 0.3 * x * x)
    assert harness.check_gradient(rule, (jnp.asarray(X5),)).verdict == "accurate"


def scanned(x):
    """Of balls of JAX's own 2 / sqrt(pi), in float32, nothing is left after a hundred steps."""
    return jax.lax.scan(lambda c, _: (gelu(c) + 0.7 * c, None), x, None, length=100)[0]


@pytest.mark.parametrize(("factor", "verdict"), [(1, "accurate"), (1.001, "wrong")])
def test_after_many_steps_literals_of_float32_are_moved(factor, verdict):
    rule = with_backward(
        alone(scanned), lambda x: np.float32(factor) * jax.vjp(scanned, x)[1](jnp.ones_like(x))[0]
    )
    found = harness.check_gradient(rule, (jnp.asarray(X5) / 10,), probes=False)
    assert found.verdict == verdict, str(found)


def test_a_short_literal_of_float32_is_exact_without_a_partner():
    recording = record(lambda x: x * jnp.finfo(x.dtype).eps * 3.0, (ones("float32"),), {}, paired=True)
    assert sorted(numbers(recording)) == [2.0**-23, 3.0]
    assert recording.notes == ()


def gradient_of(literal):
    """A float32 rule whose literal is short when it is rounded to float32."""

    @jax.custom_vjp
    def f(x):
        return x * jnp.asarray(1.0000000001, x.dtype)

    f.defvjp(lambda x: (f(x), None), lambda _, g: (g * jnp.asarray(literal, g.dtype),))
    return f


def test_of_a_derivative_short_literals_stand_as_they_are_and_are_looked_up_later():
    pull = Pullback(gradient_of(1.0000000001), (0,))
    given = (ones("float32"), ones("float32"))
    recording = record(pull, given, {}, differentiate=False, paired=True)
    assert numbers(recording) == [1.0]
    assert numbers(recording.as_written()) == [1.0000000001]
    assert recording.as_written().as_written() is None
    assert numbers(recording.giving(slice(0, 1)).as_written()) == [1.0000000001]


@pytest.mark.parametrize("options", [{"differentiate": True}, {"differentiate": False, "exactly": True}])
def test_of_a_truth_every_literal_is_looked_up(options):
    recording = record(lambda x: x * jnp.asarray(1.0000000001, x.dtype), (ones("float32"),), {}, paired=True,
                       **options)  # fmt: skip
    assert numbers(recording) == [1.0000000001]
    assert recording.as_written() is None


def test_where_no_short_literal_was_taken_there_is_nothing_to_look_up():
    recording = record(lambda x: x * 0.1, (ones("float32"),), {}, differentiate=False, paired=True)
    assert recording.as_written() is None


def test_a_gradient_that_is_right_by_its_written_literal_is_right_without_a_note():
    x = jnp.ones(3)
    found = harness.check_gradient(gradient_of(1.0000000001), (x,))
    assert found.passed
    assert "differs" not in str(found)
    assert harness.check_gradient(gradient_of(1.5), (x,)).verdict == "wrong"


def test_a_program_with_another_structure_in_float64_is_not_paired_by_chance():
    def f(x):
        y = x * 0.7
        return y if x.dtype == jnp.float64 else jnp.sin(y) * 0.3

    assert len(balls(record(f, (ones("bfloat16"),), {}, paired=True))) == 2


def test_float64_literals_and_arrays_are_data():
    table = np.array([0.1, 0.2], np.float32)
    recording = record(lambda x: 0.1 * x, (ones("float64"),), {}, paired=True)
    assert numbers(recording) == [0.1]
    recording = record(lambda x: x * table, (ones("float32", (2,)),), {}, paired=True)
    (constant,) = [e for e in recording.program.equations if e.primitive.name == "constant"]
    np.testing.assert_array_equal(np.asarray(constant.params["value"]), table)


# -- what pairing is for ----------------------------------------------------------------------------------


def gelu(x):
    return jax.nn.gelu(x, approximate=False)


def slope(x):
    """gelu', as it is coded by hand, with sqrt(2) and sqrt(2 pi) multiplied out."""
    cdf = 0.5 * (1.0 + jax.lax.erf(x * 0.7071067811865476))
    return cdf + x * 0.3989422804014327 * jnp.exp(-0.5 * x * x)


def tanh_slope(x):
    return jax.jvp(lambda y: jax.nn.gelu(y, approximate=True), (x,), (jnp.ones_like(x),))[1]


def formulas(function, dtype):
    """T and E: the gradient of the forward, and the backward pass as it stands, both exact."""
    x = np.array([-1.9, -0.6, 0.3, 1.1, 2.2]).astype(jnp.dtype(dtype))
    ct = np.array([0.7, -1.3, 0.9, 1.4, -0.6]).astype(jnp.dtype(dtype))
    forward = record(function, (x,), {}, paired=True)
    backward = record(Pullback(function, (0,)), (ct, x), {}, differentiate=False, paired=True)
    (truth,) = evaluate(replaced(vjp(forward.program, [0]), rounded), [x, ct], BITS)
    (formula,) = evaluate(replaced(backward.program, rounded), backward.values, BITS)
    with precision(BITS):
        return [t.overlaps(e) for t, e in zip(truth.ravel(), formula.ravel(), strict=True)]


each_dtype = pytest.mark.parametrize("dtype", ["float64", *NARROW])


@each_dtype
@pytest.mark.parametrize("function", [gelu, with_backward(gelu, slope)], ids=["jax", "by hand"])
def test_a_right_backward_pass_meets_the_truth(function, dtype):
    assert all(formulas(function, dtype))


@each_dtype
@pytest.mark.parametrize(
    "wrong",
    [lambda x: 1.001 * slope(x), tanh_slope, lambda x: slope(x) * (1 + 2.0**-20)],
    ids=["x 1.001", "tanh", "x (1 + 2^-20)"],
)
def test_a_wrong_backward_pass_is_disjoint_from_it(wrong, dtype):
    assert not any(formulas(with_backward(gelu, wrong), dtype))


# -- calls ------------------------------------------------------------------------------------------------


def origins(function, *args):
    return [e.origin for e in record(function, args, {}).program.equations]


def test_a_primitive_is_a_call_at_the_users_line():
    found = origins(lambda x: jax.lax.logistic(x) * x, ones("float32"))
    logistic = [o for o in found if o.operation == "logistic"]
    assert len(logistic) > 1
    assert len({o.call for o in logistic}) == 1
    assert {o.place.file for o in found} == {__file__}
    assert [o for o in found if o.operation == "mul"]


def test_a_library_function_known_by_its_definition_is_one_call():
    found = origins(jnp.sinc, ones("float32"))
    assert {o.operation for o in found} == {"sinc"}
    assert len({o.call for o in found}) == 1


def test_what_a_library_function_does_inside_is_at_the_line_that_calls_it():
    x = ones("float32")
    jax.make_jaxpr(jax.nn.silu)(x)  # JAX keeps this trace, and where it was made
    found = origins(lambda x: jax.nn.silu(x), x)
    assert {o.operation for o in found} == {"logistic", "mul"}
    assert len({o.place for o in found}) == 1


def test_a_backward_pass_is_at_the_line_of_its_forward():
    def f(x):
        y = jnp.exp(x)
        return y * y

    found = record(Pullback(f, (0,)), (ones("float32"), ones("float32")), {}, differentiate=False).program
    assert len({e.origin.place for e in found.equations}) == 2


def test_a_line_of_the_caller_is_not_a_place():
    """The function is JAX's own: who records it is not who wrote it."""
    assert {o.place for o in origins(jnp.tanh, ones("float32"))} == {None}


# -- traces are not kept ----------------------------------------------------------------------------------

X = np.array([1.0, 2.0], np.float32)


def test_labels_are_taken_by_content():
    labels = np.array([0])
    first = record(lambda x, t: x[t], (X, labels), {})
    labels[0] = 1
    second = record(lambda x, t: x[t], (X, labels), {})
    values = [evaluate(r.program, r.values, 64)[0].item() for r in (first, second)]
    assert values == [1, 2]


def test_a_function_is_traced_in_float64_only_for_rounded_literals():
    seen = []
    record(lambda x: seen.append(x.dtype) or x * x, (X,), {}, paired=True)
    assert seen == [np.float32]
    record(lambda x: seen.append(x.dtype) or 0.1 * x, (X,), {}, paired=True)
    assert seen == [np.float32, np.float32, np.float64]


# -- the oracle and the pullback --------------------------------------------------------------------------


def test_eager_and_compiled_are_two_oracles():
    eager, compiled = JaxOracle(), JaxOracle(compiled=True)
    assert (eager.name, compiled.name) == ("jax", "jax-jit")
    assert eager.machine == compiled.machine == "jax"


@pytest.mark.parametrize(
    ("name", "compiled"),
    [
        ("two_layer_net", True), ("softmax_loss", False), ("step_function", False), ("step_function", True),
        *([("softmax_loss", True), ("two_layer_net", False)] if WHOLE else []),
    ],
)  # fmt: skip
def test_the_recorded_gradient_program_is_the_one_that_runs(name, compiled):
    case, oracle = catalogue()[name], JaxOracle(compiled=compiled)
    args, cotangent = case.draw("ordinary", "float64", 0)
    subject = oracle.subject(case, np.dtype("float64"))
    result = subject.fetch_gradient(
        subject.gradient(subject.load(cotangent), *(subject.load(a) for a in args))
    )
    recording = oracle.record(case, cotangent, args)
    found = evaluate(recording.program, recording.values, BITS)
    computed = [g for g in result.arrays if g is not None]
    assert len(found) == len(computed)
    for ball, array in zip(found, computed, strict=True):
        np.testing.assert_allclose(ball.astype(float), array, rtol=1e-12, atol=1e-15)


def test_without_a_cotangent_it_is_the_program_of_the_value():
    case = catalogue()["sigmoid"]
    args, _ = case.draw("ordinary", "float32", 0)
    recording = JaxOracle().record(case, None, args)
    assert len(recording.program.inputs) == len(args)
    (found,) = evaluate(recording.program, recording.values, BITS)
    np.testing.assert_allclose(found.astype(float), case.function(*args), rtol=1e-5)


def test_a_pullback_ignores_the_cotangents_of_integers():
    def f(x, t):
        return {"loss": jnp.sum(x * x), "best": jnp.argmax(x), "right": t == 1}

    cotangents = {"loss": np.float32(2.0), "best": 0, "right": 0}
    (gradient,) = Pullback(f, (0,))(cotangents, jnp.asarray(X), np.array([1, 0]))
    np.testing.assert_array_equal(gradient, 4 * X)
    assert Pullback(lambda x: jnp.argmax(x), (0,))(0, jnp.asarray(X)) == (None,)


def test_a_number_that_the_source_rounds_itself_is_that_number():
    """In both traces it stands in bfloat16, so its dtype is not that of the arguments."""
    x = jnp.asarray([[0.5, -1.25]], jnp.float32)
    recording = record(lambda x: x @ jnp.full((2, 2), 0.1, "bfloat16"), (x,), {}, paired=True)
    assert recording.notes == ()
    assert harness.check_gradient(lambda x: x @ jnp.full((2, 2), 0.1, "bfloat16"), (x,)).passed


# -- casts inside: JAX's own constants are narrow in every trace ---------------------------------------------

IN_MIXED = {
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "erf": jax.scipy.special.erf,
    "erfc": jax.scipy.special.erfc,
    "erf_inv": lambda x: jax.scipy.special.erfinv(x / 4),
    "log2": jnp.log2,
    "log10": jnp.log10,
    "softplus": jax.nn.softplus,
}


@pytest.mark.parametrize(
    ("name", "narrow"),
    [
        *((name, "bfloat16") for name in IN_MIXED),
        *((n, "float16") for n in (IN_MIXED if WHOLE else ["gelu"])),
    ],
)
def test_a_constant_of_jax_behind_a_cast_is_what_it_stands_for(name, narrow):
    x = jnp.array([0.4, 0.25, 0.7], jnp.float32)
    found = harness.check_gradient(lambda x: IN_MIXED[name](x.astype(narrow)).astype(jnp.float32), [x])
    assert found.verdict == "accurate", str(found)


def test_a_wrong_constant_behind_a_cast_is_found():
    @jax.custom_vjp
    def off(x):
        return jax.scipy.special.erf(x)

    off.defvjp(lambda x: (off(x), x), lambda x, g: (g * 1.1367 * jnp.exp(-x * x),))  # 2 / sqrt(pi) is 1.1284
    found = harness.check_gradient(
        lambda x: off(x.astype(jnp.bfloat16)), [jnp.array([0.4, 0.25], jnp.float32)]
    )
    assert found.verdict == "wrong"


def test_a_trace_without_casts_leaves_nothing_in_jax():
    with jax.enable_x64(True):
        cast = jax.jit(lambda x: x.astype(jnp.bfloat16))
        assert harness.check_gradient(lambda x: jax.nn.gelu(cast(x), approximate=False), [jnp.ones(3)]).passed
        assert cast(jnp.ones(3)).dtype == jnp.bfloat16
        assert jnp.ones(3).astype(jnp.float32).dtype == jnp.float32
