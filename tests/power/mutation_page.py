"""The measured mutation power as a part of the page."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from oracles.exact.program.formats import FORMATS
from tests.power.mutants import KINDS

CHANGED = """
    Right gradients are changed, and the checkers asked: those of twenty functions of torch and of twenty of
    JAX, the framework's own; of three more in each whose last operand is broadcast, which is the one whose
    gradient is changed; and those of every rule of the reference in NumPy, one argument at a time.
"""
KINDS_IN_WORDS = """
    Times 1 + 2^-k and 1 - 2^-k, k = 1 to 40: the smallest error is that at which both are seen, in every
    function and in the median one. And {number} kinds: {kinds}. A dropped term is one of a rule that is a
    sum (softmax without its sum, one half of a product rule, one sample of a batch), a missing broadcast sum
    is the first row's share alone, a stale residual is the gradient at x (1 - 2^-6). A kind is counted where
    it changes the gradient, by its numbers in float64: transposed only where it is square, a stale residual
    not where the rule does not depend on x. At the largest size the kinds are asked in float32 alone. The
    reference refuses bfloat16.
"""
SEEN = """
    Seen means that a checker does not say of the changed gradient what it says of the right one. One that
    refuses the right one sees nothing there: those are counted in their own column and left out of the
    others. Where ours refuses a gradient of the framework's own it says `imprecise` (half of the digits are
    lost and more), and of the changed one something else.
"""
BOUND = """
    The derived bound is what ours allows an execution whose formula is right, the median over the functions,
    in ulps and as a relative error (an ulp is at most {float64} of a number in float64, {float32} in
    float32, {float16} in float16, {bfloat16} in bfloat16). It is not what limits the smallest error: ours
    records the gradient's own program and evaluates it exactly, so a wrong formula is seen however it is
    rounded, down to half an ulp of the value, of float32's in the narrower formats too: 2^-24, and 2^-22
    where the last digits of written numbers add to it. (With `resolution="exact"` 2^-40 is seen in all of
    them, as it was before.) In float64 2^-40 is the smallest that
    is asked. A kernel that nobody can look into is judged by its numbers alone, and the bound of the true
    formula is then what can be seen.
"""
REFERENCE = """
    The reference's rules, by ours and as users of NumPy check them: the metric |x - y| / max(1, |x| + |y|)
    against the truth, and central differences in float64 with gradcheck's step and tolerances. At the two
    larger sizes the draws, of two decimals, have exact zeros: there relu's slope 1 is a convention, which
    these refuse.
"""


def section(rows: pd.DataFrame) -> list[str]:
    """Its lines in Markdown."""
    own = rows["framework"] == "numpy"
    parts = [
        "## Mutation power",
        _joined(CHANGED),
        _joined(KINDS_IN_WORDS, number=len(KINDS), kinds=", ".join(KINDS)),
        _joined(SEEN),
        _joined(BOUND, **{dtype: f"2^{1 - form.digits}" for dtype, form in FORMATS.items()}),
        table(power(rows[~own])),
        _joined(REFERENCE),
        table(power(rows[own])),
        "What is let through, by kind; a checker that is not named lets nothing through.",
        table(through(rows)),
    ]
    return "\n\n".join(parts).split("\n")


def _joined(text: str, **numbers: object) -> str:
    return " ".join(text.split()).format(**numbers)


def power(rows: pd.DataFrame) -> pd.DataFrame:
    """Per checker, dtype and size: the least relative error that is seen in every function, and in half."""
    found = []
    for (checker, dtype, height, width), own in rows.groupby(
        ["checker", "dtype", "rows", "columns"], sort=False
    ):
        telling = own[own["passes the right one"].astype(bool) | (own["verdict"] != "")]
        kinds = int(telling["kinds"].sum())
        bound = pd.to_numeric(own["bound ulps"], errors="coerce").median()
        found.append(
            {
                "checker": checker,
                "dtype": dtype,
                "size": f"{height} x {width}",
                "functions": len(own),
                "right ones refused": int((~own["passes the right one"].astype(bool)).sum()),
                "seen in all": _scale(telling["finest scale"].min()),
                "in half": _scale(telling["finest scale"].median()),
                "kinds let through": f"{sum(map(len, _kinds(telling)))} of {kinds}" if kinds else "",
                "derived bound, ulps": "" if pd.isna(bound) else f"{bound:.3g}",
                "as a relative error": "" if pd.isna(bound) else _relative(bound, dtype),
            }
        )
    return pd.DataFrame(found)


def through(rows: pd.DataFrame) -> pd.DataFrame:
    """How often each checker lets each kind through."""
    missed = pd.DataFrame(
        [
            (checker, kind)
            for checker, kinds in zip(rows["checker"], _kinds(rows), strict=True)
            for kind in kinds
        ],
        columns=["checker", "kind"],
    )
    counted = pd.crosstab(missed["kind"], missed["checker"])
    order = [kind for kind in KINDS if kind in counted.index]
    return counted.reindex(order)[[c for c in rows["checker"].unique() if c in counted]].reset_index()


def _kinds(rows: pd.DataFrame) -> list[list[str]]:
    return [text.split(", ") if text else [] for text in rows["let through"]]


def _scale(k: float) -> str:
    return f"2^-{k:g}" if k >= 1 else "none"


def _relative(ulps: float, dtype: str) -> str:
    return f"2^{math.log2(ulps) + 1 - FORMATS[dtype].digits:.1f}"


def table(frame: Any) -> str:
    """A Markdown table whose cells cannot break it."""
    head = "| " + " | ".join(frame.columns) + " |"
    rule = "|" + "---|" * len(frame.columns)
    body = [
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |"
        for row in frame.itertuples(index=False)
    ]
    return "\n".join([head, rule, *body])
