"""Modules that are loaded while NumPy code is recorded: they are whole, and what they give is followed."""

import builtins
import importlib
import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from scipy import optimize

from gradproof import check_gradient
from oracles.exact.from_numpy.record import record

X = np.array([0.3, 1.2, -0.4])
FRESH = "fresh_while_recorded"
HERE = __name__
ONES = np.ones(3)
FLOAT = float
SOURCE = f"""
import builtins
import sys

import numpy as np
from {HERE} import FLOAT, ONES, np as theirs

IMPORT, TABLE, ZEROS = builtins.__import__, np.array([2.0, 2.0, 2.0]), np.zeros(3)


class Doubled:
    table = TABLE

    def of(self, x):
        made = np.zeros(3)
        made[:] = x * self.table
        return made


def double(x):
    return Doubled().of(x)


def fails(x):
    import {FRESH}_bad

    return x
"""
# Modules of SciPy's, in a process of their own: here some test has loaded them.
PROGRAM = """
import math, sys
import numpy as np
from gradproof import check_gradient

def gelu(x):
    return np.array([v / 2 * (1 + math.erf(v / math.sqrt(2))) for v in x])

def slope(g, x):
    cdf = [(1 + math.erf(v / math.sqrt(2))) / 2 for v in x]
    return g * (cdf + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi))

def valley(x):
    from scipy.optimize import rosen
    return rosen(x)

def valley_slope(x):
    from scipy.optimize import rosen_der
    return rosen_der(x)

def product(x):
    import scipy
    return scipy.sparse.csr_matrix(2 * np.eye(2)) @ x

x = np.array([0.3, -1.7])
assert not any(name.startswith("scipy") for name in sys.modules)
for found in (
    check_gradient(gelu, (x,), vjp=slope),
    check_gradient(valley, (x,), grad=valley_slope),
    check_gradient(product, (x,), vjp=lambda g, x: 2 * g),
):
    assert found.verdict == "accurate", str(found)
import scipy.special, scipy.optimize._optimize as inside
assert inside.np is np and scipy.special.erf is scipy.special.erf
"""


def _imported(x):
    import fresh_while_recorded as own

    return own.double(x)


def _from_it(x):
    from fresh_while_recorded import double

    return double(x)


def _by_its_name(x):
    return importlib.import_module(FRESH).double(x)


def _lazily(x):
    if FRESH not in sys.modules:
        spec = importlib.util.find_spec(FRESH)
        spec.loader = importlib.util.LazyLoader(spec.loader)
        sys.modules[FRESH] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[FRESH])
    return sys.modules[FRESH].double(x)


def _again(x):
    return importlib.reload(importlib.import_module(FRESH)).double(x)


def _where_another_fails(x):
    import fresh_while_recorded as own

    try:
        return own.fails(x)
    except ZeroDivisionError:
        return own.double(x)


def _where_another_is_not_there(x):
    try:
        import fresh_that_nobody_has as own
    except ModuleNotFoundError:
        import fresh_while_recorded as own
    return own.double(x)


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    (tmp_path / f"{FRESH}.py").write_text(SOURCE)
    (tmp_path / f"{FRESH}_bad.py").write_text("import numpy as np\n1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield
    sys.modules.pop(FRESH, None)


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    "function",
    [
        _imported,
        _from_it,
        _by_its_name,
        _lazily,
        _again,
        _where_another_fails,
        _where_another_is_not_there,
    ],
)
def test_a_module_that_is_loaded_meanwhile_is_whole_and_followed(function):
    importing, finders = builtins.__import__, list(sys.meta_path)
    ran = record(function, (X,)).executed()
    assert np.array_equal(ran[0], 2 * X)
    own = sys.modules[FRESH]
    seen = {"np": np, "theirs": np, "IMPORT": importing, "FLOAT": float, "ONES": ONES}
    assert all(vars(own)[name] is one for name, one in seen.items())
    assert {type(a) for a in (own.TABLE, own.ZEROS, own.Doubled.table)} == {np.ndarray}
    assert type(own.__spec__.loader) is type(own.__loader__) is importlib.machinery.SourceFileLoader
    assert f"{FRESH}_bad" not in sys.modules
    assert builtins.__import__ is importing
    assert sys.meta_path == finders


def _hessian(x):
    return optimize.rosen_hess(x)


def _hessian_imported(x):
    from scipy.optimize import rosen_hess

    return rosen_hess(x)


@pytest.mark.parametrize("function", [_hessian, _hessian_imported])
def test_what_is_followed_is_found_in_a_public_module_of_scipy(function):
    ran = record(function, (X,)).executed()
    assert np.array_equal(ran[0], optimize.rosen_hess(X))


def test_what_imports_nothing_looks_for_nothing(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "oracles.exact.from_numpy.loading._Finder.find_spec", lambda *args: asked.append(args[1])
    )
    assert check_gradient(lambda x: np.exp(x), (X,), vjp=lambda g, x: g * np.exp(x)).passed
    assert not asked


def test_modules_of_scipy_are_whole_and_followed():
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
