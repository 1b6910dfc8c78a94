"""Tables: worst first, nothing lost between a frame and the screen or a file."""

import io
import math
import re
from collections import Counter
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.book import learning
from harness.book.learning import Learned
from harness.cases import catalogue
from harness.files import replace_file
from harness.report import tables
from harness.report.columns import COLUMNS
from harness.report.delivery import WRITERS, markdown, print_table, write_tables
from harness.report.screen import Screen
from harness.report.tables import Table
from harness.runs.record import Record
from harness.verdicts import ORDER, SEVERITY, Outcome, Verdict

BITS = st.none() | st.floats(0, 53) | st.just(math.nan)


@st.composite
def record_lists(draw):
    return [
        Record(
            case=draw(st.sampled_from(["relu", "softmax"])), input="zeros", seed=seed,
            oracle=draw(st.sampled_from(["jax", "torch"])),
            dtype=draw(st.sampled_from(["float64", "float32"])),
            verdict=draw(st.sampled_from(Verdict)), outcome=draw(st.sampled_from(Outcome)),
            bits_lost=draw(BITS),
        )
        for seed in range(draw(st.integers(1, 12)))
    ]  # fmt: skip


def badness(row):
    """Greater is worse, written anew: by outcome, verdict, then bits lost, where NaN is above all numbers."""
    bits = row["bits_lost"]
    measured = (0, 0.0) if bits is None else (2, 0.0) if math.isnan(bits) else (1, bits)
    return -ORDER.index(row["outcome"]), -SEVERITY.index(row["verdict"]), measured


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
    line = tables.summary(tables.records_frame(records)).splitlines()[0]
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (\w+)", line.split(": ")[1])}
    assert line.startswith(f"{len(records)} rows: ")
    assert counts == Counter(r.outcome.value for r in records)


@settings(deadline=None)
@given(records=record_lists())
def test_the_verdicts_are_counted_per_oracle_and_dtype_the_worst_first(records):
    table = tables.verdicts(tables.records_frame(records))
    found = {
        (row["oracle"], row["dtype"], name): row[name]
        for _, row in table.frame.iterrows()
        for name in table.columns[2:]
        if row[name]
    }
    assert found == Counter((r.oracle, r.dtype, r.verdict.value or "none") for r in records)
    occurring = {r.verdict for r in records}
    assert list(table.columns[2:]) == [v.value or "none" for v in SEVERITY if v in occurring]


def row(**fields):
    plain = {"case": "relu", "input": "zeros", "dtype": "float64", "oracle": "jax", "seed": 0}
    return Record(**{**plain, "outcome": Outcome.FAIL, **fields})


def test_what_stays_open_has_a_line_of_its_own():
    undecided, unsupported = row(verdict=Verdict.UNDECIDED), row(verdict=Verdict.UNSUPPORTED)
    informs = row(verdict=Verdict.UNSUPPORTED, outcome=Outcome.INFO)

    def lines(*records):
        return tables.summary(tables.records_frame(records)).splitlines()[1:]

    assert lines(undecided, undecided, unsupported, informs) == [
        "undecided: 2 rows, unsupported: 1 row (failures; --allow undecided,unsupported lets them pass)"
    ]
    assert lines(unsupported) == ["unsupported: 1 row (failures; --allow unsupported lets them pass)"]
    allowed = row(verdict=Verdict.UNDECIDED, outcome=Outcome.ALLOWED)
    assert lines(allowed) == ["undecided: 1 row (allowed by --allow)"]
    assert lines(row(verdict=Verdict.WRONG), informs) == []


def test_the_table_of_verdicts_is_readable():
    records = [row(verdict=Verdict.ACCURATE, seed=i, outcome=Outcome.PASS) for i in range(12)]
    out = printed(tables.verdicts(tables.records_frame([*records, row(verdict=Verdict.WRONG)])), 80)
    assert [line.split() for line in out.splitlines()[1:3]] == [
        ["oracle", "dtype", "wrong", "accurate"],
        ["jax", "float64", "1", "12"],
    ]


def test_problems_leave_out_what_is_right_and_lose_no_number():
    records = [
        row(diagnosis="bad", bits_lost=30.0), row(input="ties", diagnosis="bad", bits_lost=31.0),
        row(diagnosis="all well", outcome=Outcome.PASS), row(diagnosis="a note", outcome=Outcome.INFO),
        row(oracle="torch", diagnosis="missing", outcome=Outcome.UNAVAILABLE),
    ]  # fmt: skip
    frame = tables.problems(tables.records_frame(records)).frame
    found = list(zip(frame["input"], frame["bits_lost"], frame["diagnosis"], strict=True))
    assert found == [("ties", 31.0, "bad"), ("zeros", 30.0, "bad"), ("zeros", None, "missing")]


MEASURED = {"computed": 1.0, "true": 2.0, "where": "x[0]", "verdict": Verdict.IMPRECISE}


def test_problems_on_a_screen_say_what_is_the_same_once():
    records = [
        row(diagnosis="bad", bits_lost=30.0, **MEASURED),
        row(input="ties", diagnosis="bad", bits_lost=31.0, **MEASURED),
        row(input="huge", diagnosis="worse"), row(dtype="float32", diagnosis="bad"),
        *(row(oracle="torch", diagnosis="missing", outcome=Outcome.UNAVAILABLE, seed=i) for i in range(7)),
        row(oracle="torch-compile", diagnosis="slow", outcome=Outcome.SKIPPED),
    ]  # fmt: skip
    out = printed(tables.problems(tables.records_frame(records)), 200)
    assert out.count("relu/x vs jax [float64, seed 0]: imprecise") == 1
    assert all(words in out for words in ("30.0 of 53 bits lost", "31.0 of 53 bits lost", "worse"))
    assert "--input ties --input zeros" in out
    assert out.count("relu vs jax [float32, seed 0]: fail") == 1
    assert "- torch: unavailable, 7 rows\n    missing\n" in out
    assert "- torch-compile: skipped, 1 row\n    slow\n" in out


@pytest.mark.parametrize("width", [40, 80, 160])
def test_a_reproducer_stays_in_one_line_so_that_it_can_be_pasted(width):
    out = printed(tables.problems(tables.records_frame([row(diagnosis="d " * 90, **MEASURED)])), width)
    command = "python -m gradproof report --case relu --oracle jax --dtype float64 --seed 0 --input zeros"
    command = f"    reproduce: {command}"
    assert command in out.splitlines()
    assert all(len(line) <= width for line in out.splitlines() if line != command)


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
        row(oracle="numpy", outcome=Outcome.PASS, verdict=Verdict.ACCURATE, where="x[0]", scaled_error=1e-16),
        row(oracle="fd", outcome=Outcome.INFO, verdict=Verdict.ESTIMATE, where="x[0]", scaled_error=1e-9),
    ]
    table = tables.finite_differences(tables.records_frame(records), full=True)
    assert list(table.frame["oracle"]) == ["fd"]
    assert re.search(r"\bdigits\b.*\n.*\b9\b", printed(table, 120))


def test_finite_differences_show_the_worst_row_of_each_case():
    records = [
        row(
            outcome=Outcome.INFO,
            verdict=Verdict.ESTIMATE,
            where="x[0]",
            input=i,
            scaled_error=e,
            diagnosis="d",
        )
        for i, e in (("ones", 1e-9), ("huge", 1e-2), ("ties", 1e-7))
    ]
    shown = tables.finite_differences(tables.records_frame(records), full=False).frame
    assert list(zip(shown["input"], shown["note"], strict=True)) == [("huge", "d")]


def test_a_row_that_informs_comes_after_all_that_are_judged():
    records = [
        row(oracle="exact", outcome=Outcome.INFO, verdict=Verdict.TRUTH),
        row(oracle="fd", outcome=Outcome.INFO, verdict=Verdict.ESTIMATE, error_ulp=1e9),
        row(oracle="numpy", outcome=Outcome.PASS, verdict=Verdict.ACCURATE, bits_lost=0.0),
    ]
    table = tables.gradients(tables.records_frame(records), full=True)
    assert list(table.frame["oracle"]) == ["numpy", "exact", "fd"]


FULL_ROW = {
    "verdict": Verdict.MISCOMPUTED, "bits_lost": 24.0, "error_ulp": 1.5e7, "attainable_ulp": 29.5,
    "bound_ulp": 1.67e18, "where": "logits[31, 63]",
}  # fmt: skip


@pytest.mark.parametrize("name", list(catalogue()))
def test_at_80_columns_a_row_is_named_and_at_160_all_its_numbers_are_there(name):
    records = [
        row(
            case=name, input=m.name, oracle=o, dtype="float64", diagnosis="words " * 50, outcome=u, **FULL_ROW
        )
        for m in catalogue()[name].inputs
        for o, u in (("jax-jit", Outcome.FAIL), ("torch-compile", Outcome.SKIPPED))
    ]
    table = tables.gradients(tables.records_frame(records), full=True)
    assert printed(table, 80).splitlines()[1].split()[:6] == list(table.columns[:6])
    narrow = "".join(printed(table, 80).split())
    assert all(maker.name in narrow for maker in catalogue()[name].inputs)
    assert printed(table, 160).splitlines()[1].split()[:11] == list(table.columns[:11])


def printed(table, width, **options):
    console = Screen(file=io.StringIO(), width=width, **options)
    print_table(console, table)
    return console.file.getvalue()


WORD = st.text("abcdefgh0123[]., é", min_size=1, max_size=22).map(str.strip).filter(bool)
LONG = st.lists(WORD, min_size=1, max_size=8).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), width=st.integers(60, 200), rows=st.integers(1, 4))
def test_no_character_of_a_shown_cell_is_cut_at_any_width(data, width, rows):
    others = st.lists(st.sampled_from(["oracle", "diagnosis", "where", "documented", "dtype"]), unique=True)
    names = ("case", *data.draw(others))
    cells = {
        name: data.draw(st.lists(LONG if COLUMNS[name].format.least else WORD, min_size=rows, max_size=rows))
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
    table = tables.gradients(
        tables.records_frame([row(where="x[0]", bits_lost=1.0, diagnosis="r" * 99)]), False
    )
    assert "a wider screen" not in printed(table, 250)
    assert "a wider screen also shows: " in " ".join(printed(table, 40).split())


def test_a_long_reason_is_printed_in_full():
    reason = " ".join(f"word{i}" for i in range(60))
    out = printed(tables.problems(tables.records_frame([row(diagnosis=reason)])), 80)
    assert f"relu vs jax [float64, seed 0]: fail {reason} reproduce: " in " ".join(out.split())


@pytest.mark.parametrize("outcome", Outcome)
def test_an_outcome_has_a_mark_without_colour_and_without_unicode(outcome):
    table = tables.gradients(tables.records_frame([row(outcome=outcome)]), full=True)

    class Ascii(io.StringIO):
        encoding = "ascii"

    console = Screen(file=Ascii(), width=100)
    print_table(console, table)
    (mark,) = re.search(rf"(\S) {outcome.value}\b", console.file.getvalue()).groups()
    assert mark in "+.~x!-"


def test_numbers_are_aligned_and_short():
    records = [row(seed=i, oracle=f"o{i}", error_ulp=e) for i, e in enumerate((1.5e7, 29.512, 0.25))]
    lines = printed(tables.gradients(tables.records_frame(records), True), 100).splitlines()
    assert [line.split()[-1] for line in lines[2:5]] == ["1.5e+07", "29.5", "0.25"]
    assert len({len(line.rstrip()) for line in lines[1:5]}) == 1


def test_nan_is_shown_on_the_screen_and_what_was_not_compared_is_blank():
    records = [row(bits_lost=math.nan), row(oracle="torch")]
    out = printed(tables.gradients(tables.records_frame(records), True), 100)
    assert out.count("nan") == 1


def test_a_source_that_did_not_learn_shows_no_nan():
    rows = [Learned("numpy", 5, 2.0, 1.0, 0.5, 0.0, 0.0, 1.0), Learned("jax", reason="not installed")]
    assert "nan" not in printed(learning.table_of(rows), 160)


def frame_of(value):
    return tables.gradients(tables.records_frame([row(where="x[0]", bits_lost=value, diagnosis="r")]), True)


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_csv_keeps_every_digit(value):
    text = WRITERS["csv"](frame_of(value))
    back = pd.read_csv(io.StringIO(text), dtype=str)
    assert float(back["bits_lost"][0]) == value


@pytest.mark.parametrize("kind", ["csv", "md"])
@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_files_tell_nan_and_infinity_from_nothing(kind, value):
    assert WRITERS[kind](frame_of(value)) != WRITERS[kind](frame_of(None))
    assert str(value) in WRITERS[kind](frame_of(value))


@pytest.mark.parametrize("kind", WRITERS)
def test_a_table_without_rows_can_be_written(kind):
    empty = tables.Table("none", "Nothing", pd.DataFrame({"bits_lost": []}), ("bits_lost",), "")
    assert "bits_lost" in WRITERS[kind](empty)


def test_a_link_to_a_file_stays_one_and_a_device_gets_the_text(tmp_path):
    (link := tmp_path / "link.md").symlink_to(real := tmp_path / "real.md")
    replace_file(link, "text")
    assert link.is_symlink()
    assert real.read_text() == "text"
    (full := tmp_path / "full.md").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        replace_file(full, "text")
    assert full.is_symlink()


def test_markdown_is_a_table_under_a_heading():
    lines = markdown(frame_of(0.125)).splitlines()
    assert lines[0].startswith("## Verdicts on gradients")
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
    assert "0.125" in lines[4]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("test_p[p|q]", r"test_p[p\|q]"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        (r"a\|b", r"a\\\|b"),
        ("`f`\nand g", r"\`f\` and g"),
    ],
)
def test_markdown_shows_every_text_as_it_is(text, cell):
    table = frame_of(0.125)
    named = replace(table, title=text, caption=text, frame=table.frame.assign(case=text))
    title, _, heads, _, row, _, caption = markdown(named).splitlines()
    assert (title, caption) == (f"## {cell}", cell)
    assert f" {cell} " in row
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == heads.count("|")


def test_a_failed_write_leaves_the_old_file_and_no_partial_one(tmp_path, monkeypatch):
    table = frame_of(1.0)
    (path,) = write_tables([table], ["csv"], tmp_path)
    old = path.read_text()

    def full_disk(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_tables([frame_of(2.0)], ["csv"], tmp_path)
    assert path.read_text() == old
    assert [p.name for p in tmp_path.iterdir()] == ["gradients.csv"]
