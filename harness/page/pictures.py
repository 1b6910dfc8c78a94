"""Charts as pictures, without a browser: SVG and PNG."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.page.charts import drawn, over_input
from harness.page.leaf import Leaves
from harness.page.library import library, png, svg
from harness.page.sweep import COLUMNS

KINDS = ("svg", "png")


def over(sweep: dict[str, Any]) -> Any:
    """The error over the input, of one sweep."""
    more = {"budget": sweep["budget"], "digits": sweep["digits"]}
    points = [{**dict(zip(COLUMNS, point, strict=True)), **more} for point in sweep["points"]]
    given = [{"place": sweep["given"][1]}]
    present = {point["verdict"] for point in points if point["computed"] is not None}
    return drawn(over_input(sweep["dtype"], sorted(present)), points=points, given=given)


def over_inputs(leaves: Leaves) -> Iterator[tuple[str, dict[str, Any]]]:
    """A picture of each function and dtype, its systems one below the other, by name."""
    alt = library("altair")
    together: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in leaves.rows:
        if "sweep" in row:
            found = {**leaves.sweeps[row["sweep"]], "title": f"{row['function']}, {row['system']}"}
            together.setdefault((row["function"], row["dtype"]), []).append(found)
    for (function, dtype), sweeps in together.items():
        charts = [over(one).properties(title=one["title"], height=150) for one in sweeps]
        spec = charts[0] if len(charts) == 1 else alt.vconcat(*charts)
        yield f"over-the-input-{function}-{dtype}", spec.to_dict()


def write(spec: dict[str, Any], file: Path) -> None:
    """Write a chart in the format that the file's name ends in.

    Raises:
        ValueError: It ends in another one.
        OSError: It cannot be written.
    """
    kind = file.suffix.removeprefix(".")
    if kind not in KINDS:
        raise ValueError(f"{file} is no name of a picture; it ends in {' or '.join(f'.{k}' for k in KINDS)}")
    file.parent.mkdir(parents=True, exist_ok=True)
    if kind == "svg":
        file.write_text(svg(spec), encoding="utf-8")
    else:
        file.write_bytes(png(spec))
