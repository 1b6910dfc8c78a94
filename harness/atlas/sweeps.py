"""The error over the input of a function of one number, thinned to what a page draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.page.asking import placed
from harness.page.elements import Elements
from harness.subject.derivative import Array
from harness.verdicts import Verdict

MOST = 140  # points of a picture
GIVEN = 1.0  # where the upright line stands


def swept(found: Sequence[tuple[Elements, Array]], name: str, dtype: str) -> dict[str, Any]:
    """As a page has it: points in order, evenly taken, and beside them those where the verdict changes."""
    each = ((float(x), one, (*(0 for _ in one.shape[1:]), k)) for one, at in found for k, x in enumerate(at))
    whole = sorted(each, key=lambda point: point[0])
    verdicts: list[Verdict] = [one.verdict(at) for _, one, at in whole]
    kept = set(np.linspace(0, len(whole) - 1, min(MOST, len(whole)), dtype=int).tolist())
    for k in range(1, len(whole)):
        if verdicts[k] is not verdicts[k - 1]:
            kept |= {k - 1, k}
    first = whole[0][1]
    return {
        "argument": name, "dtype": dtype, "digits": first.digits, "budget": first.budget,
        "given": placed(GIVEN, dtype),
        "points": [
            [*placed(x, dtype), *one.told(at)[1:]] for x, one, at in (whole[k] for k in sorted(kept))
        ],
    }  # fmt: skip
