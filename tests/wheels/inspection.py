"""What a compiled library is, read from its own headers and its machine code; and what a wheel holds."""

from __future__ import annotations

import base64
import csv
import hashlib
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import capstone
import lief
from packaging.utils import parse_wheel_filename

from tests.wheels.targets import Target

lief.logging.disable()
EXPORTS = {"run", "as_believed", "source"}
CORE = "oracles/exact/core/"
# A product and a sum that are rounded once: no bound of the core holds then. AVX's names begin with v.
FUSED = re.compile(r"f?n?f(madd|msub|mla|mls)")
BEYOND = re.compile(r"v(add|sub|mul|div|mov|fm|fnm|sqrt|p|u|x|z)")
ARM = (capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
INTEL = (capstone.CS_ARCH_X86, capstone.CS_MODE_64)


def objections(library: Path, target: Target) -> Iterator[str]:
    """What is wrong with a library for that platform."""
    binary = lief.parse(str(library))
    if binary is None or binary.format.name.upper() != target.kind.upper():
        yield f"{library.name} is not {target.kind}"
        return
    if (found := machine(binary)) != target.machine:
        yield f"it is for {found}"
    if (names := exports(binary)) != EXPORTS:
        yield f"it exports {sorted(names)}, not {sorted(EXPORTS)}"
    if strange := [name for name in needed(binary) if not name.startswith(target.needs)]:
        yield f"it needs {strange}"
    if target.oldest and (least := oldest(binary)) > target.oldest:
        yield f"it needs a system of {least}"
    if target.machine == "ARM64" and not binary.has_code_signature:
        yield "it has no signature, without which macOS loads nothing on arm64"
    if strange := instructions(binary):
        yield f"it has instructions that round once where two must, or that old machines lack: {strange}"


def machine(binary: Any) -> str:
    """The machine that its header names."""
    header = binary.header
    for field in ("machine_type", "cpu_type", "machine"):
        if hasattr(header, field):
            return str(getattr(header, field).name)
    raise TypeError(f"no header of lief's: {type(header)}")


def exports(binary: Any) -> set[str]:
    """What others may call. Names on a Mac have a _ before; two of them are the linker's."""
    names = {function.name for function in binary.exported_functions}
    if binary.format.name == "MACHO":
        return {name[1:] for name in names - {"__mh_dylib_header", "___dso_handle"}}
    return names


def needed(binary: Any) -> list[str]:
    """The libraries that it loads."""
    if binary.format.name == "MACHO":
        return [one.name for one in binary.libraries if "ID_DYLIB" not in str(one.command)]
    return [getattr(one, "name", one) for one in binary.libraries]


def oldest(binary: Any) -> tuple[int, ...]:
    """The oldest glibc, or macOS, that has all that it asks for."""
    if binary.format.name == "MACHO":
        version = binary.build_version.minos if binary.has_build_version else binary.version_min.version
        return tuple(version)[:2]
    asked = [one.name for need in binary.symbols_version_requirement for one in need.get_auxiliary_symbols()]
    return max(tuple(map(int, name.removeprefix("GLIBC_").split("."))) for name in asked)


def instructions(binary: Any) -> dict[str, int]:
    """How many there are of each instruction that must not be there."""
    arm = machine(binary) in {"AARCH64", "ARM64"}
    reader = capstone.Cs(*(ARM if arm else INTEL))
    reader.skipdata = True
    found: dict[str, int] = {}
    count = 0
    for section in binary.sections:
        if section.name not in {".text", "__text"}:
            continue
        start = section.virtual_address
        for _, _, name, _ in reader.disasm_lite(bytes(section.content), start):
            count += 1
            if FUSED.fullmatch(name) or (not arm and BEYOND.match(name)):
                found[name] = found.get(name, 0) + 1
    return found if count > 1000 else {"none at all": count}


def contents(wheel: Path, tags: str, target: Target) -> Iterator[str]:
    """What is wrong with a wheel as an archive: its name, its tags, its record, what lies in it."""
    asked = {f"py3-none-{one}" for one in tags.split(".")}
    if {str(tag) for tag in parse_wheel_filename(wheel.name)[3]} != asked:
        yield f"{wheel.name} is not named for {tags}"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (info,) = {name.partition("/")[0] for name in names if ".dist-info/" in name}
        text = archive.read(f"{info}/WHEEL").decode()
        if set(re.findall(r"^Tag: (.+)$", text, re.MULTILINE)) != asked or "Is-Purelib: false" not in text:
            yield f"it says of itself: {text!r}"
        if (found := [n for n in names if n.startswith(f"{CORE}_core.")]) != [CORE + target.file]:
            yield f"its core is {found}"
        recorded = {
            row[0]: row[1] for row in csv.reader(archive.read(f"{info}/RECORD").decode().splitlines())
        }
        if set(recorded) != set(names):
            yield f"its record and what it holds differ: {sorted(set(recorded) ^ set(names))}"
        for name, said in recorded.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(archive.read(name)).digest()).rstrip(b"=")
            if said and said != f"sha256={digest.decode()}":
                yield f"{name} is not what was recorded"
