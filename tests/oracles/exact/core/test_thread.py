"""The core runs only where a thread rounds to nearest and keeps subnormal numbers, as its bounds believe."""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from oracles.exact.core import library
from oracles.exact.core.plans import planned
from tests.oracles.exact.programs import SAMPLES, build

pytestmark = [
    pytest.mark.skipif(library.loaded() is None, reason="the core is not built here"),
    pytest.mark.skipif(sys.platform != "linux", reason="written for glibc's fenv_t"),
]

# Where the control register lies in glibc's fenv_t (as 32-bit words), and its bits.
REGISTERS = {
    "x86_64": (7, {"flush": 0x8000, "as zero": 0x40, "down": 0x2000, "up": 0x4000, "towards 0": 0x6000}),
    "aarch64": (0, {"flush": 0x1000000, "up": 0x400000, "down": 0x800000, "towards 0": 0xC00000}),
}


@contextmanager
def control(name: str) -> Iterator[None]:
    """This thread's arithmetic with a bit of the control register set."""
    word, bits = REGISTERS[platform.machine()]
    if name not in bits:
        pytest.skip("this machine has no such bit")
    library_of_c = ctypes.CDLL(None)
    before, changed = (ctypes.c_uint32 * 8)(), (ctypes.c_uint32 * 8)()
    library_of_c.fegetenv(before)
    library_of_c.fegetenv(changed)
    changed[word] |= bits[name]
    library_of_c.fesetenv(changed)
    try:
        yield
    finally:
        library_of_c.fesetenv(before)


@pytest.mark.parametrize("name", ["flush", "as zero", "down", "up", "towards 0"])
def test_other_arithmetic_is_seen_and_left_to_arb(name):
    program = build(*SAMPLES["softmax"])
    assert not library.problem()
    with control(name):
        problem, plan = library.problem(), planned(program)
    assert "thread" in problem
    assert plan is None
    assert not library.problem()
    assert planned(program) is not None


def test_what_another_thread_does_is_its_own():
    found = []

    def flushing() -> None:
        with control("flush"):
            found.append(library.problem())

    thread = Thread(target=flushing)
    thread.start()
    thread.join()
    assert found[0] != ""
    assert not library.problem()


def test_the_core_can_be_switched_off():
    with library.without():
        assert planned(build(*SAMPLES["softmax"])) is None
    assert not library.problem()
