"""One chart of an answer, for `Result.plot`."""

from __future__ import annotations

from typing import Any

from harness.page.charts import drawn, heat, multiples
from harness.page.elements import Elements, elements
from harness.page.leaf import SMALL
from harness.page.of_result import Found
from harness.page.pictures import over
from harness.page.sweep import sweep
from harness.page.tensor import CELL, tensor
from harness.proof.question import Part
from harness.proof.sight import GIVEN, Sight
from harness.verdicts import badness_key

KINDS = ("input", "tensor", "points")
SIDE, WIDEST = 30, 640  # pixels: of an element, and of a picture of many


def plot(found: Found, what: str, argument: str) -> Any:
    """A chart.

    Raises:
        ValueError: There is no such chart, or nothing to draw it from; the message says why.
    """
    if what not in KINDS:
        raise ValueError(f"what must be one of {', '.join(map(repr, KINDS))}, got {what!r}")
    part, sight, number = worst(found, argument)
    if what == "points":
        return _points(found, part)
    own = elements(sight, number)
    if own is None or part.judgement is None:
        raise ValueError(f"there are no numbers to draw of {part.name}")
    if what == "tensor":
        return tensor_of(own)
    swept = sweep(sight, number, part.judgement.element)
    if swept is None:
        raise ValueError(
            f"{part.name} has no input that could be moved alone, or the function takes too long for that"
        )
    return over(swept).properties(title=f"{found.subject}, {swept['argument']}: {part.verdict.value}")


def worst(found: Found, argument: str = "") -> tuple[Part, Sight, int]:
    """The worst gradient at the given point, what it was judged by, and its number there.

    Raises:
        ValueError: There is none, or not of that argument.
    """
    sights = {sight.name: sight for sight in found.sights}
    known = [
        part
        for part in found.parts
        if part.input == GIVEN and part.judgement and not (part.of_value or part.probe) and GIVEN in sights
    ]
    names = ", ".join(dict.fromkeys(part.name for part in known))
    known = [part for part in known if argument in {"", part.name}]
    if not known:
        said = (
            f"argument must be one of {names}, got {argument!r}" if names else "there are no numbers to draw"
        )
        raise ValueError(said)
    part = min(known, key=lambda p: badness_key(p.verdict, p.judgement.bits_lost if p.judgement else None))
    order = [name for name, _ in sights[GIVEN].posed.expected]
    return part, sights[GIVEN], order.index(part.name)


def tensor_of(own: Elements, *most: int) -> Any:
    """The tensor by bits lost, in at most so many rows and columns."""
    told = tensor(own, *most)
    side = max(5, min(SIDE, WIDEST // told["columns"]))
    chart = drawn(heat(own.digits), cells=[_called(cell) for cell in told["cells"]], cursor=[])
    return chart.properties(width=side * told["columns"], height=side * told["rows"])


def _points(found: Found, part: Part) -> Any:
    """The same argument at every point that was tried."""
    rows, digits = [], 0
    for order, sight in enumerate(found.sights):
        names = [name for name, _ in sight.posed.expected]
        own = elements(sight, names.index(part.name)) if part.name in names else None
        if own is not None:
            digits = own.digits
            cells = map(_called, tensor(own, *SMALL)["cells"])
            more = {"input": sight.name, "order": order, "digits": digits}
            rows += [{**cell, **more, "number": k} for k, cell in enumerate(cells)]
    return drawn(multiples(digits), elements=rows)


def _called(cell: list[Any]) -> dict[str, Any]:
    return dict(zip(CELL, cell, strict=True))
