"""What the tests of the tester break, and put back afterwards."""

import pytest

from harness import cases
from harness.runs import runner
from tests.meta.gates import Gates


@pytest.fixture
def installed(monkeypatch):
    """Put cases in the place of the catalogue's of the same name; `without` names those to take away."""

    def install(*changed, without=()):
        found = {**cases.catalogue(), **{case.name: case for case in changed}}
        for name in without:
            del found[name]
        for module in (runner, runner):
            monkeypatch.setattr(module, "catalogue", lambda: found)

    return install


@pytest.fixture(scope="session")
def green(tmp_path_factory):
    """A baseline of a few rows of this code on this machine, as a person makes it, and a run that passes."""
    folder = tmp_path_factory.mktemp("green")
    with pytest.MonkeyPatch.context() as patch:
        gates = Gates(folder, patch)
        gates.ratio(1.0)
        said = gates.update(*gates.ROWS, reason="green")
        assert said.code == 0, said.err
        assert gates.gate().code == 0
    return gates.baseline.read_bytes(), gates.saved.read_bytes()


@pytest.fixture
def gates(tmp_path, monkeypatch, green):
    """A folder with the green baseline and run, and what runs the gate and updates there."""
    found = Gates(tmp_path, monkeypatch)
    for path, content in zip((found.baseline, found.saved), green, strict=True):
        path.write_bytes(content)
    return found
