"""What must be the same on all machines of a run, and what should be: versions, code, and how each rounds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

import harness
from harness.cases.plugins import listed_files
from harness.runs.fingerprint import fingerprint
from harness.runs.jobs import answer
from harness.runs.journal import code_digest
from harness.runs.record import INSTALLED
from harness.version import __version__
from oracles.exact.core import library

# These decide last digits, and may differ; all others must not.
ROUNDING = ("processor", "system", "BLAS", "SIMD", "threads")


class Told(msgspec.Struct, frozen=True):
    """What a process says of itself, and its answer, which it gives only where it is the right one.

    Attributes:
        versions: Its own.
        answered: As `jobs.answer` gives it; None where the versions are others than the client's.
    """

    versions: dict[str, str]
    answered: bytes | None


def told(mine: Mapping[str, str], requests: list[bytes]) -> list[Told]:
    """Answer requests of a client that has these versions; an empty one asks only what this process is."""
    own = versions()
    if differences(own, mine):
        return [Told(own, None) for _ in requests]
    return [Told(own, answer(request) if request else b"") for request in requests]


@cache
def versions() -> dict[str, str]:
    """Those of this process by name, "" where something is not there."""
    mine = fingerprint()
    rounding = (mine.processor, mine.system, mine.blas, mine.simd, str(mine.threads))
    return {
        "python": mine.python,
        **{name: mine.versions.get(name, "") for name in ("numpy", "python-flint", "jax", "jaxlib", "torch")},
        "gradproof": f"{__version__} with the code {code_digest()}",
        "fast core": "not used" if library.problem() else "compiled",
        # A row names the file of a finding as the folder has it in which its process runs.
        "sources in its folder": ", ".join(_sources()),
        **dict(zip(ROUNDING, rounding, strict=True)),
    }


def differences(theirs: Mapping[str, str], mine: Mapping[str, str], rounding: bool = False) -> list[str]:
    """What differs, in words; of what decides last digits, or of all else."""
    return [
        f"{name} is {theirs.get(name) or 'not there'}, and here {own or 'not there'}"
        for name, own in mine.items()
        if theirs.get(name) != own and (name in ROUNDING) == rounding
    ]


def _sources() -> list[str]:
    """What is ours or lists cases, below the folder in which this process runs."""
    here, found = Path.cwd().resolve(), []
    for file in (Path(harness.__file__), *listed_files()):
        inside = file.resolve().relative_to(here) if file.resolve().is_relative_to(here) else Path()
        if inside.parts and INSTALLED.isdisjoint(inside.parts):
            found.append(inside.as_posix())
    return found
