"""Who may make a baseline agree with a run, and what is kept of that: a reason, and the commit."""

from __future__ import annotations

import os
import subprocess

from harness.selection import UsageError


def reason_of(text: str, option: str) -> str:
    """The reason in one line; `option` is what it is given by.

    Raises:
        UsageError: In CI, or without a reason.
    """
    if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
        raise UsageError(
            f"CI is {os.environ['CI']!r}, and a baseline that CI updates agrees with everything: update it "
            "where a person looks at the diff, and commit it"
        )
    reason = " ".join(text.split())
    if not reason:
        raise UsageError(f'{option} is empty; say why the rows change, for the next reader: {option} "…"')
    return reason


def commit() -> str:
    """The commit that is checked out, with a + where files differ from it."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"],
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "no git"
    return found.stdout.strip()
