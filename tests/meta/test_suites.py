"""The table of public suites: what is counted, what of a reason stays, and when it fails."""

import json

import pandas as pd
import pytest

from tests import suites


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Write a report of checks, and read the table."""
    monkeypatch.setattr(suites, "FILE", tmp_path / "suites.csv")

    def made(*checks):
        lines = [json.dumps({"where": where, "verdict": v, "unproven": why}) for where, v, why in checks]
        (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
        code = suites.main([f"mine={tmp_path / 'a.jsonl'}"])
        return code, pd.read_csv(tmp_path / "suites.csv", keep_default_na=False)

    return made


def test_checks_are_counted_by_what_is_proven(table, capsys):
    right = [("t.py::one", "accurate", "")] * 9 + [("t.py::two", "convention", "")] * 2
    open_ = ("t.py::two", "", "svd has no rule (in aten.svd, called at /home/me/t.py:3)")
    code, found = table(*right, ("t.py::two", "imprecise", ""), open_)
    assert found.to_dict("records") == [
        {
            "suite": "mine",
            "test": "t.py::one",
            "checks": 9,
            "right": 9,
            "faulty": 0,
            "not proven": 0,
            "why": "",
        },
        {
            "suite": "mine",
            "test": "t.py::two",
            "checks": 4,
            "right": 2,
            "faulty": 1,
            "not proven": 1,
            "why": "svd has no rule",
        },
    ]
    assert code == 0
    assert "7.7% of the checks are not proven, 10% are allowed" in capsys.readouterr().out


def test_more_than_a_tenth_unproven_fails(table):
    code, found = table(
        *[("t.py::one", "accurate", "")] * 8, ("t.py::one", "", "no; called at C:\\me\\t.py:3")
    )
    assert code == 1
    assert found["why"].item() == "no"
