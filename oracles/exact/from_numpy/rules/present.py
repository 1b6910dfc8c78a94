"""NumPy's functions that leave out what is missing: `nansum`, `nanmax`, `nanmedian` and their kin.

A finite number is no NaN, so where nothing is missing these are their namesakes.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from oracles.exact.from_numpy.rules import order, reductions
from oracles.exact.from_numpy.rules.reductions import NO_VALUE, Axis, Rule, axes_of, flags_of, kept
from oracles.exact.from_numpy.tape import words
from oracles.exact.program.primitives.apart import lacking
from oracles.exact.program.primitives.arrays import reduced
from oracles.exact.program.primitives.missing import missing, there
from oracles.exact.program.primitives.reductions import reduce_or
from oracles.exact.program.program import Var


def _without(rule: Rule, of_nothing: bool = True) -> Rule:
    """The same of what is not missing. Of nothing it has a value, or it is missing."""

    def own(x: Var, axis: Axis = None, *args: Any, where: Any = True, **given: Any) -> Any:
        gone = missing(x)
        if gone is None:
            return rule(x, axis, *args, where=where, **given)
        present = x.builder.elementwise("not", gone, dtype="bool")
        if where is not True and where is not NO_VALUE:
            present = x.builder.elementwise("and", present, flags_of(x, where), dtype="bool")
        found = rule(x, axis, *args, where=present, **given)
        if of_nothing or "initial" in given:
            return found
        some = reduced(reduce_or, present, axes_of(x, axis), kept(given.get("keepdims", False)))
        return lacking(found, x.builder.elementwise("not", some, dtype="bool"), x)

    return own


def _with(otherwise: float, rule: Rule) -> Rule:
    """The same with this number for what is missing."""
    return lambda x, *args, **given: rule(there(x, otherwise), *args, **given)


RULES: dict[str, Rule] = {
    **{f"nan{name}": _without(reductions.RULES[name]) for name in words("sum prod")},
    **{
        f"nan{name}": _without(reductions.RULES[name], of_nothing=False)
        for name in words("mean var std max min")
    },
    "nanmedian": partial(order.median, leaves_out=True),
    "nanquantile": partial(order.quantile, leaves_out=True),
    "nanpercentile": partial(order.quantile, hundredth=True, leaves_out=True),
    "nancumsum": _with(0.0, order.RULES["cumsum"]),
    "nancumprod": _with(1.0, order.RULES["cumprod"]),
    "nanargmax": _with(-np.inf, order.RULES["argmax"]),
    "nanargmin": _with(np.inf, order.RULES["argmin"]),
}
