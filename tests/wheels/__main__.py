"""Build a wheel for each platform with one compiler for all (zig), and inspect each: `make wheels`.

It runs in an environment of its own, .cross. dist/ then holds the source distribution, a wheel without the
core for all other platforms, and those of `TARGETS`; the one of this platform is installed and used.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

from oracles.exact.core.build import FLAGS, build
from tests.wheel import DOCTOR, LIBRARY, USE, Environment
from tests.wheels.inspection import CORE, contents, objections
from tests.wheels.targets import TARGETS, Target

ROOT = Path(__file__).parents[2]


def pure(folder: Path) -> Path:
    """The source distribution, and from it the wheel without the core."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "HATCH_BUILD_NO_HOOKS": "1"})
    (wheel,) = folder.glob("*-none-any.whl")
    return wheel


def platform_wheel(plain: Path, tags: str, target: Target, folder: Path) -> Path:
    """That wheel with a library in it, and the tags of its platform."""
    with TemporaryDirectory() as name:
        zipfile.ZipFile(plain).extractall(name)
        library = Path(name, CORE, target.file)
        build(library, flags=[*FLAGS, *target.flags], command=target.command)
        (said,) = Path(name).glob("*.dist-info/WHEEL")
        lines = re.sub(r"(?m)^(Root-Is-Purelib|Tag): .*\n", "", said.read_text(encoding="utf-8")).rstrip()
        own = "".join(f"\nTag: py3-none-{one}" for one in tags.split("."))
        said.write_text(f"{lines}\nRoot-Is-Purelib: false{own}\n", encoding="utf-8")
        before = set(folder.iterdir())
        command = [sys.executable, "-m", "wheel", "pack", name, "--dest-dir", str(folder)]
        subprocess.run(command, check=True, capture_output=True)
        (made,) = set(folder.iterdir()) - before
    return made


def inspected(wheel: Path, tags: str, target: Target) -> list[str]:
    """What is wrong with it."""
    found = list(contents(wheel, tags, target))
    with TemporaryDirectory() as name:
        library = Path(zipfile.ZipFile(wheel).extract(CORE + target.file, name))
        return [*found, *objections(library, target)]


def used(wheels: list[Path]) -> None:
    """Install the wheel of this platform as a user does, and let it judge.

    Raises:
        SystemExit: None is for this platform; or it does not work.
    """
    here = set(sys_tags())
    own = [wheel for wheel in wheels if parse_wheel_filename(wheel.name)[3] & here]
    if not own:
        raise SystemExit("none is for this platform")
    with TemporaryDirectory() as name:
        place = Environment(Path(name), own[0], "--constraint", str(ROOT / "constraints.txt"))
        (place.packages / "mylib.py").write_text(LIBRARY, encoding="utf-8")
        if "compiled" not in (said := place.run(place.python, "-c", DOCTOR)):
            raise SystemExit(f"{own[0].name}: {said}")
        place.runs(USE)
    print(f"{own[0].name}: installed and used", flush=True)


def main() -> int:
    """Build, inspect and use; 1 where anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.wheels", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=TARGETS, default=list(TARGETS), help="these alone")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="where they come to lie")
    asked = parser.parse_args()
    shutil.rmtree(asked.output, ignore_errors=True)
    asked.output.mkdir(parents=True)
    plain = pure(asked.output)
    wheels, bad = [], 0
    for tags in asked.only:
        wheels.append(platform_wheel(plain, tags, TARGETS[tags], asked.output))
        found = inspected(wheels[-1], tags, TARGETS[tags])
        print(f"{wheels[-1].name}: {'; '.join(found) or 'right'}", flush=True)
        bad += len(found)
    used(wheels)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
