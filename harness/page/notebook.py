"""What a notebook shows of an answer: the page of its worst row, in a hand's breadth and without scripts."""

from __future__ import annotations

from typing import Any

from harness.page.charts import GRAY, LOOKS
from harness.page.elements import elements
from harness.page.leaf import outcome_of
from harness.page.library import svg, template
from harness.page.of_result import Found
from harness.page.plot import tensor_of, worst
from harness.page.source import source
from harness.verdicts import Verdict

MOST = 12  # rows
SIZE = (12, 24)  # rows and columns of the tensor


def card(found: Found, text: str) -> str:
    """The same as HTML; `text` is the answer in words.

    Raises:
        MissingLibrary: A library of the extra `html` is not installed.
    """
    page = template("notebook.html")
    picture, lines = "", []
    try:
        part, sight, number = worst(found)
    except ValueError:
        pass
    else:
        own = elements(sight, number)
        if own is not None and own.computed.size > 1:
            picture = svg(tensor_of(own, *SIZE).to_dict())
        place = part.guilty.place if part.guilty else None
        assert part.judgement is not None
        told = source(sight, number, part.judgement.element, place)
        lines = [line for one in told["listings"] for line in one["lines"]] if told else []
    shown = [part for part in found.parts if not part.of_value or not (part.verdict.right or part.remark)]
    return str(
        page.render(
            subject=found.subject, verdict=found.verdict.value or "nothing compared",
            tone=_tone(found.verdict), text=text, picture=picture, lines=lines,
            more=max(0, len(shown) - MOST),
            rows=[_row(part) for part in sorted(shown, key=lambda p: p.verdict.severity)[:MOST]],
        )
    )  # fmt: skip


def _row(part: Any) -> dict[str, Any]:
    j = part.judgement
    return {
        "mark": outcome_of(part).marks[0], "verdict": part.verdict.value or "nothing compared",
        "tone": _tone(part.verdict), "argument": part.name, "input": part.input, "dtype": part.dtype,
        "where": j.where if j else "", "bits_lost": f"{j.bits_lost:.1f}" if j else "",
        "error_ulp": f"{j.error_ulp:.3g}" if j else "",
    }  # fmt: skip


def _tone(verdict: Verdict) -> str:
    return LOOKS[verdict][0] if verdict in LOOKS else GRAY
