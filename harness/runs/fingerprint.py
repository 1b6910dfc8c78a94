"""What decides how a machine rounds and how fast it is: numbers of machines compare where it is equal."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
from threadpoolctl import threadpool_info

PACKAGES = ("jax", "jaxlib", "numpy", "python-flint", "torch")
LABELS = {"blas": "BLAS", "simd": "SIMD"}


class Fingerprint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One machine with its libraries; nothing in it names the machine or its user.

    Attributes:
        processor: The model; a virtual machine may hide which one it is.
        system: The operating system, its architecture, and the C library, whose `exp` NumPy calls on some
            processors. Kernels do not round.
        python: The version of Python.
        blas: NumPy's BLAS and the kernels that it chose, "" where none is found.
        versions: The installed ones of the packages that compute.
        simd: The instructions that NumPy chose its loops by. They decide rounding where the model does not:
            `NPY_DISABLE_CPU_FEATURES` and virtual machines change them.
        threads: How many BLAS uses. They split sums: with two instead of one, OpenBLAS rounds most elements
            of the (100, 784) @ (784, 100) of the flagship otherwise, and so does torch a sum of 40,000.
            Comparisons run with all of them (only timing has one), JAX with one: see `harness.commands.cli`.
    """

    processor: str
    system: str
    python: str
    blas: str
    versions: dict[str, str]
    simd: str = ""
    threads: int = 1


@cache
def fingerprint() -> Fingerprint:
    """This machine's; the same for the whole process, whose libraries are loaded once."""
    blas, settings = numpy_blas(), cast(dict[str, Any], np.show_config(mode="dicts"))
    named = (blas.get(key) for key in ("internal_api", "version", "architecture"))
    return Fingerprint(
        processor=_processor(),
        system=" ".join(filter(None, (platform.system(), platform.machine(), *platform.libc_ver()))),
        python=platform.python_version(),
        blas=" ".join(part for part in named if part),
        versions={name: version for name in PACKAGES if (version := installed(name))},
        simd=" ".join(settings.get("SIMD Extensions", {}).get("found", ())),
        threads=blas.get("num_threads", cores()),
    )


def differences(mine: Fingerprint, other: Fingerprint) -> list[str]:
    """What differs, in words, mine first; nothing where both are the same machine."""
    found = []
    for name in ("processor", "system", "python", "blas", "simd", "threads"):
        here, there = getattr(mine, name), getattr(other, name)
        if here != there:
            found.append(f"{LABELS.get(name, name)} {here or 'unknown'}, not {there or 'unknown'}")
    for name in sorted(mine.versions | other.versions):
        match mine.versions.get(name), other.versions.get(name):
            case str(here), None:
                found.append(f"{name} {here}, not installed there")
            case None, there:
                found.append(f"{name} not installed, {there} there")
            case here, there if here != there:
                found.append(f"{name} {here}, not {there}")
    return found


def installed(package: str) -> str:
    """The version of a package, "" where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def cores() -> int:
    """The cores that this process may use: fewer than the machine has, in a container or under `taskset`."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def numpy_blas() -> dict[str, Any]:
    """What threadpoolctl says of NumPy's BLAS; nothing where it knows none, such as Apple's Accelerate."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    # SciPy may have loaded a BLAS of its own; a shared one lies in neither package.
    return next((pool for pool in pools if "numpy" in pool["filepath"]), pools[0] if pools else {})


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()
