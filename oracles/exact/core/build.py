"""Builds the C core: its constants, proven by Arb, and the library, with the platform's own compiler.

`python -m oracles.exact.core.build` builds it where it lies; the wheel's build hook does the same.
"""

from __future__ import annotations

import hashlib
import math
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import flint
from flint import arb, ctx

HERE = Path(__file__).parent
SOURCE, TABLES = HERE / "core.c", HERE / "tables.py"
PARTS = "ball grow rough smooth instruction elementwise rows products"
INCLUDED = tuple(HERE / f"{part}.h" for part in PARTS.split())
LIBRARY = HERE / ("_core.dll" if os.name == "nt" else "_core.so")
KEPT = HERE / "_core.tables.h"
# Nothing that changes what a floating operation gives; no instruction set beyond the platform's least.
FLAGS = [
    "-std=c11",
    "-O3",
    "-ffp-contract=off",
    "-fno-fast-math",
    "-fno-trapping-math",
    "-fno-math-errno",
    "-fno-strict-aliasing",
    "-fPIC",
    "-shared",
]
FACTORIALS = 13
BITS = 300


def pair(number: arb) -> str:
    """The pair of doubles that is nearest, as C: within 2^-106 of the number, relatively."""
    high = float(number.mid())
    return f"{{{high.hex()}, {float((number - high).mid()).hex()}}}"


def leading(number: arb, bits: int) -> float:
    """The first so many bits of a number, as a double."""
    exponent = math.frexp(float(number.mid()))[1]
    return math.ldexp(math.floor(float((number * arb(2) ** (bits - exponent)).mid())), exponent - bits)


@cache
def constants() -> str:
    """What ball.h includes: powers of two by 64ths, log(2)/64 in parts, inverse factorials."""
    before, ctx.prec = ctx.prec, BITS
    try:
        step = arb(2).log() / 64
        first = leading(step, 32)
        second = leading(step - first, 32)
        rest = step - first - second
        third = float(rest.mid())
        powers = ", ".join(pair((step * j).exp()) for j in range(64))
        inverse = ", ".join(pair(1 / arb(math.factorial(n))) for n in range(FACTORIALS))
        return (
            f"static const dd POWERS[64] = {{{powers}}};\n"
            f"static const dd FACTORIAL[{FACTORIALS}] = {{{inverse}}};\n"
            f"#define LOG2_64 {float((1 / step).mid()).hex()}\n"
            f"#define LN_A {first.hex()}\n#define LN_B {second.hex()}\n"
            f"#define LN_C {third.hex()}\n#define LN_D {float((rest - third).mid()).hex()}\n"
        )
    finally:
        ctx.prec = before


@cache
def taylor_tables() -> str:
    """What smooth.h includes; it takes ten seconds, and is kept for the next build, under a seal."""
    kept = KEPT.read_text(encoding="ascii", errors="replace") if KEPT.exists() else ""
    seal, _, header = kept.partition("\n")
    if seal != _seal(header):
        header = proven_tables()
        with suppress(OSError):  # where nothing can be written, the next build proves them again
            _put(KEPT, f"{_seal(header)}\n{header}".encode("ascii"))
    return header


def _seal(header: str) -> str:
    """A line that stands for these very tables, as this tables.py writes them with this Arb."""
    parts = (
        TABLES.read_bytes(),
        flint.__version__.encode(),
        flint.__FLINT_VERSION__.encode(),
        header.encode(),
    )
    return f"// {hashlib.sha256(b'|'.join(parts)).hexdigest()}"


def proven_tables() -> str:
    """They are proven by tables.py, loaded by itself: the package may not be installed yet."""
    spec = spec_from_file_location("core_tables", TABLES)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    header: str = module.header()
    return header


def fingerprint() -> str:
    """Which source a library was built from."""
    parts = (SOURCE, *INCLUDED, TABLES, Path(__file__))
    return hashlib.sha256(b"".join(p.read_bytes() for p in parts)).hexdigest()[:16]


def compiler() -> list[str]:
    """The platform's C compiler, CC if it is set.

    Raises:
        FileNotFoundError: There is none.
    """
    asked = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    for command in (shlex.split(asked, posix=os.name != "nt"), ["cc"], ["gcc"], ["clang"]):
        if shutil.which(command[0]):
            return command
    raise FileNotFoundError(f"no C compiler: {asked}, cc, gcc and clang were looked for; set CC")


def build(
    library: Path = LIBRARY,
    source: Path = SOURCE,
    flags: Sequence[str] = FLAGS,
    command: Sequence[str] | None = None,
) -> Path:
    """Compile the core, or a changed source of it as the tests do, or for another platform by its compiler.

    Raises:
        FileNotFoundError: There is no compiler.
        subprocess.CalledProcessError: It failed; its words went to stderr.
    """
    tool = command or compiler()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "constants.h").write_text(constants(), encoding="ascii")
        Path(folder, "tables.h").write_text(taylor_tables(), encoding="ascii")
        made = Path(folder, library.name)
        named, folders = f'-DSOURCE="{fingerprint()}"', (f"-I{folder}", f"-I{HERE}")
        subprocess.run([*tool, *flags, named, *folders, str(source), "-o", str(made), "-lm"], check=True)
        _put(library, made.read_bytes())
    return library


def _put(file: Path, content: bytes) -> None:
    """In one step, and as a new file: a process that runs the old library keeps it."""
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    beside.write_bytes(content)
    beside.replace(file)


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{build()}\n")
    except (OSError, subprocess.CalledProcessError) as reason:
        raise SystemExit(f"the core was not built: {reason}") from None
