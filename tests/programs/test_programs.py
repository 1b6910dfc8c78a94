"""Random programs in the three front ends: truth, framework and mistakes; and the generator itself."""

import random
from dataclasses import replace

import numpy as np
import pytest

from harness.proof.remembered import forget
from oracles.exact.program.primitives.arithmetic import mul
from tests.programs.changed import mistaken
from tests.programs.draw import draw
from tests.programs.numbers import Exact
from tests.programs.program import FRAMEWORKS, Program, Step
from tests.programs.shrink import shrunk
from tests.programs.tables import row
from tests.programs.trial import compared, trial
from tests.sampling import draws

SEEDS = {"numpy": draws(30, 500), "torch": draws(30, 500), "jax": draws(4, 60)}
MISTAKEN = 4  # one in so many is also checked with a mistake


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_truth_framework_and_mistakes_of_random_programs(framework):
    found = [trial(framework, seed, seed % MISTAKEN == 0) for seed in range(SEEDS[framework])]
    failing = [one for one in found if one.failures]
    assert not failing, "\n".join(
        f"{framework} {one.seed}, {one.drawn.dtype}, {one.mode}: {one.failures}\n{one.drawn.program.source(framework)}"
        for one in failing
    )
    assert sum(one.elements > 0 for one in found) > len(found) / 2


def step(text, operands, result, **more):
    texts = dict.fromkeys(("exact", *FRAMEWORKS), f"{{out}} = {text}")
    return Step("made", operands, result, texts, {}, {}, **more)


def made(framework="numpy"):
    """x * x + y, with a step that nothing needs."""
    steps = (
        step("{0} * {0}", ("x",), "a"),
        step("{0} + 1", ("a",), "b"),
        step("{0} + {1}", ("a", "y"), "c"),
    )
    drawn = draw(framework, random.Random(1))
    arguments = (np.array([0.5, -1.25]), np.array([3.0, 2.0]))
    return replace(drawn, dtype="float64", program=Program(("x", "y"), steps, ("c",)), arguments=arguments)


def test_a_program_can_be_pasted():
    scope = {}
    exec(made().program.source("numpy"), scope)
    assert scope["program"](np.array([2.0]), 1.0) == [5.0]


def test_differences_are_derivatives():
    exact = Exact(made().program, made().arguments)
    along = exact.derivative([np.array([1.0, 1.0])], [np.array([1.0, 0.0]), np.array([0.0, 2.0])])
    assert abs(along - 3) < 1e-70  # 2 x_0 + 2
    twice = exact.derivative(
        [np.array([1.0, 0.0])], [np.array([1.0, 0.0]), np.zeros(2)], [np.ones(2), np.zeros(2)]
    )
    assert abs(twice - 2) < 1e-70
    assert exact.jacobian()[0][0].tolist() == [[1.0, 0.0], [0.0, -2.5]]


@pytest.mark.parametrize("mode", ["reverse", "forward", "order 2"])
def test_a_wrong_rule_of_ours_shows(mode):
    def one_term(equation, tangents):
        return right(equation, (tangents[0], None) if tangents[0] is not None else tangents)

    drawn, right = made("torch"), mul.jvp
    assert not compared(drawn, mode, 0).failures
    try:
        object.__setattr__(mul, "jvp", one_term)
        forget()
        assert any(text.startswith("truth") for text in compared(drawn, mode, 0).failures)
    finally:
        object.__setattr__(mul, "jvp", right)


def test_a_value_that_is_not_what_is_meant_shows():
    drawn = made()
    steps = (
        replace(drawn.program.steps[0], texts={**drawn.program.steps[0].texts, "numpy": "{out} = {0} * 2"}),
    )
    drawn = replace(drawn, program=replace(drawn.program, steps=(*steps, *drawn.program.steps[1:])))
    assert any(text.startswith("value") for text in compared(drawn, "reverse", 0).failures)


@pytest.mark.parametrize("framework", ["jax", "torch"])
def test_a_mistake_is_an_accusation_if_it_stands_in_the_program(framework):
    drawn = made(framework)
    kind, program = mistaken(drawn.program, framework, "float64", random.Random(0))
    assert kind
    found = compared(replace(drawn, program=program), "reverse", 0)
    assert found.verdict == "defect"  # mpmath agrees with the truth, so what ran is off
    assert "wrong" in found.reason


def test_the_tables_of_a_run():
    from tests.programs import __main__ as command

    rows = [row(compared(made(), "reverse", seed), seed) for seed in range(2)]
    rows.append({**rows[0], "verdict": "undecided", "reason": "3 of 17", "failures": ["truth"]})
    (counts,) = command.summary(rows).to_dict("records")
    assert (counts["programs"], counts["proven"], counts["undecided"], counts["failures"]) == (3, 2, 1, 1)
    assert command.refusals(rows).to_dict("records")[0]["reason"] == "# of #"
    assert set(command.by_kind(rows)["share"]) == {0.333}


def test_a_failing_program_is_made_as_short_as_it_can_be():
    drawn = made()
    found = shrunk(drawn, lambda other: any("*" in s.texts["numpy"] for s in other.program.steps))
    assert [s.result for s in found.program.steps] == ["a"]
    assert found.program.results == ("a",)
