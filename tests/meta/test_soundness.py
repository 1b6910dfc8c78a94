"""`make soundness` goes on where it was stopped, on the same code, and says what failed."""

from importlib.util import find_spec

from tests import soundness
from tests.sampling import long
from tests.soundness import PARTS, PROGRAMS, Part


def test_each_part_is_there():
    for module in (*(part.module for part in PARTS), PROGRAMS):
        assert find_spec(module), module


def test_what_was_done_is_not_done_again_and_what_failed_is(tmp_path, capsys):
    asked, outcomes = [], {"good": 0, "bad": 1}

    def one(part, folder):
        asked.append(part.name)
        return outcomes[part.name]

    parts = [Part("tests.good"), Part("tests.bad")]
    assert soundness.run(parts, tmp_path, 1, one) == ["bad"]
    assert "bad: FAILED, said in" in capsys.readouterr().out
    outcomes["bad"] = 0
    assert soundness.run(parts, tmp_path, 1, one) == []
    assert asked == ["good", "bad", "bad"]
    assert soundness.run(parts, tmp_path, 1, one) == []
    assert len(asked) == 3


@long
def test_a_part_runs_as_its_module_and_what_it_says_is_kept(tmp_path):
    assert soundness.ran(Part("tests.power.not_there"), tmp_path) == 1
    assert "No module named tests.power.not_there" in (tmp_path / "power.not_there.txt").read_text()
    assert soundness.ran(Part("tests.programs", ("--help",)), tmp_path) == 0


def test_other_code_is_asked_anew(monkeypatch, tmp_path):
    for room in soundness.OURS:
        (tmp_path / room).mkdir()
    monkeypatch.setattr(soundness, "ROOT", tmp_path)
    (tmp_path / "oracles" / "core.c").write_text("1")
    before = soundness.code()
    assert soundness.code() == before
    (tmp_path / "oracles" / "core.c").write_text("2")
    assert soundness.code() != before
