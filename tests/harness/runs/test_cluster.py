"""A run on a real Dask cluster of this machine: the same rows as with processes, whoever is killed."""

import os
import signal
import sys
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from harness.atlas.saved import read
from harness.commands.cli import run as command
from harness.report import progress
from harness.runs import cluster as pools
from harness.runs import connection, node, runner
from harness.runs.cluster import Cluster
from harness.runs.jobs import Failure, Fate
from harness.runs.record import Record
from harness.runs.runner import plan, run
from harness.runs.versions import ROUNDING, Told, differences, versions
from harness.runs.workers import Workers, spread
from harness.search import database
from harness.selection import Unreachable, Untrusted, UsageError
from tests.harness.runs import clusters
from tests.harness.runs.clusters import is_alive, soon
from tests.harness.runs.treacherous import (
    batches,
    deadly,
    job,
    raising,
    results_and_lost,
    square,
    treacherous,
    waiting,
)
from tests.sampling import WHOLE, long, sample

pytestmark = pytest.mark.skipif(os.name != "posix", reason="it kills by signals")
SUBJECTS = "tests.harness.search.subjects"
CELLS = plan(["function_2", "step_function"], ["numpy", "fd"], ["float64"])


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A scheduler that gives a unit up at the second death, and misses a worker soon."""
    settings = {"SCHEDULER__ALLOWED_FAILURES": "1", "SCHEDULER__WORKER_TTL": "3s"}
    with clusters.Cluster(tmp_path_factory.mktemp("cluster"), **settings) as found:
        yield found


@pytest.fixture
def cluster(real):
    """The same with two workers."""
    missing = 2 - sum(worker.poll() is None for worker in real.workers)
    if missing:
        real.start_workers(missing)
    return real


def on(cluster):
    return Workers(scheduler=cluster.address)


def plain(records):
    """Without times, by cell, each once."""
    found = {}
    for record in records:
        assert record.cell not in found
        none = {n: None for n in Record.__struct_fields__ if "time" in n}
        found[record.cell] = repr(msgspec.structs.replace(record, **none))
    return found


def test_the_rows_are_those_of_one_process(cluster):
    assert plain(run(CELLS, on(cluster), timed=())) == plain(run(CELLS, timed=()))


@long
def test_an_item_that_kills_its_process_or_hangs_ends_as_with_jobs(cluster):
    found, lost = results_and_lost(spread(job(treacherous), batches(4), on(cluster), timeout_s=3.0))
    assert found == [n * n for n in range(12) if n not in (4, 9)]
    assert "was killed by SIGKILL" in lost[4]
    assert "took longer than 3 s and was stopped; --timeout allows more" in lost[9]
    assert all(worker.poll() is None for worker in cluster.workers)


def test_what_the_work_raises_is_told_with_its_traceback(cluster):
    with pytest.raises(RuntimeError, match=r"(?s)on a worker.*in raising.*cannot do \[0, 1, 2\]"):
        list(spread(job(raising), batches(1), on(cluster)))


def test_workers_of_other_versions_are_refused_with_each_difference(cluster, monkeypatch):
    other = versions() | {"numpy": "1.0", "fast core": "not used", "processor": "abacus"}
    monkeypatch.setattr(pools, "versions", lambda: other)
    with pytest.raises(UsageError) as refused:
        list(spread(job(square), batches(1), on(cluster)))
    assert str(refused.value).count("is another one: numpy is ") == 2
    assert str(refused.value).count(", and here 1.0; fast core is compiled, and here not used") == 2
    # One that comes later says so with its first unit.
    monkeypatch.setattr(Cluster, "_meet", lambda self: None)
    with pytest.raises(UsageError, match=r"numpy is .*, and here 1\.0"):
        list(spread(job(square), batches(1), on(cluster)))


COMMANDS = {
    "gate": "--case function_2 --oracle numpy --timing off --save {folder}/run.jsonl",
    "atlas": "--functions scipy.special.expit --dtype float64 --quick --format csv --output {folder}",
    "search": f"{SUBJECTS}:softplus --vjp {SUBJECTS}:softplus_vjp --hunts 2 --evaluations 8 --probes none",
}


@pytest.mark.parametrize("name", sample(COMMANDS, 4))
def test_a_command_finds_the_same_on_a_cluster(cluster, name, tmp_path, monkeypatch, capsys):
    begun, found = [], {}
    begin = Cluster.begin

    def watched(own, unit):
        begun.append(unit)
        begin(own, unit)

    monkeypatch.setattr(Cluster, "begin", watched)
    monkeypatch.setattr(progress, "EVERY_S", 1e6)
    for way in (("--jobs", "1"), ("--scheduler", cluster.address)):
        folder = tmp_path / way[0]
        monkeypatch.setattr(database, "FOLDER", folder / "found")
        code = command([name, *COMMANDS[name].format(folder=folder).split(), *way])
        said = capsys.readouterr().out.replace(str(folder), "")
        tables = [read(file).rows for file in folder.glob("*.csv")]
        rows = [msgspec.structs.replace(row, time_ratio=None) for table in tables for row in table]
        found[way[0]] = (code, said, rows)
    assert found["--scheduler"] == found["--jobs"]
    assert begun, "the cluster was not asked"


def at_work(cluster, folder, names, **more):
    """Begin waiting for files, and the list of what comes; it comes when the files are gone."""
    files, found = [str(folder / name) for name in names], []
    items = ([file] for file in files)
    thread = Thread(target=lambda: found.extend(spread(job(waiting, str), items, on(cluster), **more)))
    thread.start()
    assert soon(lambda: all(Path(file).exists() and Path(file).read_text() for file in files))
    return files, found, thread


def number(file):
    """Of the process that waits for it."""
    return int(Path(file).read_text() or "0") if Path(file).exists() else 0


def begun_again(file, before):
    """It is at work in another process."""
    return soon(lambda: number(file) not in {0, before})


def end(thread, *files):
    for file in files:
        Path(file).unlink()
    thread.join(clusters.STARTS_S)
    assert not thread.is_alive()


def worker_of(pid):
    """The process that started one."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_worker_that_is_killed_in_the_middle_costs_nothing(cluster, tmp_path):
    (a, b), found, thread = at_work(cluster, tmp_path, ["a", "b"])
    child = number(a)
    os.kill(worker_of(child), signal.SIGKILL)
    assert soon(lambda: not is_alive(child)), "what a dead worker had at work goes on"
    Path(b).unlink()
    assert begun_again(a, child)
    end(thread, a)
    assert sorted(found) == [a, b]


@long
def test_a_worker_that_does_not_answer_any_more_is_given_up(cluster, tmp_path):
    (a, b), found, thread = at_work(cluster, tmp_path, ["a", "b"])
    child = number(a)
    stopped = worker_of(child)
    os.kill(stopped, signal.SIGSTOP)
    try:
        Path(b).unlink()
        assert begun_again(a, child)
    finally:
        os.kill(stopped, signal.SIGKILL)
    end(thread, a)
    assert sorted(found) == [a, b]


@pytest.mark.skipif(not WHOLE, reason="it takes ten seconds: `make whole` has it, and `make cluster`")
def test_a_scheduler_that_is_killed_and_started_again_costs_nothing(cluster, tmp_path, capsys):
    (a,), found, thread = at_work(cluster, tmp_path, ["a"])
    child = number(a)
    clusters.stop(cluster.scheduler)
    cluster.start_scheduler()
    cluster.kill_workers()
    cluster.start_workers(1)
    assert begun_again(a, child)
    end(thread, a)
    assert found == [a]
    assert "the connection to the scheduler was lost; trying again" in capsys.readouterr().err


@long
def test_an_item_that_kills_workers_fails_and_takes_no_other_with_it(cluster):
    """Their nannies start them again."""
    cluster.kill_workers()
    cluster.environment["DASK_DISTRIBUTED__WORKER__DAEMON"] = "False"
    cluster.start_workers(1, "--nanny")
    found, lost = results_and_lost(spread(job(deadly), batches(3), on(cluster)))
    assert found == [n * n for n in range(9) if n != 4]
    assert lost == {4: "2 workers of the cluster died of it"}


@long
def test_a_cluster_without_workers_is_waited_for_and_then_given_up(cluster, monkeypatch, capsys):
    cluster.kill_workers()
    monkeypatch.setattr(connection, "SAYS_S", 0.0)
    monkeypatch.setattr(connection, "PATIENCE_S", 1.5)
    with pytest.raises(Unreachable, match=r"no worker is connected to the scheduler for 1.5 s"):
        list(spread(job(square), batches(1), on(cluster)))
    assert "no worker is connected to the scheduler; waiting" in capsys.readouterr().err


# -- without a cluster ------------------------------------------------------------------------------------


def test_where_nobody_answers_it_is_said_what_to_start(monkeypatch):
    monkeypatch.setattr(connection, "CONNECTS_S", 0.2)
    with pytest.raises(
        UsageError, match=r"nobody answers at tcp://127.0.0.1:9 .*`dask scheduler` starts one"
    ):
        list(spread(job(square), batches(1), Workers(scheduler="tcp://127.0.0.1:9")))


def test_comparisons_go_to_the_cluster_and_times_stay(monkeypatch):
    asked, far = [], Workers(scheduler="tcp://127.0.0.1:9")

    def spread_here(job, groups, workers, *_, alone=False):
        asked.append((workers, alone))
        for group in groups:
            for record in job.do(group):
                late = msgspec.structs.replace(record, first_call_time_s=1e6)
                yield late if workers is far else record

    monkeypatch.setattr(runner, "spread", spread_here)
    cells = plan(["function_2"], ["numpy"], ["float64"])
    records = list(run(cells, far))
    assert asked == [(far, False), (Workers(1), True)]
    (timed,) = records[len(cells) :]
    assert timed.gradient_time_s > 0
    first = {record.cell: record.first_call_time_s for record in records}
    assert [first[c] for c in cells if c != timed.cell] == [None] * (len(cells) - 1)
    assert 0 < first[timed.cell] < 1e6


def test_without_a_scheduler_dask_is_not_imported(monkeypatch):
    for name in ("dask", "distributed", "harness.runs.cluster", "harness.runs.connection"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it raises
    assert len(list(run(CELLS[:1], timed=()))) == 1
    assert list(spread(job(square), [[3]], Workers(1))) == [9]
    with pytest.raises(UsageError, match="--scheduler needs Dask"):
        Workers(scheduler="tcp://127.0.0.1:9")


def opened(reply, mine=None):
    own = Cluster("tcp://127.0.0.1:9")
    own._mine = mine or own._mine
    return own._opened(reply)


def packed(**fields):
    return msgspec.msgpack.encode(node.Reply(**fields))


def test_a_reply_is_read_as_plain_data(capsys):
    mine = versions()
    own = msgspec.msgpack.encode([Told(mine, b"answer")])
    assert opened(packed(answered=own)) == b"answer"
    assert opened(packed(fate=Fate.LATE, why="too long")) == Failure(Fate.LATE, "too long")
    for junk in (
        None,
        3,
        "text",
        object(),
        b"",
        b"\x80\x04.",
        b"\xc1",
        packed(answered=b"\xc1"),
        packed(answered=b"\x90"),
    ):
        with pytest.raises(Untrusted, match="what is no reply"):
            opened(junk)
    with pytest.raises(UsageError, match="worker w: its nanny"):
        opened(packed(refused=node.DAEMON, worker="w"))
    assert opened(packed(answered=own), mine | {"threads": "64"}) == b"answer"
    assert f"threads is {mine['threads']}, and here 64: last digits may differ" in capsys.readouterr().err


def test_items_that_take_little_are_joined_by_what_was_measured():
    own = Cluster("tcp://127.0.0.1:9")
    assert own.joins == 1
    own._items, own._seconds = 100, 5.0
    assert own.joins == 40
    own._seconds = 1e-9
    assert own.joins == 500


def test_a_worker_whose_nanny_forbids_processes_says_what_to_do(monkeypatch):
    class Daemon:
        daemon = True

    monkeypatch.setattr("multiprocessing.current_process", Daemon)
    reply = msgspec.msgpack.decode(node.do(msgspec.msgpack.encode(node.Order(b"", 1.0, {}))), type=node.Reply)
    assert "`dask worker --no-nanny`" in reply.refused


def test_what_differs_is_named_and_what_rounds_apart():
    mine = versions()
    assert differences(mine, mine) == differences(mine, mine, rounding=True) == []
    for name in mine:
        found = differences({**mine, name: ""}, mine, rounding=name in ROUNDING)
        assert found == [f"{name} is not there, and here {mine[name]}"]
        assert differences({**mine, name: ""}, mine, rounding=name not in ROUNDING) == []
