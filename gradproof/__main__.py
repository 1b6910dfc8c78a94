"""`python -m gradproof`, and the script `gradproof`: the command line of the harness."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from gradproof.home import Hidden, confirm


def main() -> NoReturn:
    """The script: as `python -m` does, it finds the functions of the folder that it runs in."""
    if not sys.flags.safe_path:
        sys.path.insert(0, _folder())
    run()


def run() -> NoReturn:
    """The command line, or what hides the packages that it needs."""
    _folder()
    try:
        confirm("harness", "oracles", "reference", anew=True)
    except Hidden as problem:
        print(f"gradproof: {problem}", file=sys.stderr)
        sys.exit(2)
    try:
        from harness.commands.cli import main as command_line

        command_line()
    except KeyboardInterrupt:  # while it imports: later, the command line answers it
        print("gradproof: interrupted; nothing was written", file=sys.stderr)
        sys.exit(130)


def _folder() -> str:
    """The current folder; without one there is nothing to run in."""
    try:
        return os.getcwd()
    except OSError as problem:
        print(f"gradproof: the current folder: {problem.strerror}; go to one that is there", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    run()
