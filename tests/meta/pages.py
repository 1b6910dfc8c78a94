"""The pages that are shown to users, and the code in them.

The blocks of one framework run in one process, each in a namespace of its own: starting torch or JAX takes
longer than what a block does. What a block prints is compared with the comments below its `print`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
STARTS = tuple(sorted((ROOT / "docs/start").glob("*.md")))  # they run from an installed wheel, too
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PRINTED = re.compile(r"^ *print\(.*\n((?: *# .*\n)+)", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of a page; `line` is where its content begins."""

    page: str
    line: int
    kind: str
    body: str

    @property
    def name(self) -> str:
        """The page and the line."""
        return f"{self.page}:{self.line}"

    @property
    def framework(self) -> str:
        """What it imports that takes long."""
        return next((name for name in ("torch", "jax") if f"import {name}" in self.body), "numpy")

    @property
    def printed(self) -> list[str]:
        """The lines that it says it prints, in order; `...` stands for anything."""
        return [line.strip()[2:] for lines in PRINTED.findall(self.body) for line in lines.splitlines()]


def blocks(page: Path, *kinds: str) -> list[Block]:
    """The blocks of these kinds in a page: "python", "sh", "toml", "text"."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page.relative_to(ROOT).as_posix(), text.count("\n", 0, match.start(2)) + 1, *match.groups())
        for match in BLOCK.finditer(text)
        if match[1] in kinds
    ]


def failures(
    blocks: Iterable[Block], folder: Path, python: str = sys.executable, path: str = str(ROOT)
) -> list[str]:
    """Run the blocks one after the other in one process in an empty folder, and say what failed.

    Args:
        blocks: What runs.
        folder: Where.
        python: By which interpreter.
        path: Its PYTHONPATH; "" for what is installed.
    """
    told = [[block.name, "\n" * (block.line - 1) + block.body, block.printed] for block in blocks]
    (folder / "blocks.json").write_text(json.dumps(told), encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **({"PYTHONPATH": path} if path else {})}
    found = subprocess.run(
        [python, "-P", "-W", "error", str(Path(__file__).with_name("run_blocks.py"))],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if found.returncode:
        return [found.stderr]
    return list(json.loads((folder / "failures.json").read_text(encoding="utf-8")))
