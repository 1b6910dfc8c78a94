"""Whether this machine is fit for a run: what was found, one thing after the other, and what to do about it.

Nothing that needs NumPy or FLINT is imported before they are known to be there.
"""

from __future__ import annotations

import locale
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise

from rich.text import Text

from harness.report.screen import Screen
from harness.selection import BASELINE
from harness.verdicts import ExitCode

COMPARISONS = 60  # of a call with itself, to see the noise
READINGS = 20_000  # of the clock
ONE_THREAD = "xla_cpu_multi_thread_eigen=false"
MARKS = {"ok": ("✓", "+", "green"), "look": ("!", "!", "yellow"), "broken": ("✗", "x", "bold red")}
SAID = {"ok": "ok", "look": "to look at", "broken": "broken"}


@dataclass(frozen=True, slots=True)
class Symptom:
    """One thing that was looked at; `advice` is what to do if it is not fine; `broken` forbids a run."""

    what: str
    found: str
    fine: bool = True
    advice: str = ""
    broken: bool = False


def run_doctor() -> ExitCode:
    """Examine the machine and show it; fails only where something is broken without which nothing runs."""
    console, findings = Screen(), list(examine_machine())
    widest = max(len(finding.what) for finding in findings)
    for finding in findings:
        mark, plain, style = MARKS[_mark(finding)]
        shown = f"{console.mark(mark, plain)} {_mark(finding)}".ljust(9)
        label = Text(shown, style=style).append(finding.what, "default")
        console.folded(finding.found, 9 + widest + 1, label=label)
        if not finding.fine:
            # Below the row, not in it: a command that need not be folded can be pasted.
            console.folded(finding.advice, 9, style)
    marks = [_mark(finding) for finding in findings]
    counts = ", ".join(f"{marks.count(mark)} {SAID[mark]}" for mark in MARKS if mark in marks)
    console.print(Text(f"{len(findings)} checks: {counts}", style="dim"))
    return ExitCode.FAILED if any(finding.broken for finding in findings) else ExitCode.OK


def _mark(finding: Symptom) -> str:
    return "broken" if finding.broken else "ok" if finding.fine else "look"


def examine_machine() -> Iterator[Symptom]:
    """All that is looked at, what a run cannot do without first; where that is missing, nothing more."""
    yield Symptom("python", platform.python_version())
    essential = [_essential("numpy", "numpy"), _essential("python-flint", "flint")]
    yield from essential
    if any(finding.broken for finding in essential):
        return
    yield _core()
    yield from (_framework("jax"), _framework("torch"), _blas(), _threads())
    yield from _load()
    yield from (_x64(), _xla(), clock := _clock(time.perf_counter))
    if not clock.broken:
        yield _noise()
    yield from (_locale(), _ci())
    if BASELINE.parent.is_dir():  # elsewhere nobody runs `gate`
        yield _baseline()


def _essential(package: str, module: str) -> Symptom:
    try:
        return Symptom(package, import_module(module).__version__)
    except ImportError as problem:
        advice = f"nothing runs without it: pip install --force-reinstall {package}"
        return Symptom(package, f"cannot be imported: {problem}", False, advice, broken=True)


def _core() -> Symptom:
    from oracles.exact.core import library

    problem = library.problem()
    if not problem:
        return Symptom("fast core", "compiled; this thread rounds to nearest")
    advice = "verdicts are the same without it, and take longer"
    return Symptom("fast core", f"not used: {problem}", False, advice)


def _framework(name: str) -> Symptom:
    from harness.runs.fingerprint import installed
    from harness.runs.runner import oracles

    missing = oracles()[name].unavailable()
    if not missing:
        try:
            import_module(name)
        except Exception as problem:  # what a broken library raises
            advice = f"no gradient of its own is checked: pip install --force-reinstall {name}"
            return Symptom(name, f"cannot be imported: {problem}", False, advice)
    return Symptom(name, "not installed" if missing else installed(name), not missing, missing)


def _blas() -> Symptom:
    from harness.runs.fingerprint import fingerprint

    name = fingerprint().blas
    advice = "it cannot be held to one thread while times are measured: set VECLIB_MAXIMUM_THREADS=1 (Apple)"
    return Symptom("BLAS", name or "none that threadpoolctl knows", bool(name), advice)


def _threads() -> Symptom:
    from threadpoolctl import threadpool_info

    from harness.runs.fingerprint import cores

    pools = {pool["internal_api"]: pool["num_threads"] for pool in threadpool_info()}
    found = ", ".join(f"{count} in {name}" for name, count in pools.items()) or "no pool is loaded"
    advice = f"they wait for each other: set OMP_NUM_THREADS={cores()}"
    return Symptom("threads", f"{found}; {cores()} cores", max(pools.values(), default=1) <= cores(), advice)


def _load() -> Iterator[Symptom]:
    from harness.runs.fingerprint import cores

    if hasattr(os, "getloadavg"):  # not on Windows
        load = os.getloadavg()[0]
        advice = "other programs are at work: let them end before times are measured"
        yield Symptom("load", f"{load:.2f} on {cores()} cores, over a minute", load <= cores() / 2, advice)


def _x64() -> Symptom:
    """JAX computes in float64 only where it is told to, and the oracle tells it so for each row."""
    value = os.environ.get("JAX_ENABLE_X64")
    outside = "is not set" if value is None else f"is {value!r}"
    return Symptom("JAX's float64", f"JAX_ENABLE_X64 {outside}, which does not matter: each row switches it")


def _xla() -> Symptom:
    """The command line sets this variable, unless somebody else has."""
    flags = os.environ.get("XLA_FLAGS", "")
    advice = f"JAX may take all cores where the others have one: unset XLA_FLAGS, or add --{ONE_THREAD}"
    fine = ONE_THREAD in flags
    return Symptom("JAX's threads", "one" if fine else f"XLA_FLAGS is {flags!r}", fine, advice)


def _clock(clock: Callable[[], float]) -> Symptom:
    """A round of a comparison lasts at least a slice, so a step of a hundredth of it is fine enough."""
    from harness.runs.timing import SLICE_S

    readings = [clock() for _ in range(READINGS)]
    steps = [later - earlier for earlier, later in pairwise(readings)]
    if min(steps) < 0 or max(steps) <= 0:
        found = f"goes back, by {-min(steps):.1e} s" if min(steps) < 0 else "stands still"
        advice = "no time can be measured: check the clock source of the (virtual) machine"
        return Symptom("timer", found, False, advice, broken=True)
    step, info = min(s for s in steps if s > 0), time.get_clock_info("perf_counter")
    steady = "monotonic" if info.monotonic else "not monotonic"
    found = f"steps of {step * 1e9:.0f} ns, {steady} ({info.implementation})"
    advice = f"too coarse for calls of {SLICE_S * 1e3:g} ms: believe only the times of longer ones"
    return Symptom("timer", found, step <= SLICE_S / 100, advice)


def _noise() -> Symptom:
    """How far from 1 the ratio of a call's time to its own comes out, by nothing but noise."""
    from harness.runs.timing import LIMIT, paired, yardstick

    off = [abs(paired(yardstick, yardstick).ratio - 1) for _ in range(COMPARISONS)]
    floor = statistics.quantiles(off, n=20)[-1]
    half, most = 100 * statistics.median(off), 100 * floor
    found = f"{half:.1f} % for half, {most:.1f} % for 95 % of {COMPARISONS} comparisons of a call with itself"
    advice = "small slowdowns drown in it: let other programs end, and look again"
    if floor > 0.25:
        advice = f"half of what makes a row slower, {LIMIT}x: use a quieter machine, or --timing off"
    return Symptom("noise of times", found, floor <= 0.10, advice)


def _locale() -> Symptom:
    sign = locale.localeconv()["decimal_point"]
    advice = "a library has changed the locale of the process: set LC_NUMERIC=C"
    return Symptom("locale", f"the decimal sign is {sign!r}", sign == ".", advice)


def _ci() -> Symptom:
    value = os.environ.get("CI")
    return Symptom("CI", "CI is not set" if value is None else f"CI is {value!r}")


def _baseline() -> Symptom:
    from harness.gate.baseline import CREATE

    there = BASELINE.is_file()
    found = str(BASELINE) if there else f"{BASELINE} is not there"
    return Symptom("baseline", found, there, f"create it:\n{CREATE}")
