"""What was found stays for the next run: a file of JSON for each function, which is read and never run."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.files import replace_file
from harness.search.point import Point, laid_out, layout_of
from harness.subject.derivative import Array
from oracles.exact.program.trees import is_floating

FOLDER = Path(".gradproof/search")
MOST = 16  # inputs that are kept of one function
LARGEST = 4096  # numbers of an input that is kept


@dataclass(frozen=True)
class Elsewhere:
    """What other hunts for the same found.

    Attributes:
        asked, hunts: How many inputs they asked, and how many they were.
        found: The inputs that fail, as `written` gives them.
    """

    asked: int
    hunts: int
    found: tuple[str, ...]

    def points(self, like: Sequence[Array]) -> list[Point]:
        """Those inputs; what is not one, or of other dtypes, is left out."""
        return [point for text in self.found for point in _points(f'{{"inputs": [{text}]}}', like)]


NOTHING = Elsewhere(0, 0, ())
_elsewhere: ContextVar[Elsewhere | None] = ContextVar("elsewhere", default=NOTHING)


@contextmanager
def among_others(found: Elsewhere | None) -> Iterator[None]:
    """Search on from what others found; with None as one of many, which keeps nothing."""
    token = _elsewhere.set(found)
    try:
        yield
    finally:
        _elsewhere.reset(token)


def others() -> Elsewhere | None:
    """What others found; None where this is one of many."""
    return _elsewhere.get()


def place(folder: Path, subject: str, arrays: Sequence[Array]) -> Path | None:
    """The file of a function at arrays of these dtypes; None for one of many hunts."""
    if others() is None:
        return None
    kinds = "-".join(a.dtype.name for a in arrays)
    short = re.sub(r"[^\w.]+", "_", subject)[:60]
    return folder / f"{short}-{zlib.crc32(f'{subject} {kinds}'.encode()):08x}.json"


def load(file: Path, like: Sequence[Array]) -> list[Point]:
    """The inputs that a file holds; what is not one, or of other dtypes, is left out."""
    try:
        return _points(file.read_bytes(), like)
    except OSError:
        return []


def _points(text: str | bytes, like: Sequence[Array]) -> list[Point]:
    try:
        return [point for one in json.loads(text)["inputs"] if (point := _read(one, like))]
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError):
        return []


def keep(file: Path, points: Iterable[Point]) -> str:
    """Write the inputs that fail, in place of those that were kept; without any there is no file.

    Returns:
        Why that cannot be; "" if it is done.
    """
    try:
        _write(file, points)
    except OSError as problem:
        return f"{file.parent} could not be updated: {problem}"
    return ""


def _write(file: Path, points: Iterable[Point]) -> None:
    kept = [_plain(p) for p in points if p.size <= LARGEST][:MOST]
    if not kept:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(file, json.dumps({"inputs": kept}, indent=1) + "\n")


def written(point: Point) -> str:
    """An input as text."""
    return json.dumps(_plain(point))


def _plain(point: Point) -> dict[str, Any]:
    along = None if point.cotangent is None else list(map(_array, point.cotangent))
    return {"arrays": list(map(_array, point.arrays)), "cotangent": along}


def _array(array: Array) -> dict[str, Any]:
    flat = array.astype(np.float64).ravel() if is_floating(array) else array.ravel()
    numbers = [x.hex() if isinstance(x, float) else x for x in flat.tolist()]
    return {"shape": array.shape, "dtype": array.dtype.name, "layout": layout_of(array), "numbers": numbers}


def _read(one: dict[str, Any], like: Sequence[Array]) -> Point | None:
    kinds = {a.dtype.name: a.dtype for a in like}
    arrays = [_as_array(a, kinds) for a in one["arrays"]]
    if [a.dtype.name for a in arrays] != [a.dtype.name for a in like]:
        return None
    along = one["cotangent"]
    given = None if along is None else tuple(_as_array(a, kinds) for a in along)
    return Point(tuple(arrays), given, "kept from an earlier run")


def _as_array(held: dict[str, Any], kinds: dict[str, Any]) -> Array:
    numbers = [float.fromhex(x) if isinstance(x, str) else x for x in held["numbers"]]
    dtype = kinds.get(held["dtype"]) or np.dtype(str(held["dtype"]))
    if dtype.hasobject:
        raise ValueError("an array of objects")
    array = np.array(numbers, dtype).reshape([int(n) for n in held["shape"]])
    return laid_out(array, held["layout"])
