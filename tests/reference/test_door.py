import subprocess
import sys
import types

import reference


def test_every_public_name_is_reached_and_documented():
    for name in reference.__all__:
        assert getattr(reference, name).__doc__, name
    public = {
        name
        for name, value in vars(reference).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public == set(reference.__all__)


def test_every_public_definition_is_behind_the_door():
    behind = {
        name
        for module in vars(reference).values()
        if isinstance(module, types.ModuleType) and module.__name__.split(".")[-1] in MODULES
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }
    # what only type annotations of `train` need
    assert behind - {"Trainable", "Net"} <= set(reference.__all__)


MODULES = {"activations", "losses", "numerical", "descent", "networks", "training"}


def test_numpy_is_the_only_dependency():
    code = (
        "import sys, reference; "
        "print(*sorted({m.split('.')[0] for m in sys.modules} & {'jax', 'torch', 'scipy', 'pandas', 'numpy', "
        "'harness', 'oracles'}))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["numpy"]
