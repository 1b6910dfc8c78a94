"""Findings as SARIF, and the lines that they point to."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gate.finding import Finding, Kind, Level
from harness.gate.findings import Told
from harness.gate.places import place_of
from harness.gate.sarif import sarif
from harness.gate.suite import SuiteWords
from harness.gate.words import Words
from harness.runs.record import Row, whereabouts
from harness.verdicts import Outcome, Verdict
from oracles.exact.program.program import Line, Origin
from tests.harness.rows import NAMES, record

TOLD = {"rows": 1, "past": "b.json", "said": ""}


def finding(diagnosis="", case="relu", kind=Kind.WORSE, level=Level.FAIL, **place):
    one = record(case=case, verdict=Verdict.IMPRECISE, outcome=Outcome.FAIL, diagnosis=diagnosis, **place)
    return Finding(level, kind, Row.of(one.cell), "accurate", "imprecise", one)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("src/my kernels.py", ".venv/other.py", "env/site-packages/mine.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "test_a.py").write_text("import x\n\nclass TestA:\n    def test_one(self): ...\n")
    return tmp_path


@pytest.mark.parametrize("base", ["", "{}/"])
def test_a_record_says_where_it_goes_wrong_relative_to_where_the_run_began(base, project):
    guilty = Origin("subtract", Line(f"{base.format(project)}src/my kernels.py", 31))
    found = whereabouts(guilty, project)
    assert found == {"operation": "subtract", "file": "src/my kernels.py", "line": 31}
    assert place_of(finding(**found), Words()) == ("src/my kernels.py", 31, "subtract")


@pytest.mark.parametrize(
    "file", [".venv/other.py", "env/site-packages/mine.py", "gone.py", __file__, "<str>"]
)
def test_what_is_no_file_of_the_project_points_to_the_test(file, project):
    assert whereabouts(Origin("subtract", Line(file, 31)), project) == {}
    assert whereabouts(Origin("subtract", None), project) == whereabouts(None, project) == {}
    assert place_of(finding(case="test_a.py::TestA::test_one[a-b]"), SuiteWords()) == ("test_a.py", 4, "")
    assert place_of(finding(case="gone.py::test_one"), SuiteWords()) is None
    assert place_of(finding(), Words()) is None  # the book's functions lie elsewhere


def test_a_case_points_to_its_gradient_by_hand_and_no_other_system_does():
    row = finding().row
    file, line = Words().home(row._replace(oracle="numpy"))
    assert (file, line > 1) == ("reference/activations.py", True)
    assert Words().home(row) is None


def test_a_log_has_what_the_standard_wants():
    where = {"operation": "subtract", "file": "src/my kernels.py", "line": 31}
    found = json.loads(sarif(Told([finding("subtract at my kernels.py:31: all cancel", **where)], **TOLD)))
    assert (found["version"], found["$schema"]) == ("2.1.0", "https://json.schemastore.org/sarif-2.1.0.json")
    (run,) = found["runs"]
    assert run["tool"]["driver"]["name"] == "gradproof"
    rules = {rule["id"]: rule["shortDescription"]["text"] for rule in run["tool"]["driver"]["rules"]}
    assert set(rules) == {kind.value for kind in Kind}
    (result,) = run["results"]
    file, region = {"uri": "src/my%20kernels.py"}, {"startLine": 31}
    assert result["locations"] == [
        {
            "physicalLocation": {"artifactLocation": file, "region": region},
            "message": {"text": "subtract"},
        }
    ]
    assert result["partialFingerprints"] == {"gradproof/row": "relu/jax/float64/zeros"}
    assert "subtract at my kernels.py:31" in result["message"]["text"]


@given(names=st.lists(NAMES, max_size=4), level=st.sampled_from(Level), kind=st.sampled_from(Kind))
def test_every_finding_is_a_result_whatever_it_says(names, level, kind):
    found = [finding(name, f"no such case {name}", kind, level) for name in names]
    (run,) = json.loads(sarif(Told(found, **TOLD)))["runs"]
    assert len(run["results"]) == len(found)
    assert all(r["level"] in {"error", "warning", "note"} and r["message"]["text"] for r in run["results"])
