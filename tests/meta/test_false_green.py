"""Ways to get a green gate that is not deserved: each must be red, and say what is wrong."""

import contextlib
import dataclasses
import errno
import io
import os
import re
import shutil
import subprocess
import sys
import threading
from typing import final

import msgspec
import numpy as np
import pytest

from harness.cases import catalogue
from harness.gate import baseline as baselines
from harness.runs import journal, runner, timing
from harness.runs.journal import Header
from harness.runs.record import to_json
from harness.verdicts import Outcome, Verdict
from tests.meta import gates as sabotage
from tests.meta.liars import Around, claims
from tests.meta.test_broken_reference import broken

RED, USAGE, NOTHING = 1, 2, 3


def red(said, *words, code=RED):
    """The gate did not pass, and said why."""
    assert said.code == code, said.all
    for word in words:
        assert re.search(word, said.all), f"{word!r} is not in: {said.all}"
    assert "passed" not in said.all
    assert "Traceback" not in said.all


# -- gradients and values ----------------------------------------------------------------------------------


@final
class ReturnsItsInput(Around):
    def change(self, value, arrays, args):
        return value, list(args[: len(arrays)])


@final
class ChangesItsInput(Around):
    def change(self, value, arrays, args):
        args[0][...] += 1
        return value, arrays


@final
class Raises(Around):
    def change(self, value, arrays, args):
        raise RuntimeError("out of luck")


@final
class NotInstalled(Around):
    def change(self, value, arrays, args):
        raise AssertionError("it is not asked")

    def unavailable(self):
        return "torch is not installed: pip install 'gradproof[torch]'"


@final
class RefusesTheCase(Around):
    def change(self, value, arrays, args):
        raise AssertionError("it is not asked")

    def unsupported(self, case):
        return "does not feel like it"


LIES = {
    "NaN": (claims(gradient=lambda g: np.full_like(g, np.nan)), "worse: .*not a number, where the truth is"),
    "infinity": (claims(gradient=lambda g: np.full_like(g, np.inf)), "worse: .*infinite, where the truth is"),
    "zeros": (claims(gradient=np.zeros_like), "worse: .*miscomputed .*computed 0, true"),
    "the wrong sign": (claims(gradient=np.negative), "worse: .*miscomputed"),
    "its input": (ReturnsItsInput(), "worse: .*miscomputed"),
    "None": (claims(gradient=lambda g: None), r"worse: .*x: no gradient \(None\)"),
    "one part in 10^12": (claims(gradient=lambda g: g * (1 + 1e-12)), "worse: .*miscomputed .*bound"),
    "another dtype": (claims(gradient=lambda g: g.astype("f4")), "worse: .*dtype float32 instead of float64"),
    "a shape that broadcasts": (claims(gradient=lambda g: g[:1]), r"worse: .*shape \(1, 4\) instead of"),
    "another value": (claims(value=lambda v: v + 1e-9), "worse: .*value: "),
    "a NaN value": (claims(value=lambda v: v * np.nan), "worse: .*value: "),
    "a changed input": (ChangesItsInput(), "worse: .*leave its arguments alone"),
    "an exception": (Raises(), "error: .*RuntimeError: out of luck"),
    "not installed": (NotInstalled(), "unavailable: torch, 2 rows of the baseline .*pip install"),
    "unsupported": (RefusesTheCase(), "worse: .*does not feel like it"),
}


@pytest.mark.parametrize(("liar", "said"), LIES.values(), ids=LIES)
def test_an_oracle_that_lies(liar, said, gates):
    gates.oracle("torch", liar)
    red(gates.gate(), said)


def test_a_hand_derived_gradient_that_is_off_by_one_part_in_a_million_million(gates, installed):
    installed(broken(catalogue()["softmax"], 1 + 1e-12))
    red(
        gates.gate(),
        "1 worse",
        r"softmax/x vs numpy \[float64, \(3, 4\), seed 0\]: wrong",
        r"worst element \[\d, \d\]: computed (\S+), true (?!\1)0\.\d{20}",
        "reproduce: python -m gradproof report --case softmax",
        "accept: python -m gradproof baseline update softmax/numpy/float64/ordinary",
    )


def test_an_argument_that_is_not_differentiated_any_more(gates, installed):
    installed(dataclasses.replace(catalogue()["softmax"], vjp=None))
    red(gates.gate(), "worse: softmax vs torch .*a gradient where there is none")


def test_an_oracle_that_is_taken_away(gates):
    gates.oracle("torch", None)
    red(
        gates.gate(scope=(*gates.SCOPE[:4], *gates.REST)),
        "stale: softmax vs torch .*the catalogue has no such row any more",
    )


# -- worse, within what is right ---------------------------------------------------------------------------


def worse_than(gates, **fields):
    """The gate on a run in which one row differs from the baseline."""

    def change(rows):
        (one,) = [r for r in rows if (r.case, r.oracle, r.input) == ("softmax", "torch", "ordinary")]
        return [msgspec.structs.replace(r, **fields) if r is one else r for r in rows]

    gates.with_saved(change)
    return gates.gate("--from", gates.saved)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"bits_lost": 9.0}, r"less accurate: .*was: 1\.37 bits lost, now 9 bits lost"),
        ({"verdict": Verdict.IMPRECISE, "outcome": Outcome.FAIL}, "worse: .*imprecise was: accurate"),
        ({"verdict": Verdict.WRONG, "outcome": Outcome.KNOWN}, "worse: .*was: accurate"),
        ({"verdict": Verdict.ESTIMATE, "outcome": Outcome.INFO}, "worse: .*was: accurate"),
        ({"verdict": Verdict.UNSUPPORTED, "outcome": Outcome.INFO}, "worse: .*was: accurate"),
        ({"verdict": Verdict.NONE, "outcome": Outcome.SKIPPED}, "unavailable: torch, 1 row"),
        ({"error_ulp": float("inf")}, "less accurate: .*inf ulps of error"),
        ({"error_ulp": float("nan")}, "less accurate: .*nan ulps of error"),
        ({"bits_lost": None}, "less accurate: .*bits lost not measured"),
        ({"proven_digits": 3.0}, "less accurate: .*now 3 digits proven"),
        ({"outcome": Outcome.STALE, "diagnosis": "remove the entry"}, "stale: .*remove the entry|stale"),
    ],
    ids=str,
)
def test_a_row_that_is_worse_in_one_thing(fields, said, gates):
    red(worse_than(gates, **fields), said, r"1 .* \(fail\)")


def test_a_known_defect_that_is_no_more_stays_on_its_list(gates, monkeypatch):
    entry = next(iter(runner.known_defects().values()))
    row = ("softmax", "torch", "float64", "ordinary")
    monkeypatch.setattr(runner, "known_defects", lambda: {row: entry})
    red(gates.gate(), "stale: softmax vs torch")


# -- the baseline's file -----------------------------------------------------------------------------------

RENEW = "restore it, or write it anew: python -m gradproof baseline update --anew"
TAMPERED = {
    "NaN as a number": (('"bits_lost":0.0', '"bits_lost":NaN'), "is damaged"),
    "NaN as a string": (('"bits_lost":0.0', '"bits_lost":"nan"'), "bits_lost is nan, with the verdict"),
    "infinity": (('"bits_lost":0.0', '"bits_lost":"inf"'), "bits_lost is inf, with the verdict"),
    "a number too large": (('"bits_lost":0.0', '"bits_lost":1e999'), "is damaged"),
    "a decimal comma": (('"bits_lost":0.0', '"bits_lost":"0,0"'), "'0,0' is no number"),
    "a larger number": (('"bits_lost":0.0', '"bits_lost":30.0'), "edited by hand, or merged"),
    "another verdict": (('"verdict":"accurate"', '"verdict":"wrong"'), "edited by hand, or merged"),
    "no such verdict": (('"verdict":"accurate"', '"verdict":"fine"'), "is damaged"),
    "an excuse": (('"outcome":"pass"', '"outcome":"known"'), "edited by hand, or merged"),
    "another digest": (('"digest": "', '"digest": "0'), "edited by hand, or merged"),
    "another schema": (('"schema": 1', '"schema": 2'), "is damaged"),
    "another seed": (('"seed": 0', '"seed": 1'), "edited by hand, or merged"),
    "an unknown key": (('"seed": 0', '"seed": 0, "relax": true'), "is damaged: .*unknown field `relax`"),
    "no such update": (('"oracle":"torch"', '"update":7,"oracle":"torch"'), "has update 7|is damaged"),
    "merge markers": (('"rows": [\n', '"rows": [\n<<<<<<< HEAD\n'), "is damaged"),
}


@pytest.mark.parametrize(("edit", "said"), TAMPERED.values(), ids=TAMPERED)
def test_a_baseline_that_was_edited(edit, said, gates):
    gates.edit(*edit)
    red(gates.gate(), said, "python -m gradproof baseline update")


def lines_of(gates):
    return gates.baseline.read_text(encoding="utf-8").splitlines(keepends=True)


def row_lines(lines):
    return [number for number, line in enumerate(lines) if '"case"' in line]


def test_a_baseline_with_a_row_taken_out(gates):
    lines = lines_of(gates)
    gates.baseline.write_text("".join(np.delete(lines, row_lines(lines)[0])), encoding="utf-8")
    red(gates.gate(), "edited by hand, or merged")


def test_a_baseline_with_a_row_twice(gates):
    lines = lines_of(gates)
    first = row_lines(lines)[0]
    gates.baseline.write_text("".join([*lines[:first], lines[first], *lines[first:]]), encoding="utf-8")
    red(gates.gate(), "has relu/numpy/float64/ordinary twice")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is damaged"),
        (b"null", "is damaged"),
        (b"{}", "is damaged: .*missing required field"),
        (b"\xff\xfe\x00binary", "is damaged"),
        (b"\xef\xbb\xbf", "is damaged"),
        (None, "there is no baseline at .*create it: python -m gradproof baseline update"),
    ],
    ids=["empty", "null", "an empty object", "binary", "a byte order mark", "missing"],
)
def test_a_baseline_that_is_none(content, said, gates):
    old = gates.baseline.read_bytes()
    gates.baseline.unlink()
    if content is not None:
        gates.baseline.write_bytes(content + old if content == b"\xef\xbb\xbf" else content)
    red(gates.gate(), said, code=RED if content is not None else USAGE)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.999])
def test_a_baseline_that_was_cut_short(share, gates):
    text = gates.baseline.read_bytes()
    gates.baseline.write_bytes(text[: int(share * len(text))])
    red(gates.gate(), "is damaged: .*truncated|is damaged")


def test_a_baseline_that_is_a_folder(gates):
    gates.baseline.unlink()
    gates.baseline.mkdir()
    red(gates.gate(), "directory")


def test_a_baseline_of_other_rows_compares_nothing(gates):
    red(
        gates.gate(scope=("--case", "sigmoid", "--oracle", "numpy", *gates.REST)), "1 new",
        "nothing was compared, which is not a success", code=NOTHING,
    )  # fmt: skip


def test_a_row_that_the_baseline_does_not_have_fails_where_that_is_asked_for(gates):
    tokens = ("--case", "softmax", "--case", "sigmoid", "--oracle", "numpy", *gates.REST)
    assert gates.gate(scope=tokens).code == 0
    red(gates.gate("--strict", scope=tokens), r"new: sigmoid vs numpy", r"new \(fail\)")


def test_a_new_row_that_is_wrong_fails_without_being_asked(gates, installed):
    installed(broken(catalogue()["sigmoid"]))
    tokens = ("--case", "softmax", "--case", "sigmoid", "--oracle", "numpy", *gates.REST)
    red(gates.gate(scope=tokens), "new: sigmoid vs numpy .*wrong", r"new \(fail\)")


# -- what a run is about -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tokens", "said", "code"),
    [
        (("--case", "sofmax"), "no case matches 'sofmax'; near matches: softmax", NOTHING),
        (("--case", "softmax", "--input", "ordinry"), "near matches: ordinary", NOTHING),
        (("--case", "softmax", "--oracle", "numpi"), "numpi.*numpy", USAGE),
        (("--case", "softmax", "--dtype", "float16"), "float16.*float64", USAGE),
        (("--case", "softmax", "--quick", "--input", "ties"), "no input matches 'ties'", NOTHING),
        (("--case", "softmax", "--oracle", "fd", "--dtype", "float32"), "nothing was compared", NOTHING),
        (("--case", "softmax", "--oracle", "torch-compile", "--quick"), "nothing was compared", NOTHING),
    ],
)
def test_a_selection_of_nothing(tokens, said, code, gates):
    red(gates.gate(scope=tokens), said, code=code)


def test_a_case_that_is_renamed(gates, installed):
    installed(dataclasses.replace(catalogue()["softmax"], name="soft_max"), without=["softmax"])
    red(gates.gate(scope=("--case", "*soft*max*", "--oracle", "numpy,torch", *gates.REST)), "stale: softmax")


def test_a_case_that_takes_itself_away(gates, installed):
    installed(without=["softmax"])
    said = gates.gate(scope=("--oracle", "numpy,torch", *gates.REST, "--case", "re*u", "--case", "so*max*"))
    red(said, "stale: softmax vs numpy .*the catalogue has no such row any more", "stale: softmax vs torch")


def test_an_input_that_is_taken_away(gates, installed):
    case = catalogue()["softmax"]
    installed(dataclasses.replace(case, inputs=tuple(m for m in case.inputs if m.name != "ordinary")))
    red(gates.gate(), "stale: softmax vs numpy", "ordinary")


# -- the run -----------------------------------------------------------------------------------------------


def test_an_exception_that_comes_only_when_a_row_is_timed(gates, monkeypatch):
    def times(case, oracle, cell):
        raise RuntimeError("only when nobody looks")

    monkeypatch.setattr(runner, "times", times)
    red(gates.gate(timing=""), "error: .*only when nobody looks")


def test_a_clock_that_goes_backwards(gates, monkeypatch):
    clock = iter(range(10**9, 0, -1))
    monkeypatch.setattr(timing, "perf_counter", lambda: float(next(clock)))
    red(gates.gate(timing=""), "error: .*ClockError: the clock went backwards")


@pytest.mark.parametrize(
    ("work", "said", "tokens"),
    [
        (sabotage.killed, r"error: .*was killed by SIGKILL", ()),
        (sabotage.hung, r"error: .*took longer than 3 s and was stopped", ("--timeout", "3")),
    ],
    ids=["killed", "hung"],
)
def test_a_process_that_dies_or_hangs(work, said, tokens, gates, monkeypatch):
    monkeypatch.setattr(runner, "_run_cells", work)
    scope = ("--case", "relu", "--oracle", "numpy", *gates.REST)
    red(gates.gate(*tokens, scope=scope, jobs=1), said)


def test_an_exit_code_that_is_lost_when_the_reader_goes_away(gates, installed):
    installed(broken(catalogue()["softmax"]))
    gates.gate()
    gate = [sys.executable, "-m", "harness", "gate", "--from", str(gates.saved), *gates.SCOPE]
    command = [*gate, "--baseline", str(gates.baseline), "--timing", "off"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == RED, errors
    assert b"Traceback" not in errors


def test_an_interruption_is_no_success(gates, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    assert gates.gate("--save", gates.folder / "earlier.jsonl").code == 0
    monkeypatch.setattr(runner, "run_cell", interrupt)
    said = gates.say("gate", *gates.SCOPE, "--baseline", gates.baseline, "--save", gates.saved, "--jobs", 0)
    red(said, "interrupted; nothing was written", code=130)  # the rows of the earlier command are not its own


def test_an_interruption_after_the_file_of_rows_was_taken_away(gates, monkeypatch):
    def interrupt(*_, **__):
        gates.saved.unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run_cell", interrupt)
    said = gates.say("gate", *gates.SCOPE, "--baseline", gates.baseline, "--save", gates.saved, "--jobs", 0)
    red(said, "interrupted; nothing was written", code=130)


# -- times -------------------------------------------------------------------------------------------------


def test_rows_that_are_slower_in_each_look(gates):
    gates.ratio(*[9.0] * 4 * 4, 1.6)
    red(gates.gate(timing="gate"), "slower: softmax vs numpy .*1.6", "4 slower")


def test_a_slower_row_fails_by_default_on_the_same_machine(gates):
    gates.ratio(2.0)
    red(gates.gate(timing=""), "slower: ")


@pytest.mark.parametrize("ratio", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_time_that_is_no_number(ratio, gates):
    gates.ratio(ratio)
    red(gates.gate(timing=""), "not timed: softmax vs numpy")


def test_a_row_that_is_not_timed_any_more(gates, monkeypatch):
    monkeypatch.setattr(runner, "is_timed", lambda *_: False)
    red(gates.gate(timing=""), r"4 not timed \(fail\)")


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (("--timing", "gated"), "--timing.*gated.*near matches: gate"),
        (("--format", "githb"), "--format.*githb.*github"),
        (("--jobs", "-1"), "--jobs must be .*, got -1"),
        (("--timeout", "0"), "--timeout must be .*, got 0"),
        (("--timeout", "nan"), "--timeout must be .*, got nan"),
        (("--against", "other.jsonl"), "--against compares with --from"),
        (("--from", "nowhere.jsonl"), "there is no saved run at nowhere.jsonl"),
        (("--strickt",), "--strickt"),
    ],
    ids=" ".join,
)
def test_an_option_that_does_not_exist_is_not_passed_over(tokens, said, gates):
    red(gates.gate(*tokens, timing=None), said, code=USAGE)


# -- saved runs --------------------------------------------------------------------------------------------


def test_a_saved_run_that_lacks_rows(gates):
    gates.with_saved(lambda rows: rows[1:])
    red(gates.gate("--from", gates.saved), "missing: .*the run has no such row")


def test_a_saved_run_without_rows(gates):
    gates.save()
    red(gates.gate("--from", gates.saved), r"4 missing \(fail\)")


def test_a_saved_run_with_two_results_for_one_row(gates):
    gates.with_saved(lambda rows: [*rows, msgspec.structs.replace(rows[0], verdict=Verdict.WRONG)])
    red(gates.gate("--from", gates.saved), "conflict: .*one result → another in the same run")


def test_a_bad_result_that_is_followed_by_a_good_one(gates):
    def change(rows):
        return [msgspec.structs.replace(rows[0], verdict=Verdict.WRONG, outcome=Outcome.FAIL), *rows]

    gates.with_saved(change)
    red(gates.gate("--from", gates.saved), "worse: ", "conflict: ")


def test_a_saved_run_of_another_seed(gates):
    gates.with_saved(lambda rows: [msgspec.structs.replace(row, seed=1) for row in rows])
    red(gates.gate("--from", gates.saved), "is of seed 1; the baseline's is 0")


def test_a_saved_run_of_other_code(gates, monkeypatch):
    monkeypatch.setattr(journal, "code_digest", lambda: "other")
    red(gates.gate("--from", gates.saved), "is a run of other code than this", code=USAGE)


def test_a_saved_run_that_does_not_say_of_what_code_it_is(gates):
    gates.save(*gates.records(), header=False)
    red(gates.gate("--from", gates.saved), "has no header", code=USAGE)


def test_a_saved_run_that_was_cut_short(gates):
    gates.saved.write_bytes(gates.saved.read_bytes()[:-9])
    red(gates.gate("--from", gates.saved), "1 missing")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{}\n", "line 2: not a record: .*missing required field"),
        (b"\n", "line 2: not a record"),
        (b'{"case":\n', "line 2: not a record"),
    ],
)
def test_a_saved_run_that_is_damaged_in_the_middle(line, said, gates):
    head, *rest = gates.saved.read_bytes().splitlines(keepends=True)
    gates.saved.write_bytes(b"".join([head, line, *rest]))
    red(gates.gate("--from", gates.saved), said)


def test_a_saved_row_that_is_right_and_lost_no_number_of_bits(gates):
    gates.with_saved(lambda rows: [msgspec.structs.replace(rows[0], bits_lost=float("nan")), *rows[1:]])
    red(gates.gate("--from", gates.saved), "line 2: not a record: bits_lost is nan, with the verdict")


def test_a_header_of_another_schema(gates):
    gates.with_saved(list)
    head, rest = gates.saved.read_bytes().split(b"\n", 1)
    gates.saved.write_bytes(head.replace(b'"schema":1', b'"schema":2') + b"\n" + rest)
    red(gates.gate("--from", gates.saved), "line 1: no header of a run that this version reads")


def test_another_run_to_compare_with_that_is_empty(gates):
    other = gates.folder / "other.jsonl"
    other.write_bytes(b"")
    red(gates.gate("--from", gates.saved, "--against", other), "has the seeds", code=USAGE)


def test_going_on_with_a_run_that_is_not_there(gates):
    gates.saved.unlink()
    red(gates.gate("--resume"), "--resume: there is no saved run at", code=USAGE)


@pytest.mark.parametrize("name", ["code_digest", "fingerprint"])
def test_going_on_with_a_run_of_other_code_or_another_machine(name, gates, monkeypatch):
    other = {
        "code_digest": lambda: "other",
        "fingerprint": lambda: msgspec.structs.replace(Header.of_this_run().fingerprint, blas="mkl"),
    }
    there = other[name]()
    monkeypatch.setattr(journal, name, lambda: there)
    red(gates.gate("--resume"), "is of other code or of another machine", code=USAGE)


def test_going_on_after_a_row_that_failed_asks_again_and_finds_it(gates):
    """An error of the killed run is not the last word, and neither is it forgotten."""
    gates.oracle("torch", Raises())
    red(gates.gate(), "error: ")
    red(gates.gate("--resume"), "error: .*RuntimeError: out of luck")


# -- updates -----------------------------------------------------------------------------------------------


def refused(gates, said, *words, code=USAGE):
    red(said, *words, code=code)
    assert gates.baseline.read_bytes() == gates.before


@pytest.fixture
def kept(gates):
    """A baseline that must survive."""
    gates.before = gates.baseline.read_bytes()
    return gates


@pytest.mark.parametrize("value", ["true", "1", "yes", "on"])
def test_an_update_in_ci(value, kept, monkeypatch):
    monkeypatch.setenv("CI", value)
    refused(kept, kept.update("softmax"), f"CI is '{value}'.*agrees with everything")


@pytest.mark.parametrize("reason", ["", "   ", "\n"])
def test_an_update_without_a_reason(reason, kept):
    refused(kept, kept.update("softmax", reason=reason), "--reason is empty; say why")


def test_an_update_to_rows_that_have_no_result(kept):
    kept.oracle("torch", Raises())
    refused(
        kept, kept.update("softmax/torch/float64/ordinary"),
        "1 of these rows have no result to agree to, so nothing was changed: .*RuntimeError: out of luck",
    )  # fmt: skip


def test_an_update_to_an_oracle_that_is_not_installed(kept):
    kept.oracle("torch", NotInstalled())
    refused(kept, kept.update("softmax/torch/float64/ordinary"), "no result to agree to.*pip install")


def test_an_update_of_nothing(kept):
    refused(kept, kept.update("sofmax"), "no row matches sofmax; near matches: softmax", code=NOTHING)


def test_an_update_from_a_run_of_other_code(kept, monkeypatch):
    monkeypatch.setattr(journal, "code_digest", lambda: "other")
    refused(kept, kept.update("--from", kept.saved), "is a run of other code than this")


def test_an_update_from_a_run_without_a_header(kept):
    kept.save(*kept.records(), header=False)
    refused(kept, kept.update("--from", kept.saved), "has no header")


def test_an_update_to_a_baseline_that_is_damaged(kept):
    kept.edit('"bits_lost":0.0', '"bits_lost":9.0')
    kept.before = kept.baseline.read_bytes()
    refused(kept, kept.update("softmax"), "edited by hand, or merged", code=RED)


def failing(problem):
    def fails(*_, **__):
        raise problem

    return fails


UPDATE = ("softmax/numpy/float64/ties",)  # a row that the green baseline does not have
NO_ROOM = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
READ_ONLY = OSError(errno.EROFS, os.strerror(errno.EROFS))


@pytest.mark.parametrize(
    ("where", "problem", "said", "code"),
    [
        ("fsync", NO_ROOM, "No space left on device: nothing more can be written there", RED),
        ("replace", READ_ONLY, "Read-only file system: nothing more can be written there", RED),
        ("replace", KeyboardInterrupt(), "interrupted", 130),
    ],
    ids=["disk full", "read-only", "killed at the last moment"],
)
def test_an_update_that_cannot_be_written_leaves_the_old_baseline(
    where, problem, said, code, kept, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(os, where, failing(problem))
        refused(kept, kept.update(*UPDATE), said, code=code)
    assert not list(kept.folder.glob("*.partial"))
    assert kept.gate().code == 0


def test_a_process_that_is_killed_while_it_writes_leaves_the_old_baseline(kept, monkeypatch):
    """What it leaves behind is a file of another name, and the next update does not trip over it."""
    (kept.folder / f"{kept.baseline.name}.1.partial").write_bytes(kept.before[:99])
    assert kept.gate().code == 0
    assert kept.update(*UPDATE).code == 0
    assert kept.gate().code == 0


def test_a_run_that_cannot_be_saved(gates, monkeypatch):
    monkeypatch.setattr(journal.Journal, "_put", failing(NO_ROOM))
    red(gates.gate(), "No space left on device: nothing more can be written there")


def test_two_updates_at_once_lose_nothing(gates, monkeypatch):
    rows = [f"softmax/numpy/float64/{name}" for name in ("ties", "zeros")]
    saves = [gates.folder / f"{number}.jsonl" for number in range(2)]
    for row, path in zip(rows, saves, strict=True):
        scope = ("--case", "softmax", "--oracle", "numpy", "--dtype", "float64", "--input", row.split("/")[3])
        assert gates.say(
            "gate", *scope, "--baseline", gates.baseline, "--save", path, "--jobs", 0, "--timing", "off"
        ).code in {0, NOTHING}
    together, write = threading.Barrier(2), baselines.locked

    def locked(path):
        together.wait(timeout=20)  # both have read what they measured, neither has written
        return write(path)

    monkeypatch.setattr(baselines, "locked", locked)
    options = [("--baseline", gates.baseline, "--reason", "both", "--from", path) for path in saves]
    codes = []
    updates = [
        threading.Thread(target=lambda o=o: codes.append(sabotage.run(["baseline", "update", *map(str, o)])))
        for o in options
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        for update in updates:
            update.start()
        for update in updates:
            update.join()
    assert codes == [0, 0]
    names = {"/".join(row) for row in baselines.read(gates.baseline).rows}
    assert names >= {*rows, *gates.ROWS}


# -- configuration -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("strickt = true", "strickt.*strict"),
        ("strict = 'maybe'", "strict"),
        ("[tool.gradproof.gate]\ntimming = 'off'", "timming.*timing"),
    ],
)
def test_a_setting_that_does_not_exist(table, said, gates, monkeypatch):
    (gates.folder / "pyproject.toml").write_text(f"[tool.gradproof]\n{table}\n", encoding="utf-8")
    monkeypatch.chdir(gates.folder)
    red(gates.gate(), said, code=USAGE)


def test_an_environment_that_points_nowhere(gates, monkeypatch):
    monkeypatch.setenv("GRADPROOF_BASELINE", str(gates.folder / "no.json"))
    said = gates.say("gate", *gates.SCOPE, "--save", gates.saved, "--jobs", 0, "--timing", "off")
    red(said, "there is no baseline at .*no.json", code=USAGE)


# -- what is said ------------------------------------------------------------------------------------------

EVIL = "<script>alert(1)</script> | `x` \r\n::error::owned %0A"


@pytest.fixture
def evil(gates):
    """A saved run with a failing row whose words are an attack."""

    def change(rows):
        fields = {"verdict": Verdict.WRONG, "outcome": Outcome.FAIL, "diagnosis": EVIL, "where": "x[<b>|]"}
        return [msgspec.structs.replace(row, **fields) for row in rows]

    gates.with_saved(change)
    return gates


def test_words_that_are_commands_to_github(evil, monkeypatch):
    summary = evil.folder / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    said = evil.gate("--from", evil.saved)
    assert said.code == RED
    commands = [line for line in said.out.splitlines() if line.startswith("::")]
    assert commands
    one = re.compile(r"::error (file=[^,:]+,line=\d+,)?title=worse%3A ")
    assert [line for line in commands if not one.match(line)] == []
    assert "<script>" not in summary.read_text(encoding="utf-8")
    assert "<b>" not in summary.read_text(encoding="utf-8")
    table = [ln for ln in summary.read_text(encoding="utf-8").splitlines() if ln.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1  # no cell became two
    assert len(table) == 2 + 4


def test_a_summary_that_github_would_refuse(gates, monkeypatch):
    """It is cut below the limit, and what fails comes first."""

    def change(rows):
        new = [msgspec.structs.replace(rows[0], input=f"new {k}", where="n" * 2000) for k in range(600)]
        worse = msgspec.structs.replace(rows[-1], verdict=Verdict.WRONG, outcome=Outcome.FAIL)
        return [*new, *rows[:-1], worse]

    gates.with_saved(change)
    summary = gates.folder / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    said = gates.gate("--from", gates.saved)
    text = summary.read_text(encoding="utf-8")
    assert said.code == RED
    assert len(text.encode()) < 900_000
    assert "FAILED (exit code 1)" in text.splitlines()[0]
    first = next(line for line in text.splitlines() if line.startswith("| fail"))
    assert text.index(first) < text.index("| warn")
    assert re.search(r"\d+ more rows are left out here", text)


def test_a_summary_that_cannot_be_written(gates, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(gates.folder / "no" / "such" / "folder.md"))
    red(gates.gate(), "No such file or directory.*nothing more can be written there")


@pytest.mark.parametrize("kind", ["jsonl", "csv", "md", "github", "text"])
def test_every_format_fails_alike(kind, evil):
    said = evil.gate("--from", evil.saved, "--format", kind)
    assert said.code == RED
    assert "FAILED (exit code 1)" in said.all
    if kind == "jsonl":
        lines = [msgspec.json.decode(line) for line in said.out.splitlines()]
        assert {line["level"] for line in lines} == {"fail"}
        assert len(lines) == 4


# -- the language of the machine ---------------------------------------------------------------------------

GERMAN = """
import locale, sys
locale.setlocale(locale.LC_ALL, "")
assert locale.localeconv()["decimal_point"] == ","
from harness.commands.cli import run
for baseline in sys.argv[1:3]:
    print(run([*sys.argv[3:], "--baseline", baseline]))
"""


@pytest.mark.skipif(not shutil.which("localedef"), reason="no localedef to make a locale with")
def test_a_machine_that_writes_decimal_commas(gates):
    """It finds the same as any other: with the baseline of a machine with points, from a run of its own.

    Nor does it read commas.
    """
    made = gates.folder / "de_DE.UTF-8"
    compiled = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(made)], check=False)
    if compiled.returncode:
        pytest.skip("no source of the locale de_DE")
    right = shutil.copy(gates.baseline, gates.folder / "right.json")
    gates.edit('"bits_lost":0.0', '"bits_lost":"0,0"')
    tokens = ["--case", "relu", "--oracle", "numpy", *gates.REST, "--jobs", "0", "--timing", "off"]
    found = subprocess.run(
        [sys.executable, "-c", GERMAN, right, gates.baseline, "gate", *tokens, "--save", str(gates.saved)],
        env=os.environ | {"LOCPATH": str(gates.folder), "LC_ALL": "de_DE.UTF-8"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    codes = [line for line in found.stdout.splitlines() if line.isdigit()]
    assert codes == ["0", str(int(RED))]
    assert all(b'"bits_lost":0.0' in to_json(row) for row in gates.records())
    assert "'0,0' is no number" in found.stderr
