"""Tables: worst first, nothing lost between a frame and the screen or a file."""

import io
import math
import re
from collections import Counter

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from harness.learning import Learned
from harness.record import Record
from harness.report import tables
from harness.report.files import WRITERS, markdown, write_tables
from harness.report.tables import RESULTS, Table
from harness.report.text import HEADINGS, WRAPPED, print_table
from harness.verdict import Outcome, Verdict

SIZES = st.none() | st.floats(0, 10) | st.sampled_from([math.nan, math.inf])


@st.composite
def record_lists(draw):
    records = []
    for seed in range(draw(st.integers(1, 12))):
        size = draw(SIZES)
        outcome = draw(st.sampled_from(Outcome))
        verdict = draw(st.sampled_from([Verdict.AGREES, Verdict.CONVENTION]))
        case, oracle = draw(st.sampled_from(["relu", "softmax"])), draw(st.sampled_from(["jax", "torch"]))
        records.append(
            Record(
                case=case, input="zeros", dtype="float64", oracle=oracle, seed=seed, verdict=verdict,
                outcome=outcome, where="" if size is None else "x[0]", scaled_error=size,
            )
        )  # fmt: skip
    return records


def badness(row):
    """Greater is worse, written anew: by result, then by error, NaN and infinity above all numbers."""
    size = row["scaled_error"]
    size = -1.0 if row["where"] == "" else math.inf if math.isnan(size) else size
    return -RESULTS.index(row["result"]), size


@settings(deadline=None)
@given(records=record_lists())
def test_rows_are_sorted_worst_first_and_none_is_lost(records):
    frame = tables.records_frame(records)
    order = [badness(row) for _, row in frame.iterrows()]
    assert order == sorted(order, reverse=True)
    assert sorted(frame["seed"]) == [r.seed for r in records]


@settings(deadline=None)
@given(records=record_lists())
def test_the_short_table_has_the_worst_row_of_each_case_and_oracle(records):
    frame = tables.records_frame(records)
    shown = tables.gradients(frame, full=False).frame
    assert len(tables.gradients(frame, full=True).frame) == len(records)
    groups = {
        key: [badness(r) for _, r in rows.iterrows()] for key, rows in frame.groupby(["case", "oracle"])
    }
    assert {(r["case"], r["oracle"]): badness(r) for _, r in shown.iterrows()} == {
        key: max(values) for key, values in groups.items()
    }


@settings(deadline=None)
@given(records=record_lists())
def test_the_summary_counts_every_row_once(records):
    line = tables.summary(tables.records_frame(records))
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (\w+)", line.split(": ")[1])}
    assert line.startswith(f"{len(records)} rows: ")
    wanted = Counter(
        "convention" if (r.outcome, r.verdict) == (Outcome.PASS, Verdict.CONVENTION) else r.outcome.value
        for r in records
    )
    assert counts == wanted


def row(**fields):
    plain = {"case": "relu", "input": "zeros", "dtype": "float64", "oracle": "jax", "seed": 0}
    return Record(**{**plain, "outcome": Outcome.FAIL, **fields})


def test_only_a_passing_convention_is_shown_as_one():
    found = tables.records_frame(
        [row(verdict=Verdict.CONVENTION), row(verdict=Verdict.CONVENTION, outcome=Outcome.PASS)]
    )
    assert list(found["result"]) == ["fail", "convention"]


def test_problems_group_the_inputs_of_one_reason_and_leave_out_what_is_right():
    records = [
        row(reason="bad"), row(input="ties", reason="bad"), row(input="huge", reason="worse"),
        row(reason="all well", outcome=Outcome.PASS), row(reason="a note", outcome=Outcome.INFO),
        row(oracle="torch", reason="missing", outcome=Outcome.UNAVAILABLE),
    ]  # fmt: skip
    frame = tables.problems(tables.records_frame(records)).frame
    assert sorted(zip(frame["input"], frame["reason"], strict=True)) == [
        ("huge", "worse"),
        ("zeros", "missing"),
        ("zeros, ties", "bad"),
    ]


def test_timings_show_the_first_input_in_the_widest_dtype_slowest_first():
    records = [
        row(input=i, dtype=d, oracle=o, gradient_time_s=1.0, gradient_time_ratio=r)
        for o, r in (("jax", 2.0), ("torch", 5.0))
        for d in ("float32", "float64")
        for i in ("zeros", "ordinary")
    ]
    frame = tables.records_frame([*records, row(oracle="fd", input="ordinary")])
    shown = tables.timings(frame, full=False).frame
    assert list(zip(shown["oracle"], shown["input"], shown["dtype"], strict=True)) == [
        ("torch", "ordinary", "float64"),
        ("jax", "ordinary", "float64"),
    ]
    assert len(tables.timings(frame, full=True).frame) == len(records)


@pytest.mark.parametrize(
    ("error", "digits"),
    [(1e-9, 9.0), (2e-3, 2.69897), (1.0, 0.0), (50.0, 0.0), (math.inf, 0.0), (0.0, 17.0), (1e-300, 17.0)],
)
def test_finite_differences_show_how_many_digits_are_right(error, digits):
    frame = tables.records_frame(
        [row(outcome=Outcome.INFO, verdict=Verdict.ESTIMATE, where="x[0]", scaled_error=error)]
    )
    assert list(tables.finite_differences(frame, full=False).frame["digits"]) == pytest.approx([digits])


def digits_of(*errors):
    records = [
        row(outcome=Outcome.INFO, verdict=Verdict.ESTIMATE, where="" if e is None else "x[0]", scaled_error=e)
        for e in errors
    ]
    return list(tables.finite_differences(tables.records_frame(records), full=True).frame["digits"])


def test_digits_of_nan_are_nan():
    assert math.isnan(digits_of(math.nan)[0])


def test_digits_of_nothing_are_nothing():
    assert digits_of(1e-3, None) == [3.0, None]


def test_the_table_of_finite_differences_holds_no_other_row():
    records = [
        row(oracle="exact", outcome=Outcome.INFO, verdict=Verdict.TRUTH, scaled_error=1e-38),
        row(oracle="numpy", outcome=Outcome.PASS, verdict=Verdict.AGREES, where="x[0]", scaled_error=1e-16),
        row(oracle="fd", outcome=Outcome.INFO, verdict=Verdict.ESTIMATE, where="x[0]", scaled_error=1e-9),
    ]
    table = tables.finite_differences(tables.records_frame(records), full=True)
    assert list(table.frame["oracle"]) == ["fd"]
    assert re.search(r"\bdigits\b.*\n.*\b9\b", printed(table, 120))


def test_an_exact_row_shows_its_proven_error_and_digits_and_is_never_the_worst():
    records = [
        row(
            oracle="exact",
            outcome=Outcome.INFO,
            verdict=Verdict.TRUTH,
            scaled_error=4e-38,
            proven_digits=37.4,
        ),
        row(oracle="numpy", outcome=Outcome.PASS, where="x[0]", scaled_error=1e-16, proven_digits=37.4),
        row(oracle="fd", outcome=Outcome.INFO, where="x[0]", scaled_error=1e-9, proven_digits=37.4),
    ]
    table = tables.gradients(tables.records_frame(records), full=True)
    assert list(table.frame["oracle"]) == ["numpy", "fd", "exact"]
    (line,) = [line for line in printed(table, 200).splitlines() if line.split()[2:4] == ["relu", "exact"]]
    assert line.split()[2:] == ["relu", "exact", "float64", "zeros", "4.0e-38", "37.4"]


def printed(table, width, **options):
    console = Console(file=io.StringIO(), width=width, **options)
    print_table(console, table)
    return console.file.getvalue()


WORD = st.text("abcdefgh0123[]., é", min_size=1, max_size=22).map(str.strip).filter(bool)
LONG = st.lists(WORD, min_size=1, max_size=8).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), width=st.integers(60, 200), rows=st.integers(1, 4))
def test_no_character_of_a_shown_cell_is_cut_at_any_width(data, width, rows):
    others = st.lists(st.sampled_from(["oracle", "reason", "where", "documented", "dtype"]), unique=True)
    names = ("case", *data.draw(others))
    cells = {
        name: data.draw(st.lists(LONG if name in WRAPPED else WORD, min_size=rows, max_size=rows))
        for name in names
    }
    out = printed(Table("t", "A title", pd.DataFrame(cells), names, "a caption"), width)
    caption = " ".join(out[out.rindex("a caption") :].split())
    hidden = caption.partition("a wider screen also shows: ")[2].split(", ")
    shown = [name for name in names if name not in hidden]
    wanted = "".join([*shown, *(text for name in shown for text in cells[name]), "A title", caption])
    assert Counter("".join(out.split())) == Counter("".join(wanted.split()))
    assert all(len(line) <= width for line in out.splitlines())
    assert shown[0] == "case"


@pytest.mark.parametrize("width", range(40, 90))
def test_a_column_is_shown_whole_or_not_at_all(width):
    cells = {name: [name[0] * 20] for name in ("case", "oracle", "where", "dtype")}
    out = printed(Table("t", "T", pd.DataFrame(cells), tuple(cells)), width)
    for letter, name in zip("cowd", cells, strict=True):
        found = re.findall(rf"\b{letter}{{2,}}\b", out)
        assert found == ([] if name in out.partition("shows:")[2] else [letter * 20])


def test_a_wide_screen_hides_no_column():
    table = tables.gradients(tables.records_frame([row(where="x[0]", scaled_error=1.0, reason="r")]), False)
    assert "a wider screen" not in printed(table, 250)
    assert "a wider screen also shows: " in " ".join(printed(table, 40).split())


def test_a_long_reason_is_printed_in_full():
    reason = " ".join(f"word{i}" for i in range(60))
    out = printed(tables.problems(tables.records_frame([row(reason=reason)])), 80)
    assert " ".join(out.split()).endswith(f"relu, jax, float64: zeros {reason}")


@pytest.mark.parametrize("outcome", Outcome)
def test_an_outcome_has_a_mark_without_colour_and_without_unicode(outcome):
    table = tables.gradients(tables.records_frame([row(outcome=outcome)]), full=True)

    class Ascii(io.StringIO):
        encoding = "ascii"

    console = Console(file=Ascii(), width=100)
    print_table(console, table)
    (mark,) = re.search(rf"(\S) {outcome.value}\b", console.file.getvalue()).groups()
    assert mark in "+.~x!-"


def test_numbers_are_aligned_and_scientific():
    records = [row(seed=i, oracle=f"o{i}", where="x[0]", scaled_error=10.0**-i) for i in range(3)]
    lines = printed(tables.gradients(tables.records_frame(records), True), 100).splitlines()
    found = [re.search(r"1\.0e[+-]\d\d", line) for line in lines]
    ends = {match.end() for match in found if match}
    assert len([m for m in found if m]) == 3
    assert len(ends) == 1


def test_nan_is_shown_on_the_screen_and_what_was_not_compared_is_blank():
    records = [row(where="x[0]", scaled_error=math.nan), row(oracle="torch", where="")]
    out = printed(tables.gradients(tables.records_frame(records), True), 100)
    assert out.count("nan") == 1


def test_a_source_that_did_not_learn_shows_no_nan():
    rows = [Learned("numpy", 5, 2.0, 1.0, 0.5, 0.0, 0.0, 1.0), Learned("jax", reason="not installed")]
    assert "nan" not in printed(tables.learning(rows), 160)


def frame_of(value):
    return tables.gradients(tables.records_frame([row(where="x[0]", scaled_error=value, reason="r")]), True)


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_csv_keeps_every_digit(value):
    text = WRITERS["csv"](frame_of(value))
    back = pd.read_csv(io.StringIO(text), dtype=str)
    assert float(back["scaled_error"][0]) == value


@pytest.mark.parametrize("kind", ["csv", "md"])
@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_files_tell_nan_and_infinity_from_nothing(kind, value):
    assert WRITERS[kind](frame_of(value)) != WRITERS[kind](frame_of(None))
    assert str(value) in WRITERS[kind](frame_of(value))


def test_markdown_is_a_table_under_a_heading():
    lines = markdown(frame_of(0.125)).splitlines()
    assert lines[0].startswith("## Errors of gradients")
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
    assert "0.125" in lines[4]


def test_a_failed_write_leaves_the_old_file_and_no_partial_one(tmp_path, monkeypatch):
    table = frame_of(1.0)
    (path,) = write_tables([table], ["csv"], tmp_path)
    old = path.read_text()

    def full_disk(self, text, **_):
        with self.open("w") as file:
            file.write(text[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_tables([frame_of(2.0)], ["csv"], tmp_path)
    assert path.read_text() == old
    assert [p.name for p in tmp_path.iterdir()] == ["gradients.csv"]


def test_headings_are_short_names_of_columns_that_exist():
    known = {*Record.__struct_fields__, *Learned.__slots__, *tables.Benchmark.__slots__}
    assert set(HEADINGS) <= known
