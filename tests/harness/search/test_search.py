"""The search: what it finds, how small it becomes, what it writes, and that it is the same each time."""

import json
from pathlib import Path

import numpy as np
import pytest

import harness
from harness import check, check_gradient, check_layer, layers, networks
from harness.search.database import FOLDER
from harness.verdicts import Verdict
from tests.harness.search import subjects
from tests.harness.search.subjects import beyond, beyond_vjp, softplus, softplus_vjp
from tests.meta.test_rooms import imports


@pytest.fixture(autouse=True)
def _somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def searched(f, x, count=100, **options):
    return check_gradient(f, (np.array(x),), search=count, probes=False, **options)


def test_a_fault_far_from_the_given_point_is_found_and_shrunk():
    found = searched(softplus, [0.5, -1.0], vjp=softplus_vjp)
    assert found.verdict is Verdict.MISCOMPUTED
    assert not found.passed
    (array,) = found.finding.point.arrays
    assert array.shape == (1,)
    assert array[0] == 710.0  # e^709.8 is the largest that there is
    assert 1 < found.finding.first <= found.finding.evaluations == 100


def test_no_boundary_value_is_needed():
    """Wrong beyond 300 alone, and between 37 and 38 in one element."""
    found = searched(beyond, [0.5, -1.0], 2000, vjp=beyond_vjp)
    assert found.verdict is Verdict.WRONG
    assert found.finding.point.arrays[0].tolist()[0] > 37


def test_what_is_printed_runs_as_it_stands(capsys):
    found = searched(softplus, [0.5], 40, vjp=softplus_vjp)
    line, test = found.finding.line, found.finding.test
    assert line in str(found)
    exec(line, {})
    assert "miscomputed" in capsys.readouterr().out
    names = {}
    exec(test, names)
    with pytest.raises(harness.GradientError, match="softplus_vjp/x"):
        names["test_the_gradient_of_softplus"]()


def test_the_same_seed_finds_the_same_and_nothing_is_left_where_nothing_fails():
    first, again = (searched(np.exp, [0.5], 30, vjp=lambda g, x: g * np.exp(x)) for _ in range(2))
    assert first.finding.notes == again.finding.notes == ("search: 30 inputs, none of which fails",)
    assert first.passed
    assert not FOLDER.exists()


def test_a_choice_at_a_kink_is_no_failure():
    def relu_vjp(g, x):
        return g * (x > 0)

    found = searched(lambda x: np.maximum(x, 0), [0.5, -1.0], 100, vjp=relu_vjp)
    assert found.passed
    assert found.finding.point is None


def test_where_nothing_can_be_proven_the_smallest_input_is_named():
    found = searched(lambda x: x * np.log(x), [0.5], 40, vjp=lambda g, x: g * (np.log(x) + 1))
    (note,) = [text for text in found.notes if "nothing is proven" in text]
    assert note.startswith("search: nothing is proven at [0.]: ")
    assert found.passed


def test_what_failed_is_asked_first_the_next_time_and_leaves_when_it_is_mended():
    searched(softplus, [0.5], 40, vjp=softplus_vjp)
    (file,) = FOLDER.iterdir()
    assert json.loads(file.read_text())["inputs"][0]["arrays"][0]["numbers"] == [(710.0).hex()]
    again = check_gradient(softplus, (np.array([0.25]),), vjp=softplus_vjp, search=2, probes=False)
    assert again.finding.first == 2
    right = check_gradient(
        softplus, (np.array([0.5]),), vjp=subjects.right_softplus_vjp, search=2, probes=False
    )
    assert right.passed
    file.write_text("{} not a database")
    assert searched(softplus, [0.5], 40, vjp=softplus_vjp).finding.first > 2


def test_parameters_of_a_layer_are_searched_and_written_as_code():
    found = check_layer(subjects.Affine(), np.ones((2, 3)), search=100, probes=False)
    assert found.verdict is Verdict.WRONG
    assert found.rows["argument"].tolist()[-1] in {"x", "W", "b"}
    code = found.finding.test
    assert "layer.b[...] = np.array([" in code
    assert "gradproof.assert_layer(layer, np.array([[0.0, 0.0, 0.0]], np.float64))" in code


def test_a_layout_and_a_shape_are_found():
    found = searched(lambda x: x * 2.0, [[0.5, 1.0]], 200, vjp=subjects.contiguous_alone)
    assert found.verdict is Verdict.MISCOMPUTED
    assert not found.finding.point.arrays[0].flags.c_contiguous
    long = searched(lambda x: x * 2.0, [0.5, 1.0], 400, vjp=lambda g, x: 2 * g if x.size < 9 else 3 * g)
    assert long.finding.point.arrays[0].shape == (9,)


def test_a_cotangent_is_found():
    found = searched(lambda x: x * 2.0, [0.5, 1.0], 200, vjp=lambda g, x: np.where(g == 0, 1.0, 2 * g))
    assert not found.passed
    assert "cotangent=" in found.finding.line


def test_the_number_of_inputs_is_a_number():
    with pytest.raises(ValueError, match="search must be an integer >= 0, got -1"):
        searched(np.exp, [0.5], -1)


def test_a_search_is_imported_where_one_is_asked_for():
    for door in (check, layers, networks):
        at_once = imports(Path(door.__file__).read_text(encoding="utf-8"), lazy=False)
        assert not [name for name in at_once if name.startswith("harness.search")]
