"""The table `[tool.gradproof]` of the nearest pyproject.toml: decoded, and never run."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

from harness.selection import UsageError

FILE, TABLE = "pyproject.toml", "gradproof"
CASES = "cases"  # the one key that is no option of a command


def nearest() -> tuple[Path, Any] | None:
    """The nearest file, upwards from the current directory, that has our table, and the table.

    Raises:
        UsageError: A file on the way cannot be read.
    """
    here = Path.cwd()
    for path in (folder / FILE for folder in (here, *here.parents)):
        if not os.path.isfile(path):  # which, unlike Path.is_file, is no error where we may not look
            continue
        try:
            tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool")
        except (OSError, ValueError) as problem:
            raise UsageError(f"{path} cannot be read as TOML: {problem}") from None
        if isinstance(tool, dict) and TABLE in tool:
            return path, tool[TABLE]
    return None


def listed_cases() -> tuple[Path, list[str]]:
    """The file, and what its `cases` name: `package.module:NAME`, each.

    Raises:
        UsageError: They are no list of such names.
    """
    path, table = nearest() or (Path(), {})
    names = table.get(CASES, []) if isinstance(table, dict) else []
    if not isinstance(names, list) or not all(isinstance(n, str) and all(n.partition(":")) for n in names):
        raise UsageError(
            f"{CASES} = {json.dumps(names, default=str)} in [tool.{TABLE}] of {path}: it must be a list of "
            'names such as "package.module:CASES"'
        )
    return path, names
