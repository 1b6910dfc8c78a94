"""The baseline's file: what goes in comes out, a diff shows it by row, and no change to it goes unseen."""

import json
import math
import os
import re
import string
import tempfile
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from filelock import Timeout
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.gate import baseline as module
from harness.gate.baseline import Baseline, Expected, Number, Update, locked, read, write
from harness.runs.record import Row
from harness.selection import Untrusted
from harness.verdicts import RIGHT, Outcome, Verdict
from tests.harness.rows import (
    FIRST,
    HERE,
    THERE,
    baseline,
    baselines,
    expecting,
    plain,
    record,
    records,
    timed,
)
from tests.sampling import draws

# A busy machine draws slowly, which says nothing of the rows.
FEWER = settings(max_examples=draws(15, 40), suppress_health_check=[HealthCheck.too_slow])
NUMBERS = [f.name for f in msgspec.structs.fields(Expected) if f.type == Number | None]


@pytest.fixture(autouse=True, scope="module")
def unhurried():
    """Nothing here outlives the tests, so that nothing need wait for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "baseline.json"


def written(what):
    """The text of a baseline's file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "b.json"
        write(file, what)
        return file.read_bytes()


def read_back(text):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "b.json"
        file.write_bytes(text)
        return read(file)


def content(what):
    """Seed, and each row with the update that set it, whatever its place in the list is."""
    rows = {
        row: (plain(msgspec.structs.replace(one, update=0)), plain(what.updates[one.update]))
        for row, one in what.rows.items()
    }
    return what.seed, rows, plain(what.updates[-1])


# -- what goes in comes out --------------------------------------------------------------------------------


def test_there_are_six_numbers_in_a_row():
    assert NUMBERS == [
        "bits_lost", "error_ulp", "proven_digits", "time_ratio", "time_ratio_low", "time_ratio_high",
    ]  # fmt: skip


@FEWER
@given(what=baselines())
def test_any_rows_survive_the_file(what):
    assert content(read_back(written(what))) == content(what)


@pytest.mark.parametrize("word", ["nan", "inf", "-inf"])
def test_what_json_lacks_is_a_word(word):
    row = Expected(
        case="c", oracle="o", dtype="d", input="i",
        verdict=Verdict.WRONG, outcome=Outcome.FAIL, error_ulp=Number(word),
    )  # fmt: skip
    text = written(Baseline(0, (FIRST,), {row.row: row}))
    assert f'"error_ulp":"{word}"'.encode() in text
    assert repr(read_back(text).rows[row.row].error_ulp) == word


@FEWER
@given(what=baselines())
def test_the_file_is_json_that_any_reader_takes(what):
    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    found = json.loads(written(what), parse_constant=refuse)
    assert list(found) == ["schema", "seed", "digest", "updates", "rows"]
    assert [list(row)[:4] for row in found["rows"]] == [["case", "oracle", "dtype", "input"]] * len(what.rows)


@FEWER
@given(what=baselines())
def test_each_row_is_a_line_of_its_own_and_they_are_sorted_by_name(what):
    body = written(what).decode().partition('"rows": [\n')[2]
    lines = body.removesuffix("\n]}\n").split("\n") if what.rows else []
    found = [json.loads(line.removesuffix(",")) for line in lines]
    assert [tuple(row[name] for name in Row._fields) for row in found] == sorted(what.rows)


@FEWER
@given(what=baselines(), random=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_makes_no_difference_to_the_file(what, random):
    rows = list(what.rows.items())
    random.shuffle(rows)
    assert written(Baseline(what.seed, what.updates, dict(rows))) == written(what)


@FEWER
@given(what=baselines())
def test_what_was_read_is_written_as_it_was(what):
    text = written(what)
    assert written(read_back(text)) == text


def test_a_row_that_changes_changes_one_line_of_the_rows_and_the_digest(path):
    before = baseline(*(record(input=f"input-{k}") for k in range(9)))
    one = Row("relu", "jax", "float64", "input-4")
    after = {**before.rows, one: Expected.of(record(input="input-4", bits_lost=2.0))}
    old, new = (
        written(Baseline(0, before.updates, rows)).decode().splitlines() for rows in (before.rows, after)
    )
    changed = [k for k, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    assert len(changed) == 2
    assert '"digest"' in old[changed[0]]
    assert "input-4" in old[changed[1]]


# -- numbers -----------------------------------------------------------------------------------------------


@given(one=records())
def test_a_row_has_numbers_of_four_digits_near_those_of_the_record(one):
    row = Expected.of(one)
    exact = (
        one.bits_lost, one.error_ulp, one.proven_digits,
        one.gradient_time_ratio, one.gradient_time_ratio_low, one.gradient_time_ratio_high,
    )  # fmt: skip
    for name, number in zip(NUMBERS, exact, strict=True):
        short = getattr(row, name)
        if number is None or not math.isfinite(number):
            assert repr(short) == repr(number)
            continue
        assert len(Decimal(repr(float(short))).normalize().as_tuple().digits) <= 4
        assert abs(short - number) <= abs(number) * 5.001e-4 + 1e-323


@given(one=records())
def test_a_shortened_interval_is_still_around_its_ratio(one):
    row = Expected.of(one)
    if row.time_ratio is not None:
        assert 0 < row.time_ratio_low <= row.time_ratio <= row.time_ratio_high < math.inf


def test_what_was_not_measured_takes_no_room_in_the_line():
    line = written(baseline(record())).decode().splitlines()[-2]
    assert line == (
        '{"case":"relu","oracle":"jax","dtype":"float64","input":"zeros","verdict":"accurate","outcome":"pass"}'
    )


# -- no change to it goes unseen ---------------------------------------------------------------------------

ROWS = [
    timed(1.25, case="relu", bits_lost=1.0, error_ulp=2.0, proven_digits=30.0),
    record(case="sum", verdict=Verdict.WRONG, outcome=Outcome.KNOWN, bits_lost=math.nan, error_ulp=math.inf),
]
EXAMPLE = Baseline(
    3,
    (FIRST, Update("other BLAS", "abc+", THERE)),
    {**expecting(ROWS[0]), Row("sum", "jax", "float64", "zeros"): Expected.of(ROWS[1], 1)},
)
TEXT = written(EXAMPLE)


def unseen(text):
    """Whether a changed file is believed although it says something else."""
    try:
        return content(read_back(text)) != content(EXAMPLE)
    except Untrusted:
        return False


def test_the_example_is_read_as_it_was_written():
    assert content(read_back(TEXT)) == content(EXAMPLE)


CHARACTERS = st.sampled_from([c.encode() for c in string.printable] + [b"\x00", b"\xff", "é".encode()])


@settings(max_examples=250)
@given(place=st.integers(0, len(TEXT) - 1), new=CHARACTERS)
def test_any_one_character_that_is_changed_is_refused_or_says_the_same(place, new):
    assert not unseen(TEXT[:place] + new + TEXT[place + 1 :])


@given(place=st.integers(0, len(TEXT) - 1), length=st.integers(0, 40), new=CHARACTERS | st.just(b""))
def test_anything_cut_out_or_put_in_is_refused_or_says_the_same(place, length, new):
    assert not unseen(TEXT[:place] + new + TEXT[place + length :])


def test_a_file_that_is_cut_short_anywhere_is_refused():
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "b.json"
        for length in {*range(0, len(TEXT) - 20, 7), *range(len(TEXT) - 20, len(TEXT) - 1)}:
            file.write_bytes(TEXT[:length])
            with pytest.raises(Untrusted, match="is damaged"):
                read(file)


def leaves(value, at=()):
    """Every number and word of a JSON value, with the way to it."""
    if isinstance(value, (dict, list)):
        inside = value.items() if isinstance(value, dict) else enumerate(value)
        for key, one in inside:
            yield from leaves(one, (*at, key))
    else:
        yield at


def parent(value, at):
    for key in at[:-1]:
        value = value[key]
    return value


LEAVES = list(leaves(json.loads(TEXT)))


def edited(at, how):
    found = json.loads(TEXT)
    how(parent(found, at), at[-1])
    return json.dumps(found).encode()


def test_a_file_that_is_only_laid_out_otherwise_says_the_same():
    assert content(read_back(json.dumps(json.loads(TEXT), indent=3).encode())) == content(EXAMPLE)


def by(at):
    return "/".join(map(str, at))


@pytest.mark.parametrize("at", LEAVES, ids=by)
def test_no_value_can_be_edited_by_hand(at):
    old = parent(json.loads(TEXT), at)[at[-1]]
    for new in ("other", "accurate", "pass", 0, 7, -1.5, "nan", "inf", None, True, [], {}):
        text = edited(at, lambda inside, key, new=new: inside.__setitem__(key, new))
        if repr(new) == repr(old):
            assert not unseen(text)
            continue
        with pytest.raises(Untrusted):
            read_back(text)


@pytest.mark.parametrize("at", LEAVES, ids=by)
def test_no_value_can_be_taken_out(at):
    with pytest.raises(Untrusted):
        read_back(edited(at, lambda inside, key: inside.__delitem__(key)))


@pytest.mark.parametrize(
    "edit",
    [
        lambda f: f["rows"].pop(),
        lambda f: f["rows"].clear(),
        lambda f: f["rows"].reverse(),
        lambda f: f["rows"].append({**f["rows"][0], "input": "ones"}),
        lambda f: f["updates"].pop(),
        lambda f: f["updates"].reverse(),
        lambda f: f["updates"].append(f["updates"][0]),
        lambda f: f["updates"][0]["fingerprint"]["versions"].update(torch="2"),
        lambda f: f.update(digest=""),
        lambda f: f.update(digest=f["digest"].upper()),
        lambda f: f.update(digest=f["digest"][:-1]),
    ],
)  # fmt: skip
def test_no_row_or_update_can_be_taken_out_put_in_or_moved(edit):
    found = json.loads(TEXT)
    edit(found)
    with pytest.raises(Untrusted):
        read_back(json.dumps(found).encode())


def test_two_baselines_that_were_merged_are_refused():
    lines = TEXT.decode().splitlines()
    other = written(baseline(record(case="softmax"))).decode().splitlines()
    merged = [*lines[:-2], f"{other[-2]},", *lines[-2:]]
    with pytest.raises(Untrusted, match="edited by hand, or merged"):
        read_back("\n".join(merged).encode())


# -- strict ------------------------------------------------------------------------------------------------


def signed(text):
    """The text with a digest that fits it, as somebody would forge it."""
    found = msgspec.json.decode(text, type=module.File, dec_hook=module._number)
    digest = module._digest(found.seed, found.updates, found.rows)
    return text.replace(found.digest.encode(), digest.encode())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"schema": 1', b'"schema": 2', r"Invalid enum value 2 - at `\$\.schema`"),
        (b'"schema": 1', b'"schema": "1"', r"at `\$\.schema`"),
        (b'"schema": 1, ', b"", "missing required field `schema`"),
        (b'"seed"', b'"sed"', "unknown field `sed`"),
        (b'"bits_lost"', b'"lost_bits"', r"unknown field `lost_bits` - at `\$\.rows\[0\]`"),
        (b'"commit"', b'"comit"', r"unknown field `comit` - at `\$\.updates\[0\]`"),
        (b'"simd"', b'"sind"', r"unknown field `sind` - at `\$\.updates\[0\]\.fingerprint`"),
        (b'"case":"relu",', b"", "missing required field `case`"),
        (b'"verdict":"accurate"', b'"verdict":"perfect"', "Invalid enum value 'perfect'"),
        (b'"outcome":"pass"', b'"outcome":"passes"', "Invalid enum value 'passes'"),
        (b'"bits_lost":1.0', b'"bits_lost":NaN', "JSON is malformed"),
        (b'"bits_lost":1.0', b'"bits_lost":Infinity', "JSON is malformed"),
        (b'"bits_lost":1.0', b'"bits_lost":1e999', "Number out of range"),
        (b'"bits_lost":1.0', b'"bits_lost":"1.0"', "'1.0' is no number; NaN and infinity are"),
        (b'"bits_lost":1.0', b'"bits_lost":"NaN"', "'NaN' is no number; NaN and infinity are"),
        (b'"bits_lost":1.0', b'"bits_lost":true', "True is no number"),
        (b'"bits_lost":1.0', b'"bits_lost":[1.0]', r"\[1\.0\] is no number"),
        (b'"bits_lost":1.0', b'"bits_lost":"nan"', "bits_lost is nan, with the verdict accurate"),
        (b'"bits_lost":1.0', b'"bits_lost":"inf"', "bits_lost is inf, with the verdict accurate"),
        (b'"bits_lost":1.0', b'"bits_lost":"-inf"', "bits_lost is -inf, with the verdict accurate"),
        (b'"proven_digits":30.0', b'"proven_digits":"nan"', "proven_digits is nan"),
        (b'"time_ratio":1.25', b'"time_ratio":0', "time_ratio is 0.0; a ratio of times is positive"),
        (b'"time_ratio":1.25', b'"time_ratio":-1.25', "time_ratio is -1.25; a ratio of times is positive"),
        (b'"time_ratio":1.25', b'"time_ratio":"inf"', "time_ratio is inf; a ratio of times is positive"),
        (b'"time_ratio":1.25', b'"time_ratio":"nan"', "time_ratio is nan; a ratio of times is positive"),
        (b'"relu"', b'"\xff"', "is damaged"),
        (b'"relu"', b'"\\ud800"', "is damaged"),
        (b'"update":1', b'"update":2', "sum/jax/float64/zeros has update 2, which is not there"),
        (b'"update":1', b'"update":-1', "sum/jax/float64/zeros has update -1, which is not there"),
        (b'"update":1', b'"update":1.5', r"at `\$\.rows\[1\]\.update`"),
        (b'"sum"', b'"relu"', "has relu/jax/float64/zeros twice"),
        (TEXT, b"", "is damaged"),
        (TEXT, b"null", "is damaged"),
        (TEXT, b"[]", "is damaged"),
        (TEXT, b"\xef\xbb\xbf" + TEXT, "is damaged"),
        (TEXT, TEXT * 2, "is damaged"),
    ],
)  # fmt: skip
def test_what_no_baseline_can_hold_is_refused_and_named(old, new, message, path):
    assert old in TEXT
    path.parent.mkdir()
    path.write_bytes(TEXT.replace(old, new, 1))
    with pytest.raises(Untrusted, match=message) as problem:
        read(path)
    assert str(path) in str(problem.value)


def test_a_number_that_no_float_holds_is_refused_and_named():
    with pytest.raises(Untrusted, match=r"is damaged: a number of 401 digits .*\$\.rows"):
        read_back(TEXT.replace(b'"bits_lost":1.0', b'"bits_lost":1' + b"0" * 400))


def test_a_forged_digest_does_not_help_a_row_that_is_there_twice():
    text = TEXT.replace(b'"sum"', b'"relu"')
    with pytest.raises(Untrusted, match="has relu/jax/float64/zeros twice"):
        read_back(signed(text))


def test_a_forged_digest_is_what_it_takes():
    """That the edits above are refused by the digest and not by chance."""
    text = TEXT.replace(b'"bits_lost":1.0', b'"bits_lost":9.0')
    with pytest.raises(Untrusted, match="edited by hand"):
        read_back(text)
    assert read_back(signed(text)).rows[Row("relu", "jax", "float64", "zeros")].bits_lost == 9.0


def test_a_file_that_is_not_there_says_how_to_create_it(path):
    with pytest.raises(
        Untrusted, match=re.escape(f"no baseline at {path}; create it: {module.creating(path)}")
    ):
        read(path)


def test_the_command_that_creates_or_renews_names_the_file(path):
    path.parent.mkdir(parents=True)
    elsewhere = path.with_name("else where.json")
    with pytest.raises(Untrusted, match=re.escape(f"baseline update --baseline '{elsewhere}' --reason")):
        read(elsewhere)
    elsewhere.write_bytes(TEXT[:50])
    with pytest.raises(Untrusted, match=re.escape(f"baseline update --anew --baseline '{elsewhere}'")):
        read(elsewhere)


@pytest.mark.parametrize("text", [b"def test_a():\n    pass\n", b'{"name": "a package"}', b"null"])
def test_nobody_is_told_to_overwrite_or_delete_what_is_no_baseline(text, path):
    path.parent.mkdir(parents=True)
    path.write_bytes(text)
    with pytest.raises(
        Untrusted, match=r"is damaged, or no baseline at all: .*; restore it, or name"
    ) as said:
        read(path, renew="delete it")
    assert "delete" not in str(said.value)
    assert "anew" not in str(said.value)


@pytest.mark.parametrize(
    "text", [TEXT[:50], TEXT.replace(b'"seed": 3', b'"seed": 4'), TEXT.replace(b'"sum"', b'"relu"')]
)
def test_a_refusal_says_how_to_go_on(text):
    with pytest.raises(
        Untrusted, match=r"python -m gradproof baseline update --anew --baseline \S+ --reason"
    ):
        read_back(text)


@pytest.mark.parametrize("verdict", sorted(RIGHT))
@pytest.mark.parametrize("bits", [math.nan, math.inf])
def test_no_row_is_right_with_bits_lost_that_are_no_number(verdict, bits):
    with pytest.raises(ValueError, match=f"bits_lost is {bits}, with the verdict {verdict}"):
        Expected.of(record(verdict=verdict, bits_lost=bits))


# -- updates -----------------------------------------------------------------------------------------------


@FEWER
@given(what=baselines())
def test_updates_that_no_row_has_are_left_out_but_for_the_last(what):
    found = read_back(written(what))
    used = {row.update for row in found.rows.values()}
    assert used | {len(found.updates) - 1} == set(range(len(found.updates)))
    assert found.updates[-1] == what.updates[-1]


@FEWER
@given(what=baselines())
def test_the_updates_that_are_kept_keep_their_order(what):
    kept = iter(what.updates)
    assert all(any(plain(one) == plain(old) for old in kept) for one in read_back(written(what)).updates)


def test_rows_follow_their_update_to_its_new_place():
    updates = tuple(Update(f"reason {k}", str(k), HERE) for k in range(5))
    rows = [Expected.of(record(input=f"{k}"), k) for k in (3, 1)]
    found = read_back(written(Baseline(0, updates, {row.row: row for row in rows})))
    assert [update.reason for update in found.updates] == ["reason 1", "reason 3", "reason 4"]
    assert {name.input: found.updates[row.update].reason for name, row in found.rows.items()} == {
        "1": "reason 1", "3": "reason 3",
    }  # fmt: skip


# -- written whole or not at all ---------------------------------------------------------------------------


def full(*_):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_baseline_and_nothing_else(step, path, monkeypatch):
    write(path, EXAMPLE)
    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space left"):
        write(path, baseline(record(case="other")))
    assert path.read_bytes() == TEXT
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_breaks_off_halfway_leaves_the_old_baseline(path, monkeypatch):
    write(path, EXAMPLE)
    opened = Path.open

    def breaking(self, *args, **kwargs):
        file = opened(self, *args, **kwargs)
        monkeypatch.setattr(file, "write", lambda text: full(), raising=False)
        file.buffer.raw.write(b"half of")
        return file

    monkeypatch.setattr(Path, "open", breaking)
    with pytest.raises(OSError, match="No space left"):
        write(path, baseline(record(case="other")))
    monkeypatch.undo()
    assert path.read_bytes() == TEXT
    assert list(path.parent.iterdir()) == [path]


def test_the_new_file_is_on_the_disk_before_it_takes_the_place_of_the_old(path, monkeypatch):
    steps = []
    replaced = os.replace

    def fsync(number):
        steps.append("synced")
        assert os.fstat(number).st_size == len(TEXT)  # nothing waits in a buffer

    def replace(old, new):
        steps.append("replaced")
        assert Path(old).parent == Path(new).parent  # a rename within a folder is atomic
        assert Path(old).read_bytes() == TEXT
        replaced(old, new)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    write(path, EXAMPLE)
    assert steps == ["synced", "replaced"]
    assert list(path.parent.iterdir()) == [path]


def test_two_processes_write_to_files_of_their_own(path, monkeypatch):
    seen = set()
    replaced = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: (seen.add(str(old)), replaced(old, new)))
    for process in (1, 2):
        monkeypatch.setattr(os, "getpid", lambda process=process: process)
        write(path, EXAMPLE)
    assert len(seen) == 2


# -- one updater at a time ---------------------------------------------------------------------------------


def test_a_lock_keeps_a_second_updater_out_until_the_first_is_done(path, monkeypatch):
    monkeypatch.setattr(module, "LOCK_S", 0.0)
    with locked(path):
        with pytest.raises(Timeout):
            locked(path).acquire()
        write(path, EXAMPLE)  # the file itself can be replaced meanwhile
        with pytest.raises(Timeout):
            locked(path).acquire()
    with locked(path):
        assert content(read(path)) == content(EXAMPLE)


def test_a_lock_is_given_back_after_an_error(path, monkeypatch):
    monkeypatch.setattr(module, "LOCK_S", 0.0)
    with pytest.raises(RuntimeError), locked(path):
        raise RuntimeError
    with locked(path):
        pass


def test_a_lock_does_not_wait_for_ever(path):
    assert 0 < locked(path).timeout < math.inf


def test_baselines_side_by_side_have_locks_of_their_own(path, monkeypatch):
    monkeypatch.setattr(module, "LOCK_S", 0.0)
    with locked(path), locked(path.with_name("other.json")):
        pass
