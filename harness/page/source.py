"""The user's source, each line with its share of the error and the bits that cancel in it.

Forward: of the function's own value. Backward: of the gradient, whose program also runs the forward's lines
for what it needs of them.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.proof.sight import Sight
from oracles.exact.program.errors import ExactError
from oracles.exact.program.formats import FORMATS
from oracles.exact.program.indices import unraveled
from oracles.exact.program.program import Line
from oracles.exact.program.recording import Recording
from oracles.exact.rounding.bound import ROUNDING_MODELS, bound
from oracles.exact.rounding.diagnosis import Contribution, contributions
from oracles.exact.rounding.steps import by_plan, of_bound

WORK = 3e5  # additions of a program that is looked into: a second
AROUND = 12  # lines of a file that are shown around one, where it is in no function
MOST_LINES = 80


@dataclass
class OfLine:
    """What one line adds: shares between 0 and 1, and bits; its operations by name."""

    share: float = 0.0
    bits: float = 0.0
    operations: tuple[str, ...] = ()


def source(sight: Sight, part: int, element: tuple[int, ...], guilty: Line | None) -> dict[str, Any] | None:
    """The functions on whose lines the program is written, a list for each, and what is on no known line.

    Args:
        sight: The question, at its point.
        part, element: Of which element of the gradient.
        guilty: The line that the diagnosis names.
    """
    value, at = sight.examined.value or sight.posed.forward, element
    gradient = sight.examined.recording
    forward = _of_value(sight, value, at)
    backward = _of(sight, gradient, part, element) if gradient else {}
    ours = {e.origin.place for e in value.program.equations if e.origin and e.origin.place}
    theirs = gradient.program.equations if gradient else ()
    places = {*ours, *(e.origin.place for e in theirs if e.origin and e.origin.place)}
    home = sight.tested.home
    shown = _functions(
        {*places, *([guilty] if guilty else []), *([home.place] if home and home.place else [])}
    )
    listings = []
    for file, name, numbers in shown:
        lines = []
        for number in numbers:
            place = Line(file, number)
            lines.append(
                {
                    "number": number,
                    "text": linecache.getline(file, number).rstrip("\n"),
                    "forward": _plain(forward.get(place)),
                    "backward": _plain(backward.get(place)),
                    "guilty": place == guilty,
                }
            )
        listings.append({"function": name, "file": str(Line(file, numbers[0])), "lines": lines})
    elsewhere = [
        {"operation": name, "forward": _plain(forward.get(name)), "backward": _plain(backward.get(name))}
        for name in sorted({one for one in (*forward, *backward) if isinstance(one, str)})
    ]
    if not listings and not elsewhere:
        return None
    said = ""
    if not backward:
        said = (
            "the shares of the gradient are not known: its program was not recorded, or its bound has no end"
        )
    return {"listings": listings, "elsewhere": elsewhere, "note": said}


def _plain(found: OfLine | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "share": round(found.share, 4),
        "bits": round(found.bits, 1),
        "operations": ", ".join(found.operations),
    }


def _of_value(sight: Sight, recording: Recording, element: tuple[int, ...]) -> dict[Line | str, OfLine]:
    """Of the function's own value: at the same element where there is one, else at its worst."""
    outputs = recording.program.outputs
    floats = [k for k, v in enumerate(outputs) if v.dtype in FORMATS and v.size]
    if not floats:
        return {}
    shape = outputs[floats[0]].shape
    fits = len(element) == len(shape) and all(i < n for i, n in zip(element, shape, strict=True))
    return _of(sight, recording, floats[0], element if fits else None)


def _of(
    sight: Sight, recording: Recording, output: int, element: tuple[int, ...] | None
) -> dict[Line | str, OfLine]:
    """What each line adds to the error of one element of a result; of the worst one if none is named."""
    program = recording.program
    if output >= len(program.outputs) or sum(program.costs) > WORK:
        return {}
    with suppress(ExactError, ZeroDivisionError, OverflowError):
        values, model = recording.values, ROUNDING_MODELS[sight.tested.rounding]
        steps = by_plan(program, values, model) or of_bound(bound(program, values, model, keep=True))
        widths = steps.radius(program.outputs[output])
        at = _widest(widths) if element is None else element
        if widths.shape == () or np.isfinite(widths[at]):
            return _by_line(contributions(program, values, steps, output, at))
    return {}


def _widest(widths: NDArray[np.float64]) -> tuple[int, ...]:
    known = np.where(np.isfinite(widths), widths, -1.0)
    return unraveled(np.argmax(known), widths.shape)


def _by_line(each: Sequence[Contribution]) -> dict[Line | str, OfLine]:
    """By line; by the operation's name where its line is not known."""
    total = sum(one.share for one in each)
    most = max((one.passes for one in each), default=0.0)
    found: dict[Line | str, OfLine] = {}
    for one in each:
        called, origin = one.equation.called, one.equation.origin
        line = found.setdefault(origin.place if origin and origin.place else called, OfLine())
        line.share += one.share / total if total > 0 else 0.0
        if one.passes > 0.01 * most:  # what cancels where nothing comes through loses nothing
            line.bits = max(line.bits, min(one.bits, 53.0))
        if called not in line.operations:
            line.operations += (called,)
    return found


def _functions(places: Iterable[Line]) -> list[tuple[str, str, list[int]]]:
    """Which functions the lines stand in, with the lines of each: file, name, numbers."""
    found: dict[tuple[str, str, int], list[int]] = {}
    for place in sorted(places):
        text = linecache.getlines(place.file)
        if place.number < 1 or place.number > len(text):
            continue
        name, first, last = _around("".join(text), place.number)
        found.setdefault((place.file, name, first), list(range(first, min(last, first + MOST_LINES) + 1)))
    return [(file, name, numbers) for (file, name, _), numbers in found.items()]


def _around(text: str, number: int) -> tuple[str, int, int]:
    """The innermost function around a line: its name, first and last line; else some lines around it."""
    with suppress(SyntaxError, ValueError):
        inside = [
            node
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            and node.lineno <= number <= (node.end_lineno or node.lineno)
        ]
        if inside:
            node = max(inside, key=lambda n: n.lineno)
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            return getattr(node, "name", "lambda"), first, node.end_lineno or node.lineno
    return "", max(1, number - AROUND // 2), min(len(text.splitlines()), number + AROUND // 2)
