"""Live defects: where the installed torch and JAX compute a derivative that is not the derivative.

Every function of the tables at every boundary point, orders 1 and 2, reverse and forward; what is found is
found again at the one point alone, and then in mpmath.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator

import jax
import numpy as np

from harness.verdicts import Verdict
from tests.power.defect import Defect
from tests.power.points import Point
from tests.power.question import ASKED, Question
from tests.power.second_look import confirms

FAILING = frozenset({Verdict.WRONG, Verdict.MISCOMPUTED, Verdict.IMPRECISE})
# How often one derivative is asked: where most points have none, or the truth takes long, the rest is left.
# No limit of time, for the table is to be the same again.
MOST_ASKED, MOST_ASKED_OF_SEVERAL = 16, 6
GRAIN = 128  # so fine are points without a derivative told from the others
MOST_LOOKED_AT = 10  # points of one derivative, until one is proven


def of_function(label: str, dtype: str) -> list[Defect]:
    """The defects of one function: for each mode, order and argument the one that loses the most."""
    found: list[Defect] = []
    with warnings.catch_warnings(), np.errstate(all="ignore"), jax.enable_x64(True):
        warnings.simplefilter("ignore")
        inside = Question(label, dtype, *ASKED[0]).domain()
        reverse: set[tuple[int, Point]] = set()
        for mode, order in ASKED:
            question = Question(label, dtype, mode, order)
            failing = [
                d for d in _failing(question, inside) if mode == "reverse" or (order, d.x) not in reverse
            ]
            reverse |= {(order, d.x) for d in failing}
            for argument in dict.fromkeys(d.argument for d in failing):
                own = sorted((d for d in failing if d.argument == argument), key=_badness)
                proven = next(filter(agrees, _alone(question, own[:MOST_LOOKED_AT])), None)
                if proven:
                    found.append(proven._replace(points=len({d.x for d in own})))
    return found


def agrees(defect: Defect) -> bool:
    """The second look: mpmath has the same derivative, and it is not what was computed."""
    try:
        truth = defect.subject.function.truth
        other = defect.computed != number(defect.true)
        return other and confirms(truth, defect.x, defect.place, defect.order, defect.true)
    except Exception:  # mpmath has no value there: not proven twice
        return False


def _failing(question: Question, inside: list[Point]) -> Iterator[Defect]:
    """What fails of many points at once: what is named is taken out, and the others are asked again."""
    left = MOST_ASKED if question.subject.function.numbers == 1 else MOST_ASKED_OF_SEVERAL
    parts = [inside]
    while parts and left:
        part = parts.pop(0)
        if not part:
            continue
        # Of three sizes, the last point again and again: JAX compiles for each size.
        size = next((size for size in (1, len(inside) // 8) if len(part) <= size), len(inside))
        named, left = question.named(part + part[-1:] * (size - len(part))), left - 1
        if named:
            yield from filter(_fails, named)
            bad = {d.x for d in named}
            parts.append([x for x in part if x not in bad])
        elif named is not None and len(part) > 1 + len(inside) // GRAIN:
            half = len(part) // 2
            parts += [part[:half], part[half:]]


def _alone(question: Question, defects: Iterable[Defect]) -> Iterator[Defect]:
    """The same, each asked again at its point alone."""
    for defect in defects:
        named = question.named([defect.x]) or []
        yield from sorted((d for d in named if _fails(d) and d.argument == defect.argument), key=_badness)[:1]


def _fails(defect: Defect) -> bool:
    """Whether it is a failing verdict, and not at a kink, where there is a range of truths."""
    return Verdict(defect.verdict) in FAILING and " to " not in defect.true


def _badness(defect: Defect) -> tuple[float, bool, float]:
    """The worst first; of equal ones those that the dtype can hold, at the most ordinary numbers."""
    with np.errstate(all="ignore"):
        true = abs(np.dtype(defect.dtype).type(number(defect.true)))
    unusual = sum(abs(math.log(abs(x))) for x in defect.x if x)
    return -defect.bits_lost, not 0 < true < np.inf, unusual


def number(shown: str) -> float:
    """A truth, as it is shown; one that is far beyond every dtype is shown as a power of ten alone."""
    sign, power, exponent = shown.partition("10^(")
    if not power:
        return float(shown)
    size = math.inf if float(exponent.rstrip(")")) > 0 else 0.0
    return -size if sign == "-" else size
