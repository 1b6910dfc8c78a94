"""What is no regression, and must be green: noise, other machines, other orders, and better results."""

import dataclasses
import random

import msgspec
import pytest

from harness.cases import catalogue
from harness.commands import baseline as baseline_command
from harness.commands import gate as gate_command
from harness.runs import journal, runner
from harness.runs.journal import Header
from harness.verdicts import Outcome, Verdict
from tests.meta.test_broken_reference import broken


def green(said, *words):
    """The gate passed, and said what there is to say."""
    assert said.code == 0, said.all
    for word in (*words, r"gate: passed \(exit code 0\)"):
        assert word.replace("\\", "") in said.all, said.all
    assert "✗" not in said.all


def another_machine(gates, monkeypatch, **fields):
    """Let this be another machine than the baseline's."""
    there = msgspec.structs.replace(Header.of_this_run().fingerprint, **fields)
    for module in (journal, gate_command):
        monkeypatch.setattr(module, "fingerprint", lambda: there)


def one_row(gates, **fields):
    """Change a row of the saved run."""

    def change(rows):
        return [msgspec.structs.replace(r, **fields) if r == rows[-1] else r for r in rows]

    gates.with_saved(change)


# -- times -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_noise_of_ten_percent(seed, gates):
    noise = random.Random(seed)
    gates.ratio(*(1 + noise.uniform(-0.1, 0.1) for _ in range(8)), spread=1.02)
    green(gates.gate(timing="gate"), "nothing is worse")


@pytest.mark.parametrize("ratio", [0.01, 1.0, 1.3, 1.49])
def test_a_ratio_of_another_day(ratio, gates):
    """One day's ratio is up to 1.3 times another's, with no change to the code."""
    gates.ratio(ratio)
    green(gates.gate(timing="gate"))


@pytest.mark.parametrize("looks", [1, 2, 3, 4])
def test_a_slow_spell_that_ends_before_the_last_look(looks, gates):
    gates.ratio(*[3.0] * 4 * looks, 1.0)
    green(gates.gate(timing="gate"), "nothing is worse")


def test_a_slower_row_whose_interval_reaches_what_it_was(gates):
    gates.ratio(2.0, spread=2.1)
    green(gates.gate(timing="gate"), "nothing is worse")


def test_a_slower_row_where_times_only_warn(gates):
    gates.ratio(3.0)
    green(gates.gate(timing="warn"), "4 slower (warn)")


def test_a_slower_row_where_times_are_off(gates):
    gates.ratio(3.0)
    green(gates.gate(timing="off"), "nothing is worse")


def test_a_slower_row_on_another_machine(gates, monkeypatch):
    gates.ratio(3.0)
    another_machine(gates, monkeypatch, processor="EPYC")
    green(gates.gate(timing=""), "4 slower (warn)", "another machine (processor EPYC, not ")


def test_one_row_of_another_machine_is_said_of_that_row_alone(gates, monkeypatch):
    """Its times warn; those of the rows that are of this machine fail, and nothing says otherwise."""
    with monkeypatch.context() as there:
        another = msgspec.structs.replace(Header.of_this_run().fingerprint, processor="EPYC")
        there.setattr(baseline_command, "fingerprint", lambda: another)
        assert gates.update("relu/numpy/float64/ordinary").code == 0
    gates.ratio(300.0)
    found = gates.gate(timing="")
    assert found.code == 1
    assert "1 of 4 rows are of another machine (processor " in found.all
    assert "3 slower (fail), 1 slower (warn)" in found.all


def test_a_run_without_times_where_times_are_off(gates, monkeypatch):
    monkeypatch.setattr(runner, "is_timed", lambda *_: False)
    green(gates.gate(timing="off"), "nothing is worse")


# -- accuracy ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [{"processor": "EPYC"}, {"blas": "mkl 2024"}, {"versions": {"numpy": "2.9"}}, {"threads": 64}],
    ids=lambda fields: next(iter(fields)),
)
def test_three_bits_more_on_another_machine(fields, gates, monkeypatch):
    """Another BLAS, processor or version rounds otherwise: it is said, and it does not fail."""
    another_machine(gates, monkeypatch, **fields)
    one_row(gates, bits_lost=4.0)
    green(gates.gate("--from", gates.saved), "less accurate", "1 less accurate (warn)", "another machine (")


@pytest.mark.parametrize("more", [0.5, 0.99])
def test_less_than_a_bit_more(more, gates):
    last = gates.records()[-1]
    one_row(gates, bits_lost=last.bits_lost + more)
    green(gates.gate("--from", gates.saved), "nothing is worse")


def test_a_larger_error_within_what_was_lost(gates):
    """Ulps of error at a worst element elsewhere say nothing: bits lost are the measure."""
    one_row(gates, error_ulp=300.0, where="x[0, 0]", computed=0.5, true=0.25)
    green(gates.gate("--from", gates.saved), "nothing is worse")


def test_the_same_failure_as_before(gates, installed):
    """A gate compares: what was wrong and agreed to is no news, and the report still fails."""
    installed(broken(catalogue()["softmax"]))
    assert gates.update("softmax/numpy/float64/ordinary", reason="we know").code == 0
    green(gates.gate(), "nothing is worse")
    assert gates.say("report", *gates.SCOPE).code == 1


def test_a_row_that_is_better(gates, installed):
    installed(broken(catalogue()["softmax"]))
    assert gates.update("softmax/numpy/float64/ordinary", reason="we know").code == 0
    installed()
    green(
        gates.gate(), "better: softmax vs numpy", "wrong → accurate", "accept: python -m gradproof baseline"
    )


# -- rows --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_rows_in_another_order(seed, gates):
    gates.with_saved(lambda rows: random.Random(seed).sample(rows, len(rows)))
    green(gates.gate("--from", gates.saved), "nothing is worse")


def test_a_row_that_comes_again_with_its_times(gates):
    times = ("gradient_time_ratio", "gradient_time_ratio_low", "gradient_time_ratio_high")
    gates.with_saved(
        lambda rows: [*rows, *(msgspec.structs.replace(r, **dict.fromkeys(times, 1.0)) for r in rows)]
    )
    green(gates.gate("--from", gates.saved, timing="gate"), "4 rows against", "nothing is worse")


def test_a_new_row_that_is_right(gates):
    scope = (*gates.SCOPE, "--case", "sigmoid")
    green(gates.gate(scope=scope), "new: sigmoid vs numpy", "2 new (warn)")


@pytest.mark.parametrize(
    "scope",
    [
        ("--case", "relu"),
        ("--case", "re*u", "--oracle", "torch"),
        ("--case", "relu", "--case", "softmax", "--dtype", "float64", "--quick"),
        ("--case", "softmax", "--oracle", "numpy", "--input", "ordi*"),
    ],
    ids=" ".join,
)
def test_a_part_of_the_rows(scope, gates):
    """The rows that were not asked for are not missing."""
    options = {"--oracle": "numpy,torch", "--input": "ordinary", "--dtype": "float64"}
    rest = [token for name, value in options.items() if name not in scope for token in (name, value)]
    green(gates.gate(scope=(*scope, *rest)), "nothing is worse")


def test_the_order_of_the_catalogue(gates, monkeypatch):
    backwards = dict(reversed(catalogue().items()))
    monkeypatch.setattr(runner, "catalogue", lambda: backwards)
    green(gates.gate(), "nothing is worse")


def test_a_case_with_another_title(gates, installed):
    """What is said of a case is not what it computes."""
    installed(dataclasses.replace(catalogue()["softmax"], source="in other words"))
    green(gates.gate(), "nothing is worse")


# -- runs --------------------------------------------------------------------------------------------------


def test_a_run_against_itself(gates):
    green(gates.gate("--from", gates.saved, "--against", gates.saved), "nothing is worse")


def test_two_runs_of_other_code_side_by_side(gates, monkeypatch):
    """That is what one compares them for."""
    other = gates.folder / "other.jsonl"
    other.write_bytes(gates.saved.read_bytes())
    monkeypatch.setattr(journal, "code_digest", lambda: "other")
    green(gates.gate("--from", gates.saved, "--against", other), "nothing is worse")


def test_a_run_that_was_killed_and_goes_on(gates):
    lines = gates.saved.read_bytes().splitlines(keepends=True)
    gates.saved.write_bytes(b"".join([*lines[:3], lines[3][:40]]))
    green(gates.gate("--resume"), "4 rows against", "nothing is worse")
    assert len(gates.records()) == 4


def test_a_run_that_had_failed_and_goes_on(gates):
    """A row whose process was killed is asked again, and its error is forgotten."""

    def change(rows):
        lost = msgspec.structs.replace(rows[0], verdict=Verdict.NONE, outcome=Outcome.ERROR, diagnosis="died")
        return [lost, *rows[1:]]

    gates.with_saved(change)
    green(gates.gate("--resume"), "nothing is worse")


def test_a_run_that_was_whole_goes_on_with_nothing(gates):
    before = gates.saved.read_bytes()
    green(gates.gate("--resume"), "nothing is worse")
    assert gates.saved.read_bytes() == before


def test_an_update_that_changes_nothing_leaves_the_file_alone(gates):
    before = gates.baseline.read_bytes()
    said = gates.update("--from", gates.saved)
    assert said.code == 0
    assert "0 of 4 rows changed" in said.all
    assert gates.baseline.read_bytes() == before
