"""Other threads that run the same code while a check records see NumPy as it is."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy import zeros
from numpy.random import default_rng

import harness
from harness.subject import alone
from oracles.exact.from_numpy import record

X = np.array([0.3, -0.7])


def drawn():
    return np.random.default_rng(0).normal(size=2)


def bystander():
    """What a data loader does in this very module."""
    return [
        drawn(),
        default_rng(0).normal(size=2),
        np.random.RandomState(0).rand(2),
        zeros(2),
        np.zeros(2),
        np.full((2,), 1.5),
        np.lib.stride_tricks.as_strided(np.ones(4), (2, 2), (16, 8)),
        isinstance(np.random.default_rng(0), np.random.Generator),
    ]


def test_a_bystander_draws_and_allocates_while_a_check_records():
    found = []

    def function(x):
        with ThreadPoolExecutor(1) as pool:
            found.append(pool.submit(bystander).result())
        return x * x

    before = bystander()
    recording = record(function, (X,))
    assert recording.program.outputs
    (seen,) = found
    for mine, theirs in zip(before, seen, strict=True):
        assert type(mine) is type(theirs)
        assert np.array_equal(mine, theirs)


def test_the_recording_thread_is_refused_all_the_same():
    with pytest.raises(harness.Unsupported, match="random numbers have no exact value"):
        record(lambda x: x * default_rng().normal(size=2), (X,))


def test_two_checks_in_two_threads_have_their_own_verdicts():
    together = threading.Barrier(2)

    def right(x):
        return x * np.sum(zeros(2) + 1)

    def check(slope):
        together.wait()
        return [harness.check_gradient(right, (X,), vjp=lambda g, x: slope * g).verdict for _ in range(5)]

    with ThreadPoolExecutor(2) as pool:
        assert [set(v) for v in pool.map(check, [2.0, 2.5])] == [{"accurate"}, {"wrong"}]
    assert zeros is np.zeros


W = np.array([[0.5, -1.0], [2.0, 0.25]])


def test_what_a_check_replaces_is_seen_by_no_other_check():
    """Each holds arrays of this module, which are others while NumPy is recorded; one is at a pole."""
    checks = [
        lambda: harness.check_gradient(lambda x: np.tanh(x @ W), (X,), vjp=lambda g, x: g * 0 @ W.T),
        lambda: harness.check_gradient(lambda w: X @ w, (W,), vjp=lambda g, w: np.outer(X, g)),
        lambda: harness.check_gradient(lambda x: np.sqrt(x * x), (0 * X,), vjp=lambda g, x: g * np.sign(x)),
        lambda: harness.check_gradient(lambda x: torch.tensor(W) @ torch.sin(x), (torch.tensor(X),)),
    ]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda check: str(check().verdict), checks * 4))
    assert found == ["wrong", "accurate", "convention", "accurate"] * 4


def test_a_check_in_a_thread_that_a_checked_function_waits_for_ends(monkeypatch):
    monkeypatch.setattr(alone, "LOOK_S", 0.05)

    def function(x):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(
                lambda: harness.check_gradient(np.sin, (X,), vjp=lambda g, x: g) and x * x
            ).result()

    found = harness.check_gradient(function, (X,), vjp=lambda g, x: 2 * g * x)
    assert found.verdict == "unsupported"
    assert "take the check out of the function that is checked" in str(found)
    assert harness.check_gradient(np.sin, (X,), vjp=lambda g, x: g * np.cos(x)).passed


@pytest.mark.parametrize(
    ("files", "waits"),
    [
        ([threading.__file__, "user.py"], True),
        ([threading.__file__, alone.OURS[0] + "a.py", "user.py"], False),  # its own threads, for large arrays
        (["user.py"], False),
    ],
)
def test_what_waits_is_the_user_s_code_wherever_ours_is_installed(files, waits, monkeypatch):
    frame = None
    for file in reversed(files):
        frame = SimpleNamespace(f_code=SimpleNamespace(co_filename=file), f_back=frame)
    monkeypatch.setattr(alone, "_STANDARD", "/")
    monkeypatch.setattr(alone, "_running", [7])
    monkeypatch.setattr(alone.sys, "_current_frames", lambda: {7: frame})
    assert alone._waits() is waits


class Squared(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0]


def test_torch_records_in_two_threads_and_leaves_a_third_alone():
    x = torch.tensor(X)
    seen = []

    def function(x):
        with ThreadPoolExecutor(1) as pool:
            seen.append(pool.submit(lambda: Squared.forward is vars(Squared)["forward"].__func__).result())
        return Squared.apply(x)

    def check(_):
        return harness.check_gradient(function, (x,)).verdict

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(check, range(6))) == {"accurate"}
    assert all(seen)
    assert "__getattribute__" not in vars(type(torch.autograd.Function))
