"""The atlas: what is counted of a function, what is written, what another version changes, the command."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest
import torch

import harness
from harness import answers
from harness.atlas import measure
from harness.atlas.compare import compared
from harness.atlas.guard import ending_after
from harness.atlas.measure import measured
from harness.atlas.numbers import of_one, of_several
from harness.atlas.page import page_of, told
from harness.atlas.row import DTYPES, Measured, Row
from harness.atlas.saved import Atlas, read, text_of
from harness.atlas.show import print_atlas
from harness.atlas.task import Task, chosen
from harness.commands import atlas as command
from harness.commands.cli import run
from harness.report import progress
from harness.report.screen import Screen
from harness.runs.workers import Workers
from harness.selection import Untrusted
from harness.verdicts import ExitCode, Verdict
from oracles.exact.coverage.jax_subjects import subjects as of_jax
from oracles.exact.coverage.numpy_subjects import subjects as of_numpy
from oracles.exact.coverage.subject import Subject


class Late(torch.autograd.Function):
    """x^2 with the gradient of 2 x^2 above 1e10."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 2 * x * torch.where(x > 1e10, 2.0, 1.0)


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """JAX's own setting stays, too: the atlas asks in 64 bits, in a process of its own."""
    before = jax.config.jax_enable_x64
    monkeypatch.setattr(progress, "EVERY_S", 1e6)
    yield
    jax.config.update("jax_enable_x64", before)


def rows_of(monkeypatch, system, function, *arrays, **more):
    made = SimpleNamespace(subjects=lambda name, dtype: [Subject(name, function, arrays)])
    monkeypatch.setattr(measure, "subjects_of", lambda system: made)
    found = measured(Task(system, "f", (str(arrays[0].dtype).removeprefix("torch."),), **more))
    return {one.row.order: one for one in found}


# -- one function -----------------------------------------------------------------------------------------


def test_a_function_of_one_number_is_asked_over_all_numbers_of_its_dtype():
    for name in ("float64", "float32", "float16"):
        numbers = of_one(np.array([1.25, -0.5], name))
        assert numbers.dtype == name
        assert len(numbers) > 500
        assert np.isfinite(numbers).all()
        assert {1.25, -0.5, float(np.finfo(name).max), 20.0} <= set(numbers.tolist())
        assert np.signbit(numbers[numbers == 0]).tolist() == [True, False]


def test_a_function_of_two_numbers_is_asked_at_each_boundary_value_beside_ordinary_ones():
    x, y = of_several([np.array([1.25, -0.5]), np.array([3.0, 4.0])])
    pairs = set(zip(x.tolist(), y.tolist(), strict=True))
    assert {(1.25, 3.0), (20.0, 3.0), (-20.0, 4.0), (1.25, 40.0), (1.0, 1.0)} <= pairs


def test_what_jumps_with_its_neighbours_is_no_function_of_single_numbers(monkeypatch):
    """numpy.unwrap has the derivative of the identity, and adds turns where neighbours are far apart."""
    row = rows_of(monkeypatch, "numpy", np.unwrap, np.array([0.5, -1.5, 3.0], "float32"))[0].row
    assert row.worst is Verdict.ACCURATE
    assert row.points < 100


def test_a_function_of_arrays_of_one_shape_alone_is_asked_at_such(monkeypatch):
    found = rows_of(
        monkeypatch, "numpy", lambda x: np.ldexp(x, np.array([1, -2, 3])), np.array([0.5, -1.5, 3.0])
    )
    assert found[0].row.worst is Verdict.ACCURATE
    assert 3 <= found[0].row.points < 100


def test_a_number_in_the_atlas_has_the_verdict_that_it_has_alone(monkeypatch):
    """expm1's slope at -710 is 2^-1024 beside 1: a thousand bits are too few for its formula."""
    x = torch.tensor([0.5, -1.5, 3.0], dtype=torch.float64, requires_grad=True)
    row = rows_of(monkeypatch, "torch", torch.expm1, x, orders=(1,))[1].row
    assert row.worst is Verdict.IMPRECISE
    alone = torch.tensor([-710.0], dtype=torch.float64, requires_grad=True)
    assert harness.check_gradient(torch.expm1, (alone,), probes=False, upstream="fail").verdict is row.worst


def test_where_a_rule_is_wrong_its_row_says_so_at_the_number(monkeypatch):
    x = torch.tensor([0.5, -1.5, 3.0], dtype=torch.float64, requires_grad=True)
    found = rows_of(monkeypatch, "torch", Late.apply, x, work=0.1, drawn=True)
    row = found[1].row
    assert row.worst is Verdict.WRONG
    assert float(row.where) > 1e10
    assert 0 < row.wrong < row.points / 2
    assert row.wrong + row.accurate + row.imprecise + row.miscomputed + row.undecided == row.points
    assert row.bits_lost_50 == 0
    assert row.time_ratio > 0
    points = found[1].sweep["points"]
    assert {p[0] for p in points if p[-1] == "wrong"} >= {row.where}
    assert found[2].row.worst is Verdict.WRONG


def test_a_pole_and_what_has_no_value_take_no_other_number_along(monkeypatch):
    monkeypatch.setattr(measure, "ORDERS", {"torch": (1,)})
    x = torch.tensor([0.5, 1.5, 3.0], dtype=torch.float32, requires_grad=True)
    row = rows_of(monkeypatch, "torch", torch.log, x)[1].row
    assert row.undecided == 2  # both zeros
    assert row.accurate > 250


def test_a_function_of_an_array_is_asked_at_boundary_values(monkeypatch):
    x = np.array([0.5, 1.5, 3.0])
    made = rows_of(monkeypatch, "jax", lambda x: [jnp.cumsum(x)], jnp.asarray(x, "float32"), work=0.4)
    assert made[1].row.worst is Verdict.ACCURATE
    assert made[1].row.points == 3 * 3
    assert re.fullmatch(r"2 of \d+ points", made[1].row.note)


def test_no_point_is_judged_twice(monkeypatch):
    judged, own = [], answers._at

    def watched(question, tested, arrays, name):
        judged.append((len(question.derivative.steps), name))
        return own(question, tested, arrays, name)

    monkeypatch.setattr(answers, "_at", watched)
    x = jnp.asarray([0.5, 1.5, 3.0], "float32")
    made = rows_of(monkeypatch, "jax", lambda x: [jnp.cumsum(x)], x, work=0.4)
    assert len(judged) == len(set(judged))
    assert len(judged) == sum(row.row.points for row in made.values()) / 3


def test_of_large_arguments_alone_those_near_the_smallest_are_asked():
    def sizes(*own):
        module = SimpleNamespace(
            subjects=lambda name, dtype: [Subject(name, None, (np.zeros(n),)) for n in own]
        )
        return [one.arrays[0].size for one in chosen(module, "f", "float32")]

    assert sizes(200, 8000, 700) == [200, 700]
    assert sizes(200, 100, 8000) == [100]
    assert sizes() == []


def test_a_pole_among_the_given_numbers_is_one_of_many(monkeypatch):
    monkeypatch.setattr(measure, "ORDERS", {"torch": (1,)})
    x = torch.tensor([0.5, 0.0, 3.0], dtype=torch.float32, requires_grad=True)
    row = rows_of(monkeypatch, "torch", torch.log, x, work=0.1)[1].row
    assert row.worst is Verdict.ACCURATE
    assert row.accurate > 20
    assert row.points == row.accurate  # every tenth number, without 0


def test_what_has_no_derivative_is_asked_once(monkeypatch):
    x = torch.tensor([0.5, 1.5, 3.0], dtype=torch.float32, requires_grad=True)
    row = rows_of(monkeypatch, "torch", torch.nn.functional.hardsigmoid, x, work=0.1)[2].row
    assert row.worst is Verdict.UNSUPPORTED
    assert row.unsupported == row.points
    assert "no derivative" in row.note


def test_no_gradient_of_what_nothing_depends_on_is_no_fault(monkeypatch):
    x = torch.tensor([0.5, 1.5], dtype=torch.float64, requires_grad=True)

    def counted(x):
        return torch.linalg.vector_norm(x.detach(), 0) + torch.zeros((), dtype=x.dtype, requires_grad=True)

    row = rows_of(monkeypatch, "torch", counted, x, work=0.1)[1].row
    assert row.wrong == 0


def test_a_point_without_a_value_is_not_asked_about_whatever_the_slopes_around_it_are(monkeypatch):
    """The correlation of a row with itself is 1, of zeros 0 / 0; torch's gradient is no number there."""
    x = torch.tensor([0.5, 1.5, 3.0], dtype=torch.float64, requires_grad=True)
    row = rows_of(monkeypatch, "torch", torch.corrcoef, x, orders=(1,), work=3.0)[1].row
    alone = harness.check_gradient(torch.corrcoef, (torch.zeros_like(x),), probes=False, upstream="fail")
    assert not alone.passed
    assert row.worst.right
    assert row.points > 10


def test_calm_numbers_are_neither_tiny_nor_huge(monkeypatch):
    x = torch.tensor([0.5, 1.5, 3.0], dtype=torch.float64, requires_grad=True)
    found = rows_of(monkeypatch, "torch", torch.exp, x, calm=True, work=0.1, drawn=True, orders=(1,))
    numbers = [abs(float(point[0])) for point in found[1].sweep["points"]]
    assert min(numbers) >= 2.0**-8
    assert max(numbers) <= 2.0**8
    assert "2^8" in found[1].row.note


def test_what_calls_an_endless_operation_is_asked_at_calm_numbers(monkeypatch):
    x = torch.tensor([0.5, 1.5, 3.0], dtype=torch.float64, requires_grad=True)
    whole = rows_of(monkeypatch, "torch", torch.exp, x, endless=("igamma",), work=0.1, orders=(1,))
    found = rows_of(monkeypatch, "torch", torch.exp, x, endless=("exp",), work=0.1, drawn=True, orders=(1,))
    assert "at all numbers" not in whole[1].row.note
    assert "calls what takes too long at all numbers" in found[1].row.note
    assert max(abs(float(point[0])) for point in found[1].sweep["points"]) <= 2.0**8


def test_later_functions_know_what_never_ended(monkeypatch):
    asked = []

    def spread_here(job, batches, workers, timeout):
        for (one,) in batches:
            asked.append(one)
            died = one.name == "jax.lax.igamma" and not one.calm
            yield job.failed(one, "killed by SIGPROF") if died else (one.name, [Measured(ROW)])

    monkeypatch.setattr(command, "spread", spread_here)
    tasks = [Task("jax", f"jax.{name}", ("float64",)) for name in ("lax.exp", "lax.igamma", "numpy.sin")]
    list(command._each([*tasks, Task("numpy", "numpy.sin", ("float64",))], Workers(1), 9.0))
    assert [("igamma" in one.endless) for one in asked[:4]] == [False, False, True, False]


def test_what_never_ends_ends_its_process():
    never = "from harness.atlas.guard import ending_after\nwith ending_after(0.05):\n    sum(range(10**12))"
    ended = subprocess.run([sys.executable, "-c", never], check=False, timeout=60)
    assert ended.returncode == -signal.SIGPROF
    with ending_after(100):
        pass
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0


def test_of_two_limits_the_first_holds_and_the_other_goes_on():
    """The inner one ends: what is left of the outer one still ends the process, and not before."""
    inner = (
        "with ending_after({outer}):\n    with ending_after({inner}):\n        {work}\n"
        "    sum(range(10**{size}))"
    )
    start = "from harness.atlas.guard import ending_after\n"
    for outer, limit, work, size, code in [
        (0.2, 100, "pass", 12, -signal.SIGPROF),
        (100, 0.2, "sum(range(10**12))", 3, -signal.SIGPROF),
        (0.2, 100, "sum(range(10**12))", 3, -signal.SIGPROF),
        (100, 100, "pass", 3, 0),
    ]:
        code_of = start + inner.format(outer=outer, inner=limit, work=work, size=size)
        assert subprocess.run([sys.executable, "-c", code_of], check=False, timeout=60).returncode == code
    with ending_after(100):
        with ending_after(0.5):
            pass
        assert 90 < signal.getitimer(signal.ITIMER_PROF)[0] < 100.1
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0


@pytest.mark.parametrize(
    "name", ["jax.numpy.sin", "jax.numpy.linalg.qr", "jax.numpy.histogram2d", "jax.numpy.frexp"]
)
def test_the_structure_of_a_function_is_that_of_its_results(name):
    for subject in of_jax(name, "float32"):
        found, said = subject.function(*subject.arrays), subject.structure(*subject.arrays)
        assert [(y.shape, y.dtype) for y in found] == [(y.shape, y.dtype) for y in said]


def test_a_function_whose_process_dies_is_asked_again_a_row_at_a_time(monkeypatch):
    asked = []

    def spread_here(job, batches, workers, timeout):
        for (one,) in batches:
            asked.append(one)
            died = not one.calm or (one.dtypes, one.orders) == (("float32",), (2,))
            yield job.failed(one, "killed by SIGPROF") if died else (one.name, [Measured(ROW)])

    monkeypatch.setattr(command, "spread", spread_here)
    (rows,) = command._each([Task("torch", "torch.tanh", ("float64", "float32"))], Workers(1), 9.0)
    assert [(one.dtypes, one.calm) for one in asked] == [
        (("float64", "float32"), False),
        *((dtypes, True) for dtypes in (("float64",), ("float64",), ("float32",), ("float32",))),
    ]
    assert [one.row.note for one in rows].count("does not end in 10 s of computing") == 1
    assert len(rows) == 4


def test_what_a_function_raises_is_the_note_of_its_row(monkeypatch):
    def refuses(x):
        raise NotImplementedError("no kernel for this")

    row = rows_of(monkeypatch, "torch", refuses, torch.ones(3, requires_grad=True))[1].row
    assert row.points == 0
    assert row.note == "NotImplementedError: no kernel for this"


def test_the_subjects_of_jax_and_numpy_are_in_the_dtype_that_is_asked_for():
    (own,) = of_jax("jax.numpy.logaddexp", "bfloat16")
    assert [str(a.dtype) for a in own.arrays] == ["bfloat16", "bfloat16"]
    assert str(own.function(*own.arrays)[0].dtype) == "bfloat16"
    (own,) = of_numpy("numpy.concatenate", "float16")
    assert own.function(*own.arrays).dtype == "float16"


# -- files ------------------------------------------------------------------------------------------------

ROW = Row(
    function="torch.tanh", dtype="float32", order=1, points=500, accurate=490, imprecise=10,
    worst=Verdict.IMPRECISE, where="-9.1", bits_lost_50=0.0, bits_lost_99=3.5, bits_lost_worst=24.0,
    ulps_50=0.4, ulps_99=60.0, time_ratio=1.6, note="one, two",
)  # fmt: skip
ATLAS = Atlas({"torch": "2.13.0", "machine": "Linux x86_64"}, (ROW,))


def test_an_atlas_is_read_as_it_was_written(tmp_path):
    file = tmp_path / "atlas.csv"
    file.write_text(text_of(ATLAS), encoding="utf-8")
    assert file.read_text(encoding="utf-8").splitlines()[0] == "# torch 2.13.0; machine Linux x86_64"
    found = read(file)
    assert found.rows[0] == msgspec.structs.replace(ROW, ulps_worst=None)
    assert found.versions["torch"] == "2.13.0"


@pytest.mark.parametrize(
    "damage", [lambda t: t[30:], lambda t: t.replace("imprecise,-9.1", "slightly off,-9.1")]
)
def test_a_damaged_atlas_is_refused(tmp_path, damage):
    (tmp_path / "atlas.csv").write_text(damage(text_of(ATLAS)), encoding="utf-8")
    with pytest.raises(Untrusted, match=r"atlas.csv"):
        read(tmp_path / "atlas.csv")


def test_a_row_of_the_page_says_what_to_do_about_code_that_is_not_the_reader_s():
    row = told(ROW, "gradproof atlas --functions 'tanh' --quick")
    assert (row["outcome"], row["command"]) == (
        "fail",
        "gradproof atlas --functions torch.tanh --dtype float32",
    )
    assert "the framework's" in row["advice"]
    assert "advice" not in told(msgspec.structs.replace(ROW, worst=Verdict.ACCURATE), "gradproof atlas")
    html = page_of([Measured(ROW), Measured(msgspec.structs.replace(ROW, function="<script>"))], "")
    assert "<script>" not in html.partition('id="data">')[2].partition("</script>")[0]
    assert "2 functions." in html


# -- two versions -----------------------------------------------------------------------------------------


def changed(**fields):
    return Atlas({"torch": "2.14.0"}, (msgspec.structs.replace(ROW, **fields),))


def test_what_a_new_release_makes_worse_and_better_is_told_with_its_place():
    worse = changed(worst=Verdict.MISCOMPUTED, where="300", miscomputed=5, accurate=485, bits_lost_99=9.0)
    (change,) = compared(ATLAS, worse)
    assert (change.kind, change.is_worse) == ("worse", True)
    assert change.said == "imprecise is miscomputed; 99 % lose at most 9.0 bits, not 3.5 at 300"
    (change,) = compared(worse, ATLAS)
    assert (change.kind, change.is_worse) == ("better", False)
    assert "miscomputed is imprecise" in change.said
    spread = changed(imprecise=60, accurate=440)
    assert [c.said for c in compared(ATLAS, spread)] == ["2% of the elements were faulty, 12% are at -9.1"]
    assert compared(ATLAS, changed()) == []


def test_what_is_slower_new_or_gone_is_told_and_is_not_worse():
    other = Atlas(
        {}, (msgspec.structs.replace(ROW, time_ratio=4.0), msgspec.structs.replace(ROW, function="new"))
    )
    assert [(c.kind, c.is_worse) for c in compared(ATLAS, other)] == [("new", False), ("slower", False)]
    assert [c.kind for c in compared(other, ATLAS)] == ["gone", "faster"]


def test_a_narrow_screen_breaks_names_between_their_words(capsys):
    names = ["torch.as_strided_scatter", "torch.nn.functional.binary_cross_entropy", "torch.pow"]
    rows = [Row(function=n, dtype=d, order=1, worst=Verdict.WRONG) for n in names for d in DTYPES]
    print_atlas(Screen(width=80), Atlas({}, tuple(rows)))
    first = [line.partition(" ")[0] for line in capsys.readouterr().out.splitlines()[2:8]]
    assert first == [
        "torch.",
        "as_strided_scatter",
        "torch.nn.",
        "functional.binary_",
        "cross_entropy",
        "torch.pow",
    ]


def test_atlas_diff_fails_where_something_is_worse(tmp_path, capsys):
    for name, atlas in (("old", ATLAS), ("new", changed(worst=Verdict.WRONG, wrong=10, imprecise=0))):
        (tmp_path / f"{name}.csv").write_text(text_of(atlas), encoding="utf-8")
    old, new = (str(tmp_path / f"{name}.csv") for name in ("old", "new"))
    assert run(["atlas", "diff", old, new]) is ExitCode.FAILED
    said = capsys.readouterr().out
    assert "torch 2.13.0 to 2.14.0" in said
    assert "torch.tanh float32: imprecise is wrong" in said
    assert run(["atlas", "diff", new, old]) is ExitCode.OK
    assert "better" in capsys.readouterr().out


# -- the command ------------------------------------------------------------------------------------------


@pytest.fixture
def values_alone(monkeypatch):
    """PyTorch's catalogue takes seconds to be imported, and JAX to compile."""
    monkeypatch.setattr(command, "SYSTEMS", ("numpy",))


def test_the_atlas_of_special_functions(values_alone, tmp_path, capsys):
    options = ["--dtype", "float64", "--quick", "--jobs", "0", "--output", str(tmp_path)]
    assert run(["atlas", "--functions", "special.e*", *options]) is ExitCode.OK
    said = capsys.readouterr().out
    assert "scipy.special.erfcx" in said
    assert re.search(r"\d+ functions, \d+ rows by their worst point: ", said)
    rows = {row.function: row for row in read(tmp_path / "atlas.csv").rows}
    assert rows["scipy.special.erf"].worst is Verdict.ACCURATE
    assert rows["scipy.special.erf"].points > 40
    assert all(name.startswith("scipy.special.e") for name in rows)


def test_a_run_that_was_killed_goes_on(values_alone, tmp_path, monkeypatch, capsys):
    options = ["--dtype", "float64", "--quick", "--jobs", "0", "--output", str(tmp_path), "--format", "csv"]
    assert run(["atlas", "--functions", "numpy.exp*", *options]) is ExitCode.OK
    with (tmp_path / "atlas.jsonl").open("ab") as journal:
        journal.write(b'{"row":{"function":"numpy.si')
    asked = []

    def counted(one):
        asked.append(one.name)
        return [Measured(msgspec.structs.replace(ROW, function=one.name))]

    monkeypatch.setattr(command, "measured", counted)
    chosen = ["--functions", "numpy.exp*", "--functions", "numpy.sin"]
    assert run(["atlas", *chosen, *options, "--resume"]) is ExitCode.OK
    assert asked == ["numpy.sin"]
    assert {row.function for row in read(tmp_path / "atlas.csv").rows} >= {
        "numpy.exp",
        "numpy.expm1",
        "numpy.sin",
    }


def test_on_a_cluster_a_row_is_measured_without_its_time_which_is_taken_here(monkeypatch, tmp_path, capsys):
    x = torch.tensor([0.5, -1.5, 3.0], dtype=torch.float64, requires_grad=True)
    made = SimpleNamespace(
        subjects=lambda name, dtype: [Subject(name, torch.exp, (x,))], names=lambda: ["torch.exp"]
    )
    monkeypatch.setattr(measure, "subjects_of", lambda system: made)
    monkeypatch.setattr(command, "subjects_of", lambda system: made)
    monkeypatch.setattr(command, "SYSTEMS", ("torch",))
    monkeypatch.setattr(measure, "ORDERS", {"torch": (1, 2)})
    asked = []

    def spread_here(job, batches, workers, timeout):
        for batch in batches:
            found = job.do(batch)
            times = None if job is command.TIMING else [one.row.time_ratio for one in found[0][1]]
            asked.append((workers, times))
            yield from job.results(batch, msgspec.msgpack.encode(found))

    monkeypatch.setattr(command, "spread", spread_here)
    options = ["--dtype", "float64", "--quick", "--output", str(tmp_path), "--scheduler", "tcp://127.0.0.1:9"]
    assert run(["atlas", *options]) is ExitCode.OK
    assert asked == [(Workers(1, "tcp://127.0.0.1:9"), [None, None]), (Workers(1), None)]
    first, second = read(tmp_path / "atlas.csv").rows
    assert (first.order, second.order, second.time_ratio) == (1, 2, None)
    assert first.time_ratio > 0
    assert (tmp_path / "atlas.jsonl").read_bytes().count(
        b"\n"
    ) == 4  # a header, two rows, and the one with its time


def test_a_pattern_that_matches_nothing_has_near_matches(values_alone, capsys):
    assert run(["atlas", "--functions", "special.erfcy"]) is ExitCode.NOTHING_COMPARED
    assert "scipy.special.erfc" in capsys.readouterr().err


def test_a_pattern_is_of_last_parts_or_begins_with_a_framework():
    names = ["numpy.sin", "jax.numpy.sin", "jax.numpy.linalg.norm", "torch.special.erf", "scipy.special.erf"]
    roots = {"numpy", "jax", "torch", "scipy"}

    def chosen(pattern):
        return [name for name in names if command._matches(name, pattern, roots)]

    assert chosen("numpy.*") == ["numpy.sin"]
    assert chosen("jax.numpy.*") == ["jax.numpy.sin", "jax.numpy.linalg.norm"]
    assert chosen("special.*") == ["torch.special.erf", "scipy.special.erf"]
    assert chosen("sin") == ["numpy.sin", "jax.numpy.sin"]


@pytest.mark.parametrize(
    "options", [["--format", "csv,text"], ["--format", "html"], ["--resume"], ["--jobs", "-1"]]
)
def test_options_that_do_not_fit_are_refused(options):
    assert run(["atlas", *options]) is ExitCode.USAGE


def test_a_note_names_no_place_of_this_machine():
    said = measure.shortened("np.frexp has no rule: say what it computes; at /home/me/lib/subjects.py:12")
    assert said == "np.frexp has no rule: say what it computes"
    said = measure.shortened("no such thing (in aten.copy, called at /home/me/lib/a.py:7); pass another")
    assert said == "no such thing (in aten.copy); pass another"
    text = (Path(__file__).parents[3] / "reports/atlas.csv").read_text()
    assert not re.search(r"; at |called at |/(root|home|usr|tmp)/", text)
