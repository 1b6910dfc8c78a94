"""The platforms that wheels are built for, and what a library for each must be."""

from __future__ import annotations

import sys
from dataclasses import dataclass

# Strip symbols, whatever clang would only remark, and zig's own traps, which change how a sum is compiled.
ZIG = [sys.executable, "-m", "ziglang", "cc", "-s", "-w", "-fno-sanitize=undefined"]


@dataclass(frozen=True)
class Target:
    """A platform.

    Attributes:
        zig: Its name for the compiler, with the oldest system that is meant.
        kind: The format of a library: ELF, MachO or PE.
        machine: What its header says.
        needs: The libraries of the system that it may need, by the beginning of their names.
        oldest: The oldest system: of glibc, or macOS.
        file: The library's name, as `oracles.exact.core.build` has it there.
        flags: What the compiler is told besides.
    """

    zig: str
    kind: str
    machine: str
    needs: tuple[str, ...]
    oldest: tuple[int, ...] = ()
    file: str = "_core.so"
    flags: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        """The compiler; a Mac's library is known by its name, and not by where it was compiled."""
        named = [f"-Wl,-install_name,@rpath/{self.file}"] if self.kind == "MachO" else []
        return [*ZIG, "-target", self.zig, *named]


GLIBC, MUSL, APPLE = ("libc.so.6", "libm.so.6"), ("libc.so",), ("/usr/lib/libSystem.B.dylib",)
WINDOWS = ("KERNEL32.dll", "api-ms-win-crt-")  # the universal C runtime: Windows 10 has it
TARGETS = {
    "manylinux_2_17_x86_64.manylinux2014_x86_64": Target(
        "x86_64-linux-gnu.2.17", "ELF", "X86_64", GLIBC, (2, 17)
    ),
    "manylinux_2_17_aarch64.manylinux2014_aarch64": Target(
        "aarch64-linux-gnu.2.17", "ELF", "AARCH64", GLIBC, (2, 17)
    ),
    "musllinux_1_2_x86_64": Target("x86_64-linux-musl", "ELF", "X86_64", MUSL),
    "musllinux_1_2_aarch64": Target("aarch64-linux-musl", "ELF", "AARCH64", MUSL),
    "macosx_10_13_x86_64": Target("x86_64-macos.10.13", "MachO", "X86_64", APPLE, (10, 13)),
    "macosx_11_0_arm64": Target("aarch64-macos.11.0", "MachO", "ARM64", APPLE, (11, 0)),
    # -O3 takes zig four minutes for Windows, ten seconds for the others
    "win_amd64": Target("x86_64-windows-gnu", "PE", "AMD64", WINDOWS, file="_core.dll", flags=("-O2",)),
}
