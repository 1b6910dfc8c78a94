"""What `make test` leaves out: a part of each long table, the same in each run, and no dtype of all."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import conftest, sampling, slow

NAMES = [f"tests/a.py::test_{test}[{k}-{dtype}]" for test in "ab" for k in range(20) for dtype in "fd"]


def items(names, mark=None):
    return [SimpleNamespace(nodeid=name, get_closest_marker={mark: True}.get) for name in names]


def test_about_a_quarter_of_a_long_table_is_asked_and_some_of_each_column():
    kept, left = sampling.thinned(items(NAMES))
    assert len(kept) + len(left) == len(NAMES)
    for test in "ab":
        for dtype in "fd":
            own = [i for i in kept if f"test_{test}[" in i.nodeid and i.nodeid.endswith(f"{dtype}]")]
            assert 2 <= len(own) <= 9
    again, _ = sampling.thinned(items(NAMES))
    assert [i.nodeid for i in again] == [i.nodeid for i in kept]


def test_of_a_table_that_is_not_so_long_it_is_about_half():
    tables = [f"tests/a.py::test_{n}[{k}]" for n in range(200) for k in range(sampling.MANY)]
    kept, _ = sampling.thinned(items(tables))
    assert 0.45 < len(kept) / len(tables) < 0.65


def test_short_tables_and_single_tests_are_asked_in_full():
    few = items([f"tests/a.py::test_a[{k}]" for k in range(sampling.FEW)] + ["tests/a.py::test_b"])
    assert sampling.thinned(few) == (few, [])


def test_a_table_may_be_asked_in_full():
    marked = items(NAMES, "entire")
    assert sampling.thinned(marked) == (marked, [])


def test_of_each_table_some_are_asked():
    tables = [[f"tests/a.py::test_{n}[{k}]" for k in range(sampling.FEW + 1)] for n in range(200)]
    kept, _ = sampling.thinned(items([name for table in tables for name in table]))
    assert {i.nodeid for i in kept} >= {table[0] for table in tables}


def test_of_slow_tests_about_a_third_is_asked_and_of_slow_tables_no_first_one(tmp_path, monkeypatch):
    names = [f"tests/a.py::test_{n}" for n in range(300)]
    tables = [f"tests/a.py::test_{n}[{k}]" for n in range(300, 400) for k in range(3)]
    monkeypatch.setattr(sampling, "SLOW", tmp_path / "slow.txt")
    sampling.SLOW.write_text("\n".join([*names[:200], *(name[:-3] for name in tables)]))
    asked = {item.nodeid for item in sampling.thinned(items(names + tables))[0]}
    assert set(names[200:]) <= asked
    assert 45 < len(asked & set(names[:200])) < 90
    assert 30 < len(asked & set(tables)) < 75
    marked = items(names, "entire")
    assert sampling.thinned(marked) == (marked, [])


def test_a_test_is_slow_by_the_average_of_its_cases(tmp_path):
    file = tmp_path / "run.xml"
    cases = [
        ("a", "test_x[1]", 0.9),
        ("a", "test_x[2]", 0.1),
        ("a", "test_y[1]", 0.2),
        ("a", "test_y[2]", 0.1),
    ]
    cases += [("meta.test_a", "test_z", 9.0)]
    lines = [f'<testcase classname="tests.{of}" name="{name}" time="{s}"/>' for of, name, s in cases]
    file.write_text(f"<testsuites><testsuite>{''.join(lines)}</testsuite></testsuites>")
    assert slow.slow(file) == ["tests/a.py::test_x"]


def test_the_slow_tests_are_there():
    for name in sampling.SLOW.read_text().split():
        file, _, test = name.partition("::")
        assert f"def {test}(" in Path(file).read_text(), f"{name}: python -m tests.slow writes the list anew"


@pytest.mark.parametrize("source", pytest.Config.ArgsSource)
def test_who_names_a_file_gets_all_of_it(monkeypatch, source):
    monkeypatch.setattr(conftest, "WHOLE", False)
    left, found = [], items(NAMES)
    hook = SimpleNamespace(pytest_deselected=lambda items: left.extend(items))
    config = SimpleNamespace(args_source=source, ArgsSource=pytest.Config.ArgsSource, hook=hook)
    conftest.pytest_collection_modifyitems(config, found)
    assert len(found) + len(left) == len(NAMES)
    assert bool(left) is (source is pytest.Config.ArgsSource.TESTPATHS)
