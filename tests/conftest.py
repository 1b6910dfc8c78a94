"""What every test needs."""

import gc
import os
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.sampling import WHOLE, draws, thinned

if find_spec("hypothesis"):  # where tests/compat runs it is not
    from hypothesis import settings

    # Unless a test says how many; and no deadline: a busy machine stalls.
    settings.register_profile("tests", settings(), max_examples=draws(30, 100), deadline=None)
    settings.load_profile("tests")

# Before anything is loaded: threads of two workers that wait for each other do so busily, and then torch's
# softmax of 32 numbers takes 5 ms.
os.environ["OMP_NUM_THREADS"] = "1"
# Millions of objects, of JAX and of the tests, live until the end: looking through them often wastes time.
gc.set_threshold(20_000, 20, 100)


@pytest.fixture(autouse=True, scope="session")
def _brief_times():
    """Rows are timed for a moment only: what a time is worth is tested where the clock is a test's own."""
    from harness.runs import timing

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "BUDGET_S", 0.01)
        yield


@pytest.fixture(autouse=True)
def _nothing_remembered():
    """What another test has proven, with an oracle that lies, say, is proven anew."""
    remembered = sys.modules.get("harness.proof.remembered")
    if remembered:
        remembered.forget()


def pytest_configure(config):
    """What JAX compiles is kept in pytest's cache: a quarter of all time. JAX knows it by its whole program.

    Processes that tests start read it, and do not write: some of them are killed.
    """
    config.addinivalue_line("markers", "entire: of this table no case is left out")
    if hasattr(config, "cache"):
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(config.cache.mkdir("jax"))
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "1e9"


def pytest_collection_modifyitems(config, items):
    """A run of all tests leaves out a part of each long table; who names a file or a test gets all of it."""
    if not WHOLE and config.args_source is config.ArgsSource.TESTPATHS:
        items[:], left = thinned(items)
        config.hook.pytest_deselected(items=left)


def pytest_collection_finish(session):
    """This process writes, once the tests have imported JAX."""
    if hasattr(session.config, "cache") and "jax" in sys.modules:
        import jax
        from jax._src.interpreters import mlir
        from jax._src.lru_cache import LRUCache

        def in_one_step(kept, key, value):
            """JAX would write in place, and another worker read a half of it."""
            with tempfile.TemporaryDirectory(dir=kept.path) as folder:
                put(LRUCache(folder, max_size=-1), key, value)
                (made,) = Path(folder).iterdir()
                made.replace(Path(kept.path, made.name))

        put, LRUCache.put = LRUCache.put, in_one_step
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        # One for all programs: JAX makes one for each that it lowers, in 5 ms.
        mlir.make_ir_context = cache(mlir.make_ir_context)


def pytest_sessionfinish():
    """What is left need not be looked through: pytest does so ten times, in a second each."""
    gc.freeze()
