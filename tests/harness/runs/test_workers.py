"""Work over processes: whatever happens to one of them, every item has exactly one result."""

import os
import signal
import subprocess
import sys
import time
from itertools import islice, pairwise
from threading import Thread

import msgspec
import pebble.pool.process
import pytest

from harness.runs import processes
from harness.runs.jobs import Failure, Fate, Job, Unit
from harness.runs.processes import Processes
from harness.runs.raised import Ended
from harness.runs.workers import HERE, Workers, spread
from harness.selection import Untrusted, UsageError
from tests.harness.runs.treacherous import (
    batches,
    ending,
    job,
    odd,
    raising,
    results_and_lost,
    span,
    square,
    treacherous,
    vanishing,
    waiting,
    worker,
)
from tests.sampling import long


@long
def test_a_process_that_dies_or_hangs_costs_its_item_alone():
    found, lost = results_and_lost(spread(job(treacherous), batches(4), Workers(2), timeout_s=5.0))
    assert found == [n * n for n in range(12) if n not in (4, 9)]
    assert lost.keys() == {4, 9}
    assert "was killed by SIGKILL" in lost[4]
    assert "took longer than 5 s and was stopped; --timeout allows more" in lost[9]


def test_what_the_work_itself_raises_ends_the_run():
    with pytest.raises(ArithmeticError, match=r"cannot do \[0, 1, 2\]"):
        list(spread(job(raising), batches(1), Workers(1)))


def test_work_that_would_end_the_process_that_asks_is_an_error():
    with pytest.raises(Ended, match=r"SystemExit\(0\) in .*treacherous.py, line \d+ would end the program"):
        list(spread(job(ending), batches(2), Workers(1)))


def test_a_process_that_ends_with_0_in_the_middle_of_its_work_is_not_waited_for():
    found, lost = results_and_lost(spread(job(vanishing), batches(2), Workers(1), timeout_s=100.0))
    assert found == [0, 1, 4, 9, 25]
    assert lost == {4: "the process that ran it ended with exit code 1"}


@pytest.mark.parametrize(
    ("work", "item", "how"),
    [(vanishing, 4, "ended with exit code 1"), (treacherous, 4, "was killed by SIGKILL")],
)
def test_a_process_that_ends_before_pebble_reads_that_it_has_work_is_told_by_its_own_end(
    monkeypatch, work, item, how
):
    monkeypatch.setattr(pebble.pool.process.TaskManager, "task_start", lambda *_: None)
    found, lost = results_and_lost(spread(job(work), [[3], [item]], Workers(1), timeout_s=100.0))
    assert found == [9]
    assert lost.keys() == {item}
    assert how in lost[item]


def test_batches_are_read_as_they_are_needed_and_a_run_can_stop():
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield [len(taken)]

    rows = spread(job(square), endless(), Workers(1))
    assert list(islice(rows, 2)) == [1, 4]
    rows.close()
    assert len(taken) <= 5


def test_workers_that_stay_do_all_that_is_spread_and_then_end():
    with Workers(2).staying() as workers:
        once, again = (set(spread(job(worker), batches(8), workers)) for _ in range(2))
        assert 1 <= len(once | again) <= 2
    for pid in once | again:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with HERE.staying() as here:
        assert here is HERE


def test_what_is_timed_is_at_work_alone():
    spans = sorted({tuple(one) for one in spread(job(span, list[float]), batches(4), Workers(2), alone=True)})
    assert len(spans) == 4
    assert all(ended <= begun for (_, ended), (begun, _) in pairwise(spans))


SCRIPT = """
from harness.runs.workers import Workers, spread
from tests.harness.runs.treacherous import batches, job, {work}

print("the script runs", flush=True)
print(list(spread(job({work}), batches(2), Workers(2))))
"""


def run_script(folder, work):
    script = folder / "script.py"
    script.write_text(SCRIPT.format(work=work))
    path = os.pathsep.join([os.getcwd(), str(folder)])
    return subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip


def test_a_script_that_starts_processes_as_it_is_read_does_so_once(tmp_path):
    done = run_script(tmp_path, "square")
    assert done.stdout == "the script runs\n[0, 1, 4, 9, 16, 25]\n", done.stderr


def test_work_that_imports_such_a_script_is_refused(tmp_path):
    done = run_script(tmp_path, "importing")
    assert "asked to start others, since what it imports does so" in done.stderr
    assert done.returncode == 1


def test_without_batches_nothing_is_started(monkeypatch):
    monkeypatch.setattr(Workers, "pool", None)
    assert list(spread(job(square), [], Workers(1))) == []


def test_a_process_that_is_killed_while_it_waits_for_work_costs_nothing(tmp_path):
    file = tmp_path / "pid"
    with Processes(1) as pool:
        for round_ in range(2):
            pool.begin(Unit([str(file)], job(waiting, str).request([str(file)]), 60.0))
            Thread(target=_gone, args=(file,)).start()
            ((_, found),) = pool.ended()
            if isinstance(found, Failure):  # begun before pebble had seen it, and that may be
                assert round_ == 1
                assert found.fate is Fate.DIED
                continue
            assert msgspec.msgpack.decode(found) == [str(file)]
            os.kill(_gone.number, signal.SIGKILL)
            time.sleep(0.3)


def _gone(file):
    while not file.exists() or not file.read_text():
        time.sleep(0.02)
    _gone.number = int(file.read_text())
    file.unlink()


def test_what_is_no_plain_data_or_of_another_item_is_refused():
    with pytest.raises(TypeError, match="a result must be plain data, and it holds object"):
        list(spread(job(odd), batches(1), Workers(1)))
    own = Job(square, int, lambda item, why: 0, lambda item, result: result == item * item)
    assert own.results([3, 4], msgspec.msgpack.encode([9, 16])) == [9, 16]
    for wrong in ([9], [9, 16, 25], [16, 9], ["9", 16], {"a": 1}, None):
        with pytest.raises(Untrusted, match="a process answered"):
            own.results([3, 4], msgspec.msgpack.encode(wrong))
    with pytest.raises(Untrusted, match="no result"):
        own.results([3, 4], b"\x80\x04\x95no msgpack")


def test_an_exit_code_is_told():
    assert processes._ended_by(3) == "the process that ran it ended with exit code 3"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"jobs": -1}, "--jobs must be an integer >= 0"),
        ({"jobs": "2"}, r"--jobs must be an integer >= 0 .*, got '2'"),
        ({"scheduler": 3}, "--scheduler must be tcp://HOST:PORT or tls://HOST:PORT, got 3"),
        (
            {"scheduler": "10.0.0.1:8786"},
            "--scheduler must be tcp://HOST:PORT or tls://HOST:PORT, got '10.0.0.1:8786'",
        ),
        ({"scheduler": "http://10.0.0.1"}, "got 'http://10.0.0.1'"),
    ],
)
def test_workers_that_cannot_be_are_refused(given, said):
    with pytest.raises(UsageError, match=said):
        Workers(**given)
    assert not HERE.are_others


def test_without_dask_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr("harness.runs.workers.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"--scheduler needs Dask: pip install 'gradproof\[cluster\]'"):
        Workers(scheduler="tcp://127.0.0.1:8786")


# -- what becomes of a unit, without a process -------------------------------------------------------------


class Scripted:
    """A pool that holds one unit, and does with it what a function says."""

    room, joins = 2, 1

    def __init__(self, does):
        self.does, self.units, self.most_suspects = does, [], 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    @property
    def held(self):
        return len(self.units)

    def begin(self, unit):
        self.units.append(unit)
        self.most_suspects = max(self.most_suspects, sum(u.suspect for u in self.units))

    def ended(self):
        unit = self.units.pop(0)
        failure = self.does(unit)
        yield unit, failure or msgspec.msgpack.encode(square(unit.items))


def scripted(monkeypatch, does):
    pool = Scripted(does)
    monkeypatch.setattr(Workers, "pool", lambda self: pool)
    return *results_and_lost(spread(job(square), batches(3), Workers(1))), pool


def test_an_item_fails_when_its_process_has_died_three_times(monkeypatch):
    seen = []

    def does(unit):
        if 4 in unit.items:
            seen.append(len(unit.items))
            return Failure(Fate.DIED, "dead")
        return None

    found, lost, _ = scripted(monkeypatch, does)
    assert (found, lost) == ([n * n for n in range(9) if n != 4], {4: "dead"})
    assert seen == [3, 1, 1]


def test_an_item_that_dies_twice_by_chance_is_not_lost(monkeypatch):
    deaths = iter([True, True])
    found, lost, _ = scripted(
        monkeypatch,
        lambda unit: Failure(Fate.DIED, "dead") if 4 in unit.items and next(deaths, None) else None,
    )
    assert (found, lost) == ([n * n for n in range(9)], {})


def test_small_batches_are_joined_where_the_way_is_long(monkeypatch):
    sizes = []
    monkeypatch.setattr(Scripted, "joins", 4)
    found, _, _ = scripted(monkeypatch, lambda unit: sizes.append(len(unit.items)))
    assert found == [n * n for n in range(9)]
    assert sizes == [6, 3]


def test_a_lost_connection_is_nobodys_fault(monkeypatch):
    losses = iter([True] * 20)
    found, lost, _ = scripted(
        monkeypatch, lambda unit: Failure(Fate.LOST, "") if next(losses, None) else None
    )
    assert (found, lost) == ([n * n for n in range(9)], {})


def test_units_that_may_have_killed_a_worker_are_tried_item_by_item_one_at_a_time(monkeypatch):
    found, lost, pool = scripted(
        monkeypatch,
        lambda unit: Failure(Fate.KILLED, "4 workers") if 4 in unit.items or len(unit.items) > 1 else None,
    )
    assert (found, lost) == ([n * n for n in range(9) if n != 4], {4: "4 workers"})
    assert pool.most_suspects == 1
