"""Forward and reverse mode check each other, and finite differences with a proven remainder check both."""

from __future__ import annotations

import numpy as np
import pytest
from flint import arb

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program.balls import precision
from oracles.exact.program.derive import adjoints, jvp, vjp
from oracles.exact.program.primitives import arrays
from oracles.exact.program.program import PRIMITIVES, Array, Program, Var
from tests.oracles.exact.programs import SAMPLES, Sample, along, build, value

BITS = 256
STEP = 2.0**-20


def directions(sample: Sample, seed: int = 0) -> tuple[Array, ...]:
    rng = np.random.default_rng(seed)
    return tuple(
        np.round(rng.uniform(0.3, 1.5, p.shape) * rng.choice([-1, 1], p.shape), 2) for p in sample.points
    )


def inner(xs: list[Array], ys: list[Array]) -> arb:
    with precision(BITS):
        return sum((arb(np.sum(x * y)) for x, y in zip(xs, ys, strict=True)), arb(0))


def both_modes(sample: Sample) -> tuple[arb, arb]:
    """<J'u, v> and <u, Jv>."""
    program, wrt = build(*sample), range(len(sample.points))
    v = directions(sample)
    u = np.round(np.random.default_rng(1).uniform(-1, 1, program.outputs[0].shape), 2)
    reverse = evaluate(vjp(program, wrt), [*sample.points, u], BITS)
    forward = evaluate(jvp(program, wrt), [*sample.points, *v], BITS)
    return inner(reverse, list(v)), inner(forward, [u])


def remainder_check(sample: Sample, order: int = 1) -> tuple[Array, Array]:
    """s'(0), and (s(h) - s(-h)) / 2h - [s''' over [-h, h]] h^2 / 6, which contains it by Taylor's theorem.

    s(t) is f(x + t d), or for order 2 its derivative.
    """
    programs = [along(sample, directions(sample))]
    for _ in range(order + 2):
        programs.append(jvp(programs[-1], [0]))
    s, first, third = programs[order - 1], programs[order], programs[order + 2]

    def at(program: Program, t: object) -> Array:
        given = [t, *[np.ones(())] * (len(program.inputs) - 1)]
        return evaluate(program, given, BITS, at_point=program is programs[0])[0]

    slope = at(first, np.zeros(()))
    with precision(BITS):
        whole = np.empty((), object)
        whole[()] = arb(0, STEP)
        bound = at(third, whole)
        up, down = (at(s, np.array(t)) for t in (STEP, -STEP))
        return slope, np.asarray((up - down) / (2 * STEP) - bound * STEP**2 / 6)


@pytest.mark.parametrize("name", SAMPLES)
def test_reverse_and_forward_mode_agree_as_enclosures(name):
    reverse, forward = both_modes(SAMPLES[name])
    assert reverse.overlaps(forward), f"<J'u, v> = {reverse}, <u, Jv> = {forward}"
    assert reverse.rel_accuracy_bits() > 100


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", SAMPLES)
def test_differences_with_a_proven_remainder_contain_the_derivative(name, order):
    slope, differences = remainder_check(SAMPLES[name], order)
    for got, bound in zip(slope.ravel(), differences.ravel(), strict=True):
        assert bound.is_finite()
        assert bound.overlaps(got), f"derivative {got}, differences {bound}"


def test_the_remainder_is_narrow_enough_to_catch_a_wrong_factor():
    widths = [
        float(b.rad()) for n in ("exp", "mul", "softmax") for b in remainder_check(SAMPLES[n])[1].ravel()
    ]
    assert max(widths) < 1e-9


@pytest.mark.parametrize("name", ["mul", "exp", "div", "softmax", "matmul", "reduce_prod", "solve"])
def test_second_order_is_symmetric(name):
    """<H a, b> = <H b, a> for the Hessian of <u, f>."""
    sample = SAMPLES[name]
    program, wrt = build(*sample), range(len(sample.points))
    u = np.round(np.random.default_rng(1).uniform(-1, 1, program.outputs[0].shape), 2)
    a, b = directions(sample, 1), directions(sample, 2)
    second = vjp(vjp(program, wrt), wrt)
    left = inner(evaluate(second, [*sample.points, u, *a], BITS), list(b))
    right = inner(evaluate(second, [*sample.points, u, *b], BITS), list(a))
    assert left.overlaps(right)
    assert left.rel_accuracy_bits() > 100


def test_an_input_that_does_not_matter_has_an_exactly_zero_gradient():
    program = build(lambda x, y: x * 2.0, (np.ones(3), np.ones(2)))
    gradient = evaluate(vjp(program, [0, 1]), [np.ones(3), np.ones(2), np.ones(3)], 64)
    assert [float(b) for b in gradient[1]] == [0.0, 0.0]


def test_the_branch_that_is_not_taken_does_not_poison_the_gradient():
    from oracles.exact.program.primitives.choices import select
    from oracles.exact.program.primitives.comparisons import compare
    from oracles.exact.program.primitives.taylor import scalar

    def safe_root(x):
        return select(compare("gt", x, 0.0), scalar("sqrt", x), 0.0)

    program = build(safe_root, (np.array([-4.0, 4.0]),))
    gradient = evaluate(vjp(program, [0]), [np.array([-4.0, 4.0]), np.ones(2)], 64)[0]
    assert [float(b) for b in gradient] == [0.0, 0.25]


def test_values_are_what_numpy_computes():
    assert np.allclose(
        value(SAMPLES["einsum"]).astype(float), np.einsum("ij,kj,kl->il", *SAMPLES["einsum"].points)
    )
    assert np.allclose(value(SAMPLES["sort"]).astype(float), np.sort(SAMPLES["sort"].points[0], 1))
    assert np.allclose(value(SAMPLES["solve"]).astype(float), np.linalg.solve(*SAMPLES["solve"].points))


# -- the adjoint of every value on the way ----------------------------------------------------------------

# Sums, products, functions and moves, where one value goes several ways.
SMOOTH = [
    "exp",
    "mul",
    "div",
    "softmax",
    "logsumexp",
    "matmul",
    "einsum",
    "cumsum",
    "scatter_add",
    "variance",
]


def moved(program: Program, at: Var, by: Array) -> Program:
    """The program with a constant added to one value on the way."""
    found = []
    for equation in program.equations:
        if equation.output is not at:
            found.append(equation)
            continue
        before, shift = (Var(at.builder, at.shape, at.dtype) for _ in range(2))
        found += [
            equation._replace(output=before),
            equation._replace(
                primitive=PRIMITIVES["constant"], operands=(), params={"value": by}, output=shift
            ),
            equation._replace(primitive=PRIMITIVES["add"], operands=(before, shift), params={}, output=at),
        ]
    return Program(program.inputs, found, program.outputs, program.guards)


@pytest.mark.parametrize("name", SMOOTH)
def test_an_adjoint_is_how_the_outputs_change_with_a_value_on_the_way(name):
    """By central differences of the program with that value moved: the error is of the order h^2."""
    sample = SAMPLES[name]
    program = build(*sample)
    u = np.round(np.random.default_rng(1).uniform(-1, 1, program.outputs[0].shape), 2)
    backwards, values = adjoints(program, range(len(sample.points)))
    found = evaluate(backwards, [*sample.points, u], BITS)
    assert len(values) == len({id(v) for v in values})
    assert program.outputs[0] in values
    for v, adjoint in zip(values, found, strict=True):
        direction = np.round(np.random.default_rng(2).uniform(-1, 1, v.shape), 2)
        up, down = (
            inner(evaluate(moved(program, v, sign * 2.0**-40 * direction), sample.points, BITS), [u])
            for sign in (1, -1)
        )
        with precision(BITS):
            slope = (up - down) * arb(2) ** 39
            wanted = inner([adjoint], [direction])
            assert abs(slope - wanted) < arb(2) ** -60, v


def test_the_adjoint_of_the_output_is_its_cotangent():
    program = build(lambda x: x * x, (np.ones(3),))
    backwards, values = adjoints(program, [0])
    assert values == list(program.outputs)
    assert [float(b) for b in evaluate(backwards, [np.ones(3), np.arange(3.0)], 64)[0]] == [0.0, 1.0, 2.0]


def test_a_value_and_its_sum_with_a_constant_have_an_adjoint_each():
    """Their tangents are the same, and what they lead to is not."""

    def function(x):
        y = x * 2.0
        z = y + 1.0
        return z * z + y

    program = build(function, (np.array([3.0]),))
    backwards, values = adjoints(program, [0])
    found = dict(zip(values, evaluate(backwards, [np.array([3.0]), np.ones(1)], 64), strict=True))
    y, z, *_ = values
    assert [float(found[v][0]) for v in (y, z)] == [15.0, 14.0]


def test_a_value_that_matters_twice_has_both_shares():
    program = build(lambda x: (y := x * 2.0) * y + y, (np.array([3.0]),))
    backwards, values = adjoints(program, [0])
    found = dict(zip(values, evaluate(backwards, [np.array([3.0]), np.ones(1)], 64), strict=True))
    first = next(e.output for e in program.equations if e.primitive.name == "mul")
    assert [float(b) for b in found[first]] == [13.0]


def test_many_parts_are_put_together_in_groups():
    """What is done for each part costs as much as all that it is put together with."""
    program = build(lambda x: arrays.concatenate([x] * 2000, 0), (np.zeros(1),))
    derived = vjp(program, [0])
    widths = [len(e.operands) for e in program.equations if e.primitive is arrays.concatenate_]
    assert max(widths) <= arrays.GROUP
    moved = sum(v.size for e in derived.equations for v in e.operands if e.primitive is arrays.take_)
    assert moved < 3 * arrays.GROUP * 2000
    assert evaluate(derived, [np.ones(1), np.ones(2000)], 64)[0].item() == 2000
