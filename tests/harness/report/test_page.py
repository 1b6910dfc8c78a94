"""The page of a report: its rows are the run's, its charts are files too, and 2,000 rows stay small."""

import random

import pytest

from harness.book.learning import Learned
from harness.book.learning import table_of as learned_table
from harness.commands.cli import run
from harness.page import document, sweep
from harness.page.document import Document, packed, page
from harness.page.elements import rounded
from harness.page.leaf import Leaves, grow
from harness.page.library import svg
from harness.page.pictures import over_inputs
from harness.report.page import row, wanted
from harness.report.sections import learning_section, power_section, times_section
from harness.report.tables import records_frame, timings
from harness.runs.journal import read_records
from harness.runs.record import Record
from harness.verdicts import Outcome, Verdict
from tests.harness.page.subjects import called, data_of

VEGA = 900_000  # bytes of the library that draws


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(document, "drawing", lambda: "")
    monkeypatch.setattr(sweep, "COUNT", 16)


def record(case="sigmoid", oracle="jax", dtype="float64", input="ordinary", **fields):
    told = {"verdict": Verdict.IMPRECISE, "outcome": Outcome.FAIL, "computed": 0.1, "true": 0.2, **fields}
    return Record(case=case, oracle=oracle, dtype=dtype, input=input, seed=0, **told)


def test_a_report_writes_its_page_and_its_charts(tmp_path, capsys):
    asked = ["--case", "sigmoid", "--input", "ordinary", "--input", "saturated-40"]
    asked += ["--oracle", "exact,numpy", "--dtype", "float64"]
    code = run(["report", *asked, "--output", str(tmp_path), "--format", "jsonl,html,svg"])
    assert code == 0, capsys.readouterr().err
    data = data_of((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert data["command"] == "gradproof report " + " ".join(asked)
    rows = {(r["system"], r["input"]): r for r in data["rows"]}
    records = list(read_records(tmp_path / "records.jsonl"))
    assert len(rows) == len(records) == 4
    for one in records:
        told = rows[one.oracle, one.input]
        assert (told["verdict"], told["outcome"]) == (one.verdict, one.outcome)
        assert told["command"].startswith("python -m gradproof report --case sigmoid")
        if "tensor" in told:
            assert told["error_ulp"] == pytest.approx(one.error_ulp, rel=1e-3, abs=1e-30)
            cells = [called(data["columns"]["cell"], c) for c in data["tensors"][told["tensor"]]["cells"]]
            (worst,) = (c for c in cells if c["worst"])
            assert (worst["computed"], worst["true"]) == (told["computed"], told["true"])
    assert {key for key, told in rows.items() if "sweep" in told} == {("numpy", "ordinary")}
    assert "tensor" in rows["numpy", "ordinary"]
    (chart,) = (tmp_path / "charts").glob("over*.svg")
    assert chart.name == "over-the-input-sigmoid-float64.svg"
    assert chart.read_text(encoding="utf-8").startswith("<svg")


def test_a_picture_has_the_systems_of_a_function_one_below_the_other():
    leaves = Leaves()
    for system in ("jax", "torch"):
        told = {"function": "f", "system": system, "dtype": "float64", "verdict": "accurate"}
        point = ["1", 0.5, "2", system, 0.5, 1.0, 2.0, 0.0, "accurate"]
        over = {"dtype": "float64", "digits": 53, "budget": 26, "given": ["1", 0.5], "points": [point]}
        grow(leaves, told, {"sweep": over})
    ((name, spec),) = over_inputs(leaves)
    assert name == "over-the-input-f-float64"
    assert [one["title"] for one in spec["vconcat"]] == ["f, jax", "f, torch"]
    assert [spec["datasets"][f"points{k}"][0]["true"] for k in range(2)] == ["jax", "torch"]
    assert svg(spec).count("f, ") >= 2


def test_pages_are_written_where_they_are_named_and_need_a_folder(capsys):
    assert run(["report", "--case", "sigmoid", "--format", "html"]) == 2
    assert "--format html needs --output DIR" in capsys.readouterr().err


def test_pictures_are_drawn_of_the_worst_row_and_of_the_usual_input():
    truth = record(verdict=Verdict.TRUTH, oracle="exact")
    rows = [record(input="ties"), record(input="zeros"), record(), truth]
    assert [(one.cell.input, one.whole) for one in wanted(rows)] == [("ties", False), ("ordinary", True)]


def test_two_thousand_rows_stay_below_four_megabytes():
    """With 200 sweeps of 200 points; a tenth of that is made."""
    rng, leaves = random.Random(0), Leaves()

    def some():
        return rounded(rng.random())

    for k in range(200):
        name, oracle, dtype = f"case_{k % 25}", f"system_{k // 25 % 4}", f"float{32 * (1 + k // 100 % 2)}"
        numbers = {n: some() for n in ("bits_lost", "error_ulp", "attainable_ulp", "bound_ulp")}
        said = f"tanh at kernels.py:{rng.randrange(900)} contributes {rng.randrange(100)} % of the bound"
        told = row(
            record(
                name, oracle, dtype, f"point-{k // 200}", diagnosis=said, where=f"x[{k}]",
                true_digits=f"{rng.random()!r}4567", blame="torch: tanh (https://a.org/issues/1)", **numbers,
            )
        )  # fmt: skip
        points = []
        for place in range(200 if k < 20 else 0):
            computed = repr(rng.random())
            true = f"{computed[:-2]}{rng.randrange(10**6)}"
            points.append(
                [repr(rng.random()), place / 100, computed, true, *(some() for _ in range(4)), "wrong"]
            )
        over = {"dtype": dtype, "digits": 53, "budget": 26, "given": ["1", 0.5], "points": points}
        grow(leaves, told, {"sweep": over} if points else {})
    assert 10 * len(packed(leaves)) + len(page(Document("none", Leaves()))) + VEGA < 4_000_000


def test_times_and_learning_curves_are_the_tables_numbers():
    fields = {"gradient_time_s": 1e-5, "value_time_s": 1e-6, "gradient_time_ratio": 3.0}
    fields |= {"gradient_time_ratio_low": 2.5, "gradient_time_ratio_high": 3.5}
    table = timings(records_frame([record(**fields), record(oracle="numpy", **fields)]), full=True)
    made = times_section(table)
    assert made.data["rows"] == [
        {"function": "sigmoid", "system": "jax", "ratio": 3.0, "low": 2.5, "high": 3.5, "seconds": 1e-5}
    ]
    learned = [Learned("numpy", 2, losses=(2.0, 1.0), apart=(0.0, 0.0)), Learned("jax", reason="not there")]
    made = learning_section(learned_table(learned), learned)
    assert made.data["rows"] == [
        {"source": "numpy", "step": 0, "loss": 2.0, "apart": 0.0},
        {"source": "numpy", "step": 1, "loss": 1.0, "apart": 0.0},
    ]


def test_detection_power_counts_what_each_checker_found(tmp_path):
    file = tmp_path / "power.csv"
    file.write_text(
        "id,checker,ordinary,trigger,boundary\na,ours,missed,found,found\nb,ours,found,found,found\n"
        "a,gradcheck,missed,missed,accuses the right one\n"
    )
    made = power_section(file)
    assert made.rows[:3] == (
        ("ours", "ordinary numbers", 1, 2), ("ours", "the boundary inputs", 2, 2),
        ("ours", "the report's trigger", 2, 2),
    )  # fmt: skip
    assert power_section(tmp_path / "other.csv") is None
