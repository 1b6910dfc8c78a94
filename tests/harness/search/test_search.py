"""The search of real gradients: what it finds, what it writes, what it keeps."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import harness
from harness import check, check_gradient, check_layer, layers, networks
from harness.search import database
from harness.search.database import FOLDER
from harness.search.paste import named
from harness.search.point import Point
from harness.verdicts import Verdict
from tests.harness.search import subjects, torch_subjects
from tests.harness.search.subjects import softplus, softplus_vjp
from tests.meta.test_rooms import imports
from tests.sampling import long


@pytest.fixture(autouse=True)
def _somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def searched(f, x, count, **options):
    return check_gradient(f, (np.array(x),), search=count, probes=False, **options)


def test_a_fault_far_from_the_given_point_is_found_shrunk_printed_and_kept(capsys):
    found = searched(softplus, [0.5, -1.0], 20, vjp=softplus_vjp)
    assert found.verdict is Verdict.MISCOMPUTED
    assert not found.passed
    (array,) = found.finding.point.arrays
    assert array.tolist() == [710.0]  # e^709.8 is the largest that there is
    assert 1 < found.finding.first <= found.finding.evaluations == 20

    line, test = found.finding.line, found.finding.test
    assert line in str(found)
    exec(line, {})
    assert "miscomputed" in capsys.readouterr().out
    names = {}
    exec(test, names)
    with pytest.raises(harness.GradientError, match="softplus_vjp/x"):
        names["test_the_gradient_of_softplus"]()

    (file,) = FOLDER.iterdir()
    assert json.loads(file.read_text())["inputs"][0]["arrays"][0]["numbers"] == [(710.0).hex()]
    again = searched(softplus, [0.25], 2, vjp=softplus_vjp)
    assert again.finding.first == 2
    mended = searched(softplus, [0.5], 2, vjp=subjects.right_softplus_vjp)
    assert mended.passed
    file.write_text("{} not a database")
    assert searched(softplus, [0.5], 3, vjp=softplus_vjp).passed


@pytest.mark.parametrize("where", ["a file", "a broken link", "a folder that is gone"])
def test_what_cannot_be_kept_is_noted_beside_the_verdict(where, tmp_path, monkeypatch):
    if where == "a file":
        Path(".gradproof").write_text("")
    elif where == "a broken link":
        Path(".gradproof").symlink_to("nowhere")
    else:
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
    found = searched(softplus, [0.5, -1.0], 20, vjp=softplus_vjp)
    assert found.verdict is Verdict.MISCOMPUTED
    (note,) = [note for note in found.notes if "could not be updated" in note]
    assert note.startswith("search: .gradproof/search could not be updated: [Errno ")


def test_what_was_kept_and_cannot_be_removed_is_noted(monkeypatch):
    searched(softplus, [0.5, -1.0], 20, vjp=softplus_vjp)

    def refuse(*_, **__):
        raise PermissionError("not here")

    monkeypatch.setattr(Path, "unlink", refuse)
    monkeypatch.setattr(subjects.right_softplus_vjp, "__name__", "softplus_vjp")
    mended = searched(softplus, [0.5], 2, vjp=subjects.right_softplus_vjp)
    assert mended.passed
    assert "search: .gradproof/search could not be updated: not here" in mended.notes


NUMBERS = '{"inputs": [{"arrays": [{"shape": [1], "dtype": "float64", "layout": "C", "numbers": [%s]}]}]}'


@pytest.mark.parametrize("held", [b"\xff\xfe{", b"[" * 100_000, (NUMBERS % '"0x1p9999"').encode()])
def test_a_file_that_holds_something_else_counts_as_none(held):
    file = database.place(FOLDER, "softplus/softplus_vjp", [np.array([0.5])])
    file.parent.mkdir(parents=True)
    file.write_bytes(held)
    assert database.load(file, [np.array([0.5])]) == []


def test_many_are_asked_at_once_and_one_is_shown():
    """Wrong beyond 300 alone, where no boundary value is needed to see it."""
    found = searched(subjects.beyond, [0.5, -1.0], 100, vjp=subjects.beyond_vjp)
    assert found.verdict is Verdict.WRONG
    assert found.finding.point.arrays[0].shape == (1,)


def test_the_same_seed_finds_the_same_and_nothing_is_left_where_nothing_fails():
    first, again = (searched(np.exp, [0.5], 20, vjp=lambda g, x: g * np.exp(x)) for _ in range(2))
    assert first.finding.notes == again.finding.notes == ("search: 20 inputs, none of which fails",)
    assert first.passed
    assert not FOLDER.exists()


def test_a_choice_at_a_kink_is_no_failure():
    found = searched(lambda x: np.maximum(x, 0), [0.5, -1.0], 20, vjp=lambda g, x: g * (x > 0))
    assert found.passed
    assert found.finding.point is None


def test_the_tail_of_a_framework_s_sigmoid_is_found():
    """JAX's own has no digit from 18 on: s (1 - s) is 0 there."""
    found = check_gradient(jax.nn.sigmoid, (jnp.array([0.5]),), search=20, probes=False, upstream="fail")
    assert found.verdict is Verdict.IMPRECISE
    assert found.finding.point.arrays[0].tolist() == [20.0]


def test_a_framework_s_own_choice_at_a_kink_is_no_failure():
    found = check_gradient(torch.relu, (torch.tensor([0.5, -1.0]),), search=40, probes=False, upstream="fail")
    assert found.passed
    assert found.finding.point is None


def test_where_nothing_can_be_proven_the_smallest_input_is_named():
    found = searched(lambda x: x * np.log(x), [0.5], 3, vjp=lambda g, x: g * (np.log(x) + 1))
    (note,) = [text for text in found.notes if "nothing is proven" in text]
    assert note.startswith("search: nothing is proven at [0.]: ")
    assert found.passed


def test_parameters_of_a_layer_are_searched_and_written_as_code():
    found = check_layer(subjects.Affine(), np.ones((1, 3)), search=60, probes=False)
    assert found.verdict is Verdict.WRONG
    code = found.finding.test
    assert "layer.b[...] = np.array([" in code
    assert "gradproof.assert_layer(layer, np.array([[0.0, 0.0, 0.0]], np.float64))" in code


class Scaled(torch.nn.Module):
    """Its parameter is as long as its input, so that both could hold many numbers."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor([0.5, -1.0, 2.0]))

    def forward(self, x):
        assert self.w.shape == (3,)
        return torch.sigmoid(x) * self.w


def test_parameters_of_a_module_keep_their_shapes():
    found = check_gradient(Scaled(), (torch.tensor([0.25, 1.0, -2.0]),), search=100, upstream="fail")
    assert found.verdict is Verdict.IMPRECISE
    assert [a.shape for a in found.finding.point.arrays] == [(3,), (3,)]


@long
def test_what_a_function_holds_from_outside_has_its_shape_where_many_are_asked_at_once():
    weights = np.array([1.0, -2.0, 3.0])
    found = check_gradient(
        lambda x: subjects.softplus(x) * weights, (np.array([[0.5, -1.0, 2.0]] * 2),), search=200,
        vjp=lambda g, x: softplus_vjp(g * weights, x), probes=False,
    )  # fmt: skip
    assert found.verdict is Verdict.MISCOMPUTED
    assert found.finding.point.arrays[0].shape == (1, 3)


def test_an_input_of_shapes_that_go_together_no_more_is_not_asked_again():
    """An earlier version cut x and b, and kept the input as one that fails."""
    given = np.array([[0.5, -1.0], [2.0, 1.5], [0.25, 3.0]]), np.array([1.0, 2.0])
    kept = Point((given[0], given[1][:1]))
    file = database.place(FOLDER, "<lambda>", given)
    database.keep(file, [kept, Point((given[0][:2], given[1]))])
    options = {"vjp": lambda g, x, b: (g, g.sum(0)), "search": 4, "probes": False}
    assert check_gradient(lambda x, b: x + b, given, **options).passed
    assert not file.exists()


def test_the_number_of_inputs_is_a_number():
    with pytest.raises(ValueError, match="search must be an integer >= 0, got -1"):
        searched(np.exp, [0.5], -1)


def test_code_imports_what_has_a_name_in_a_module():
    home = torch_subjects.__name__
    assert named(torch_subjects.applied) == ("applied", f"from {home} import applied")
    assert named(torch_subjects.Twice.apply) == ("Twice.apply", f"from {home} import Twice")
    assert named(softplus) == ("softplus", f"from {subjects.__name__} import softplus")
    assert named(jax.nn.sigmoid) == ("sigmoid", "from jax.nn import sigmoid")
    assert named(torch.sigmoid) == ("sigmoid", "from torch import sigmoid")
    assert named(np.exp) == ("exp", "from numpy import exp")
    assert named(lambda x: x) == ("f", "")


def test_a_search_is_imported_where_one_is_asked_for():
    for door in (check, layers, networks):
        at_once = imports(Path(door.__file__).read_text(encoding="utf-8"), lazy=False)
        assert not [name for name in at_once if name.startswith("harness.search")]
