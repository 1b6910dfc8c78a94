"""Charts as pictures, without a browser: SVG and PNG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.page.asking import COLUMNS
from harness.page.charts import drawn, over_input, styled
from harness.page.leaf import Leaves
from harness.page.library import library, png, svg

KINDS = ("svg", "png")


def over(sweep: dict[str, Any]) -> Any:
    """The error over the input, of one sweep."""
    return drawn(over_input(sweep["dtype"], _present([sweep])), **_data(sweep, ""))


def over_inputs(leaves: Leaves) -> Iterator[tuple[str, dict[str, Any]]]:
    """A picture of each function and dtype, its systems one below the other, by name."""
    alt = library("altair")
    together: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in leaves.rows:
        if "sweep" in row:
            found = {**leaves.sweeps[row["sweep"]], "title": f"{row['function']}, {row['system']}"}
            together.setdefault((row["function"], row["dtype"]), []).append(found)
    for (function, dtype), sweeps in together.items():
        charts: list[Any] = []
        data: dict[str, list[dict[str, Any]]] = {}
        for number, one in enumerate(sweeps):
            chart = over_input(dtype, _present(sweeps), str(number)).properties(
                title=one["title"], height=150
            )
            chart.config = alt.Undefined  # the whole has it
            charts.append(chart)
            data |= _data(one, str(number))
        yield f"over-the-input-{function}-{dtype}", drawn(styled(alt.vconcat(*charts)), **data).to_dict()


def _present(sweeps: Sequence[dict[str, Any]]) -> list[str]:
    """The verdicts that are drawn."""
    computed = COLUMNS.index("computed")
    return sorted({p[-1] for one in sweeps for p in one["points"] if p[computed] is not None})


def _data(sweep: dict[str, Any], of: str) -> dict[str, list[dict[str, Any]]]:
    more = {"budget": sweep["budget"], "digits": sweep["digits"]}
    points = [{**dict(zip(COLUMNS, point, strict=True)), **more} for point in sweep["points"]]
    return {f"points{of}": points, f"given{of}": [{"place": sweep["given"][1]}]}


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
