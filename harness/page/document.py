"""One self-contained file: its data as JSON, its style and scripts inside, nothing that asks the network.

Nothing of what is shown can run: the data is no script, `<` in it is escaped, the page writes it as text
alone, and a content security policy allows the two scripts that stand here, by their fingerprints.
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import hashlib
import json
import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from typing import Any

from harness.page.asking import COLUMNS as POINT
from harness.page.charts import GRAY, LOOKS, heat, multiples, over_input
from harness.page.leaf import Leaves
from harness.page.library import TEMPLATES, drawing, template
from harness.page.tensor import CELL
from harness.verdicts import SEVERITY, Outcome, Verdict

PACKAGES = ("gradproof", "numpy", "torch", "jax", "jaxlib", "scipy", "python-flint")


@dataclass(frozen=True)
class Section:
    """What a page has beside its rows: a table, and a chart of it if there is one.

    Attributes:
        name: As a file would be called.
        title, note: What it is, and what to know of it.
        columns, rows: A table; the columns are words.
        chart, data: A chart, and the data sets that it is drawn from.
    """

    name: str
    title: str
    note: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    chart: dict[str, Any] | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Document:
    """What a page shows.

    Attributes:
        title: What was checked.
        leaves: Its rows, with their pictures.
        notes: What is to be said of all of them.
        command: What shows all this again; "" if nobody knows.
        sections: What stands below the rows.
    """

    title: str
    leaves: Leaves
    notes: tuple[str, ...] = ()
    command: str = ""
    sections: tuple[Section, ...] = ()


def page(document: Document) -> str:
    """The file's text.

    Raises:
        MissingLibrary: A library of the extra `html` is not installed.
    """
    scripts = [_inside(drawing()), _inside((TEMPLATES / "page.js").read_text(encoding="utf-8"))]
    return str(
        template("page.html").render(
            title=document.title,
            counts=_counts(document.leaves.rows),
            notes=document.notes,
            scripts=scripts,
            fingerprints=" ".join(map(_fingerprint, scripts)),
            style=(TEMPLATES / "page.css").read_text(encoding="utf-8"),
            data=json_inside(_data(document)),
            leaves=packed(document.leaves),
            made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            environment=environment_of(),
        )
    )


def json_inside(data: Any) -> str:
    """JSON that may stand in a script element: it ends no element, and begins no comment."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def packed(leaves: Leaves) -> str:
    """The rows and their pictures as JSON, compressed and in letters: of 2,000 rows it is much."""
    rows = [{name: value for name, value in row.items() if value not in ("", None)} for row in leaves.rows]
    pictures = {"sweeps": leaves.sweeps, "tensors": leaves.tensors, "sources": leaves.sources}
    text = json.dumps({"rows": rows, **pictures}, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def environment_of() -> list[tuple[str, str]]:
    """What decides numbers here, by name and version."""
    found = [("Python", platform.python_version()), ("machine", f"{platform.system()} {platform.machine()}")]
    for name in PACKAGES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return found


def _data(document: Document) -> dict[str, Any]:
    leaves = document.leaves
    dtypes = {sweep["dtype"] for sweep in leaves.sweeps}
    digits = sorted({row["digits"] for row in leaves.rows if row.get("digits")})
    return {
        "command": document.command,
        "sections": [dataclasses.asdict(section) for section in document.sections],
        "columns": {"point": POINT, "cell": CELL},
        "verdicts": {v.value: _looks(v) for v in SEVERITY},
        "outcomes": {o.value: {"mark": o.marks[0], "failing": o.failing} for o in Outcome},
        "charts": {
            **{f"over {dtype}": _chart(over_input, dtype) for dtype in sorted(dtypes)},
            **{f"heat {n}": _chart(heat, n) for n in digits if leaves.tensors},
            **{f"points {n}": _chart(multiples, n) for n in digits if leaves.tensors},
        },
    }


@cache
def _chart(kind: Callable[[Any], Any], of: str | int) -> dict[str, Any]:
    """A chart as a page has it; Altair checks it against its schema, which takes a while."""
    found: dict[str, Any] = kind(of).to_dict()
    return found


def _looks(verdict: Verdict) -> dict[str, Any]:
    """What a page needs to know of a verdict."""
    return {
        "color": LOOKS[verdict][0] if verdict in LOOKS else GRAY,
        "severity": verdict.severity,
        "meaning": verdict.entry.meaning,
        "advice": verdict.entry.advice,
    }


def _counts(rows: list[dict[str, Any]]) -> list[tuple[str, int]]:
    found = [row["verdict"] for row in rows]
    return [(v.value or "nothing compared", found.count(v.value)) for v in Verdict if v.value in found]


def _inside(script: str) -> str:
    return script.replace("</script", "<\\/script")


def _fingerprint(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
