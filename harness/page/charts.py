"""The charts, as Altair has them: the same for the page, for SVG and PNG, and for a notebook.

A chart names its data and has none: a page draws many from one, and `drawn` fills one in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.page.axis import ticks
from harness.page.library import library
from harness.verdicts import Verdict
from oracles.exact.program.formats import format_of

# To be told apart by colour-blind readers, on light and on dark; the shapes say the same without colour.
LOOKS = {
    Verdict.WRONG: ("#d7263d", "cross"), Verdict.MISCOMPUTED: ("#e8590c", "diamond"),
    Verdict.IMPRECISE: ("#d99a00", "triangle-up"), Verdict.UNDECIDED: ("#9b5de5", "square"),
    Verdict.UNSUPPORTED: ("#7a6f9b", "square"), Verdict.CONVENTION: ("#0aa5c0", "circle"),
    Verdict.ACCURATE: ("#2b9348", "circle"),
}  # fmt: skip
GRAY = "#868c96"  # seen on white and on black
LINES = ("attainable (a)", "budget", "program bound (B)")
NUMBERS = (
    ("computed", "computed"), ("true", "true"), ("error_ulp", "ulps off"), ("attainable_ulp", "attainable"),
    ("bound_ulp", "program bound"), ("bits_lost", "bits lost"), ("verdict", "verdict"),
)  # fmt: skip
FONT = "Roboto, system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"


def over_input(dtype: str, present: Sequence[str] = (), of: str = "") -> Any:
    """The error in bits over one number of a dtype, with what may be lost; its data is `points`, `given`.

    Each point has a `budget` and its format's `digits` beside the numbers of a sweep. The verdicts that are
    `present` have a legend; a page has its own. The names of the data end in `of`, for charts side by side.
    """
    alt = library("altair")
    where, labels = ticks(dtype)
    said = [f"abs(datum.value - {p}) < 1e-6 ? '{t}' : " for p, t in zip(where, labels, strict=True)]
    x = alt.X("place:Q", title=f"input: every {dtype} in its place").scale(domain=[-1.01, 1.01], nice=False)
    x = x.axis(values=where, labelExpr=f"{''.join(said)}''", labelOverlap="greedy", grid=False)
    top = alt.Scale(domain=[0, 1.03 * format_of(dtype).digits], nice=False)
    y = alt.Y("bits:Q", title="bits of error").scale(top)
    base = alt.Chart(alt.NamedData(f"points{of}"))
    limit = "datum.attainable_ulp * pow(2, datum.budget)"
    lines = [
        (LINES[0], "datum.attainable_ulp == null ? null : " + _bits("datum.attainable_ulp")),
        (LINES[1], "datum.attainable_ulp == null ? null : " + _bits(limit)),
        (LINES[2], _whole("bound_ulp")),
    ]
    dash = alt.StrokeDash("what:N", title=None).scale(domain=list(LINES), range=[[1, 0], [7, 3], [1, 3]])
    drawn_lines = [
        base.transform_calculate(bits=bits, what=f"'{what}'")
        .mark_line(interpolate="step", strokeWidth=1.2, color=GRAY, clip=True)
        .encode(x=x, y=y, strokeDash=dash)
        for what, bits in lines
    ]
    under = alt.selection_point(f"under{of}", on="pointerover", clear="pointerout", fields=["x"])
    size = alt.when(under, empty=False).then(alt.value(160)).otherwise(alt.value(40))
    dots = (
        base.transform_calculate(bits=_whole("error_ulp"))
        .mark_point(filled=True, opacity=0.9)
        .encode(
            x=x, y=y, size=size, color=verdicts("color", present), shape=verdicts("shape", present),
            tooltip=_tooltip(("x", "input"), *NUMBERS),
        )
        .add_params(under)
    )  # fmt: skip
    given = alt.Chart(alt.NamedData(f"given{of}")).mark_rule(strokeWidth=1, color=GRAY).encode(x=x)
    return styled(alt.layer(given, *drawn_lines, dots).properties(width=640, height=230))


def heat(digits: int) -> Any:
    """A tensor by bits lost, its worst element marked; its data is `cells`, `cursor`."""
    alt = library("altair")
    x, y = alt.X("column:O").axis(None), alt.Y("row:O").axis(None)
    shades = alt.Scale(
        domain=[0, digits / 2, digits], range=["#e9eaec", "#f0b429", "#c1121f"], interpolate="rgb"
    )
    cells = alt.Chart(alt.NamedData("cells")).mark_rect(stroke=GRAY, strokeWidth=0.3, cursor="pointer")
    worst = alt.Chart(alt.NamedData("cells")).transform_filter("datum.worst").mark_point(
        shape="cross", filled=True, color="#111", stroke="#fff", strokeWidth=0.8, size=80
    )  # fmt: skip
    cursor = alt.Chart(alt.NamedData("cursor")).mark_rect(fill=None, stroke="#2f6fed", strokeWidth=3)
    whole = alt.layer(
        cells.encode(
            x=x, y=y, color=alt.Color("bits_lost:Q", title=f"bits lost, of {digits}").scale(shades),
            tooltip=_tooltip(("at", "element"), *NUMBERS),
        ),
        worst.encode(x=x, y=y), cursor.encode(x=x, y=y),
    )  # fmt: skip
    return styled(whole)


def multiples(digits: int) -> Any:
    """Points beside the given one, each with its elements; its data is `elements`, with an `order`."""
    alt = library("altair")
    dots = (
        alt.Chart(alt.NamedData("elements"))
        .transform_calculate(bits=_whole("error_ulp"))
        .mark_point(filled=True, size=30, opacity=0.9)
        .encode(
            x=alt.X("number:Q").axis(None),
            y=alt.Y("bits:Q", title=None).scale(domain=[0, 1.06 * digits], nice=False).axis(tickCount=3),
            color=verdicts("color"), shape=verdicts("shape"),
            facet=alt.Facet("input:N", title=None, columns=4, sort=alt.EncodingSortField("order", op="min")),
            tooltip=_tooltip(("input", "point"), ("at", "element"), *NUMBERS),
        )
    )  # fmt: skip
    return styled(dots.properties(width=110, height=64))


def verdicts(channel: str, present: Sequence[str] = ()) -> Any:
    """A verdict as a colour or a shape, with a legend of those that are `present`."""
    alt = library("altair")
    looks = {v.value: look[0 if channel == "color" else 1] for v, look in LOOKS.items()}
    named = {word: look for word, look in looks.items() if word in present} or looks
    made = (alt.Color if channel == "color" else alt.Shape)("verdict:N", title=None)
    made = made.scale(domain=list(named), range=list(named.values()))
    return made if present else made.legend(None)


def drawn(chart: Any, **data: Sequence[dict[str, Any]]) -> Any:
    """A chart with its data."""
    found = chart.copy(deep=True)
    found.datasets = {name: list(rows) for name, rows in data.items()}
    return found


def _bits(ulps: str) -> str:
    """Ulps as bits, no more than the format has: log2(1 + ulps)."""
    return f"min(datum.digits, log(1 + {ulps}) / LN2)"


def _whole(field: str) -> str:
    """The same, where what is no finite number is all bits; and nothing where nothing was computed."""
    return f"datum.computed == null ? null : datum.{field} == null ? datum.digits : {_bits(f'datum.{field}')}"


def _tooltip(*fields: tuple[str, str]) -> list[Any]:
    alt = library("altair")
    return [alt.Tooltip(f"{name}:N", title=title) for name, title in fields]


def styled(chart: Any) -> Any:
    """In a font and colours for light and dark paper."""
    return (
        chart.configure(background="transparent", font=FONT)
        .configure_view(stroke=GRAY, strokeOpacity=0.4)
        .configure_axis(
            labelColor=GRAY, titleColor=GRAY, tickColor=GRAY, domainColor=GRAY, gridColor=GRAY,
            gridOpacity=0.25, titleFontWeight="normal", titleFontSize=12, labelFontSize=11,
        )
        .configure_legend(
            labelColor=GRAY, titleColor=GRAY, titleFontWeight="normal", orient="top", labelFontSize=12,
        )
        .configure_title(color=GRAY, anchor="start", fontWeight="normal", fontSize=13)
        .configure_header(labelColor=GRAY, titleColor=GRAY, labelFontSize=12)
    )  # fmt: skip
