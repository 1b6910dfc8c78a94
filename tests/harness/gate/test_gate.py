"""A run against the baseline, record by record: nothing that is worse slips through, whatever the order."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gate.baseline import Expected
from harness.gate.finding import NO_RESULT, Kind, Level
from harness.gate.gate import Gate, Policy, not_in
from harness.runs.record import Row
from harness.selection import Untrusted
from harness.verdicts import Outcome, Verdict
from tests.harness.rows import LIKELY, WITHOUT_RESULT, expecting, record, records, timed, with_times

WRONG = {"verdict": Verdict.WRONG, "outcome": Outcome.FAIL}
ERROR = {"verdict": Verdict.NONE, "outcome": Outcome.ERROR, "diagnosis": "it raised"}
ABSENT = {"verdict": Verdict.NONE, "outcome": Outcome.UNAVAILABLE, "diagnosis": "pip install it"}
ROW = Row("relu", "jax", "float64", "zeros")


def gate_of(*expected, same=True, seed=0, **policy):
    return Gate(expecting(*expected), lambda _: same, Policy(**policy), seed)


def gated(expected, came, again=None, planned=True, **options):
    """A gate after a whole run: `again` are the second measurements, None for a saved run."""
    gate = gate_of(*expected, **options)
    for one in came:
        gate.take(one)
    if again is None:
        gate.leave_unconfirmed()
    else:
        gate.look_again(again)
        gate.confirm()
    gate.close(expecting(*expected), not_in(expecting(*expected) if planned else ()))
    return gate


def said(gate):
    """What is found, in no order: the records in it may be the first or the last of a row."""
    return sorted((f.level.value, f.kind.value, f.row, f.before, f.now) for f in gate.findings)


def kinds(gate):
    return [(f.kind, f.level) for f in gate.findings]


# -- every kind, at every level ----------------------------------------------------------------------------

ALONE = {"expected": [record()], "came": [record()]}
SLOW = {"expected": [timed(1.0)], "came": [timed(3.0)]}
UNTIMED = {"expected": [timed(1.0)], "came": [record()]}


@pytest.mark.parametrize(
    ("run", "found"),
    [
        (ALONE, []),
        ({**ALONE, "came": [record(**ERROR)]}, [(Kind.ERROR, Level.FAIL)]),
        ({**ALONE, "came": [record(**WRONG)]}, [(Kind.WORSE, Level.FAIL)]),
        ({**ALONE, "came": [record(**WRONG)], "same": False}, [(Kind.WORSE, Level.FAIL)]),
        ({**ALONE, "came": [record(**ABSENT)]}, [(Kind.UNAVAILABLE, Level.FAIL)]),
        ({**ALONE, "came": [record(), record(**WRONG)]}, [(Kind.CONFLICT, Level.FAIL)]),
        ({**ALONE, "came": []}, [(Kind.MISSING, Level.FAIL)]),
        ({**ALONE, "came": [], "planned": False}, [(Kind.STALE, Level.FAIL)]),
        (
            {**ALONE, "expected": [record(bits_lost=0.0)], "came": [record(bits_lost=3.0)]},
            [(Kind.BITS, Level.FAIL)],
        ),
        (
            {"expected": [record(bits_lost=0.0)], "came": [record(bits_lost=3.0)], "same": False},
            [(Kind.BITS, Level.WARN)],
        ),
        ({**ALONE, "expected": [record(**WRONG)]}, [(Kind.BETTER, Level.NOTE)]),
        ({**ALONE, "expected": []}, [(Kind.NEW, Level.WARN)]),
        ({**ALONE, "expected": [], "strict": True}, [(Kind.NEW, Level.FAIL)]),
        ({"expected": [], "came": [record(**WRONG)]}, [(Kind.NEW, Level.FAIL)]),
        ({"expected": [], "came": [record(**ERROR)]}, [(Kind.ERROR, Level.FAIL)]),
        ({"expected": [], "came": [record(**ABSENT)], "strict": True}, []),
        ({**SLOW, "again": [timed(3.0)]}, [(Kind.SLOWER, Level.FAIL)]),
        ({**SLOW, "again": [timed(1.0)]}, []),
        ({**SLOW, "again": [record(**ERROR)]}, [(Kind.SLOWER, Level.FAIL)]),
        ({**SLOW, "again": None}, [(Kind.SLOWER, Level.WARN)]),
        ({**SLOW, "again": [timed(3.0)], "same": False}, [(Kind.SLOWER, Level.WARN)]),
        ({**SLOW, "again": [timed(3.0)], "same": False, "timing": "gate"}, [(Kind.SLOWER, Level.FAIL)]),
        ({**SLOW, "again": [timed(3.0)], "timing": "warn"}, [(Kind.SLOWER, Level.WARN)]),
        ({**SLOW, "again": None, "timing": "off"}, []),
        (UNTIMED, [(Kind.UNTIMED, Level.FAIL)]),
        ({**UNTIMED, "same": False}, [(Kind.UNTIMED, Level.WARN)]),
        ({**UNTIMED, "timing": "warn"}, [(Kind.UNTIMED, Level.WARN)]),
        ({**UNTIMED, "timing": "off"}, []),
        ({**UNTIMED, "came": [record(), timed(1.0)]}, []),
        ({**UNTIMED, "came": [record(**ERROR)]}, [(Kind.ERROR, Level.FAIL)]),
        ({**UNTIMED, "came": []}, [(Kind.MISSING, Level.FAIL)]),
    ],
)  # fmt: skip
def test_each_kind_of_finding_has_its_level(run, found):
    assert kinds(gated(**run)) == found


@pytest.mark.parametrize(
    ("timing", "here", "there"),
    [("", "fail", "warn"), ("gate", "fail", "fail"), ("warn", "warn", "warn"), ("off", "warn", "warn")],
)
def test_how_much_a_slower_row_weighs_is_asked_for_or_follows_the_machine(timing, here, there):
    assert [Policy(timing).level_of_time(same) for same in (True, False)] == [here, there]


def test_each_row_is_compared_with_the_machine_of_its_own_update():
    expected = expecting(record(input="a", bits_lost=0.0), record(input="b", bits_lost=0.0))
    gate = Gate(expected, lambda row: row.input == "a", Policy(), 0)
    for name in "ab":
        gate.take(record(input=name, bits_lost=9.0))
    assert [(f.row.input, f.level) for f in gate.findings] == [("a", Level.FAIL), ("b", Level.WARN)]


def test_a_record_of_another_seed_is_refused_by_name():
    gate = gate_of(record(), seed=3)
    with pytest.raises(Untrusted, match=r"relu/jax/float64/zeros is of seed 0; the baseline's is 3"):
        gate.take(record())
    assert gate.rows == 0


# -- the order of the records, and records that come twice -------------------------------------------------


@st.composite
def runs(draw):
    """Rows that are expected, and lines of a run about them: some a second time, with their times."""
    names = draw(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=6))
    # Ratios are close to each other or far off, so that some are slower.
    ratio = st.sampled_from([1.0, 1.2, 4.0])
    expected, lines = [], []
    for name in names:
        if draw(st.integers(0, 4)):
            before = draw(records(input=name))
            expected.append(with_times(before, draw(ratio)) if draw(st.booleans()) else before)
        if draw(st.integers(0, 4)):
            one = draw(records(kinds=LIKELY + WITHOUT_RESULT, input=name))
            lines.append(one)
            if one.outcome not in NO_RESULT and one.gradient_time_ratio is None and draw(st.booleans()):
                lines.append(with_times(one, draw(ratio)))
    options = {
        "same": draw(st.booleans()),
        "strict": draw(st.booleans()),
        "timing": draw(st.sampled_from(["", "gate", "warn", "off"])),
        "planned": draw(st.booleans()),
    }
    return expected, lines, options


@given(run=runs(), random=st.randoms(use_true_random=False))
def test_the_order_of_the_records_makes_no_difference(run, random):
    expected, lines, options = run
    mixed = random.sample(lines, len(lines))
    one, other = gated(expected, lines, **options), gated(expected, mixed, **options)
    assert said(one) == said(other)
    assert (one.rows, one.compared) == (other.rows, other.compared)
    assert set(one.suspects) == set(other.suspects)


@given(run=runs())
def test_a_record_that_comes_again_changes_nothing(run):
    expected, lines, options = run
    one, twice = gated(expected, lines, **options), gated(expected, lines * 2, **options)
    assert said(one) == said(twice)
    assert (one.rows, one.compared) == (twice.rows, twice.compared)


def test_an_error_that_comes_again_changes_nothing():
    one, twice = (gated([record()], [record(**ERROR)] * times) for times in (1, 2))
    assert said(one) == said(twice)


@given(run=runs())
def test_every_expected_row_that_is_wanted_came_or_is_found(run):
    expected, lines, options = run
    gate = gated(expected, lines, **options)
    came = {Row.of(line.cell) for line in lines}
    absent = {f.row for f in gate.findings if f.kind in {Kind.MISSING, Kind.STALE} and f.record is None}
    assert absent == set(expecting(*expected)) - came
    assert gate.rows == len(came)


@given(run=runs())
def test_no_row_without_a_result_is_let_through_where_one_is_expected(run):
    expected, lines, options = run
    gate = gated(expected, lines, **options)
    found = {f.row for f in gate.findings if f.level is not Level.NOTE}
    names = {Row.of(line.cell) for line in lines if line.outcome in NO_RESULT}
    assert names & set(expecting(*expected)) <= found


@given(run=runs())
def test_a_run_against_itself_finds_nothing(run):
    _, lines, options = run
    last = {line.cell: line for line in lines if line.outcome not in NO_RESULT}
    assert said(gated(last.values(), last.values(), **options)) == []


@given(run=runs())
def test_strict_finds_no_more_and_lets_nothing_off(run):
    expected, lines, options = run
    easy, strict = (gated(expected, lines, **{**options, "strict": s}) for s in (False, True))
    assert [(f.kind, f.row) for f in easy.findings] == [(f.kind, f.row) for f in strict.findings]
    for one, other in zip(easy.findings, strict.findings, strict=True):
        assert other.level is Level.FAIL if one.kind is Kind.NEW else other.level is one.level


# -- counts ------------------------------------------------------------------------------------------------


def test_only_rows_that_were_judged_and_are_expected_are_compared():
    expected = [
        record(input="a"),
        record(input="b"),
        record(input="c", verdict=Verdict.TRUTH, outcome=Outcome.INFO),
    ]
    gate = gate_of(*expected)
    assert gate.compared == 0
    gate.take(expected[2])  # the truth is not judged
    gate.take(record(input="new"))
    gate.take(record(input="b", **ABSENT))
    assert (gate.rows, gate.compared) == (3, 0)
    gate.take(expected[0])
    gate.take(timed(1.0, input="a"))
    assert (gate.rows, gate.compared) == (4, 1)


# -- two results for one row -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": Verdict.CONVENTION}, {"bits_lost": 0.5}, {"error_ulp": 0.5}, {"computed": 1.0},
        {"true": 1.0}, {"proven_digits": 3.0},
    ],
)  # fmt: skip
def test_two_results_for_one_row_are_a_failure_whichever_is_good(change):
    one, other = record(), record(**change)
    for lines in ([one, other], [other, one]):
        assert (Kind.CONFLICT, Level.FAIL) in kinds(gated([record()], lines))


def test_two_results_for_a_row_that_is_not_expected_are_a_failure_too():
    assert (Kind.CONFLICT, Level.FAIL) in kinds(gated([], [record(), record(bits_lost=0.5)]))


@pytest.mark.parametrize("expected", [[], [record()]])
def test_an_error_that_comes_with_the_times_is_an_error(expected):
    found = gated(expected, [record(), record(**ERROR)]).findings
    assert [(f.kind, f.level, f.before, f.now) for f in found if f.kind is not Kind.NEW] == [
        (Kind.ERROR, Level.FAIL, "accurate" if expected else "(error)", "it raised")
    ]


# -- times -------------------------------------------------------------------------------------------------


def test_a_row_looks_slower_only_beyond_the_limit_and_the_noise_of_both():
    def suspected(before, now):
        gate = gate_of(before)
        gate.take(now)
        return bool(gate.suspects)

    assert suspected(timed(1.0, 1.01), timed(1.6, 1.01))
    assert not suspected(timed(1.0, 1.01), timed(1.4, 1.01))
    assert not suspected(timed(1.0, 1.3), timed(1.6, 1.3))
    assert not suspected(record(), timed(100.0))
    assert not suspected(timed(1.0), timed(0.01))


def test_a_suspect_is_the_record_with_the_times_and_no_finding_yet():
    gate = gate_of(timed(1.0))
    gate.take(record())
    gate.take(timed(3.0))
    assert gate.suspects == {ROW: timed(3.0)}
    assert gate.findings == []


def test_a_slower_row_is_said_with_both_ratios_and_their_intervals():
    (found,) = gated([timed(1.0, 1.25)], [timed(3.0)], again=[timed(4.0, 1.25)]).findings
    assert (found.row, found.before, found.now) == (ROW, "1 (0.8 to 1.25)", "4 (3.2 to 5)")
    assert found.record == timed(4.0, 1.25)


def test_a_saved_run_says_that_it_was_measured_once():
    (found,) = gated([timed(1.0)], [timed(2.0, 1.25)], again=None).findings
    assert found.now == "2 (1.6 to 2.5), measured once"


@pytest.mark.parametrize(
    ("timing", "same", "looks"), [("", True, 5), ("", False, 2), ("gate", False, 5), ("warn", True, 2)]
)
def test_what_would_fail_is_looked_at_more_often_than_what_would_warn(timing, same, looks):
    gate = gate_of(timed(1.0), same=same, timing=timing)
    gate.take(timed(3.0))
    for look in range(1, 9):
        assert bool(gate.doubtful(look)) == (look < looks)


@pytest.mark.parametrize("fast", range(1, 5))
def test_a_row_that_is_not_slower_in_one_look_is_not_slower(fast):
    gate = gate_of(timed(1.0))
    gate.take(timed(3.0))
    for look in range(1, 5):
        gate.look_again([timed(1.0 if look == fast else 3.0)] if gate.doubtful(look) else [])
    gate.confirm()
    assert gate.findings == []


def test_a_suspect_that_cannot_be_timed_again_is_slower():
    (found,) = gated([timed(1.0)], [timed(3.0)], again=[record(**ERROR)]).findings
    assert (found.kind, found.now) == (Kind.SLOWER, "no ratio of times")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_ratio_that_is_no_number_is_never_fast(number):
    bad = msgspec.structs.replace(timed(1.0), gradient_time_ratio=number)
    assert kinds(gated([timed(1.0)], [bad])) == [(Kind.UNTIMED, Level.FAIL)]


def test_times_of_a_row_that_had_none_are_no_news():
    assert gated([record()], [timed(100.0)]).findings == []


# -- what did not come -------------------------------------------------------------------------------------


def test_only_what_the_run_is_about_can_be_missing():
    expected = expecting(record(input="a"), record(input="b"))
    gate = Gate(expected, lambda _: True, Policy(), 0)
    gate.close([row for row in expected if row.input == "a"], not_in(expected))
    assert [(f.kind, f.row.input) for f in gate.findings] == [(Kind.MISSING, "a")]


def test_what_the_catalogue_has_no_more_is_stale_and_what_it_has_is_missing():
    expected = expecting(record(input="a"), record(input="b"))
    gate = Gate(expected, lambda _: True, Policy(), 0)
    gate.close(expected, not_in([row for row in expected if row.input == "a"]))
    assert [(f.row.input, f.kind, f.now) for f in gate.findings] == [
        ("a", Kind.MISSING, "the run has no such row"),
        ("b", Kind.STALE, "the catalogue has no such row any more"),
    ]


def test_a_row_of_the_run_that_is_not_expected_is_said_as_it_is():
    (found,) = gated([], [record(**WRONG)]).findings
    assert (found.row, found.before, found.now) == (ROW, "", "wrong")


def test_a_gate_keeps_no_record_of_a_row_that_is_as_it_was():
    gate = gate_of(*(record(input=str(k)) for k in range(20)))
    for k in range(20):
        gate.take(record(input=str(k)))
    assert not any(isinstance(value, Expected) for value in gate._seen.values())
    assert (gate.findings, gate.suspects) == ([], {})
