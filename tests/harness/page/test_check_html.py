"""`check --html FILE`: the page is written whole, with the command that shows it again, or refused."""

import pytest

from harness.commands.cli import run
from harness.page import document, library, sweep
from tests.harness.page.subjects import data_of

HERE = "tests.harness.page.subjects"
CHECK = ["check", f"{HERE}:softmax", "--vjp", f"{HERE}:softmax_backward", "--shape", "3", "--probes", "none"]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(document, "drawing", lambda: "window.vega = 1")
    monkeypatch.setattr(sweep, "COUNT", 16)


def test_a_check_writes_its_page(tmp_path, capsys):
    file = tmp_path / "page.html"
    assert run([*CHECK, "--seed", "3", "--html", str(file)]) == 0
    said = capsys.readouterr()
    assert "softmax_backward/x" in said.out
    assert str(file) in said.err
    data = data_of(file.read_text(encoding="utf-8"))
    assert data["command"] == "gradproof " + " ".join([*CHECK[:6], "--seed", "3", *CHECK[6:]])
    assert [row["verdict"] for row in data["rows"]] == ["accurate"]
    assert len(data["sweeps"][0]["points"]) >= 16


def test_a_folder_that_is_missing_is_refused_before_anything_runs(tmp_path, capsys):
    assert run([*CHECK, "--html", str(tmp_path / "new" / "page.html")]) == 2
    assert "--html must be a file in a folder that is there, got " in capsys.readouterr().err
    assert run([*CHECK, "--html", str(tmp_path)]) == 2


def test_without_the_libraries_it_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(library, "LIBRARIES", ("a_library_that_is_not_there",))
    assert run([*CHECK, "--html", str(tmp_path / "page.html")]) == 2
    assert "pip install 'gradproof[html]'" in capsys.readouterr().err
