"""Work spread over processes, here or on a cluster, so that none is lost: a death costs one item."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import chain
from typing import Generic

from harness.runs.jobs import Failure, Fate, Item, Job, Pool, Result, Unit
from harness.selection import TIMEOUT_S, UsageError

DEATHS = 3  # of its process, that an item may cause


@dataclass(frozen=True)
class Workers:
    """Where work runs: in so many processes, or on the cluster of a Dask scheduler; without both, here.

    Attributes:
        jobs: Processes of this machine.
        scheduler: The address of a scheduler, such as tcp://10.0.0.1:8786; "" is none.
    """

    jobs: int = 0
    scheduler: str = ""
    _open: Pool | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what no run can have.

        Raises:
            UsageError: A number or an address is none, or what talks to a scheduler is not installed.
        """
        if not isinstance(self.jobs, int) or self.jobs < 0:
            raise UsageError(f"--jobs must be an integer >= 0 (0 runs in this process), got {self.jobs!r}")
        if self.scheduler != "" and not str(self.scheduler).startswith(("tcp://", "tls://")):
            raise UsageError(
                f"--scheduler must be tcp://HOST:PORT or tls://HOST:PORT, got {self.scheduler!r}"
            )
        if self.scheduler and find_spec("distributed") is None:
            raise UsageError("--scheduler needs Dask: pip install 'gradproof[cluster]'")

    @property
    def are_others(self) -> bool:
        """Whether work leaves this process."""
        return bool(self.jobs or self.scheduler)

    def pool(self) -> AbstractContextManager[Pool]:
        """Their pool: a new one, or the one that stays open."""
        if self._open is not None:
            return nullcontext(self._open)
        if self.scheduler:
            from harness.runs.cluster import Cluster

            return Cluster(self.scheduler)
        from harness.runs.processes import Processes

        return Processes(self.jobs)

    @contextmanager
    def staying(self) -> Iterator[Workers]:
        """These workers, whose processes do all that is spread meanwhile: what they imported stays.

        A cluster's stay anyway.
        """
        if self.jobs and not self.scheduler:
            with self.pool() as pool:
                yield Workers(self.jobs, _open=pool)
        else:
            yield self

    @property
    def of_this_machine(self) -> Workers:
        """Those that may time: a cluster's are of other machines."""
        return Workers(1) if self.scheduler else self


HERE = Workers()


def spread(
    job: Job[Item, Result],
    batches: Iterable[list[Item]],
    workers: Workers,
    timeout_s: float = TIMEOUT_S,
    alone: bool = False,
) -> Iterator[Result]:
    """The results of all items, in the order in which their batches are done; few batches wait at a time.

    A batch whose process dies, or that takes longer than `timeout_s` seconds, is begun again, item by item,
    each with the same limit. An item that is late alone, or whose process dies three times, fails.

    Args:
        job: What is done.
        batches: Read as they are needed, so there may be any number.
        workers: Where; not here.
        timeout_s: The most that a batch, or an item alone, may take, in seconds.
        alone: Whether one batch is at work at a time, as what is timed must be.
    """
    coming = iter(batches)
    first = next(coming, None)
    if first is None:
        return
    line = _Line(job, chain([first], coming), timeout_s)
    with workers.pool() as pool:
        while True:
            while pool.held < (1 if alone else pool.room) and (unit := line.next(pool.joins)):
                pool.begin(unit)
            if not pool.held:
                return
            for unit, found in pool.ended():
                if isinstance(found, bytes):
                    line.over(unit)
                    yield from job.results(unit.items, found)
                else:
                    yield from line.failing(unit, found)


@dataclass
class _Line(Generic[Item, Result]):
    """What is still to be done."""

    job: Job[Item, Result]
    coming: Iterator[list[Item]]
    timeout_s: float
    again: deque[Unit[Item]] = field(default_factory=deque)
    suspects: deque[Unit[Item]] = field(default_factory=deque)
    at_trial: bool = False  # whether a suspect is at work

    def next(self, joins: int) -> Unit[Item] | None:
        """The next unit, of at least so many items if there are; None where none is to be begun now."""
        if self.suspects and not self.at_trial:
            self.at_trial = True
            return self.suspects.popleft()
        if self.again:
            return self.again.popleft()
        items: list[Item] = []
        while (batch := next(self.coming, None)) is not None:
            items += batch
            if len(items) >= joins:
                break
        return Unit(items, self.job.request(items), self.timeout_s) if items else None

    def over(self, unit: Unit[Item]) -> None:
        """A unit is not at work any more."""
        if unit.suspect:
            self.at_trial = False

    def failing(self, unit: Unit[Item], failure: Failure) -> Iterator[Result]:
        """Begin a unit again, whole or item by item; or the result of its one item, which failed."""
        self.over(unit)
        deaths = unit.deaths + (failure.fate is Fate.DIED)
        suspect = unit.suspect or failure.fate is Fate.KILLED
        line = self.suspects if suspect else self.again
        if failure.fate is Fate.LOST:
            line.append(unit)
        elif len(unit.items) > 1:
            line.extend(
                Unit([one], self.job.request([one]), self.timeout_s, deaths, suspect) for one in unit.items
            )
        elif failure.fate is Fate.DIED and deaths < DEATHS:
            line.append(Unit(unit.items, unit.request, self.timeout_s, deaths, suspect))
        else:
            yield self.job.failed(unit.items[0], failure.why)
