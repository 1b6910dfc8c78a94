"""Whose fault a gradient is that is not right, and what passes all the same."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import torch
import torch.nn.functional as F

import harness
from harness import Known, UpstreamWarning, assert_gradient, check_gradient, check_layer
from harness.proof import blame as blaming
from harness.proof import program
from harness.proof.alone import Alone
from harness.proof.reports import report_on, reports
from harness.subject.derivative import GRADIENT
from harness.subject.target import target_of
from harness.subject.tested import under_test
from harness.verdicts import Verdict
from oracles.frameworks.calls import as_it_is
from oracles.frameworks.jax_ownership import is_librarys
from oracles.frameworks.torch_calls import duplicate
from tests.harness.proof.torch_functions import pulled

X = np.array([16.0, 0.5, -17.0], np.float32)
TX, JX = torch.tensor(X), jnp.asarray(X)
SMALL = torch.tensor([0.001, 0.5])
ROWS, SEEN = (
    np.array([[20.0, -0.5, 0.0], [25.0, 1.0, -2.0]], np.float32),
    np.array([[1, 1, 0], [1, 1, 1]], bool),
)


def hand(xp, x):
    return xp.exp(x) / xp.exp(x).sum()


sigmoid_of_its_own = pulled(torch.sigmoid, lambda g, x: g * torch.sigmoid(x) * (1 - torch.sigmoid(x)))
with_j1 = pulled(torch.special.bessel_j0, lambda g, x: -g * torch.special.bessel_j1(x))


@jax.custom_vjp
def logistic(x):
    return jax.nn.sigmoid(x)


logistic.defvjp(lambda x: (logistic(x),) * 2, lambda y, g: (g * y * (1 - y),))


def carried(x):
    return jax.lax.scan(lambda c, v: (c + jnp.tanh(v), None), jnp.float32(0), x)[0]


def blame_of(function, x, **options):
    options = {"upstream": "fail", "probes": False, **options}
    found = check_gradient(function, (x,), **options)
    (part,) = [p for p in found.parts if not p.of_value]
    assert not found.passed
    return part.verdict, str(part.blame or "")


LIBRARYS = {
    "alone": (torch.tanh, TX, "torch: torch.tanh"),
    "in a composition": (lambda x: (2 * torch.sigmoid(x)).sum(), TX, "torch: torch.sigmoid at test_blame.py"),
    "a Python function": (F.tanhshrink, SMALL, "torch: torch.nn.functional.tanhshrink"),
    "one of two layers": (lambda x: torch.sigmoid(torch.tanh(x) @ torch.ones(3, 3)), TX, "torch: torch.tanh"),
    "beside a mask of -inf": (
        lambda x: torch.softmax(x.masked_fill(~torch.tensor(SEEN), -torch.inf), -1),
        torch.tensor(ROWS),
        "torch: torch.softmax at test_blame.py",
    ),
    "JAX, alone": (jax.nn.selu, JX, "jax: jax.nn.selu (https://github.com/jax-ml/jax/issues/39796)"),
    "JAX, in a composition": (lambda x: (2 * jax.nn.sigmoid(x)).sum(), JX, "jax: lax.logistic at test_blame"),
    "JAX, jitted by the caller": (jax.jit(lambda x: jnp.tanh(x).sum()), JX, "jax: lax.tanh at test_blame.py"),
    "JAX, its own function": (
        jax.nn.hard_sigmoid,
        jnp.array([2.984375], "bfloat16"),
        "jax: jax.nn.hard_sigmoid",
    ),
}
YOURS = {
    "composed": (lambda x: hand(torch, x)[0], TX),
    "a custom backward": (sigmoid_of_its_own, TX),
    "JAX, composed": (lambda x: hand(jnp, x)[0], JX),
    "JAX, a custom backward": (logistic, JX),
    # Its share that is torch's does not excuse the other.
    "half of it": (lambda x: torch.tanh(x[:1]).sum() + sigmoid_of_its_own(x[1:] + 15.5).sum(), TX),
}


@pytest.mark.parametrize("name", LIBRARYS)
def test_a_library_is_blamed_for_what_its_function_loses_alone(name):
    function, x, owner = LIBRARYS[name]
    verdict, found = blame_of(function, x)
    assert verdict is Verdict.IMPRECISE
    assert found.startswith(owner)


@pytest.mark.parametrize("name", YOURS)
def test_what_a_composition_amplifies_is_its_authors(name):
    assert blame_of(*YOURS[name]) == (Verdict.IMPRECISE, "yours")


def test_a_kernel_that_a_backward_calls_is_its_librarys():
    verdict, found = blame_of(with_j1, torch.tensor([1.5, 2.5], dtype=torch.float64))
    assert verdict is Verdict.MISCOMPUTED
    assert found.startswith("torch: torch.special.bessel_j1 at")


def test_a_function_that_jax_traces_in_parts_is_its():
    def of(function):
        (*_, last) = jax.make_jaxpr(function)(JX).eqns
        return is_librarys(last)

    assert of(jax.scipy.special.expi)
    assert of(lambda x: jnp.piecewise(x, [x < 0], [jnp.tanh, jnp.sin]))
    assert not of(lambda x: jnp.piecewise(x, [x < 0], [lambda v: v * v, jnp.sin]))


def _slope(x):
    return 1 - 1 / (1 + jnp.exp(x))  # that of softplus, which cancels far below 0


def _by_jvp(own):
    own.defjvp(lambda p, t: (own(*p), t[0] * _slope(*p)))


def _by_jvps(own):
    own.defjvps(lambda t, y, x: t * _slope(x))


def _by_vjp(own):
    own.defvjp(lambda x: (own(x), x), lambda x, g: (g * _slope(x),))


OWN_RULES = {
    "jvp": (jax.custom_jvp, _by_jvp),
    "jvps": (jax.custom_jvp, _by_jvps),
    "vjp": (jax.custom_vjp, _by_vjp),
}


@pytest.mark.parametrize(
    "around", [lambda f: f, jax.jit, jax.vmap, lambda f: jax.checkpoint(lambda x: f(x) * 1)]
)
@pytest.mark.parametrize("function", [jax.nn.softplus, jax.jit(jax.nn.softplus)])
@pytest.mark.parametrize("kind", OWN_RULES)
def test_a_rule_that_somebody_gives_a_function_of_jax_s_is_not_jax_s(kind, function, around):
    make, define = OWN_RULES[kind]
    own = make(function)
    define(own)
    found = check_gradient(around(own), (jnp.array([-20.0, 0.5]),))
    assert found.verdict is Verdict.IMPRECISE
    assert not found.passed
    (*_, last) = jax.make_jaxpr(own)(JX).eqns
    assert not is_librarys(last)


@pytest.mark.parametrize("function", [jax.nn.relu, jax.nn.softplus, lambda x: jax.scipy.special.xlogy(x, x)])
def test_a_rule_of_jax_s_is_its(function):
    """By `defjvps`, `defjvp`, and within another function."""
    (*_, last) = jax.make_jaxpr(function)(JX).eqns
    assert is_librarys(last)


@jax.custom_vjp
def passed_on(x):
    return x


passed_on.defvjp(lambda x: (x, None), lambda _, g: (g,))


def test_a_wrong_formula_whose_numbers_are_right_is_jax_s_where_it_derived_all_of_it():
    i1, x = jax.scipy.special.i1, jnp.array([0.005], "bfloat16")
    verdict, found = blame_of(lambda x: 2 * i1(x), x)
    assert verdict is Verdict.WRONG
    assert found.startswith("jax: jax.scipy.special.i1 at test_blame.py")
    assert blame_of(lambda x: i1(passed_on(x)), x) == (Verdict.WRONG, "")
    found = blame_of(jax.scipy.special.log_ndtr, jnp.array([-14.5]))  # all that JAX derived is one call
    assert found == (Verdict.WRONG, "jax: jax.scipy.special.log_ndtr")


@pytest.mark.parametrize(("function", "x"), [(torch.tanh, TX), (jnp.tanh, JX)])
def test_in_forward_mode_too(function, x):
    verdict, found = blame_of(lambda x: 2 * function(x), x, mode="forward")
    assert verdict is Verdict.IMPRECISE
    assert found.partition(":")[0] in {"torch", "jax"}


def of_its_own(x):
    return sigmoid_of_its_own(x)


SECOND = {
    "one call": (torch.tanh, TX, "torch: torch.tanh"),
    "one call, in a function": (lambda x: torch.sigmoid(x), TX, "torch: torch.sigmoid at test_blame.py"),
    "two calls": (lambda x: 2 * torch.sigmoid(x), TX, ""),
    "a custom backward": (of_its_own, TX, ""),
    "JAX, one call": (jnp.tanh, JX, "jax: lax.tanh"),
    "JAX, a custom backward": (logistic, JX, ""),
}


@pytest.mark.parametrize("name", SECOND)
def test_a_second_derivative_of_one_call_is_its_librarys(name):
    function, x, owner = SECOND[name]
    found = check_gradient(function, (x,), order=2, upstream="fail", probes=False)
    (part,) = [p for p in found.parts if not p.of_value and p.input == "given"]
    assert part.verdict is Verdict.IMPRECISE
    blamed = str(part.blame or "")
    assert blamed.startswith(owner) if owner else not blamed
    assert any("cannot be told" in note for note in found.notes) is not bool(owner)


def test_a_call_that_is_not_right_is_asked_no_further_and_no_reasons(monkeypatch):
    asked, told = [], []
    monkeypatch.setattr(Alone, "_value_is_faulty", lambda self: asked.append(self) or False)
    diagnose = program.diagnose
    monkeypatch.setattr(program, "diagnose", lambda *args: told.append(args) or diagnose(*args))
    _, found = blame_of(torch.sigmoid, TX)
    assert found.startswith("torch: torch.sigmoid")
    assert not asked
    assert len(told) <= 6  # of runs of the gradient, and of the call alone, some of which others have asked


def test_a_hand_written_gradient_in_numpy_is_yours():
    def backward(g, x):
        y = 1 / (1 + np.exp(-x))
        return g * y * (1 - y)

    assert blame_of(lambda x: 1 / (1 + np.exp(-x)), X, vjp=backward) == (Verdict.IMPRECISE, "yours")
    assert blame_of(np.tanh, X, vjp=lambda g, x: 2 * g) == (Verdict.WRONG, "yours")


def test_a_hand_written_gradient_of_masked_rows_is_yours():
    def softmax(x):
        e = np.exp((x := np.where(SEEN, x, -np.inf)) - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    def backward(g, x):
        y = softmax(x)
        return y * (g - (g * y).sum(-1, keepdims=True))

    assert blame_of(softmax, ROWS, vjp=backward) == (Verdict.IMPRECISE, "yours")


def test_nobody_is_blamed_where_it_cannot_be_seen():
    assert blame_of(carried, jnp.tile(JX, 22)) == (Verdict.IMPRECISE, "")  # a loop of 66 steps

    def strict(g, x):
        if type(x) is not np.ndarray:
            raise TypeError("an array, please")
        return g * (1 - np.tanh(x) ** 2)

    assert blame_of(np.tanh, X, vjp=strict) == (Verdict.IMPRECISE, "")
    converted = blame_of(np.tanh, X, vjp=lambda g, x: np.array(g) * (1 - np.tanh(np.array(x)) ** 2))
    assert converted == (Verdict.IMPRECISE, "")


@jax.custom_jvp
def slope_of_its_own(x):
    return jnp.tanh(x)


slope_of_its_own.defjvp(lambda x, t: (jnp.tanh(x[0]), t[0] * (1 - jnp.tanh(x[0]) ** 2)))
ALONG = np.apply_along_axis
GIVEN = {
    "lax.map": (lambda x: jax.lax.map(slope_of_its_own, x), {}),
    "piecewise": (lambda x: jnp.piecewise(x, [x < 0], [slope_of_its_own] * 2), {}),
    "vmap": (lambda x: jax.vmap(slope_of_its_own)(x), {}),
    "checkpoint": (lambda x: jax.checkpoint(lambda v: hand(jnp, v)[0])(x), {}),
    "apply_along_axis": (np.tanh, {"vjp": lambda g, x: g * ALONG(lambda v: 1 - np.tanh(v) ** 2, 0, x)}),
}


@pytest.mark.parametrize("name", GIVEN)
def test_the_callers_code_is_not_the_librarys_because_that_runs_it(name):
    function, options = GIVEN[name]
    assert blame_of(function, X if options else JX, **options)[1] in {"", "yours"}


scan, cond = jax.lax.scan, jax.lax.cond
LOOPS = {
    "scan": (carried, "jax: lax.tanh at test_blame.py:"),
    "scan, reversed": (
        lambda x: scan(lambda c, v: (c + 1, jnp.tanh(v)), 0, x, reverse=True)[1],
        "jax: lax.tanh at test_blame.py:",
    ),
    "a rule in a scan": (lambda x: scan(lambda c, v: (c + slope_of_its_own(v), None), 0.0, x)[0], "yours"),
    "a branch": (lambda x: cond(x[0] > 0, jnp.tanh, jnp.sin, x), "jax: jax.lax.cond at test_blame.py:"),
    "a rule in a branch": (lambda x: cond(x[0] > 0, slope_of_its_own, jnp.sin, x), "yours"),
}


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_of_jax_is_looked_into_step_by_step(name):
    function, owner = LOOPS[name]
    verdict, found = blame_of(function, JX)
    assert verdict is Verdict.IMPRECISE
    assert found.startswith(owner)


def test_a_loop_that_ends_by_its_numbers_too():
    def thrice(x):
        return jax.lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] + jnp.tanh(x)), (0, 0 * x))[1]

    verdict, found = blame_of(thrice, JX, mode="forward")
    assert verdict is Verdict.IMPRECISE
    assert found.startswith("jax: lax.tanh at test_blame.py:")


def test_a_function_that_is_computed_again_is_looked_into():
    _, found = blame_of(jax.checkpoint(lambda x: jax.nn.sigmoid(x).sum()), JX)
    assert found.startswith("jax: lax.logistic at test_blame.py")


def test_what_was_not_examined_is_never_blamed_on_anybody():
    def native(g, x):
        y = np.tanh(x.detach().numpy())
        return torch.from_numpy(g.detach().numpy() * (1 - y * y))

    assert blame_of(pulled(torch.tanh, native), TX) == (Verdict.IMPRECISE, "")


@pytest.mark.parametrize(("dtype", "far"), [("float64", 40.0), ("float16", 9.0), ("bfloat16", 7.0)])
def test_in_every_dtype(dtype, far):
    x = torch.tensor([far, 0.5]).to(getattr(torch, dtype))
    verdict, found = blame_of(lambda x: torch.sigmoid(x).sum(), x)
    assert verdict is Verdict.IMPRECISE
    assert found.startswith("torch: torch.sigmoid at test_blame.py")


def test_who_accuses_all_functions_excuses_no_composition(monkeypatch):
    monkeypatch.setattr(blaming, "is_faulty", lambda call, asked, ask: True)
    assert blame_of(*YOURS["composed"]) == (Verdict.IMPRECISE, "yours")


def test_who_accuses_none_blames_nobody_else(monkeypatch):
    monkeypatch.setattr(blaming, "is_faulty", lambda call, asked, ask: False)
    assert blame_of(torch.tanh, TX) == (Verdict.IMPRECISE, "yours")


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
def test_a_call_has_the_strides_of_its_run_by_which_torch_chooses_kernels(dtype):
    x = np.ones((4, 3), dtype)
    gaps = np.repeat(x.T[..., None], 2, -1)[..., 0]
    tested = under_test(target_of(torch.sin, (torch.ones(3, 4),), {}, None, "torch"), GRADIENT)
    (call,) = tested.watch((gaps,), [x.T], as_it_is).calls
    assert call.operands[0].strides == x.T.strides
    assert call.cotangents[0].strides == gaps.strides


@pytest.mark.parametrize(
    "layout",
    [
        lambda t: t.T,
        lambda t: t[:, ::2],
        lambda t: t[:1].expand(5, 6),
        lambda t: t.unfold(0, 2, 1),
        lambda t: t[:0],
    ],
)
def test_an_operand_is_copied_as_it_lies_in_memory(layout):
    tensor = layout(torch.arange(24.0).reshape(4, 6))
    copy = duplicate(tensor)
    assert torch.equal(copy, tensor)
    assert copy.stride() == tensor.stride()
    assert not tensor.numel() or copy.data_ptr() != tensor.data_ptr()


def test_a_loop_of_jax_is_as_many_calls():
    def twice(x):
        for _ in range(2):
            x = jnp.tanh(x)
        return x

    target = target_of(twice, (JX,), {}, None, None)
    watched = under_test(target, GRADIENT).watch((X,), target.arrays, as_it_is)
    assert [call.name for call in watched.calls] == ["lax.tanh", "lax.tanh"]
    assert np.array_equal(watched.gradients[0], jax.vjp(twice, JX)[1](JX)[0])


# -- what passes with a warning ------------------------------------------------------------------------------


def test_what_is_the_librarys_passes_with_a_warning_at_the_users_line():
    with pytest.warns(UpstreamWarning, match="this is torch's fault: torch.tanh") as seen:
        found = check_gradient(lambda x: torch.tanh(x).sum(), (TX,))
    assert found.passed
    assert found.verdict is Verdict.IMPRECISE
    assert seen[0].filename == __file__
    assert found.rows["blame"][0].startswith("torch: torch.tanh")
    with pytest.warns(UpstreamWarning):
        assert assert_gradient(torch.tanh, (TX,))
    with pytest.raises(harness.GradientError, match="this is torch's fault"):
        assert_gradient(torch.tanh, (TX,), upstream="fail")


def test_what_is_yours_or_miscomputed_fails():
    assert not check_gradient(YOURS["composed"][0], (TX,)).passed
    assert not check_gradient(with_j1, (torch.tensor([1.5, 2.5], dtype=torch.float64),)).passed


def test_upstream_is_one_of_two_words():
    with pytest.raises(ValueError, match="upstream must be 'warn' or 'fail', got 'pass'"):
        check_gradient(torch.tanh, (TX,), upstream="pass")


REASON = {"reason": "gates are never so far out", "link": "https://example.org/7"}


def test_a_known_finding_passes_with_its_reason_and_once_it_is_gone_fails():
    own = Known("imprecise", argument="x", **REASON)
    function = YOURS["composed"][0]
    with pytest.warns(UpstreamWarning, match="it is known: gates are never so far out"):
        assert check_gradient(function, (TX,), known=own).passed
    found = check_gradient(function, (TX / 16,), known=[own])
    assert not found.passed
    assert "known: no imprecise of x is found any more" in str(found)
    assert not check_gradient(function, (TX,), known=Known("wrong", **REASON)).passed
    assert not check_gradient(function, (TX,), known=Known("imprecise", argument="y", **REASON)).passed


def test_known_findings_of_a_file(tmp_path):
    file = tmp_path / "known.toml"
    fields = {"function": "carried", "verdict": "imprecise", "reason": "r", "link": "l", "dtype": "float32"}
    entry = "\n".join(["[[known]]", *(f'{name} = "{text}"' for name, text in fields.items()), ""])
    file.write_text(entry + entry.replace("carried", "another"))
    with pytest.warns(UpstreamWarning, match=r"it is known: r \(l\)"):
        assert check_gradient(carried, (JX,), known=file).passed
    assert not check_gradient(carried, (JX / 16,), known=str(file)).passed
    file.write_text('[[known]]\nfunction = "f"\n')
    with pytest.raises(ValueError, match=r"write .*entries of function, verdict, reason and link"):
        check_gradient(carried, (JX,), known=file)
    file.write_text(entry + entry.replace("carried", "another").replace("imprecise", "imprecice"))
    with pytest.raises(ValueError, match=r"known='.*known\.toml': a known finding's verdict must be one of"):
        check_gradient(carried, (JX,), known=file)
    with pytest.raises(ValueError, match="cannot be read"):
        check_gradient(carried, (JX,), known=tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            lambda: Known("accurate", "r", "l"),
            "a known finding's verdict must be one of wrong, .*, got 'accurate'",
        ),
        (
            lambda: Known("wrong", " ", "l"),
            "a known finding's reason must be a text that says something, got ' '",
        ),
        (
            lambda: Known("wrong", "r", ""),
            "a known finding's link must be a text that says something, got ''",
        ),
        (
            lambda: check_gradient(torch.tanh, (TX,), known=3),
            "known must be a gradproof.Known, a list of them or the path of a file, got 3",
        ),
        (
            lambda: check_gradient(torch.tanh, (TX,), known=[3]),
            "known must be a gradproof.Known, a list of them or the path of a file, got 3",
        ),
    ],
)
def test_a_known_finding_says_what_why_and_where(wrong, said):
    with pytest.raises(ValueError, match=said):
        wrong()


@pytest.mark.parametrize("none", [[], ()])
def test_an_empty_list_is_no_known_finding(none):
    found = check_gradient(torch.square, (TX,), known=none)
    assert found.passed, str(found)


def test_a_layer_takes_both_words():
    class Sigmoid:
        def forward(self, x):
            self.y = 1 / (1 + np.exp(-x))
            return self.y

        def backward(self, dout):
            return dout * self.y * (1 - self.y)

    known = Known("imprecise", **REASON)
    assert not check_layer(Sigmoid(), X, upstream="fail").passed
    with pytest.warns(UpstreamWarning, match="it is known"):
        assert check_layer(Sigmoid(), X, known=known).passed


# -- elements that are nothing beside their row ------------------------------------------------------------


def softmax_backward(g, x):
    y = torch.softmax(x, -1)
    return y * (g - (g * y).sum(-1, keepdim=True))


def test_at_a_boundary_input_what_is_nothing_beside_its_row_warns():
    softmax = pulled(lambda x: torch.softmax(x, -1), softmax_backward)
    x = torch.tensor([[0.3, -1.2, -0.7]], dtype=torch.float64)
    with pytest.warns(UpstreamWarning, match="below half an ulp of the largest number of its row"):
        found = check_gradient(softmax, (x,), boundary=["saturated-20", "saturated-40"], upstream="fail")
    assert found.passed
    assert found.verdict is Verdict.IMPRECISE
    x = torch.tensor([[20.0, -20.0, -20.0]], dtype=torch.float64)
    assert not check_gradient(softmax, (x,), upstream="fail").passed  # this is what was asked


def test_an_element_that_is_alone_in_its_row_does_not():
    x = torch.tensor([0.3, -1.2, -0.7], dtype=torch.float64)
    found = check_gradient(sigmoid_of_its_own, (x,), boundary=["saturated-40"])
    assert found.verdict is Verdict.IMPRECISE
    assert not found.passed


# -- what is reported ----------------------------------------------------------------------------------------


def test_a_report_is_found_by_the_library_and_the_last_part_of_the_name():
    assert report_on("jax", "jax.nn.silu").endswith("/39798")
    assert report_on("torch", "torch.nn.functional.silu") == ""
    assert all(r.link.startswith("https://github.com/") and r.functions and r.reason for r in reports())


def test_where_the_formula_is_wrong_what_runs_for_its_value_is_not_asked_about(monkeypatch):
    """Its rounding is not the cause; the derivatives of the library's own functions may be."""
    asked, is_faulty = [], blaming.is_faulty

    def noted(call, *more):
        asked.append(call.cotangents is not None)
        return is_faulty(call, *more)

    monkeypatch.setattr(blaming, "is_faulty", noted)
    found = check_gradient(np.sin, (np.array([0.3, 1.2]),), vjp=lambda g, x: 1.01 * g * np.cos(x))
    assert (found.verdict, str(found.parts[0].blame), asked) == (Verdict.WRONG, "yours", [])
    rule = jax.custom_vjp(lambda x: jnp.sin(x))
    rule.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (1.01 * g * jnp.cos(x),))
    found = check_gradient(lambda x: jnp.exp(rule(x)), (jnp.array([0.3, 1.2]),))
    assert (found.verdict, str(found.parts[0].blame)) == (Verdict.WRONG, "yours")
    assert asked == [True]  # jnp.exp's derivative, and nothing of the rule's own
