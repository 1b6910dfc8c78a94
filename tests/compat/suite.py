"""What holds with every supported version: gradients of many functions, right and wrong ones, and the doors.

It needs pytest and the project alone; JAX's and torch's parts run where they are installed.
"""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

import gradproof
from tests.compat import of_jax, of_torch
from tests.harness import book_layers as book
from tests.oracles.exact.numpy_samples import SAMPLES

has = importlib.util.find_spec
STEPS = {
    "isclose",
    "closeness",
    "closeness of complex numbers",
    "astype",
}  # their differences are not their slopes
CASES = [name for name, case in gradproof.catalogue().items() if case.vjp]


def difference(function, args, k, direction):
    """The central difference of the function's sum along a direction of one argument."""
    step = 1e-6

    def at(side):
        moved = [a + side * step * direction if j == k else a for j, a in enumerate(args)]
        return sum(float(np.sum(np.asarray(r, float))) for r in results(function(*moved)))

    return (at(1) - at(-1)) / (2 * step)


def results(found):
    return found if isinstance(found, tuple | list) else (found,)


@pytest.mark.filterwarnings("ignore:numpy.*deprecated:DeprecationWarning")  # the calls are NumPy's of before
@pytest.mark.parametrize("name", sorted(SAMPLES.keys() - STEPS))
def test_numpy(name):
    """The truth of each function that has a rule is what NumPy computes, and its slope."""
    function, args = SAMPLES[name]
    try:
        function(*args)
    except (AttributeError, ImportError) as missing:
        pytest.skip(str(missing))
    values = results(gradproof.exact_value(function, args))
    for enclosure, found in zip(values, results(function(*args)), strict=True):
        assert np.allclose(enclosure.mid, np.asarray(found, float), rtol=1e-12, atol=1e-13)
    floating = [k for k, a in enumerate(args) if np.asarray(a).dtype.kind == "f"]
    ones = [np.ones(e.shape) for e in values]
    gradients = results(gradproof.exact_gradient(
        function, args, argnums=floating, cotangent=ones[0] if len(ones) == 1 else tuple(ones)
    ))  # fmt: skip
    for k, gradient in zip(floating, gradients, strict=True):
        direction = np.random.default_rng(k).uniform(0.5, 1.5, np.shape(args[k]))
        slope = float(np.sum(gradient.mid * direction))
        assert difference(function, args, k, direction) == pytest.approx(slope, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_the_reference(name, dtype):
    case = gradproof.catalogue()[name]
    args = case.draw("ordinary", dtype, 0)[0]

    def longer(g, *args):
        found = case.vjp(g, *args)
        return tuple(1.01 * f for f in found) if isinstance(found, tuple) else 1.01 * found

    assert gradproof.check_gradient(case.function, args, vjp=case.vjp, argnums=case.argnums).passed
    assert gradproof.check_gradient(case.function, args, vjp=longer, argnums=case.argnums).verdict == "wrong"


RNG = np.random.default_rng(0)
LAYERS = {
    "Relu": lambda: (book.Relu(), RNG.normal(size=(3, 4))),
    "Sigmoid": lambda: (book.Sigmoid(), RNG.normal(size=(3, 4))),
    "Affine": lambda: (book.Affine(RNG.normal(size=(4, 2)), RNG.normal(size=2)), RNG.normal(size=(3, 4))),
    "BatchNormalization": lambda: (
        book.BatchNormalization(np.ones(4), np.zeros(4)), RNG.normal(size=(3, 4))
    ),
    "Pooling": lambda: (book.Pooling(2, 2, stride=2), RNG.normal(size=(1, 2, 4, 4))),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_the_book(name):
    layer, x = LAYERS[name]()
    assert gradproof.check_layer(layer, x).passed


@pytest.mark.skipif(not has("jax"), reason="it needs JAX")
@pytest.mark.parametrize("name", of_jax.RIGHT)
def test_jax(name):
    function, args = of_jax.RIGHT[name]()
    found = gradproof.check_gradient(function, args)
    assert found.passed, found


@pytest.mark.skipif(not has("jax"), reason="it needs JAX")
@pytest.mark.parametrize("name", of_jax.WRONG)
def test_wrong_ones_of_jax(name):
    function, args = of_jax.WRONG[name]()
    assert gradproof.check_gradient(function, args).verdict == "wrong"


@pytest.mark.skipif(not has("torch"), reason="it needs torch")
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("name", of_torch.RIGHT)
def test_torch(name, dtype):
    function, args = of_torch.RIGHT[name](dtype)
    found = gradproof.check_gradient(function, args)
    assert found.passed, found


@pytest.mark.skipif(not has("torch"), reason="it needs torch")
@pytest.mark.parametrize("name", of_torch.WRONG)
def test_wrong_ones_of_torch(name):
    function, args = of_torch.WRONG[name]("float64")
    assert gradproof.check_gradient(function, args).verdict == "wrong"


PLUGIN = """
import numpy as np

def test_right(gradient):
    gradient.check(np.tanh, (np.array([0.5, -1.0]),), vjp=lambda g, x: g * (1 - np.tanh(x) ** 2))

def test_wrong(gradient):
    gradient.check(np.tanh, (np.array([0.5, -1.0]),), vjp=lambda g, x: g * (1 + np.tanh(x) ** 2))
"""


def test_the_plugin(tmp_path):
    (tmp_path / "test_mine.py").write_text(PLUGIN, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 checked: 1 accurate, 1 wrong" in found.stdout, found.stdout + found.stderr
    assert found.returncode == 1


@pytest.mark.parametrize("tokens", [["list"], ["list", "ops"], ["doctor"], ["explain", "wrong"]])
def test_the_command_line(tokens, tmp_path):
    command = [sys.executable, "-W", "error", "-m", "gradproof", *tokens]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode in ((0, 1) if tokens == ["doctor"] else (0,)), found.stderr
    assert "Traceback" not in found.stderr


def test_the_main_job(tmp_path):
    command = [sys.executable, "-m", "gradproof", "report", "--quick", "--case", "so*", "--input", "ordinary"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "softmax_loss" in found.stdout
