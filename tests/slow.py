"""Which tests are slow: `python -m tests.slow RUN.xml` writes their names, of a run with --junitxml=RUN.xml.

Of these `make test` asks one case of three (see tests/sampling.py). They are few, and take three quarters of
the time. The tests of the tester (tests/meta) are none of them.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from statistics import fmean
from xml.etree import ElementTree

from tests.sampling import SLOW

SECONDS = 0.2  # that a case takes on an average


def slow(run: str) -> list[str]:
    """The names of the tests in a run's file of which a case takes so long."""
    times = defaultdict[str, list[float]](list)
    for case in ElementTree.parse(run).iter("testcase"):
        file, name = case.attrib["classname"].replace(".", "/"), case.attrib["name"].partition("[")[0]
        times[f"{file}.py::{name}"].append(float(case.attrib["time"]))
    return sorted(
        name
        for name, own in times.items()
        if fmean(own) >= SECONDS and not name.startswith("tests/meta/test_")
    )


if __name__ == "__main__":
    SLOW.write_text("\n".join(slow(*sys.argv[1:])) + "\n")
