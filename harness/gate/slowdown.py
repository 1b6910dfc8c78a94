"""Whether a ratio of times has become slower than it was, beyond the noise of both measurements."""

from __future__ import annotations

import math
from typing import NamedTuple

LIMIT = 1.5  # one day's ratio is up to 1.3 times another day's without any change to the code


class Ratio(NamedTuple):
    """A ratio of two times, with the ends of its 99 % interval."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, median: float | None, low: float | None, high: float | None) -> Ratio | None:
        """The ratio of three measures; None where one was not measured, or they are no ratio, as with NaN."""
        if median is None or low is None or high is None:
            return None
        return cls(median, low, high) if 0 < low <= median <= high < math.inf else None


def slowdown(now: Ratio, before: Ratio) -> Ratio:
    """How many times slower `now` is than `before`.

    The least that it may be is the low end of now over the high end of before, and the most the other way
    round. Where both intervals hold the true ratios, this one holds their quotient, since division of
    positive numbers is monotone; so if each misses its own with a chance of 1 %, this one misses with at
    most 2 %, whatever the two have to do with each other. That 1 % is nominal: it is of the noise within a
    measurement. What differs from one process or day to the next is in neither; `LIMIT` is for that.

    Raises:
        ValueError: A number is NaN, infinite or not positive, or the ends are not around the median.
    """
    for name, ratio in (("now", now), ("before", before)):
        if not 0 < ratio.low <= ratio.median <= ratio.high < math.inf:
            raise ValueError(f"{name} is no ratio of times with its interval: {ratio}")
    return Ratio(now.median / before.median, now.low / before.high, now.high / before.low)


def is_slower(now: Ratio, before: Ratio) -> bool:
    """Whether `now` is slower for certain, its whole interval above 1, and by more than `LIMIT`.

    Raises:
        ValueError: As `slowdown` does: what is no number is never fine.
    """
    found = slowdown(now, before)
    return found.low > 1 and found.median > LIMIT
