"""The pytest plugin, in sessions of its own: the fixture, the summary, the swap, an honest exit status."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import jax
import pytest
import torch

import harness.dropin
from tests.harness.page.subjects import data_of
from tests.sampling import long

pytest_plugins = ["tests.harness.sessions"]

CHECKS = """
import numpy as np

X = np.array([0.5, -1.25, 2.0])

def square(x):
    return x * x

def test_right(gradient):
    assert gradient.check(square, (X,), vjp=lambda g, x: 2 * g * x).passed

def test_wrong(gradient):
    gradient.check(square, (X,), vjp=lambda g, x: 3 * g * x)

class Layer:
    def forward(self, x):
        self.x = x
        return x * x

    def backward(self, dout):
        return 2 * dout * self.x

def test_layer(gradient):
    gradient.layer(Layer(), X)

class Network:
    def __init__(self):
        self.params = {"w": np.ones(2)}

    def loss(self, x, t):
        return np.sum((x * self.params["w"] - t) ** 2)

    def gradient(self, x, t):
        return {"w": 2 * x * (x * self.params["w"] - t)}

def test_network(gradient):
    gradient.network(Network(), np.array([0.5, 2.0]), np.zeros(2))
"""

# The import styles that suites have; each must call the drop-in. A zero backward passes only the originals.
STYLES = """
import jax
import jax.numpy as jnp
import torch
import torch.autograd
import torch.autograd as autograd
import jax.test_util as jtu
from jax import test_util
from jax._src import public_test_util
from jax.test_util import check_grads
from jax.test_util import check_grads as renamed
from torch.autograd import gradcheck
from torch.autograd import gradcheck as other
from torch.autograd import gradgradcheck
from torch.autograd.gradcheck import gradcheck as inner
from torch.testing._internal.common_utils import gradcheck as internal
import pytest

class Zero(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.softmax(-1)

    @staticmethod
    def backward(ctx, g):
        return torch.zeros_like(g)

@jax.custom_vjp
def zero(x):
    return jnp.sin(x)

zero.defvjp(lambda x: (zero(x), x), lambda x, g: (0 * g,))

def of_torch(check):
    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    check(Zero.apply, (x,), fast_mode=True)

def of_jax(check):
    check(zero, (jnp.linspace(0, 1, 3),), 1, modes=["rev"], atol=1e3)

class Suite:
    check = staticmethod(gradcheck)

TORCH = {
    "torch.autograd.gradcheck": lambda *a, **k: torch.autograd.gradcheck(*a, **k),
    "autograd.gradcheck": lambda *a, **k: autograd.gradcheck(*a, **k),
    "from": gradcheck, "as": other, "inner": inner, "internal": internal, "attribute": Suite.check,
}
JAX = {
    "jax.test_util": lambda *a, **k: jax.test_util.check_grads(*a, **k),
    "as": jtu.check_grads, "from module": test_util.check_grads, "private": public_test_util.check_grads,
    "from": check_grads, "renamed": renamed,
}

@pytest.mark.parametrize("name", TORCH)
def test_torch(name):
    with pytest.raises(Exception, match="wrong"):
        of_torch(TORCH[name])

@pytest.mark.parametrize("name", JAX)
def test_jax(name):
    with pytest.raises(AssertionError, match="wrong"):
        of_jax(JAX[name])

def test_right():
    x = torch.randn(3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(torch.tanh, (x,)) and gradgradcheck(torch.tanh, (x,))
    check_grads(jnp.tanh, (jnp.linspace(0, 1, 3),), 2)
"""


@pytest.fixture(scope="module", autouse=True)
def loaded():
    """What is loaded at the first call."""
    x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    harness.dropin.gradcheck(torch.tanh, (x,))
    harness.dropin.check_grads(jax.numpy.tanh, (jax.numpy.ones(3),), 1)
    harness.dropin.settings.made.clear()


@pytest.fixture
def session(pytester):
    """Run pytest on a file, in a process of its own."""

    def run(text, *options, name="test_mine.py"):
        pytester.path.joinpath(name).write_text(text, encoding="utf-8")
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest", *options)

    return run


def test_the_fixture_checks_and_the_summary_counts(inside):
    found = inside(CHECKS)
    found.assert_outcomes(passed=3, failed=1)
    text = found.stdout.str()
    assert found.ret == pytest.ExitCode.TESTS_FAILED
    assert re.search(
        r"gradproof [\d.]+: torch [\d.]+\S*, jax [\d.]+, numpy [\d.]+; threads \d+; --gradproof-seed=0", text
    )
    assert "4 checked: 3 accurate, 1 wrong" in text
    assert re.search(r"5\d\.\d bits lost  wrong  test_mine.py::test_wrong", text)
    assert "GradientError: <lambda>/x [float64, (3,), seed 0]: wrong" in text
    assert "check.py" not in text


def test_a_session_without_gradients_has_no_summary(inside):
    assert "- gradients -" not in inside("def test_one():\n    pass\n").stdout.str()


@pytest.mark.parametrize("suffix", ["csv", "md", "jsonl"])
def test_the_report_has_a_row_for_each_check(suffix, inside, pytester):
    inside(CHECKS, f"--gradproof-report=out.{suffix}")
    text = pytester.path.joinpath(f"out.{suffix}").read_text(encoding="utf-8")
    for name in ("test_right", "test_wrong", "test_layer"):
        assert text.count(f"test_mine.py::{name}") == 1
    assert "check_layer" in text


def test_the_report_as_a_page_has_their_pictures(inside, pytester, monkeypatch):
    monkeypatch.setattr("harness.page.document.drawing", lambda: "")
    monkeypatch.setattr("harness.page.sweep.COUNT", 16)
    inside(CHECKS, "--gradproof-report=out.html")
    data = data_of(pytester.path.joinpath("out.html").read_text(encoding="utf-8"))
    found = {row["function"].partition("::")[2]: row for row in data["rows"]}
    assert {"test_right", "test_wrong", "test_layer"} <= found.keys()
    right, wrong = found["test_right"], found["test_wrong"]
    assert (right["verdict"], wrong["verdict"]) == ("accurate", "wrong")
    assert "sweep" not in right
    assert data["sweeps"][wrong["sweep"]]["points"]
    assert data["sources"][wrong["source"]]["listings"]
    assert wrong["command"] == "pytest test_mine.py::test_wrong"


DIRECT = """
import os
import numpy as np
from harness import assert_gradient, assert_layer, check_gradient, check_layer
from tests.harness.book_layers import Affine

X = np.array([0.5, -1.25, 2.0])

def square(x):
    return x * x

def twice(g, x):
    return 2 * g * x

def test_checked():
    check_gradient(square, (X,), vjp=lambda g, x: 3 * g * x)

def test_asserted():
    os.chdir("/")
    assert_gradient(square, (X,), vjp=twice)
    assert check_gradient(square, (X,), vjp=twice)

def test_layers():
    check_layer(Affine(np.ones((3, 2)), np.ones(2)), X[None])
    assert_layer(Affine(np.ones((3, 2)), np.ones(2)), X[None])
"""


def test_direct_calls_are_in_the_summary_and_in_the_report_in_the_order_of_the_tests(inside, pytester):
    asserted = DIRECT.replace("    check_gradient(square", "    assert check_gradient(square")
    text = inside(asserted, "--gradproof-report=out.jsonl").stdout.str()
    assert "5 checked: 4 accurate, 1 wrong" in text
    assert text.count("  the formula gives ") == 1  # as pytest shows it, `assert` has a result's name alone
    rows = [json.loads(line) for line in pytester.path.joinpath("out.jsonl").read_text().splitlines()]
    assert [(row["where"].partition("::")[2], row["checker"], row["verdict"]) for row in rows] == [
        ("test_asserted", "check_gradient", "accurate"),
        ("test_asserted", "check_gradient", "accurate"),
        ("test_checked", "check_gradient", "wrong"),
        ("test_layers", "check_layer", "accurate"),
        ("test_layers", "check_layer", "accurate"),
    ]


CLEARED = """
import os
import pytest

kept = dict(os.environ)

@pytest.fixture(scope="session", autouse=True)
def alone():
    os.environ.clear()
    yield
    os.environ.update(kept)

@pytest.fixture(autouse=True)
def back():
    yield
    os.environ.update(kept)
"""


def test_a_test_and_a_fixture_may_clear_the_environment(inside):
    text = DIRECT.replace('os.chdir("/")', "os.environ.clear()") + CLEARED
    found = inside(text)
    found.assert_outcomes(passed=3)
    assert "5 checked: 4 accurate, 1 wrong" in found.stdout.str()


def test_what_a_drop_in_checks_is_no_check_of_the_tests_own(inside):
    text = inside(DIRECT + SATURATED, "--gradproof-swap", "-W", "ignore").stdout.str()
    assert "7 checked: 4 accurate, 1 wrong, 1 not proven, 1 imprecise" in text


def test_a_report_that_cannot_be_written_fails_the_session(inside, pytester):
    pytester.path.joinpath("there").mkdir()
    found = inside(
        "def test_it():\n    import os\n    os.rmdir('there')\n", "--gradproof-report=there/out.csv"
    )
    assert found.ret == pytest.ExitCode.TESTS_FAILED
    assert "gradproof: --gradproof-report: " in found.stderr.str()


def test_files_are_where_pytest_was_called_whatever_a_conftest_does(inside, pytester):
    files = ["--gradproof-report=out.csv", "--gradproof-baseline=b.json", "--gradproof-sarif=out.sarif"]
    pytester.makeconftest("import os\nos.makedirs('there', exist_ok=True)\nos.chdir('there')\n")
    found = inside(CHECKS, "test_mine.py", *files, "--gradproof-update-baseline=the first")
    assert "rows changed in b.json" in found.stdout.str()
    assert {"out.csv", "b.json", "out.sarif"} <= {path.name for path in pytester.path.iterdir()}


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--gradproof-report=out.txt", "--gradproof-report must end in .csv, .md, .jsonl or .html, got "),
        (
            "--gradproof-report=no/such/out.csv",
            "--gradproof-report must be in a folder that is there, got no/such/out.csv: make ",
        ),
        ("--gradproof-report=.csv/out.csv", ".csv first"),
        ("--gradproof-report=", "--gradproof-report must be a file, got '': name one, or leave it out"),
        ("--gradproof-sarif=", "--gradproof-sarif must be a file, got '': name one, or leave it out"),
        ("--gradproof-baseline=", "--gradproof-baseline must be a file, got '': name one, or leave it out"),
        ("--gradproof-seed=first", "--gradproof-seed must be a whole number or `random`, got 'first'"),
        ("--gradproof-seed=", "--gradproof-seed must be a whole number or `random`, got ''"),
        ("--gradproof-seed=²", "--gradproof-seed must be a whole number or `random`, got '²'"),
        ("--gradproof-fallback=ignore", "invalid choice: 'ignore'"),
    ],
)
def test_a_bad_option_says_what_is_allowed(option, said, inside):
    found = inside(CHECKS, option)
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    assert said in found.stderr.str()


def test_a_drawn_seed_is_printed_and_can_be_given_again(inside):
    texts = [inside(CHECKS, "--gradproof-seed=random").stdout.str() for _ in range(2)]
    seeds = [re.search(r"--gradproof-seed=(\d+)", text)[1] for text in texts]
    assert seeds[0] != seeds[1]
    again = inside(CHECKS, f"--gradproof-seed={seeds[0]}").stdout.str()
    worst = [re.search(r"worst element .*", text)[0] for text in (texts[0], again)]
    assert f"seed {seeds[0]}]" in again
    assert worst[0] == worst[1]


def test_verdicts_are_user_properties_in_junit(inside, pytester):
    inside(CHECKS, "--junitxml=out.xml")
    tree = ET.parse(pytester.path / "out.xml")
    found = {p.get("value") for p in tree.iter("property")}
    assert found == {
        "check_gradient: accurate",
        "check_gradient: wrong",
        "check_layer: accurate",
        "check_network: accurate",
    }


@long
def test_the_swap_catches_every_style_of_import(session):
    found = session(STYLES, "--gradproof-swap", "-W", "ignore")
    found.assert_outcomes(passed=14)
    assert "checked: " in found.stdout.str()
    assert "swapped in" in found.stdout.str()


def test_the_swap_replaces_what_is_already_loaded_and_puts_it_back(inside):
    before = torch.autograd.gradcheck, torch.autograd.gradgradcheck, jax.test_util.check_grads
    found = inside(STYLES, "--gradproof-swap", "-W", "ignore")
    found.assert_outcomes(passed=14)
    assert (torch.autograd.gradcheck, torch.autograd.gradgradcheck, jax.test_util.check_grads) == before


SATURATED = """
import numpy as np
import torch
from torch.autograd import gradcheck

def test_saturated():
    gradcheck(torch.sigmoid, (torch.tensor([0.5, 40.7], dtype=torch.float64, requires_grad=True),))

class Sine(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.tensor(np.sin(x.detach().tolist()))

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()

def test_opaque():
    gradcheck(Sine.apply, (torch.ones(4, dtype=torch.float64, requires_grad=True),))
"""


def test_a_healthy_suite_stays_green_and_says_what_is_not_proven(inside):
    found = inside(SATURATED, "--gradproof-swap", "-W", "error")
    found.assert_outcomes(passed=2)
    text = found.stdout.str()
    assert "2 checked: 1 not proven, 1 imprecise" in text
    assert "not proven, 1 of them: the function computes something outside torch" in text


MANY = """
import numpy as np
import pytest
import torch
from harness import check_gradient
from torch.autograd import gradcheck

@pytest.mark.parametrize("n", range(1, 14))
def test_wrong(n):
    assert not check_gradient(np.sin, (np.ones(n),), vjp=lambda g, x: g * np.sin(x)).passed

def writes(g, x):
    g *= 2 * x
    return g

def test_writes():
    found = check_gradient(lambda x: x**2, (np.arange(1.0, 4),), vjp=writes)
    assert found.verdict == "accurate" and not found.passed

class Narrow(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    def backward(ctx, g):
        found = g * ctx.saved_tensors[0].cos()
        return found.float().double() if (g == 0).any() else found

def test_probed():
    gradcheck(Narrow.apply, (torch.arange(1, 4, dtype=torch.float64, requires_grad=True),))
"""


def test_the_summary_says_how_many_more_there_are_and_what_else_is_faulty(inside):
    found = inside(MANY, "--gradproof-swap", "-W", "ignore")
    found.assert_outcomes(passed=15)
    text = found.stdout.str()
    assert "15 checked: 13 wrong, 1 accurate, 1 accurate but failing" in text
    assert "  ... and 3 more\n" in text
    assert re.search(r"\n  the cotangent was overwritten: .*::test_writes\n", text)
    said = (
        "accurate as it was called; Narrow: imprecise along a cotangent with zeros, as a masked loss gives it"
    )
    assert text.count(said) == 1
    assert text.count("along a cotangent with zeros") == 1


def test_strict_and_fallback_make_it_red(inside):
    inside(SATURATED, "--gradproof-swap", "--gradproof-strict").assert_outcomes(passed=1, failed=1)
    inside(SATURATED, "--gradproof-swap", "--gradproof-fallback=error").assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize("name", ["gradproof", "harness", "oracles"])
def test_a_project_with_such_a_package_of_its_own_is_told_so(name, session, pytester):
    own = pytester.path / name
    own.mkdir()
    (own / "__init__.py").write_text("theirs = True\n", encoding="utf-8")
    plain = session(f"import {name}\n\ndef test_theirs():\n    assert {name}.theirs\n", "-p", "no:xdist")
    plain.assert_outcomes(passed=1)
    found = session(CHECKS).stdout.str()
    assert (
        f"gradproof needs its own package `{name}` ({Path(__file__).parents[2] / name}), and {own}" in found
    )
    assert "Rename that one" in found


def test_the_old_names_of_the_options_work_and_say_so(inside):
    found = inside(SATURATED, "--harness-swap", "--harness-seed=3", "-W", "error")
    found.assert_outcomes(passed=2)
    assert "--gradproof-seed=3" in found.stdout.str()
    for name in ("swap", "seed"):
        said = f"gradproof: --harness-{name} is now --gradproof-{name}; the next version does not know"
        assert said in found.stderr.str()
    assert "is now" not in inside(SATURATED, "--gradproof-swap").stderr.str()


def test_loading_the_plugin_loads_nothing_else():
    code = (
        "import sys, pytest; old = set(sys.modules); import gradproof_pytest; print(set(sys.modules) - old)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in re.findall(r"'([\w.]+)'", found.stdout)}
    assert loaded <= {"gradproof_pytest", *sys.stdlib_module_names}


def test_the_plugin_is_an_entry_point_of_the_project():
    text = Path(__file__).parents[2].joinpath("pyproject.toml").read_text(encoding="utf-8")
    assert 'gradproof = "gradproof_pytest"' in text
