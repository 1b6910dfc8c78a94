"""Findings as SARIF, and the lines that they point to."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gate.finding import Finding, Kind, Level
from harness.gate.findings import Told
from harness.gate.places import Place, _files, place_of
from harness.gate.sarif import sarif
from harness.gate.suite import SuiteWords
from harness.gate.words import Words
from harness.runs.record import Row
from harness.verdicts import Outcome, Verdict
from tests.harness.rows import NAMES, record

TOLD = {"rows": 1, "past": "b.json", "said": "", "differences": ()}


def finding(diagnosis="", case="relu", kind=Kind.WORSE, level=Level.FAIL):
    one = record(case=case, verdict=Verdict.IMPRECISE, outcome=Outcome.FAIL, diagnosis=diagnosis)
    return Finding(level, kind, Row.of(one.cell), "accurate", "imprecise", one)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _files.cache_clear()
    for name in ("src/kernels.py", "a/twice.py", "b/twice.py", ".venv/other.py", "env/lib/mine.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "env/pyvenv.cfg").touch()
    (tmp_path / "test_a.py").write_text("import x\n\nclass TestA:\n    def test_one(self): ...\n")
    return tmp_path


def test_the_line_is_that_of_the_guilty_operation(project):
    found = place_of(finding("subtract at kernels.py:31: 53 of 53 bits cancel"), Words())
    assert found == Place("src/kernels.py", 31)


@pytest.mark.parametrize("name", ["twice", "other", "mine", "nowhere"])
def test_a_name_that_is_not_one_file_here_points_to_the_test(name, project):
    said, case = f"subtract at {name}.py:31: 53 of 53 bits cancel", "test_a.py::TestA::test_one[a-b]"
    assert place_of(finding(said, case), SuiteWords()) == Place("test_a.py", 4)
    assert place_of(finding(said, "gone.py::test_one"), SuiteWords()) is None
    assert place_of(finding(said), Words()) is None  # the book's functions lie elsewhere


def test_a_case_points_to_its_gradient_by_hand_and_no_other_system_does():
    row = finding().row
    file, line = Words().home(row._replace(oracle="numpy"))
    assert (file, line > 1) == ("reference/activations.py", True)
    assert Words().home(row) is None


def test_a_log_has_what_the_standard_wants(project):
    found = json.loads(sarif(Told([finding("subtract at kernels.py:31: all cancel")], **TOLD)))
    assert (found["version"], found["$schema"]) == ("2.1.0", "https://json.schemastore.org/sarif-2.1.0.json")
    (run,) = found["runs"]
    assert run["tool"]["driver"]["name"] == "gradproof"
    rules = {rule["id"]: rule["shortDescription"]["text"] for rule in run["tool"]["driver"]["rules"]}
    assert set(rules) == {kind.value for kind in Kind}
    (result,) = run["results"]
    assert result["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "src/kernels.py"}, "region": {"startLine": 31}}}
    ]
    assert result["partialFingerprints"] == {"gradproof/row": "relu/jax/float64/zeros"}
    assert "subtract at kernels.py:31" in result["message"]["text"]


@given(names=st.lists(NAMES, max_size=4), level=st.sampled_from(Level), kind=st.sampled_from(Kind))
def test_every_finding_is_a_result_whatever_it_says(names, level, kind):
    found = [finding(name, f"no such case {name}", kind, level) for name in names]
    (run,) = json.loads(sarif(Told(found, **TOLD)))["runs"]
    assert len(run["results"]) == len(found)
    assert all(r["level"] in {"error", "warning", "note"} and r["message"]["text"] for r in run["results"])
