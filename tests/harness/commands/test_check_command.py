"""`python -m harness check`: functions by import path, drawn or loaded inputs, and an honest exit code."""

import sys

import numpy as np
import pytest

from harness import check_gradient
from harness.commands.cli import run

KERNELS = """
import numpy as np

def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)

def backward(g, x):
    s = softmax(x)
    return s * (g - (g * s).sum(axis=-1, keepdims=True))

def wrong(g, x):
    return softmax(x) * g

def forward(x, w):
    return x @ w, (x, w)

def pull(residuals, g):
    x, w = residuals
    return g @ w.T, x.T @ g

class Layer:
    @staticmethod
    def square(x):
        return x * x

def clipped(g, x):
    return 2 * np.clip(g, -10, 10) * x

number = 3
"""
SATURATED = ("myjax:tanh", "--inputs", "far.npz")
IN_JAX = """
import jax
import jax.numpy as jnp

def fused(x):
    return jax.nn.softmax(x)

def tanh(x):
    return jnp.tanh(x)

def plain(x):
    e = jnp.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
"""


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Run the command in a folder with two modules of the user's."""
    (tmp_path / "mykernels.py").write_text(KERNELS, encoding="utf-8")
    (tmp_path / "myjax.py").write_text(IN_JAX, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    for name in ("mykernels", "myjax"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    def say(*tokens):
        code = run(["check", *tokens])
        out, err = capsys.readouterr()
        return code, out + err

    return say


SOFTMAX = ("mykernels:softmax", "--vjp", "mykernels:backward")


def test_a_right_gradient_is_accurate(check):
    code, text = check(*SOFTMAX, "--shape", "3,4")
    assert code == 0
    assert text.startswith("backward/x [float64, (3, 4), seed 0]: accurate")


def test_a_wrong_one_fails(check):
    code, text = check("mykernels:softmax", "--vjp", "mykernels:wrong", "--shape", "3,4", "--seed", "7")
    assert code == 1
    assert text.startswith("wrong/x [float64, (3, 4), seed 7]: wrong")


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_the_dtype_is_the_one_that_is_asked_for(dtype, check):
    code, text = check("myjax:fused", "--spec", "myjax:plain", "--shape", "3,4", "--dtype", dtype)
    assert code == 0
    assert f"[{dtype}, (3, 4), seed 0]: accurate" in text


def test_each_argument_has_its_shape(check):
    code, text = check(
        "mykernels:forward", "--residual-vjp", "mykernels:pull", "--shape", "3,4", "--shape", "4,2"
    )
    assert (code, "accurate" in text) == (0, True)


def test_a_function_in_a_class_and_a_single_number(check):
    code, text = check("mykernels:Layer.square", "--vjp", "mykernels:wrong", "--shape", "()")
    assert (code, "[float64, (), seed 0]" in text) == (1, True)


def test_the_framework_is_what_the_module_imports(check):
    code, text = check("myjax:fused", "--shape", "5", "--order", "2")
    assert (code, "accurate" in text) == (0, True)


def test_inputs_come_from_a_file(check):
    np.savez("inputs.npz", np.arange(6.0).reshape(2, 3) / 7)
    code, text = check(*SOFTMAX, "--inputs", "inputs.npz")
    assert (code, "(2, 3)" in text) == (0, True)


def test_a_pickle_is_refused(check):
    np.savez("bad.npz", np.array([{"a": 1}], dtype=object))
    code, text = check(*SOFTMAX, "--inputs", "bad.npz")
    assert code == 2
    assert "cannot be read: Object arrays cannot be loaded" in text


def test_an_empty_shape_is_nothing_compared(check):
    code, text = check(*SOFTMAX, "--shape", "0,3")
    assert (code, "nothing to compare" in text) == (3, True)


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (("mykernels.softmax",), "'mykernels.softmax' names no function; write package.module:function"),
        (("nowhere:f", "--shape", "3"), "nowhere:f: No module named 'nowhere'; run where it can be imported"),
        (("mykernels:sofmax", "--shape", "3"), "mykernels has no sofmax; near matches: softmax"),
        (("mykernels:number", "--shape", "3"), "mykernels:number must be a function, got a int"),
        (SOFTMAX, "no arguments are given: add --shape 32,64 for each, or --inputs FILE.npz"),
        ((*SOFTMAX, "--shape", "3x4"), "--shape is '3x4'; write 32,64, or () for a single number"),
        ((*SOFTMAX, "--shape", "3", "--dtype", "float8"), "float8"),
        ((*SOFTMAX, "--shape", "3", "--framework", "mxnet"), "mxnet"),
        ((*SOFTMAX, "--shape", "3", "--order", "5"), "order is 5; it must be 1, 2 or 3"),
        ((*SOFTMAX, "--inputs", "none.npz"), "there is no file none.npz; write one with numpy.savez"),
        ((*SOFTMAX, "--inputs", "mykernels.py"), "cannot be read"),
    ],
)
def test_what_cannot_be_checked_is_a_usage_error(tokens, said, check):
    code, text = check(*tokens)
    assert code == 2
    assert said in text


def test_boundary_values_are_chosen_by_name(check, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "harness.commands.check.check_gradient",
        lambda *args, boundary, **_: (
            asked.append(boundary) or check_gradient(*args, vjp=lambda g, x: 2 * x * g)
        ),
    )
    for words in ((), ("--boundary", "all"), ("--boundary", "zeros, ties")):
        check("mykernels:Layer.square", "--shape", "3", *words)
    assert asked == [False, True, ["zeros", "ties"]]
    code, said = check("mykernels:Layer.square", "--shape", "3", "--boundary", "ziros")
    assert code == 2
    assert "--boundary: no 'ziros'; near matches: zeros" in said


@pytest.mark.parametrize(
    ("words", "expected"), [((), 1), (("none",), 0), (("scaled-up,twice",), 1), (("scaled-down",), 0)]
)
def test_probes_are_chosen_by_name(check, words, expected):
    asked = ("mykernels:Layer.square", "--vjp", "mykernels:clipped", "--shape", "3")
    code, said = check(*asked, *(("--probes", *words) if words else ()))
    assert code == expected
    assert ("along a large cotangent" in said) == bool(code)


def test_a_probe_that_there_is_not_is_a_usage_error(check):
    code, said = check("mykernels:Layer.square", "--shape", "3", "--probes", "twicee")
    assert code == 2
    assert "--probes: no 'twicee'; near matches: twice" in said


def test_what_the_library_loses_passes_with_its_name_or_fails_where_that_is_asked_for(check):
    np.savez("far.npz", np.array([16.0, 0.5], np.float32))
    code, said = check(*SATURATED)
    assert code == 0
    assert "this is jax's fault: lax.tanh at myjax.py" in said
    assert check(*SATURATED, "--upstream", "fail")[0] == 1
    code, said = check(*SATURATED, "--upstream", "pass")
    assert code == 2
    assert "upstream must be 'warn' or 'fail', got 'pass'" in said


def test_a_known_finding_is_read_from_a_file(check):
    np.savez("far.npz", np.array([16.0, 0.5], np.float32))
    fields = {"function": "tanh", "verdict": "imprecise", "reason": "never so far out", "link": "l"}
    with open("known.toml", "w", encoding="utf-8") as file:
        file.write("\n".join(["[[known]]", *(f'{name} = "{text}"' for name, text in fields.items())]))
    code, said = check(*SATURATED, "--upstream", "fail", "--known", "known.toml")
    assert code == 0
    assert "it is known: never so far out (l)" in said
    np.savez("far.npz", np.array([1.0, 0.5], np.float32))
    assert check(*SATURATED, "--known", "known.toml")[0] == 1
    assert check(*SATURATED, "--known", "none.toml")[0] == 2
