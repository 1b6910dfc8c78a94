"""What every test needs."""

import gc

import pytest

# Millions of objects, of JAX and of the tests, live until the end: looking through them often wastes time.
gc.set_threshold(20_000, 20, 100)


@pytest.fixture(autouse=True, scope="session")
def _brief_times():
    """Rows are timed for a moment only: what a time is worth is tested where the clock is a test's own."""
    from harness.runs import timing

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "BUDGET_S", 0.01)
        yield
