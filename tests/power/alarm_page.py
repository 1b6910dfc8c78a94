"""What is said of right gradients, in Markdown: a table of all of them, and each alarm's cause."""

from __future__ import annotations

import pandas as pd

from tests.power.false_alarms import OPEN, PASSED
from tests.power.fault import address
from tests.power.known_alarms import CAUSES, known
from tests.power.mutation_page import table


def section(rows: pd.DataFrame) -> list[str]:
    """Of `power.md`."""
    names = {f: own["function"].nunique() for f, own in rows.groupby("framework")}
    return [
        "## False alarms",
        "",
        f"{rows['checks'].sum():,} checks of right gradients at random arguments, {rows['elements'].sum():,} "
        f"elements: {names['torch']} functions of torch and {names['jax']} of JAX (every activation and loss "
        "of torch.nn.functional and all of jax.nn that is not random, functions of both libraries with rules "
        "of their own, and forwards that approximate what they declare), each in four dtypes, with random "
        f"seeds, shapes and options. Ours passes {_share(rows, [PASSED]):.1%}, proves nothing of "
        f"{_share(rows, list(OPEN)):.2%}, and fails the rest. Each alarm was looked into: the "
        f"{len(CAUSES)} causes that are left are defects of the frameworks, with a line that shows each, in "
        "[false_alarms.md](false_alarms.md).",
        "",
        table(counts(rows)),
    ]


def counts(rows: pd.DataFrame) -> pd.DataFrame:
    """Per framework and dtype, how many checks got which answer."""
    said = [PASSED, "imprecise", "miscomputed", "wrong", *OPEN]
    found = []
    for (framework, dtype), own in rows.groupby(["framework", "dtype"], sort=False):
        row = {"framework": framework, "dtype": dtype, "functions": own["function"].nunique()}
        row |= {"checks": int(own["checks"].sum()), "elements": int(own["elements"].sum())}
        found.append(row | {word: int(own["checks"][own["said"] == word].sum()) for word in said})
    return pd.DataFrame(found)


def _share(rows: pd.DataFrame, said: list[str]) -> float:
    return float(rows["checks"][rows["said"].isin(said)].sum() / rows["checks"].sum())


def _blamed(rows: pd.DataFrame) -> str:
    """How many of the alarms are whose."""
    alarms = rows[~rows["said"].isin([PASSED, *OPEN])]
    counts = alarms.groupby(alarms["blame"].replace("", "nobody's"))["checks"].sum()
    told = ", ".join(f"{count:,} {owner}" for owner, count in counts.sort_values(ascending=False).items())
    return f"Of {alarms['checks'].sum():,} checks that are not passed: {told}."


def unknown(rows: pd.DataFrame) -> list[str]:
    """The alarms that no cause is known of."""
    alarms = rows[~rows["said"].isin([PASSED, *OPEN])]
    return [
        f"{row.function} in {row.dtype} is {row.said}: {row.example}"
        for row in alarms.itertuples()
        if known(row.function, row.dtype, row.said) is None
    ]


def stale(rows: pd.DataFrame) -> list[str]:
    """What a cause lists, and was not said."""
    said = {(row.function, row.dtype, row.said) for row in rows.itertuples()}
    return [
        f"{function} in {dtype} is not {cause.said}"
        for cause in CAUSES
        for function, dtypes in cause.where.items()
        for dtype in dtypes.split()
        if (function, dtype, cause.said) not in said
    ]


def page(rows: pd.DataFrame) -> str:
    """`false_alarms.md`: the causes, and what nothing could be proven of."""
    lines = [
        "# Right gradients that are not passed",
        "",
        "Written by `make power`, from `false_alarms.csv`. Every gradient here is the framework's own, or of "
        "a rule written as its authors would. Its execution loses half of the digits or more that its "
        "arguments allow (`imprecise`) or is further off than rounding allows (`miscomputed`), or it holds a "
        "constant or an approximation of another function (`wrong`). Each cause is listed in "
        "`tests/power/known_alarms.py`: what is not there fails, and what is there and no longer happens. "
        "Each line below gives what is computed; in JAX's float64 with 64-bit numbers enabled. `blame` says "
        "whose fault ours finds it to be: the library's, where its function is not right alone and the "
        "gradient is once that is rounded correctly; yours, where what is written by hand amplifies; blank "
        f"where it cannot tell. {_blamed(rows)}",
    ]
    for cause in CAUSES:
        own = rows[[known(r.function, r.dtype, r.said) is cause for r in rows.itertuples()]]
        link = [f"Reported: [{cause.report}]({address(cause.report)}).", ""]
        lines += [
            "", f"## {cause.said}: {cause.why}", "", *(link if cause.report else []),
            f"`{cause.reproducer}`", "",
            table(own[["function", "dtype", "blame", "checks", "example"]]),
        ]  # fmt: skip
    open_ = rows[rows["said"].isin(OPEN)]
    said = table(open_[["function", "dtype", "said", "checks", "example"]])
    return "\n".join([*lines, "", "## Nothing proven", "", said, ""])
