"""Benchmarks of the exact oracle: time, growth and memory, each beside the limit that is promised."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import numpy as np

from harness.cases import catalogue
from harness.runs.spawned import SPAWNED
from harness.subject.derivative import Array
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program.derive import vjp
from oracles.exact.program.program import Program
from oracles.exact.program.recording import Recording

BITS = 128
ROUNDS = 3
COUNT = 8  # measurements in a run, for the progress bar
GROWTH = (1_000, 10_000, 100_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured number and the most it may be."""

    name: str
    measured: float
    limit: float
    unit: str
    note: str

    @property
    def met(self) -> bool:
        """Whether the limit is kept."""
        return self.measured <= self.limit


def run() -> Iterator[Measurement]:
    """Every measurement, as they are done."""
    flagships = {"numpy": _flagship_numpy, "jaxpr": _flagship_jax}
    if find_spec("jax") is None:
        del flagships["jaxpr"]
    for front_end, record in flagships.items():
        recording = record()
        # The gradient with respect to the parameters, without x and t.
        program, inputs = vjp(recording.program, range(4)), [*recording.values, np.ones(())]
        seconds, found = _median(program, inputs)
        note = "TwoLayerNet 784-100-10, batch 100: all 79,510 parameters, after recording"
        yield Measurement(f"flagship gradient, {front_end}", seconds, 0.5, "s", note)
        error = max(float(ball.rad()) for array in found for ball in array.ravel())
        yield Measurement(f"flagship error, {front_end}", error, 1e-30, "", "the largest proven error")
    for name, function in (("softmax", softmax), ("layernorm", layernorm)):
        program, inputs = _prepared(function, (256, 1024))
        seconds, _ = _median(program, inputs)
        yield Measurement(f"{name} gradient", seconds, 2.0, "s", "(256, 1024), after recording")
    yield Measurement("growth", _slope(), 1.1, "", "log-log slope of softmax's time, 10^3 to 10^6 elements")
    if sys.platform != "win32":
        yield Measurement("memory", _memory_per_element(), 2000, "B", "an element, softmax at (256, 1024)")


def softmax(x: Array) -> Array:
    """The last axis, in plain NumPy."""
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    result: Array = e / np.sum(e, axis=-1, keepdims=True)
    return result


def layernorm(x: Array) -> Array:
    """The last axis, in plain NumPy, without an affine map."""
    centred = x - np.mean(x, axis=-1, keepdims=True)
    variance = np.mean(centred**2, axis=-1, keepdims=True)
    result: Array = centred / np.sqrt(variance + 1e-5)
    return result


def _flagship_numpy() -> Recording:
    from oracles.exact.from_numpy import record

    case = catalogue()["two_layer_net"]
    return record(case.function, case.draw("document", "float64", 0)[0], {})


def _flagship_jax() -> Recording:
    from oracles.exact.from_jaxpr import record
    from oracles.jax_functions import FUNCTIONS

    args, _ = catalogue()["two_layer_net"].draw("document", "float64", 0)
    return record(FUNCTIONS["two_layer_net"], args, {})


def _prepared(function: Callable[[Array], Array], shape: tuple[int, ...]) -> tuple[Program, list[Array]]:
    from oracles.exact.from_numpy import record

    rng = np.random.default_rng(0)
    x, cotangent = np.round(rng.normal(size=shape), 3), np.round(rng.normal(size=shape), 3)
    return vjp(record(function, (x,), {}).program, [0]), [x, cotangent]


def _median(program: Program, inputs: list[Array]) -> tuple[float, list[Array]]:
    """The median time of a few evaluations, and the result."""
    times = []
    for _ in range(ROUNDS):
        start = perf_counter()
        result = evaluate(program, inputs, BITS)
        times.append(perf_counter() - start)
    return float(np.median(times)), result


def _slope() -> float:
    seconds = []
    for size in GROWTH:
        program, inputs = _prepared(softmax, (size // 100, 100))
        start = perf_counter()
        evaluate(program, inputs, BITS)
        seconds.append(perf_counter() - start)
    return float(np.polyfit(np.log(GROWTH), np.log(seconds), 1)[0])


def _memory_per_element() -> float:
    """The growth of a fresh process's peak memory (Arb's numbers are outside Python's own count)."""
    with SPAWNED.Pool(1) as pool:
        return float(pool.apply(_peak_growth))


def _peak_growth() -> float:
    program, inputs = _prepared(softmax, (256, 1024))
    before = _peak_kib()
    evaluate(program, inputs, BITS)
    return (_peak_kib() - before) * 1024 / (256 * 1024)


def _peak_kib() -> int:
    """The peak memory of this process: Linux's VmHWM starts anew in a fresh program, ru_maxrss does not."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1])
    import resource  # not on Windows

    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found // 1024 if sys.platform == "darwin" else found  # bytes there
