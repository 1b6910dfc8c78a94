"""All of `make soundness` within an hour, two parts at a time: `python -m tests.soundness`.

What was done on this code is kept in `.gradproof/soundness`, and not done again: a run that was stopped goes
on. The random programs come last, in the time that is left. SOUNDNESS=long asks ten times as many of all.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from tests.sampling import MORE

ROOT = Path(__file__).parents[1]
KEPT = ROOT / ".gradproof" / "soundness"
MINUTES, LEAST = 60, 5  # for all; and for the random programs, whatever the others took
OURS = ("harness", "oracles", "reference", "tests")


class Part(NamedTuple):
    """A module of the tests that is run with these arguments."""

    module: str
    arguments: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As its file is called."""
        return self.module.removeprefix("tests.")


PARTS = (  # the longest first
    Part("tests.verdicts.misses"),
    Part(
        "tests.oracles.exact.core.soundness",
        ("--draws", f"{1_000_000 * MORE}", "--programs", f"{20_000 * MORE}"),
    ),
    Part("tests.verdicts.soundness", ("--checks", f"{100_000 * MORE}", "--output", "reports")),
    Part("tests.oracles.exact.soundness", ("--draws", f"{1_000_000 * MORE}")),
    Part("tests.oracles.exact.rounded", ("--programs", f"{100_000 * MORE}")),
    Part("tests.verdicts.kernels"),
    Part("tests.verdicts.both_cores"),
)
PROGRAMS = "tests.programs"


def code() -> str:
    """The same for the same code, the tests' too, and as many draws."""
    found = hashlib.sha256(str(MORE).encode())
    for path in sorted(
        p for room in OURS for p in (ROOT / room).rglob("*") if p.suffix in {".py", ".c", ".h"}
    ):
        found.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


def ran(part: Part, folder: Path) -> int:
    """Its exit code; what it says is in a file."""
    with (folder / f"{part.name}.txt").open("w") as said:
        command = [sys.executable, "-m", part.module, *part.arguments]
        return subprocess.run(
            command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT, check=False
        ).returncode


def run(parts: Iterable[Part], folder: Path, jobs: int, one: Callable[[Part, Path], int] = ran) -> list[str]:
    """Run what is not done yet; the names of the parts that failed."""
    folder.mkdir(parents=True, exist_ok=True)
    left = [part for part in parts if not (folder / f"{part.name}.done").exists()]
    failed = []
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(one, part, folder): part for part in left}
        for future in as_completed(running):
            part, problem = running[future], future.result()
            print(
                f"{part.name}: {'FAILED' if problem else 'well'}, said in {folder / part.name}.txt",
                flush=True,
            )
            if problem:
                failed.append(part.name)
            else:
                (folder / f"{part.name}.done").touch()
    return failed


def main(given: Sequence[str] | None = None) -> int:
    """Run all parts; 1 where one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.soundness", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="how many parts at a time")
    asked = parser.parse_args(given)
    start = time.monotonic()
    failed = run(PARTS, KEPT / code(), asked.jobs)
    minutes = max(LEAST, MINUTES * MORE - (time.monotonic() - start) / 60)
    programs = [sys.executable, "-m", PROGRAMS, "--jobs", str(asked.jobs), "--minutes", f"{minutes:.0f}"]
    if subprocess.run(programs, cwd=ROOT, check=False).returncode:
        failed.append(PROGRAMS)
    print(f"failed: {', '.join(failed)}" if failed else "all well")
    return int(bool(failed))


if __name__ == "__main__":
    raise SystemExit(main())
