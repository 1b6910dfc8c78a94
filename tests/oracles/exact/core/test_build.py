"""The tables are proven once: what is kept is taken only where it is, to the letter, what would be proven."""

from __future__ import annotations

import pytest

from oracles.exact.core import build

TABLES = "static const node ERF[1] = {\n0x1p+0\n};\n"


@pytest.fixture
def built(tmp_path, monkeypatch):
    """What a new process includes, and how often it proved the tables for that."""
    proofs = []
    monkeypatch.setattr(build, "KEPT", tmp_path / "kept.h")
    monkeypatch.setattr(build, "proven_tables", lambda: proofs.append(1) or TABLES)
    return lambda: (build.taylor_tables.__wrapped__(), len(proofs))


def test_what_was_proven_is_taken_again(built):
    assert [built(), built()] == [(TABLES, 1), (TABLES, 1)]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("0x1p+0", "0x1p+1"),
        lambda text: text[:-4],
        lambda text: text + "//\n",
        lambda text: text.partition("\n")[2],
        lambda text: "\xff",
        lambda text: "",
    ],
)
def test_what_was_changed_is_proven_again(built, change):
    built()
    build.KEPT.write_text(change(build.KEPT.read_text()), encoding="latin-1")
    assert [built(), built()] == [(TABLES, 2), (TABLES, 2)]


def test_other_tables_and_another_arb_are_proven_again(built, tmp_path, monkeypatch):
    built()
    monkeypatch.setattr(build, "TABLES", tmp_path / "tables.py")
    build.TABLES.write_text("BITS = 400\n")
    assert built() == (TABLES, 2)
    monkeypatch.setattr(build.flint, "__FLINT_VERSION__", "3.5.0")
    assert built() == (TABLES, 3)


def test_where_nothing_can_be_written_they_are_proven_each_time(built, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "KEPT", tmp_path / "no" / "kept.h")
    assert [built(), built()] == [(TABLES, 1), (TABLES, 2)]
