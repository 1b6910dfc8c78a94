"""A run as a file: each row once, nothing lost when it is killed, nothing believed that is not so."""

import math

import msgspec
import pytest

from harness.runs import journal
from harness.runs.journal import Header, Journal, is_same_result, read_header, read_lines, read_records
from harness.runs.record import Record, to_json
from harness.runs.writing import Unwritten
from harness.selection import Scope, Untrusted, UsageError
from harness.verdicts import Outcome, Verdict


def record(**fields):
    plain = {"case": "relu", "input": "zeros", "dtype": "float64", "oracle": "jax", "seed": 0}
    return Record(**{**plain, "outcome": Outcome.PASS, **fields})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "run.jsonl"


def write(path, *records, go_on=False):
    with Journal(path, go_on) as kept:
        for one in records:
            kept.write(one)


def test_a_run_says_of_what_machine_and_code_it_is(path):
    write(path)
    assert read_header(path) == Header.of_this_run()
    assert list(read_lines(path)) == []


def test_a_run_says_which_rows_were_asked_for(path):
    scope = Scope(case=("relu",), quick=True)
    with Journal(path, scope=scope):
        pass
    assert read_header(path).scope == scope


def test_where_no_file_can_be_is_a_usage_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        UsageError, match=r"the rows cannot be written to .*file/run.jsonl \(.*\); name a file"
    ):
        Journal(tmp_path / "file" / "run.jsonl")


def test_a_full_disk_is_said_as_such(path, monkeypatch):
    with Journal(path) as kept:

        class Full:
            def __getattr__(self, name):
                return getattr(own, name)

            def write(self, _):
                raise OSError(28, "No space left on device")

        own, kept._file = kept._file, Full()
        with pytest.raises(
            Unwritten, match=r"run.jsonl: .* No space left on device: nothing more can be written there"
        ):
            kept.write(record())


def test_a_file_of_rows_alone_has_no_header(tmp_path):
    (tmp_path / "rows").write_bytes(to_json(record()) + b"\n")
    assert read_header(tmp_path / "rows") is None
    assert list(read_lines(tmp_path / "rows")) == [record()]


def test_each_row_is_on_the_disk_before_the_next(path):
    with Journal(path) as kept:
        for seed in range(3):
            kept.write(record(seed=seed))
            assert [r.seed for r in read_lines(path)] == list(range(seed + 1))


def test_a_killed_run_goes_on_after_its_last_whole_line(path):
    write(path, record(seed=0), record(seed=1))
    with path.open("ab") as file:
        file.write(to_json(record(seed=2))[:30])
    assert [r.seed for r in read_lines(path)] == [0, 1]
    write(path, record(seed=2), go_on=True)
    assert [r.seed for r in read_lines(path)] == [0, 1, 2]
    assert read_header(path) == Header.of_this_run()


def test_a_header_of_another_schema_is_refused(path):
    write(path)
    path.write_bytes(path.read_bytes().replace(b'"schema":1', b'"schema":2'))
    with pytest.raises(Untrusted, match=r"line 1: no header of a run that this version reads"):
        read_header(path)


def test_a_run_of_other_code_is_refused(path, monkeypatch):
    write(path)
    journal.refuse_other_code(path)
    monkeypatch.setattr(journal, "code_digest", lambda: "0123456789abcdef")
    with pytest.raises(UsageError, match="is a run of other code than this, and says nothing of this code"):
        journal.refuse_other_code(path)


def test_the_digest_of_the_code_sees_a_changed_source(tmp_path, monkeypatch):
    (tmp_path / "a.py").write_text("x = 1\n")
    monkeypatch.setattr(journal, "files", lambda _: tmp_path)
    first = journal.code_digest.__wrapped__()
    (tmp_path / "a.py").write_text("x = 2\n")
    assert journal.code_digest.__wrapped__() != first


def test_a_bad_line_is_reported_by_file_and_number(path):
    write(path, record(), record(seed=1))
    path.write_bytes(path.read_bytes() + b"nonsense\n")
    with pytest.raises(Untrusted, match=r"run\.jsonl, line 4: not a record"):
        list(read_records(path))


def test_a_later_line_of_a_row_adds_its_times(path):
    write(path, record(), record(seed=1), record(gradient_time_ratio=2.0))
    assert [(r.seed, r.gradient_time_ratio) for r in read_records(path)] == [(0, 2.0), (1, None)]


def test_two_results_of_one_row_are_refused(path):
    write(path, record(outcome=Outcome.FAIL, verdict=Verdict.WRONG), record(verdict=Verdict.ACCURATE))
    with pytest.raises(Untrusted, match="two different results for relu/jax/float64/zeros, seed 0"):
        list(read_records(path))


def test_an_error_may_come_with_the_times():
    assert is_same_result(record(), record(outcome=Outcome.ERROR))
    assert not is_same_result(record(outcome=Outcome.ERROR), record())


def test_nan_is_the_same_result_as_itself():
    nan = record(error_ulp=math.nan)
    assert is_same_result(nan, msgspec.structs.replace(nan, gradient_time_ratio=1.0))


@pytest.mark.parametrize("field", ["case", "input", "dtype", "oracle", "seed"])
def test_rows_that_differ_in_any_name_are_different_rows(path, field):
    write(path, record(), record(**{field: 9 if field == "seed" else "other"}))
    assert len(list(read_records(path))) == len(list(read_records(str(path)))) == 2


def test_an_empty_file_has_no_records(tmp_path):
    (tmp_path / "records.jsonl").touch()
    assert list(read_records(tmp_path / "records.jsonl")) == []
    assert read_header(tmp_path / "records.jsonl") is None


def test_what_is_no_path_is_refused():
    with pytest.raises(ValueError, match="path must be the path of a file, got 3"):
        list(read_records(3))
