"""Other packages' oracles and cases: HIPS autograd as a third system, and a catalogue of somebody else's."""

import sys

import numpy as np
import pytest

from harness.cases import catalogue
from harness.commands.cli import run
from harness.runs.record import from_json
from harness.runs.runner import oracles
from harness.verdicts import Outcome, Verdict

# What a package with HIPS autograd as an oracle looks like, whole.
HIPS = '''
import autograd
import autograd.numpy as np

from oracles import Gradient, Oracle, Subject


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def softer(x):
    return np.log1p(np.exp(x))


FUNCTIONS = {"sigmoid": sigmoid, "softmax": softmax, "softplus": softer}


class Hips(Oracle):
    """HIPS autograd: its tape is its own, so it is judged by its numbers."""

    name = "hips"
    package = "autograd"
    machine = "numpy"

    def unsupported(self, case):
        return "" if case.name in FUNCTIONS else f"{case.name} is not written for autograd"

    def subject(self, case, dtype):
        function = FUNCTIONS[case.name]

        def gradient(cotangent, x):
            pull, _ = autograd.make_vjp(function)(x)
            return pull(np.array(cotangent)) * SCALE

        def fetch(found):
            return Gradient((np.asarray(found),))

        return Subject(np.asarray, function, gradient, np.asarray, fetch)


SCALE = 1
'''
CASES = """
import numpy as np

from harness import Case


def softplus(x):
    return np.log1p(np.exp(x))


def softplus_vjp(cotangent, x):
    return cotangent / (1 + np.exp(-x))


def cases():
    from harness.cases import document

    (sigmoid,) = [case for case in document.CASES if case.name == "sigmoid"]
    inputs = tuple(maker for maker in sigmoid.inputs if not maker.boundary)
    return [Case("softplus", softplus, softplus_vjp, ("x",), (0,), inputs, "somebody's own")]
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Put a package with entry points on the path, as pip does, and forget it afterwards."""

    def install(points, **modules):
        for name, text in modules.items():
            (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
            monkeypatch.delitem(sys.modules, name, raising=False)
        about = tmp_path / "third_party-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1.0\n")
        groups = (f"[{group}]\n{line}\n" for group, line in points.items())
        (about / "entry_points.txt").write_text("".join(groups), encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        forget()

    def forget():
        oracles.cache_clear()
        catalogue.cache_clear()

    yield install
    monkeypatch.undo()
    forget()


def rows(capsys):
    return [from_json(line) for line in capsys.readouterr().out.splitlines()]


TOKENS = ("report", "--input", "ordinary", "--format", "jsonl", "--oracle", "hips,numpy,torch")


def test_a_third_package_adds_a_system(installed, capsys):
    installed({"harness.oracles": "hips = hips_oracle:Hips"}, hips_oracle=HIPS)
    code = run([*TOKENS, "--case", "sigmoid", "--case", "softmax", "--case", "relu", "--dtype", "float64"])
    found = {(r.case, r.oracle): r for r in rows(capsys)}
    for case in ("sigmoid", "softmax"):
        assert (found[case, "hips"].outcome, found[case, "hips"].verdict) == (Outcome.PASS, Verdict.ACCURATE)
        assert found[case, "hips"].gradient_time_ratio > 0
    assert found["relu", "hips"].diagnosis == "relu is not written for autograd"
    assert code == 1  # what an oracle that decides does not support fails, as everywhere


def test_what_a_third_system_gets_wrong_is_found(installed, capsys):
    """HIPS autograd's gradient of a float32 softmax is float64."""
    installed({"harness.oracles": "hips = hips_oracle:Hips"}, hips_oracle=HIPS)
    assert run([*TOKENS, "--case", "sigmoid", "--case", "softmax", "--dtype", "float32"]) == 1
    found = {r.case: r for r in rows(capsys) if r.oracle == "hips"}
    assert found["sigmoid"].verdict is Verdict.ACCURATE
    assert found["softmax"].diagnosis == "x: the gradient has dtype float64 instead of float32"


@pytest.mark.parametrize("scale", [1.001, 0.0, -1.0, float("nan")])
def test_a_third_system_that_is_wrong_is_not_let_through(scale, installed, capsys):
    wrong = HIPS.replace("SCALE = 1", f"SCALE = float('{scale}')")
    installed({"harness.oracles": "hips = hips_oracle:Hips"}, hips_oracle=wrong)
    assert run([*TOKENS, "--case", "softmax", "--dtype", "float64"]) == 1
    found = {r.oracle: r for r in rows(capsys)}
    assert found["hips"].outcome is Outcome.FAIL
    assert found["hips"].verdict in {Verdict.MISCOMPUTED, Verdict.IMPRECISE}
    assert found["torch"].outcome is Outcome.PASS


def test_a_third_package_adds_cases(installed, capsys):
    installed(
        {"harness.cases": "more = more_cases:cases", "harness.oracles": "hips = hips_oracle:Hips"},
        more_cases=CASES, hips_oracle=HIPS,
    )  # fmt: skip
    assert list(catalogue())[-1] == "softplus"
    asked = ("--oracle", "exact,numpy,hips,fd", "--case", "softplus", "--dtype", "float64")
    assert run([*TOKENS[:-2], *asked]) == 0
    verdicts = {r.oracle: r.verdict for r in rows(capsys)}
    assert verdicts == {"exact": "truth", "numpy": "accurate", "hips": "accurate", "fd": "estimate"}


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ({"harness.oracles": "x = nowhere:Oracle"}, "cannot be loaded: ModuleNotFoundError: No module named"),
        ({"harness.oracles": "x = bad:number"}, "cannot be loaded: TypeError: 'int' object is not iterable"),
        ({"harness.oracles": "x = bad:strings"}, "gives a str; Oracle, or several, is wanted"),
        ({"harness.cases": "x = bad:relu"}, "brings 'relu', which there is already; give it another name"),
        (
            {"harness.cases": "x = bad:raises"},
            "cannot be loaded: RuntimeError: no luck; mend it, or ",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_used_names_the_package(points, said, installed, capsys):
    bad = """
number, strings = 3, ["a"]

def relu():
    from harness.cases import document
    return [case for case in document.CASES if case.name == "relu"]

def raises():
    raise RuntimeError("no luck")
"""
    installed(points, bad=bad)
    assert run(["report", "--case", "relu", "--oracle", "numpy", "--quick"]) == 2
    error = capsys.readouterr().err
    assert said in " ".join(error.split())
    assert "of third-party" in error


def test_without_plug_ins_there_are_our_own():
    assert np.all([name in oracles() for name in ("exact", "numpy", "jax", "torch", "fd")])
