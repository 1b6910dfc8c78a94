"""A recorded function of NumPy or SciPy has the function's own dtype, and its numbers are in their bound."""

from __future__ import annotations

import numpy as np
import pytest

from oracles.exact.from_numpy import record
from oracles.exact.from_numpy.libraries.distributions import STANDARD
from oracles.exact.program.derive import vjp
from oracles.exact.rounding.bound import ROUNDING_MODELS, bound
from tests.oracles.exact.numpy_samples import SAMPLES as OF_NUMPY
from tests.oracles.exact.numpy_samples import Sample
from tests.oracles.exact.numpy_tools import leaves
from tests.oracles.exact.test_numpy_distributions import each
from tests.oracles.exact.test_numpy_libraries import SAMPLES

pytestmark = pytest.mark.filterwarnings("ignore:numpy.fix is deprecated")  # from 2.5 on; it is a sample here

OF_DISTRIBUTIONS = {
    f"stats.{name} {k}": Sample(*given) for name in STANDARD for k, given in enumerate(each(name))
}
ALL = {f"numpy {name}": sample for name, sample in OF_NUMPY.items()} | SAMPLES | OF_DISTRIBUTIONS
OF_PYTHON = ("math of two", "statistics", "cmath", "numpy.testing")  # some of them take no np.float32
REFUSED = ("convol", "correl", "fftconv")  # in float16
CELLS = [
    (name, kind) for name in ALL for kind in ("float32", "float16")
    if kind == "float32" or not name.startswith(REFUSED)
]  # fmt: skip


def narrow(value, kind):
    return value.astype(kind) if isinstance(value, np.ndarray) and value.dtype == np.float64 else value


@pytest.mark.parametrize(("name", "kind"), CELLS)
def test_recorded_dtypes_are_the_library_s(name, kind):
    """Of all arguments, and of each one alone where the function closes over the others."""
    function, args = ALL[name].function, [narrow(value, kind) for value in ALL[name].args]
    moving = [k for k, value in enumerate(args) if getattr(value, "dtype", None) == kind]
    with np.errstate(all="ignore"):
        try:
            wanted = [part.dtype.name for part in leaves(function(*args))]
        except (TypeError, ValueError, RuntimeError):
            assert kind == "float16" or name in OF_PYTHON
            pytest.skip(f"{name} of {kind} is an error of the library's")
        for some in dict.fromkeys((tuple(moving), *((k,) for k in moving))):

            def of_some(*given, some=some):
                return function(*(given[some.index(k)] if k in some else a for k, a in enumerate(args)))

            recording = record(of_some, [args[k] for k in some], {}, differentiate=True)
            assert [v.dtype for v in recording.program.outputs] == wanted, some
            if recording.program.outputs:
                gradient = vjp(recording.program, range(len(some))).outputs[-len(some) :]
                assert {v.dtype for v in gradient} == {kind}, some


@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("name", ALL)
def test_the_library_s_numbers_are_within_their_bound(name, kind):
    """So what is computed in another dtype than that of the library is seen."""
    function, args = ALL[name].function, [narrow(value, kind) for value in ALL[name].args]
    try:
        ran = leaves(function(*args))
    except TypeError:
        assert name in OF_PYTHON
        pytest.skip(f"{name} of {kind} is an error of the library's")
    recording = record(function, args, {})
    found = bound(recording.program, recording.values, ROUNDING_MODELS["numpy"], keep=True).balls
    for balls, numbers in zip(found, ran, strict=True):
        assert all(b.contains(float(c)) for b, c in zip(balls.ravel(), numbers.ravel(), strict=True))
