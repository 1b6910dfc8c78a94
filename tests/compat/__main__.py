"""Build an environment of each supported set of versions, and run the suite in each: `make compat`.

The project is installed from a wheel, with what the set pins; all else is as new as pip finds it, or at its
floor in pyproject.toml. An interpreter that is missing fails, unless `--only` leaves its sets out.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUITE = "tests/compat/suite.py"


@dataclass(frozen=True)
class Set:
    """A set of versions.

    Attributes:
        python: The interpreter's version.
        extras: What is installed beside the base.
        pins: Versions that are asked for.
        floors: Whether all that the project names is at its floor.
    """

    python: str
    extras: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()
    floors: bool = False


# torch has one version without CUDA in reach of pip alone, for one Python.
SETS = {
    "floor": Set("3.11", ("jax",), floors=True),
    "pinned": Set("3.11", ("jax", "torch"), ("numpy==2.4.6", "jax==0.10.2", "torch==2.13.0")),
    "newest-3.12": Set("3.12", ("jax",)),
    "newest-3.13": Set("3.13", ("jax",)),
    "numpy-alone": Set("3.13"),
    "torch-alone": Set("3.11", ("torch",), ("torch==2.13.0",)),
}


def interpreter(version: str) -> str | None:
    """Where that Python is: on the path, or beside the others of pyenv."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    found = shutil.which(f"python{version}")
    if found and subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode == 0:
        return found
    home = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    own = sorted(home.glob(f"versions/{version}.*/bin/python{version}"))
    return str(own[-1]) if own else None


def floors(extras: tuple[str, ...]) -> list[str]:
    """The least versions that pyproject.toml promises."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + [r for e in extras for r in project["optional-dependencies"][e]]
    pairs = (re.match(r"([\w-]+)>=([\d.]+)", one) for one in wanted)
    return [f"{m[1]}=={m[2]}.*" if m[2].count(".") == 1 else f"{m[1]}=={m[2]}" for m in pairs if m]


def build(name: str, wheel: Path, home: Path) -> Path:
    """Its environment, made anew; the Python in it.

    Raises:
        RuntimeError: There is no such interpreter.
    """
    own = SETS[name]
    base = interpreter(own.python)
    if base is None:
        raise RuntimeError(f"{name} needs python{own.python}, which is neither on the path nor pyenv's")
    place = home / name
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run([base, "-m", "venv", place], check=True)
    python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    extras = f"[{','.join(own.extras)}]" if own.extras else ""
    asked = [f"{wheel}{extras}", "pytest", *own.pins, *(floors(own.extras) if own.floors else ())]
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-warn-script-location", *asked], check=True
    )
    return python


def run(name: str, python: Path, jobs: Path) -> tuple[str, int, str]:
    """The suite there, from a copy of the tests alone: what is imported is what was installed."""
    versions = (
        "import gradproof, numpy, sys; print('Python', sys.version.split()[0], 'NumPy', numpy.__version__)"
    )
    said = subprocess.run(
        [python, "-c", versions], cwd=jobs, check=True, capture_output=True, text=True
    ).stdout
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", SUITE]
    found = subprocess.run(command, cwd=jobs, check=False, capture_output=True, text=True)
    return said.strip(), found.returncode, found.stdout + found.stderr


def one(name: str, wheel: Path, home: Path) -> tuple[str, int, str]:
    """Build and run one set; what cannot be built fails with its reason."""
    tests = home / f"{name}-tests"
    shutil.rmtree(tests, ignore_errors=True)
    shutil.copytree(ROOT / "tests", tests / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    try:
        return run(name, build(name, wheel, home), tests)
    except (RuntimeError, subprocess.CalledProcessError) as problem:
        return "", 1, str(problem)


def main() -> int:
    """Run all sets, or those that are named; 1 where one fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.compat", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="how many environments at once")
    parser.add_argument("--only", nargs="*", choices=SETS, default=list(SETS), help="these sets alone")
    parser.add_argument("--home", type=Path, default=ROOT / ".compat", help="where the environments are made")
    asked = parser.parse_args()
    home = asked.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "build", "--no-isolation", "--outdir", home, ROOT], check=True,
                   capture_output=True)  # fmt: skip
    wheel = max(home.glob("*.whl"), key=lambda path: path.stat().st_mtime)
    worst = 0
    with ThreadPoolExecutor(asked.jobs) as pool:
        for name, (versions, code, text) in zip(
            asked.only, pool.map(lambda name: one(name, wheel, home), asked.only), strict=True
        ):
            last = text.strip().splitlines()[-1] if text.strip() else ""
            print(f"{name}: {versions}: {'right' if code == 0 else 'FAILS'}: {last}", flush=True)
            if code:
                print(text)
            worst = max(worst, code)
    return worst


if __name__ == "__main__":
    sys.exit(main())
