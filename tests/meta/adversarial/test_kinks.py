"""Kinks, jumps and isolated points: each element by its own kinks, both sides of a jump, and never one branch
of a point for the slope around it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import harness
from harness.verdicts import Verdict
from oracles.exact.program.errors import Undecided

LEGAL = "convention"
MODULES = {"numpy": np, "jax": jnp, "torch": torch}


def verdict(function, args, rule, **options):
    """At these arguments alone: a rule for a kink is wrong beside it."""
    return str(harness.check_gradient(function, args, vjp=rule, probes=False, **options).verdict)


def numbers(framework, *arrays):
    made = {"numpy": np.array, "jax": jnp.asarray, "torch": torch.tensor}[framework]
    return tuple(made(np.array(a, float)) for a in arrays)


def ends(function, args, **options):
    """Each element's lower and upper end, and the kinks."""
    found = harness.exact_gradient(function, args, **options)
    return [
        (round(float(b.lower()), 6), round(float(b.upper()), 6)) for b in found.balls.ravel()
    ], found.kinks


# -- each element by its own kinks ------------------------------------------------------------------------


def sigmoid(x, np=np):
    """In two halves that meet smoothly at 0."""
    e = np.exp(-abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))


def beside_abs(x, y):
    return sigmoid(x) + abs(y)


def in_one_array(x):
    return np.concatenate([sigmoid(x[:2]), abs(x[2:])])


def beside_relu(x):
    n = len(x) // 2
    return np.concatenate([softplus(x[:n]), np.maximum(x[n:], 0)])


def beside_pool(x, y):
    return np.concatenate([sigmoid(x), y.reshape(-1, 4).max(1)])


def of_pool(share):
    def rule(g, x, y):
        first = np.zeros((y.size // 4, 4))
        first[:, 0] = g[len(x) :]
        return share * g[: len(x)], first.ravel()

    return rule


def times(factors):
    return lambda g, x: (g * np.array(factors, float),)


def shares(n, **places):
    """One-hot rows, added and taken away: `plus` and `less`."""
    return times(np.eye(n)[places["plus"]] - (np.eye(n)[places["less"]] if "less" in places else 0))


def clipped(r):
    """Inside r is clip r, so their slopes are one; at the edge they are not."""
    return np.minimum(r, np.clip(r, 0.8, 1.2))


ZERO2, ZERO4 = np.zeros(2), np.zeros(4)
TIED = np.full(100, 1.5)


@pytest.mark.parametrize(("function", "args", "rule", "expected"), [
    (beside_abs, (ZERO2, ZERO2), lambda g, x, y: (-0.7 * g, 0 * g), "wrong"),
    (beside_abs, (ZERO2, ZERO2), lambda g, x, y: (0.25 * g, 0 * g), LEGAL),
    (beside_abs, (ZERO2, ZERO2), lambda g, x, y: (0.25 * g, 0.3 * g), LEGAL),
    (beside_abs, (ZERO2, ZERO2), lambda g, x, y: (0.25 * g, 1.3 * g), "wrong"),
    (in_one_array, (ZERO4,), times([-0.7, 0.25, 0, 0]), "wrong"),
    (in_one_array, (ZERO4,), times([0.25, 0.25, 0, 1]), LEGAL),
    (beside_relu, (np.zeros(6),), times(np.repeat([0.9, 0], 3)), "wrong"),
    (beside_relu, (np.zeros(6),), times(np.repeat([0.5, 0], 3)), LEGAL),
    (beside_relu, (np.zeros(140),), times(np.repeat([0.9, 0], 70)), "wrong"),
    (beside_pool, (ZERO2, np.zeros(16)), of_pool(0.6), "wrong"),
    (beside_pool, (ZERO2, np.zeros(16)), of_pool(0.25), LEGAL),
    (np.max, (TIED,), shares(100, plus=99), LEGAL),
    (np.max, (TIED,), times(np.full(100, 0.01)), LEGAL),
    (np.max, (TIED,), times(1.01 * np.eye(100)[99]), "wrong"),
    (np.max, (TIED[:2],), times([0, 1]), LEGAL),
    (np.max, (TIED[:3],), times(np.full(3, 1 / 3)), LEGAL),
    (lambda x: x.max() - x[:50].max(), (TIED,), shares(100, plus=60, less=7), LEGAL),
    (lambda x: x.max() - x.min(), (TIED,), shares(100, plus=3, less=9), LEGAL),
    (lambda x: sigmoid(x).max(), (np.zeros(3),), times([0, 0.25, 0]), LEGAL),
    (clipped, (np.ones(2),), times([0.4, 1]), "wrong"),
    (clipped, (np.ones(2),), times([1, 1]), "accurate"),
    (clipped, (np.array([1, 1.2]),), times([0.4, 1]), "wrong"),
    (clipped, (np.array([1, 1.2]),), times([1, 0]), LEGAL),
    # |x| and relu(x) turn together: -1 and 2 are the slopes of their sum, and 2 relu(x) - |x| is x
    (lambda x: abs(x) + np.maximum(x, 0), (ZERO2,), times([1.5, -1]), LEGAL),
    (lambda x: 2 * np.maximum(x, 0) - abs(x), (ZERO2,), times([1, 1]), "accurate"),
    (lambda x: 2 * np.maximum(x, 0) - abs(x), (ZERO2,), times([0, 0]), "wrong"),
])  # fmt: skip
def test_an_element_is_opened_by_its_own_kinks_alone(function, args, rule, expected):
    assert verdict(function, args, rule) == expected


@pytest.mark.parametrize("factor", [-0.7, -0.75])  # the first is a literal of many digits
def test_a_long_literal_in_the_rule_opens_no_hull(factor):
    found = harness.check_gradient(
        lambda x: np.concatenate([sigmoid(x[:2]), np.abs(x[2:])]),
        (np.zeros(4),),
        vjp=lambda g, x: np.concatenate([factor * g[:2], 0 * g[2:]]),
    )
    assert found.verdict == "wrong"
    assert "2 of 4 elements differ" in found.diagnosis


def test_a_smooth_function_under_a_tied_maximum_is_open_by_element_and_closed_along_a_direction():
    """Its elements share the kink of the maximum, whose hull stays; their sum is 1/4."""
    assert verdict(lambda x: sigmoid(x).max(), (np.zeros(3),), times([0.3, -0.05, 0])) == LEGAL
    assert verdict(lambda x: sigmoid(x).max(), (np.zeros(3),), times([-0.7, 0.95, 0])) == "wrong"


@pytest.mark.parametrize("framework", ["jax", "torch"])
def test_the_other_frameworks_tell_them_apart_too(framework):
    module = MODULES[framework]
    join = jnp.concatenate if framework == "jax" else torch.cat
    args = numbers(framework, ZERO2, ZERO2)
    smooth, kinked = harness.exact_gradient(lambda x, y: join([sigmoid(x, module), abs(y)]), args)
    assert not smooth.wide.any()
    assert kinked.wide.all()


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize(("factor", "expected"), [(-0.7, "wrong"), (0.25, LEGAL)])
def test_a_rule_of_jax_is_told_apart_in_both_modes(factor, mode, expected):
    function = jax.custom_jvp(lambda x, y: jnp.concatenate([sigmoid(x, jnp), abs(y)]))
    rule = lambda p, t: (function(*p), jnp.concatenate([factor * t[0], 0 * t[1]]))  # noqa: E731
    function.defjvp(rule)
    args = numbers("jax", ZERO2, ZERO2)
    assert str(harness.check_gradient(function, args, mode=mode, probes=False).verdict) == expected


@pytest.mark.parametrize(("factor", "expected"), [(-0.7, "wrong"), (0.25, LEGAL)])
def test_order_two_tells_them_apart_too(factor, expected):
    """The second derivatives of softplus and of relu's square."""

    def function(x):
        return softplus(x[:1]).sum() + (np.maximum(x[1:], 0) ** 2).sum()

    found = harness.exact_gradient(function, (ZERO2,), order=2, cotangent=[np.array(1.0), [np.ones(2)]])
    assert not found.wide[0]
    assert found.wide[1]
    assert (found.contains([factor, 0.0])[0]) == (expected == LEGAL)


# -- both sides of a jump ---------------------------------------------------------------------------------

AT0, AT1 = [0.0, 0.5], [1.0, 1.5]
STEPS = {
    "masks": (lambda x, n: (x > 0) * 2 * x + (x <= 0) * 5 * x, AT0, (2, 5)),
    "masks, written otherwise": (lambda x, n: 2 * ((x > 0) * x) + 5 * x * (x <= 0), AT0, (2, 5)),
    "one mask": (lambda x, n: x * (x > 0), AT0, (0, 1)),
    "one closed mask": (lambda x, n: x * (x >= 0), AT0, (0, 1)),
    "mask of 3": (lambda x, n: x * (3 * (x > 0) - 1), AT0, (-1, 2)),
    "sign": (lambda x, n: x * n.sign(x), AT0, (-1, 1)),
    "floor": (lambda x, n: x * n.floor(x), AT1, (0, 1)),
    "ceil": (lambda x, n: x * n.ceil(x), AT1, (1, 2)),
    "trunc": (lambda x, n: x * n.trunc(x), AT1, (0, 1)),
    "round": (lambda x, n: x * n.round(x), [0.5, 0.75], (0, 1)),
    "abs by sign": (lambda x, n: n.sign(x - 1) * (x - 1) + x, AT1, (0, 2)),
    "where of numbers": (lambda x, n: n.where(x > 0, 2.0, 5.0) * x, AT0, (2, 5)),
    "where": (lambda x, n: n.where(x > 0, 2 * x, 5 * x), AT0, (2, 5)),
    "square of the rest": (lambda x, n: (x - n.floor(x)) ** 2, AT1, (0, 2)),
    "a step in an exponential": (lambda x, n: x * n.exp2(n.floor(x)), AT1, (1, 2)),
    "floor division": (lambda x, n: x * (x // 1), AT1, (0, 1)),
    "floor division, by name": (lambda x, n: x * n.floor_divide(x, n.ones_like(x)), AT1, (0, 1)),
    "remainder": (lambda x, n: x + x * (x % 1), AT1, (2, 3)),
    "remainder of a negative": (lambda x, n: (x % -1) ** 2, AT1, (-2, 0)),
    "divisor": (lambda x, n: 2 % x, AT1, (-2, -1)),
    "opposite masks": (lambda x, n: x * (x > 0) - (-x) * (x <= 0), AT0, (1, 1)),
}


@pytest.mark.parametrize("framework", MODULES)
@pytest.mark.parametrize("name", STEPS)
def test_a_step_as_a_factor_gives_the_slopes_of_both_sides(name, framework):
    function, at, (low, high) = STEPS[name]
    x, one = numbers(framework, at, [1.0, 1.0])
    hulls, kinks = ends(lambda x: function(x, MODULES[framework]), (x,), cotangent=one)
    assert hulls[0] == (low, high)
    assert hulls[1][0] == hulls[1][1]
    assert bool(kinks) == (low != high)


@pytest.mark.parametrize("framework", MODULES)
@pytest.mark.parametrize(
    ("slope", "expected"), [(2.0, LEGAL), (5.0, LEGAL), (3.5, LEGAL), (0.0, "wrong"), (7.0, "wrong")]
)
def test_masks_accept_either_side_and_nothing_else(framework, slope, expected):
    args, rule = numbers(framework, [0.0]), lambda g, x: (slope * g,)
    function = masks
    if framework == "jax":
        function, rule = jax.custom_vjp(masks), None
        function.defvjp(lambda x: (masks(x), x), lambda x, g: (slope * g,))
    if framework == "torch":
        function, rule = Masks.apply, None
        Masks.slope = slope
    assert verdict(function, args, rule) == expected


def masks(x):
    return (x > 0) * 2 * x + (x <= 0) * 5 * x


class Masks(torch.autograd.Function):
    slope = 0.0

    @staticmethod
    def forward(ctx, x):
        return masks(x)

    @staticmethod
    def backward(ctx, g):
        return Masks.slope * g


WHOLE = {"numpy": lambda x: x.astype(int), "jax": lambda x: x.astype(int), "torch": lambda x: x.long()}


@pytest.mark.parametrize("framework", MODULES)
@pytest.mark.parametrize("kind", ["int", "count", "band", "quotient"])
def test_a_step_that_leads_to_integers_or_logic_is_never_one_sided(framework, kind):
    function = {
        "int": lambda x: x * WHOLE[framework](x),
        "count": lambda x: (x * x * x).sum() * (x > 1).sum(),
        "band": lambda x: x * ((x > 0) & (x < 1)),
        "quotient": lambda x: x * (x // 1),
    }[kind]
    try:
        hulls, kinks = ends(function, numbers(framework, [1.0, 1.5]))
    except Undecided as undecided:
        kinks, hulls = [str(undecided)], [(0, 1)]
    assert any(said in kinks[0] for said in ("jump", "kink", "two numbers that decide", "certainly larger"))
    assert hulls[0][0] < hulls[0][1]


def without_grad(x):
    with torch.no_grad():
        mask = (x > 0).double()
    return x * mask


def held(x):
    return jax.lax.stop_gradient(x) if isinstance(x, jax.Array) else x.detach()


@pytest.mark.parametrize("framework", ["jax", "torch"])
@pytest.mark.parametrize(("function", "at", "sides"), [
    (lambda x, n: x * (held(x) > 0), AT0, (0, 1)),
    (lambda x, n: x * n.floor(held(x)), AT1, (0, 1)),
    (lambda x, n: x * n.floor(x * 1.0) + 0 * held(x), AT1, (0, 1)),
    (lambda x, n: n.where(held(x) > 0, 2 * x, 5 * x), AT0, (2, 5)),
    (lambda x, n: x * (~(x > 0)), AT0, (0, 1)),
    (lambda x, n: n.where(n.logical_not(x > 0), 5 * x, 2 * x), AT0, (2, 5)),
    (lambda x, n: n.where(x > 0, 2, 5) * x, AT0, (2, 5)),
    (lambda x, n: x * ((x > 0) & (held(x) < 2)), AT0, (0, 1)),
    (lambda x, n: x + held(n.round(x) - x), [0.5, 0.25], (1, 1)),
    (lambda x, n: x + held(abs(x) - x), AT0, (1, 1)),
])  # fmt: skip
def test_what_is_held_fixed_jumps_all_the_same(function, at, sides, framework):
    x, one = numbers(framework, at, [1.0, 1.0])
    hulls, _ = ends(lambda x: function(x, MODULES[framework]), (x,), cotangent=one)
    assert hulls[0] == sides


def test_a_mask_without_grad_has_both_sides():
    x, one = numbers("torch", AT0, [1.0, 1.0])
    assert ends(without_grad, (x,), cotangent=one)[0] == [(0, 1), (1, 1)]


@pytest.mark.parametrize(("function", "sides"), [
    (lambda x: torch.tensor([0.0, 3, 4, 9])[torch.floor(x.detach()).long()] * x, [(0, 9), (0, 9)]),
    (lambda x: torch.nn.functional.grid_sample(
        torch.arange(9.0).reshape(1, 1, 3, 3).double(), x.reshape(1, 1, 1, 2), align_corners=True
    ), [(1, 1), (3, 3)]),
])  # fmt: skip
def test_an_index_that_is_held_fixed_has_both_sides(function, sides):
    """At -1 the last element of the table is taken."""
    hulls, _ = ends(lambda x: function(x).sum(), (torch.zeros(2, dtype=torch.float64),))
    assert hulls == sides


def by_table(x):
    """Linear interpolation by hand: the index jumps at a knot."""
    left = x >= 1
    return np.where(left, 3.0, 0.0) + np.where(left, 1.0, 3.0) * (x - np.where(left, 1.0, 0.0))


def by_jax(x):
    return jnp.interp(x, jnp.array([0.0, 1, 2]), jnp.array([0.0, 3, 4]))


@pytest.mark.parametrize(("function", "framework"), [(by_table, "numpy"), (by_jax, "jax")])
def test_interpolation_at_a_knot_has_the_slopes_of_both_pieces(function, framework):
    x, one = numbers(framework, [1.0, 0.5], [1.0, 1.0])
    hulls, kinks = ends(function, (x,), cotangent=one)
    assert hulls == [(1, 3), (3, 3)]
    assert kinks


@pytest.mark.parametrize(
    ("share", "expected"),
    [([1, 0], LEGAL), ([0, 1], LEGAL), ([0.5, 0.5], LEGAL), ([0, 0], "wrong"), ([1, 1], "wrong")],
)
@pytest.mark.parametrize("function", [lambda x: x[np.argmax(x)], lambda x: np.sort(x)[-1]])
def test_an_order_of_two_equal_numbers_gives_one_of_them(function, share, expected):
    assert verdict(function, (np.ones(2),), times(share)) == expected


@pytest.mark.parametrize(
    "function", [lambda x: x - np.floor(x), np.floor, np.sign, lambda x: np.fmod(x, 1.0)]
)
def test_a_jump_that_is_added_changes_no_slope_of_its_sides_and_is_said(function):
    hulls, kinks = ends(function, (np.array([1.0, 0.0]),), cotangent=np.ones(2))
    assert all(low == high for low, high in hulls)
    assert ["jumps at x[" in note for note in kinks] == [True]


# -- a branch that holds at one point ---------------------------------------------------------------------

FLAT, STEEP = (lambda t: 0.0 * t), (lambda t: 3.0 * t)


def branch(test):
    return lambda t: FLAT(t) if test(t) else STEEP(t)


NUMPY_TESTS = {
    "==": (lambda t: t == 0, 0.0),
    "!=": (lambda t: not np.not_equal(t, 0), 0.0),
    "not t": (lambda t: not t, 0.0),
    "in": (lambda t: t in [0.0, 2.0], 0.0),
    "square": (lambda t: t**2 == 0, 0.0),
    "norm": (lambda t: np.linalg.norm(t) == 0, ZERO2),
    "any": (lambda t: not t.any(), ZERO2),
    "all": (lambda t: np.all(t == 0), ZERO2),
    "count": (lambda t: np.count_nonzero(t) == 0, ZERO2),
    "sign": (lambda t: np.sign(t) == 0, 0.0),
    "index": (lambda t: len(np.flatnonzero(t)) == 0, ZERO2),
}
JUMPS = {
    "array_equal": (lambda t: np.array_equal(t, t[::-1]), np.ones(2)),
    "two elements": (lambda t: t[0] == t[1], np.ones(2)),
    "max and min": (lambda t: t.max() == t.min(), np.ones(2)),
    "whole": (lambda t: t % 1 == 0, 1.0),
}


@pytest.mark.parametrize("name", NUMPY_TESTS)
def test_a_numpy_branch_at_one_point_has_the_slope_of_the_other_one(name):
    test, at = NUMPY_TESTS[name]
    for slope, verdict in ((3, "accurate"), (0, "wrong")):
        found = harness.check_gradient(branch(test), (np.array(at),), vjp=lambda g, t, by=slope: (by * g,))
        assert str(found.verdict) == verdict


@pytest.mark.parametrize("name", JUMPS)
def test_a_function_that_jumps_at_one_point_has_no_slope_there(name):
    test, at = JUMPS[name]
    with pytest.raises(Undecided, match="what is differentiated jumps"):
        harness.exact_gradient(branch(test), (np.array(at),))


@pytest.mark.parametrize("test", [lambda t: abs(t) <= 0, lambda t: t <= 0 and t >= 0])
def test_inequalities_that_hold_at_one_point_are_no_slope(test):
    with pytest.raises(Undecided, match="another branch is taken beside this point"):
        harness.exact_gradient(branch(test), (np.array(0.0),))


def test_of_a_mask_whose_elements_are_all_that_is_given_it_is_said_what_to_write():
    """It has more elements nearby, so that the result has another shape there."""
    x = torch.tensor([-1.0, 0.0, 2.0])
    found = harness.check_gradient(lambda x: x[x > 0] ** 2, (x,))
    assert str(found.verdict) == "undecided"
    assert "where(x > 0, a, b), in place of y[x > 0] = a" in str(found)
    assert harness.check_gradient(lambda x: torch.where(x > 0, x**2, 0 * x), (x,)).passed


@pytest.mark.parametrize(
    "test", [lambda t: np.allclose(t, t[::-1]), lambda t: np.isclose(t, 1.0).all(), lambda t: np.all(t > 0)]
)
def test_a_branch_that_holds_nearby_is_the_function(test):
    assert ends(branch(test), (np.ones(2),)) == ([(0, 0), (0, 0)], ())


JAX_TESTS = {
    "cond ==": lambda t: jax.lax.cond(jnp.all(t == 0), FLAT, STEEP, t),
    "cond !=": lambda t: jax.lax.cond(jnp.any(t != 0), STEEP, FLAT, t),
    "any": lambda t: jax.lax.cond(jnp.any(t), STEEP, FLAT, t),
    "switch": lambda t: jax.lax.switch((t[0] == 0).astype(int), [STEEP, FLAT], t),
    "array_equal": lambda t: jax.lax.cond(jnp.array_equal(t, t[::-1]), FLAT, STEEP, t),
    "while": lambda t: jax.lax.while_loop(
        lambda c: (c[0][0] != 0) & (c[1] < 2), lambda c: (c[0] * 2, c[1] + 1), (t, 0)
    )[0],
}


@pytest.mark.parametrize("name", JAX_TESTS)
def test_a_jax_branch_at_one_point_has_the_slope_of_the_other_one(name):
    slope = 4 if name == "while" else 3
    assert ends(JAX_TESTS[name], (jnp.zeros(2),), cotangent=jnp.ones(2)) == ([(slope, slope)] * 2, ())


TORCH_TESTS = {
    "all": lambda t: (t == 0).all(),
    "any": lambda t: not t.any(),
    "equal": lambda t: torch.equal(t, t.flip(0)),
    "count": lambda t: torch.count_nonzero(t) == 0,
    "norm": lambda t: t.norm() == 0,
    "nonzero": lambda t: len(t.nonzero()) == 0,
}


@pytest.mark.parametrize("name", TORCH_TESTS)
def test_a_torch_branch_at_one_point_has_the_slope_of_the_other_one(name):
    x, one = numbers("torch", [0.0, 0.0], [1.0, 1.0])
    assert ends(branch(TORCH_TESTS[name]), (x,), cotangent=one) == ([(3, 3)] * 2, ())


def assigned(x):
    y = 3 * x
    y[x == 0] = 0
    return y


@pytest.mark.parametrize(("function", "slope"), [
    (assigned, 3),
    (lambda x: np.where(x == 0, 0 * x, 3 * x), 3),
    (lambda x: np.select([x == 0], [0 * x], 3 * x), 3),
    (lambda x: np.where(x == 0, 1.0, np.sin(x) / np.where(x == 0, 1.0, x)), 0),
    (lambda x: np.divide(np.sin(x), x, out=np.ones_like(x), where=x != 0), 0),
    (lambda x: 3 * x * x.astype(bool), 3),
    (lambda x: np.where(np.logical_not(x), 0 * x, 3 * x), 3),
])  # fmt: skip
def test_a_choice_at_one_point_has_the_slope_around_it(function, slope):
    hulls, _ = ends(function, (np.array([0.0, 1.0]),), cotangent=np.ones(2))
    assert hulls[0] == (slope, slope)


# -- numbers that stand for others must not open a branch -------------------------------------------------


@pytest.mark.parametrize("factor", [1.0, 0.1, 1 / 3])
def test_a_literal_excuses_no_other_branch(factor):
    """A widened literal moves the truth to another branch of logsumexp's b=, whose slopes say nothing."""

    def function(b):
        return factor * jax.scipy.special.logsumexp(jnp.zeros(b.shape), b=b)

    result = harness.check_gradient(function, (jnp.array([1.0, 0.0]),), mode="forward")
    assert str(result.verdict) == "wrong"


@pytest.mark.parametrize(("factor", "expected"), [(2.0, "wrong"), (1.0, "accurate")])
def test_literals_that_leave_nothing_known_excuse_nothing(factor, expected):
    """As balls the two 0.1 may cancel, and what is unbounded meets every gradient."""
    x = np.array(1 + 2**-52)
    rule = lambda g, x: (-factor * g * 0.1 / (x * 0.1 - 0.1) ** 2,)  # noqa: E731
    assert verdict(lambda x: 1 / (x * 0.1 - 0.1), (x,), rule) == expected


@pytest.mark.parametrize("function", [torch.fmod, torch.remainder, lambda x, y: x / torch.hypot(x, y)])
def test_where_a_function_has_no_value_it_has_no_slopes_either(function):
    """Those around (0, 0) are numbers, and were taken for what is legal there."""
    zero = torch.zeros(1, dtype=torch.float64)
    with pytest.raises(Undecided, match=r"no value|not finite"):
        harness.exact_gradient(function, (zero, zero))
    assert harness.check_gradient(function, (zero, zero)).verdict is Verdict.UNDECIDED


def test_a_projection_on_the_simplex_where_an_element_just_leaves_it_is_judged():
    """What rounding may do to a bare number, of no axes, is an array like any."""

    def projected(v):
        u = np.sort(v)[::-1]
        c = np.cumsum(u) - 1
        count = np.count_nonzero(u - c / np.arange(1, len(v) + 1) > 0)
        return np.maximum(v - c[count - 1] / count, 0)

    def pullback(g, v):
        inside = projected(v) > 0
        return np.where(inside, g - g[inside].mean(), 0)

    found = harness.check_gradient(projected, (np.array([1 / 3, 1 / 3, 1 / 3, 0]),), vjp=pullback)
    assert found.verdict == "accurate"
