"""What `make test` leaves out: a part of each long table, the same in each run, and no dtype of all."""

from types import SimpleNamespace

import pytest

from tests import conftest, sampling

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


@pytest.mark.parametrize("source", pytest.Config.ArgsSource)
def test_who_names_a_file_gets_all_of_it(monkeypatch, source):
    monkeypatch.setattr(conftest, "WHOLE", False)
    left, found = [], items(NAMES)
    hook = SimpleNamespace(pytest_deselected=lambda items: left.extend(items))
    config = SimpleNamespace(args_source=source, ArgsSource=pytest.Config.ArgsSource, hook=hook)
    conftest.pytest_collection_modifyitems(config, found)
    assert len(found) + len(left) == len(NAMES)
    assert bool(left) is (source is pytest.Config.ArgsSource.TESTPATHS)
