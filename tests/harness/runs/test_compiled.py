"""What XLA compiled in one process of a run, another finds."""

import os
import subprocess
import sys
from pathlib import Path

from harness.runs.compiled import FOLDER, SETTINGS, compiled_once

PROGRAM = "import jax; jax.numpy.arange(5.0).sum().block_until_ready(); jax.numpy.sin(jax.numpy.ones(7))"


def entries():
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
    return {one.name for one in Path(os.environ[FOLDER]).iterdir() if one.name.endswith("-cache")}


def test_a_second_process_compiles_nothing_anew(monkeypatch):
    for name in (FOLDER, *SETTINGS):
        monkeypatch.delenv(name, raising=False)
    with compiled_once():
        folder = Path(os.environ[FOLDER])
        first = entries()
        assert len(first) >= 2
        assert entries() == first
    assert FOLDER not in os.environ
    assert not set(SETTINGS) & set(os.environ)
    assert not folder.exists()


def test_a_folder_of_the_user_s_own_stays(monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER, str(tmp_path))
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    with compiled_once():
        assert os.environ[FOLDER] == str(tmp_path)
        assert not set(SETTINGS) & set(os.environ)
    assert os.environ[FOLDER] == str(tmp_path)


def test_what_runs_inside_may_clear_the_environment(monkeypatch):
    for name in (FOLDER, *SETTINGS):
        monkeypatch.delenv(name, raising=False)
    with compiled_once():
        del os.environ[FOLDER]
    assert not {FOLDER, *SETTINGS} & set(os.environ)
