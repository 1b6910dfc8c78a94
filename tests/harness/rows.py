"""What the tests of the gate are made of: records, machines, baselines, and strategies that draw them."""

import math

import msgspec
from hypothesis import strategies as st

from harness.gate.baseline import Baseline, Expected, Number, Update
from harness.runs.fingerprint import Fingerprint
from harness.runs.record import Record
from harness.verdicts import JUDGED, RIGHT, SEVERITY, Outcome, Verdict

HERE = Fingerprint(
    "Xeon", "Linux x86_64", "3.11.9", "openblas 0.3", {"numpy": "2.1", "jax": "0.8"}, "AVX2", 2
)
THERE = msgspec.structs.replace(HERE, processor="EPYC", blas="mkl 2024")
FIRST = Update("the first baseline", "0123456789ab", HERE)

# A verdict with an outcome that a run can give it; what no run gives says nothing of the gate.
LIKELY = [(v, Outcome.PASS if v in RIGHT else Outcome.FAIL) for v in SEVERITY if v in JUDGED]
LIKELY += [(v, Outcome.KNOWN) for v in SEVERITY if v in JUDGED - RIGHT]
LIKELY += [(v, Outcome.FAIL) for v in RIGHT]  # a right gradient with a fault: it changed its input
LIKELY += [
    (Verdict.TRUTH, Outcome.INFO),
    (Verdict.ESTIMATE, Outcome.INFO),
    (Verdict.UNSUPPORTED, Outcome.INFO),
]
WITHOUT_RESULT = [
    (Verdict.NONE, Outcome.ERROR),
    (Verdict.NONE, Outcome.UNAVAILABLE),
    (Verdict.NONE, Outcome.SKIPPED),
    (Verdict.ACCURATE, Outcome.STALE),
    (Verdict.CONVENTION, Outcome.STALE),
]


def record(**fields):
    plain = {"case": "relu", "input": "zeros", "dtype": "float64", "oracle": "jax", "seed": 0}
    return Record(**{**plain, "verdict": Verdict.ACCURATE, "outcome": Outcome.PASS, **fields})


def timed(ratio, spread=1.02, **fields):
    """A record with a ratio of times and its interval."""
    return record(
        **fields,
        gradient_time_ratio=ratio,
        gradient_time_ratio_low=ratio / spread,
        gradient_time_ratio_high=ratio * spread,
    )


def with_times(one, ratio, spread=1.02):
    """The record, after it was timed."""
    return msgspec.structs.replace(
        one,
        gradient_time_ratio=ratio,
        gradient_time_ratio_low=ratio / spread,
        gradient_time_ratio_high=ratio * spread,
    )


def expecting(*records):
    """What these records make a gate expect."""
    rows = (Expected.of(one) for one in records)
    return {row.row: row for row in rows}


def baseline(*records, machine=HERE, seed=0):
    return Baseline(seed, (Update("why", "0123456789ab", machine),), expecting(*records))


def plain(value):
    """Anything of msgspec, in a form in which NaN is equal to itself."""
    return repr(value)


NAMES = st.text(min_size=1, max_size=8) | st.sampled_from(
    [
        'a "quoted" name',
        "x\\y",
        "two words",
        "zwei\nZeilen",
        "null",
        "nan",
        "$HOME",
        "a'b",
        "±710",
        "[*]?",
        "%0A::",
    ]
)
# As large as what a run can say: no significand has more bits, and no proof more digits.
BITS = st.none() | st.floats(0, 53) | st.just(math.nan)
ULPS = st.none() | st.floats(0, 1e30) | st.sampled_from([math.nan, math.inf])
DIGITS = st.none() | st.floats(0, 400) | st.just(math.inf)


@st.composite
def intervals(draw):
    """A ratio of times with its interval, or none: three numbers."""
    if not draw(st.integers(0, 3)):
        return None, None, None
    median = draw(st.floats(1e-3, 1e5))
    return median, median / draw(st.floats(1, 3)), median * draw(st.floats(1, 3))


@st.composite
def records(draw, kinds=tuple(LIKELY), **fields):
    """Records as a run gives them; `kinds` are the pairs of a verdict and an outcome."""
    verdict, outcome = draw(st.sampled_from(kinds))
    bits = draw(st.floats(0, 53)) if verdict in RIGHT else draw(BITS)
    ran = outcome not in {Outcome.ERROR, Outcome.UNAVAILABLE, Outcome.SKIPPED}
    median, low, high = draw(intervals()) if ran else (None, None, None)
    measured = {"bits_lost": bits, "error_ulp": draw(ULPS), "proven_digits": draw(DIGITS)} if ran else {}
    return record(
        **fields,
        verdict=verdict,
        outcome=outcome,
        diagnosis="" if outcome is Outcome.PASS else "said why",
        gradient_time_ratio=median,
        gradient_time_ratio_low=low,
        gradient_time_ratio_high=high,
        **measured,
    )


@st.composite
def expectations(draw, updates=1):
    """Rows of a baseline with any name and any numbers that it takes."""
    verdict = draw(st.sampled_from(Verdict))
    outcome = draw(st.sampled_from(Outcome))
    right = {"allow_nan": False, "allow_infinity": False} if verdict in RIGHT else {}
    ratio = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
    numbers = {
        "bits_lost": st.floats(**right),
        "error_ulp": st.floats(),
        "proven_digits": st.floats(allow_nan=False),
        **dict.fromkeys(("time_ratio", "time_ratio_low", "time_ratio_high"), ratio),
    }
    return Expected(
        **{name: draw(NAMES) for name in ("case", "oracle", "dtype", "input")},
        verdict=verdict,
        outcome=outcome,
        update=draw(st.integers(0, updates - 1)),
        **{name: draw(st.none() | kind.map(Number)) for name, kind in numbers.items()},
    )


ROUNDING_MODELS = st.builds(
    Fingerprint,
    *[NAMES] * 4,
    st.dictionaries(NAMES, NAMES, max_size=2),
    NAMES,
    st.integers(1, 64),
)


@st.composite
def baselines(draw, max_rows=5):
    """Baselines of any rows, names, updates and machines."""
    updates = draw(st.lists(st.builds(Update, NAMES, NAMES, ROUNDING_MODELS), min_size=1, max_size=4))
    rows = draw(st.lists(expectations(len(updates)), max_size=max_rows, unique_by=lambda row: row.row))
    return Baseline(draw(st.integers(0, 2**63 - 1)), tuple(updates), {row.row: row for row in rows})
