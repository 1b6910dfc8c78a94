"""The charts of what a report measures beside verdicts: times, learning, detection power; data `rows`."""

from __future__ import annotations

from typing import Any

from harness.page.charts import styled
from harness.page.library import library

# Okabe and Ito's colours: told apart by colour-blind readers.
HUES = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#a39b00", "#7f7f7f", "#5a3fc0"]


def times() -> Any:
    """How many times as long a gradient takes as the one by hand, with the 99 % interval.

    `rows` have `function`, `system`, `ratio`, `low`, `high`.
    """
    alt = library("altair")
    base = alt.Chart(alt.NamedData("rows")).encode(
        y=alt.Y("function:N", title=None), yOffset="system:N", color=_hue("system:N")
    )
    scale = alt.Scale(type="log")
    x = alt.X("ratio:Q", title="times as long as the gradient by hand (log)").scale(scale)
    tooltip = [alt.Tooltip(f"{name}:N") for name in ("function", "system", "ratio", "low", "high", "seconds")]
    interval = base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q").scale(scale), x2="high:Q")
    middle = base.mark_point(filled=True, size=36, opacity=1).encode(x=x, tooltip=tooltip)
    return styled(alt.layer(interval, middle).properties(width=560, height=alt.Step(9)))


def learning() -> Any:
    """The loss of each source of gradients, and how far it is from the first one's, over the steps.

    `rows` have `source`, `step`, `loss`, `apart`.
    """
    alt = library("altair")
    base = alt.Chart(alt.NamedData("rows")).encode(
        x=alt.X("step:Q", title="step"),
        color=_hue("source:N"),
        strokeDash=alt.StrokeDash("source:N", title=None),
    )
    loss = base.mark_line(strokeWidth=1.6).encode(y=alt.Y("loss:Q", title="loss").scale(zero=False))
    apart = (
        base.transform_filter("datum.apart > 0")
        .mark_point(size=8, filled=True)
        .encode(y=alt.Y("apart:Q", title="loss, distance").scale(type="log").axis(format=".0e", tickCount=4))
    )
    size = {"width": 560, "height": 150}
    return styled(alt.vconcat(loss.properties(**size), apart.properties(**size)))


def power() -> Any:
    """How many re-created bugs each checker finds, by where it is asked.

    `rows` have `checker`, `asked`, `found`, `of`.
    """
    alt = library("altair")
    order = ["ordinary numbers", "the boundary inputs", "the report's trigger"]
    bars = alt.Chart(alt.NamedData("rows")).mark_bar().encode(
        y=alt.Y("checker:N", title=None, sort=None), yOffset=alt.YOffset("asked:N", sort=order),
        x=alt.X("share:Q", title="found").axis(format="%").scale(domain=[0, 1]),
        color=alt.Color("asked:N", title=None, sort=order).scale(range=["#9aa1ab", "#56b4e9", "#0072b2"]),
        tooltip=[alt.Tooltip(f"{name}:N") for name in ("checker", "asked", "found", "of")],
    )  # fmt: skip
    return styled(bars.properties(width=480, height=alt.Step(9)))


def _hue(field: str) -> Any:
    alt = library("altair")
    return alt.Color(field, title=None).scale(range=HUES)
