"""What `import harness` gives, and what it does not load."""

import subprocess
import sys

import numpy as np
import pytest

import harness

HEAVY = ("jax", "jaxlib", "torch", "pandas", "mlxtend", "scipy")


def python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


LOADED = f"import sys; print([m for m in {HEAVY!r} if m in sys.modules])"


@pytest.mark.parametrize(
    "code",
    [
        "import harness",
        "import harness; harness.catalogue(), harness.plan, harness.Record",
        "import oracles, reference",
        "import harness; [getattr(harness, name) for name in harness.__all__]",
        "import harness.commands.cli; assert harness.commands.cli.run(['--help']) == 0",
        "import harness.commands.cli; assert harness.commands.cli.run(['report', '--help']) == 0",
        "import harness.commands.cli; assert harness.commands.cli.run(['--version']) == 0",
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_asked_for(code):
    found = python(f"{code}\n{LOADED}")
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[-1] == "[]"


def test_the_check_above_sees_a_loaded_module():
    assert python(f"import pandas\n{LOADED}").stdout.strip() == "['pandas']"


@pytest.mark.parametrize("name", harness.__all__)
def test_every_public_name_is_there(name):
    assert getattr(harness, name) is not None
    assert name in dir(harness)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'harness' has no attribute 'nosuch'"):
        harness.nosuch  # noqa: B018


def test_examine_is_a_function_at_first():
    assert python("import harness; assert callable(harness.examine)").returncode == 0


def test_examine_is_a_function_after_a_run_too():
    found = python("import harness; harness.run; assert callable(harness.examine), harness.examine")
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize(
    ("name", "args", "unknown", "meant"),
    [
        ("check_gradient", (np.sin, (1.0,)), "argnum", "argnums"),
        ("assert_gradient", (np.sin, (1.0,)), "vpj", "vjp"),
        ("check_layer", (None, 1.0), "cotangents", "cotangent"),
        ("assert_layer", (None, 1.0), "option", "options"),
        ("exact_gradient", (np.sin, (1.0,)), "tangent", "tangents"),
        ("exact_value", (np.sin, (1.0,)), "bit", "bits"),
    ],
)
def test_an_unknown_keyword_gets_near_matches(name, args, unknown, meant):
    with pytest.raises(TypeError, match=f"there is no argument '{unknown}'; near matches: {meant}"):
        getattr(harness, name)(*args, **{unknown: 0})
