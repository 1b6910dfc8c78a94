"""What an update does to a baseline: every change is shown, and doing it leaves nothing to do."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gate.baseline import Baseline, Expected, Update
from harness.gate.changes import MOST_NAMED, Change, changes
from harness.gate.finding import Level
from harness.gate.gate import Gate, Policy, not_in
from harness.runs.record import Row
from harness.selection import UsageError
from harness.verdicts import Outcome, Verdict
from tests.harness.rows import (
    HERE,
    THERE,
    WITHOUT_RESULT,
    baseline,
    expecting,
    plain,
    record,
    records,
    timed,
    with_times,
)

WRONG = {"verdict": Verdict.WRONG, "outcome": Outcome.FAIL}
ROW = Row("relu", "jax", "float64", "zeros")
EMPTY = Baseline(0, (), {})


def changed(old, *came, gone=(), machine=HERE):
    return changes(old, came, gone, machine)


def applied(old, found, machine=HERE):
    """The baseline as `baseline update` writes it."""
    return Baseline(old.seed, (*old.updates, Update("why", "abc", machine)), found.rows)


# -- each change -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "change", "words"),
    [
        (None, record(), Change.CREATED, "accurate"),
        (None, record(**WRONG), Change.CREATED, "wrong"),
        (record(), record(**WRONG), Change.WORSE, "accurate → wrong"),
        (record(bits_lost=1.0), record(bits_lost=3.0), Change.WORSE, "1 bits lost → 3 bits lost"),
        (record(bits_lost=3.0), record(bits_lost=1.0), Change.FIXED, "3 bits lost → 1 bits lost"),
        (record(**WRONG), record(), Change.FIXED, "wrong → accurate"),
        (timed(1.0, 1.25), timed(4.0, 1.25), Change.WORSE, "time 1 (0.8 to 1.25) → 4 (3.2 to 5)"),
        (timed(4.0, 1.25), timed(1.0, 1.25), Change.FIXED, "time 4 (3.2 to 5) → 1 (0.8 to 1.25)"),
        (record(), timed(1.0), Change.RENEWED, "accurate"),
    ],
)
def test_each_change_has_its_kind_and_words(before, now, change, words):
    old = baseline(*([before] if before else []))
    found = changed(old, now)
    assert found.said == {ROW: (change, words)}
    assert found.rows == {ROW: Expected.of(now, len(old.updates))}


def test_a_row_that_the_catalogue_has_no_more_is_trimmed():
    found = changed(
        baseline(record(), record(case="other", **WRONG)), record(), gone=[Row("other", *ROW[1:])]
    )
    assert found.said == {Row("other", *ROW[1:]): (Change.TRIMMED, "wrong")}
    assert set(found.rows) == {ROW}


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (record(bits_lost=1.0), record(bits_lost=1.9)),
        (record(bits_lost=1.9), record(bits_lost=1.0)),
        (timed(1.0), timed(1.4)),
        (timed(1.0), record()),
    ],
)
def test_a_row_in_which_nothing_is_worse_or_better_stays_as_it_is(before, now):
    """So that many small losses do not add up: each is compared with what a person agreed to."""
    old = baseline(before)
    found = changed(old, now)
    assert found.said == {}
    assert found.rows == old.rows


def test_a_row_from_another_machine_is_renewed_here():
    found = changed(baseline(timed(1.0), machine=THERE), timed(1.1))
    assert found.said == {ROW: (Change.RENEWED, "accurate")}
    assert found.rows == {ROW: Expected.of(timed(1.1), 1)}


def test_whether_a_row_is_from_another_machine_is_told_by_its_own_update():
    rows = [Expected.of(record(input="a"), 0), Expected.of(record(input="b"), 1)]
    old = Baseline(0, (Update("r", "c", THERE), Update("r", "c", HERE)), {row.row: row for row in rows})
    found = changed(old, record(input="a"), record(input="b"))
    assert {row.input: change for row, (change, _) in found.said.items()} == {"a": Change.RENEWED}


def test_other_rows_stay_as_they_are():
    old = baseline(record(input="a"), record(input="b"), record(input="c"))
    found = changed(old, record(input="b", **WRONG))
    assert {row.input: old.rows[row] == one for row, one in found.rows.items()} == {
        "a": True,
        "b": False,
        "c": True,
    }


def test_the_old_baseline_is_not_changed():
    old = baseline(record(), record(case="other"))
    kept = dict(old.rows)
    changed(old, record(**WRONG), record(case="new"), gone=[Row("other", *ROW[1:])])
    assert old.rows == kept


def test_what_is_looked_at_first_comes_first():
    assert list(Change) == ["worse", "created", "trimmed", "fixed", "renewed"]


# -- no result ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WITHOUT_RESULT)
@pytest.mark.parametrize("old", [EMPTY, baseline(record())])
def test_a_row_without_a_result_is_refused_by_name_with_its_reason(kind, old):
    verdict, outcome = kind
    one = record(verdict=verdict, outcome=outcome, diagnosis="pip install it")
    if not old.rows and outcome in {Outcome.UNAVAILABLE, Outcome.SKIPPED}:
        assert changed(old, one).said == {}  # nothing is expected of it, and nothing was run
        return
    with pytest.raises(
        UsageError, match=r"no result to agree to.*\n  relu/jax/float64/zeros: pip install it$"
    ):
        changed(old, one)


@given(good=st.lists(records(), max_size=3), bad=records(kinds=[(Verdict.NONE, Outcome.ERROR)]))
def test_one_row_without_a_result_holds_up_all_others(good, bad):
    rows = [msgspec.structs.replace(one, input=str(k)) for k, one in enumerate(good)]
    with pytest.raises(UsageError, match="so nothing was changed"):
        changed(EMPTY, *rows, bad)


@pytest.mark.parametrize("more", [0, 1, 7])
def test_of_many_rows_without_a_result_the_first_are_named_and_the_others_counted(more):
    total = MOST_NAMED + more
    rows = [
        record(input=f"i{k}", verdict=Verdict.NONE, outcome=Outcome.ERROR, diagnosis="d")
        for k in range(total)
    ]
    with pytest.raises(UsageError, match=f"^{total} of these rows have no result") as problem:
        changed(EMPTY, *rows)
    assert str(problem.value).count("\n") == MOST_NAMED
    assert (f" and {more} more" in str(problem.value)) is bool(more)


# -- doing it ----------------------------------------------------------------------------------------------


@st.composite
def updates(draw):
    """A baseline of two machines, what a run says of it on one of them, and rows that are gone."""
    names = draw(st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1, max_size=6))
    ratio = st.sampled_from([1.0, 1.2, 4.0])
    rows, came, gone = {}, [], []
    for name in names:
        before = draw(st.none() | records(input=name))
        if before is not None:
            before = with_times(before, draw(ratio)) if draw(st.booleans()) else before
            row = Expected.of(before, draw(st.integers(0, 1)))
            rows[row.row] = row
        if draw(st.integers(0, 3)):
            now = draw(records(input=name)) if before is None or draw(st.booleans()) else before
            came.append(with_times(now, draw(ratio)) if draw(st.booleans()) else now)
        elif before is not None:
            gone.append(row.row)
    old = Baseline(0, (Update("r", "c", HERE), Update("r", "c", THERE)), rows)
    return old, came, gone, draw(st.sampled_from([HERE, THERE]))


@given(update=updates())
def test_after_an_update_nothing_is_left_to_do(update):
    old, came, gone, machine = update
    new = applied(old, changes(old, came, gone, machine), machine)
    assert changes(new, came, [], machine).said == {}


@given(update=updates())
def test_a_row_changes_where_it_is_said_and_nowhere_else(update):
    old, came, gone, machine = update
    found = changes(old, came, gone, machine)
    rows = old.rows.keys() | found.rows.keys()
    differing = {row for row in rows if plain(old.rows.get(row)) != plain(found.rows.get(row))}
    assert differing == set(found.said)
    assert all(words for _, words in found.said.values())


@given(update=updates())
def test_each_kind_of_change_is_what_it_is_called(update):
    old, came, gone, machine = update
    for row, (change, _) in changes(old, came, gone, machine).said.items():
        assert (row in old.rows) == (change is not Change.CREATED)
        assert (row in gone) == (change is Change.TRIMMED)


@given(update=updates())
def test_after_an_update_a_gate_lets_the_same_run_pass(update):
    old, came, gone, machine = update
    new = applied(old, changes(old, came, gone, machine), machine)
    gate = Gate(new.rows, lambda _: True, Policy(timing="gate", strict=True), 0)
    for one in came:
        gate.take(one)
    untold = {row for row, one in new.rows.items() if one.time_ratio is not None}
    gate.close(
        set(new.rows) - untold, not_in(new.rows)
    )  # that times are not there any more: see test_findings
    assert [f for f in gate.findings if f.level is not Level.NOTE] == []
    assert gate.suspects == {}


@given(update=updates())
def test_what_fails_a_gate_is_shown_as_worse_or_trimmed_and_never_as_fixed(update):
    old, came, gone, machine = update
    gate = Gate(old.rows, lambda _: True, Policy(), 0)
    for one in came:
        gate.take(one)
    found = changes(old, came, gone, machine).said
    for finding in gate.findings:
        if finding.level is Level.FAIL and finding.row in old.rows:
            assert found[finding.row][0] is Change.WORSE


def test_a_row_that_is_more_accurate_and_slower_is_shown_as_worse():
    found = changed(baseline(timed(1.0, bits_lost=9.0)), timed(10.0, bits_lost=0.0))
    assert found.said[ROW][0] is Change.WORSE or "time" in found.said[ROW][1]


@pytest.mark.parametrize(
    ("old", "now"),
    [
        (baseline(timed(1.0), machine=THERE), record()),
        (baseline(timed(1.0, bits_lost=9.0)), record(bits_lost=0.0)),
    ],
    ids=["renewed", "fixed"],
)
def test_times_that_an_update_takes_away_are_spoken_of(old, now):
    found = changed(old, now)
    assert found.rows[ROW].time_ratio is not None or "time" in found.said[ROW][1]


def test_an_empty_baseline_takes_every_row():
    came = [record(input="a"), record(input="b", **WRONG)]
    found = changed(EMPTY, *came)
    assert {change for change, _ in found.said.values()} == {Change.CREATED}
    assert found.rows == expecting(*came)
