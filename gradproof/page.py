"""The page of a test session: a row for each gradient that a test checked."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.dropin.made import Made
from harness.files import replace_file
from harness.page.document import Document, page
from harness.page.leaf import Leaves, grow
from harness.page.of_result import rows
from harness.verdicts import Outcome

Row = tuple[dict[str, Any], dict[str, Any]]  # its numbers and words, and its pictures


def rows_of(made: Iterable[Made], test: str) -> list[Row]:
    """The rows of a test's checks; what passes has no error over the input, which takes a second or two."""
    found: list[Row] = []
    for one in made:
        for result in one.results:
            for told, drawn in rows(result, test, whole=not result.passed):
                told["argument"] = "/".join(filter(None, (result.subject, told["argument"])))
                told["command"] = f"pytest {shlex.quote(test)}"
                found.append((told, drawn))
        if one.unproven and not one.results:
            told = {"function": test, "argument": one.checker, "verdict": one.verdict.value}
            found.append(({**told, "outcome": Outcome.INFO.value, "diagnosis": one.unproven}, {}))
    return found


def write(file: Path, made: Iterable[Row], args: Sequence[str]) -> None:
    """Write the page of a session.

    Raises:
        OSError: It cannot be written.
    """
    leaves = Leaves()
    for told, drawn in made:
        grow(leaves, told, drawn)
    command = shlex.join(["pytest", *(str(one) for one in args)])
    replace_file(file, page(Document("Gradients that the tests checked", leaves, (), command)))
