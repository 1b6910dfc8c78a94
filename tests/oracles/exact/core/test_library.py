"""Why the core is not used is said, with a command that helps."""

from __future__ import annotations

import _ctypes
import shutil

import pytest

from oracles.exact.core import library
from oracles.exact.core.build import LIBRARY

compiled = pytest.mark.skipif(library.loaded() is None, reason="the core is not built here")


@pytest.fixture
def asked(monkeypatch):
    """What is said of a library at that place."""

    def said(place) -> str:
        monkeypatch.setattr(library, "LIBRARY", place)
        library._opened.cache_clear()
        return library.problem()

    yield said
    monkeypatch.undo()
    library._opened.cache_clear()


def test_a_library_that_was_not_built(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(library, "compiler", lambda: ["cc"])
    assert asked(tmp_path / "none.so") == f"it was not built: {library.BUILD}"


def test_what_is_missing_is_named_where_there_is_no_compiler(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CC", "own-cc -m64")
    said = asked(tmp_path / "none.so")
    assert "cannot be: no C compiler: own-cc -m64, cc, gcc and clang were looked for; set CC" in said
    assert library.BUILD in said


@compiled
def test_a_library_of_another_source(asked, tmp_path, monkeypatch):
    own = shutil.copy(LIBRARY, tmp_path)
    assert asked(tmp_path / LIBRARY.name) == "", own
    monkeypatch.setattr(library, "fingerprint", lambda: "another")
    assert asked(tmp_path / LIBRARY.name) == f"it was built from another source: {library.BUILD}"
    assert library.loaded() is None


def test_what_is_no_library_and_what_is_another(asked, tmp_path):
    (tmp_path / "text.so").write_text("no library")
    assert "it cannot be loaded" in asked(tmp_path / "text.so")
    shutil.copy(_ctypes.__file__, tmp_path / "other.so")
    assert "it cannot be loaded" in asked(tmp_path / "other.so")
    assert library.loaded() is None
