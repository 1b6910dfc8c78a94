import dataclasses

import numpy as np
import pytest

import reference


def problem(rows=60):
    """Three classes, told apart by which of three inputs is largest."""
    rng = np.random.default_rng(0)
    x = rng.random((rows, 3))
    return x, x.argmax(axis=1)


def net(seed=0):
    return reference.TwoLayerNet(3, 8, 3, weight_init_std=0.5, rng=seed)


def test_it_learns():
    x, t = problem(200)
    history = reference.train(
        net(), x, t, steps=600, batch_size=20, learning_rate=1.0, rng=0, x_test=x[:50], t_test=t[:50]
    )
    assert history.loss.shape == (600,)
    assert history.loss[-50:].mean() < 0.5 * history.loss[:50].mean()
    assert history.train_accuracy[-1] > 0.9
    assert history.test_accuracy[-1] > 0.85


def test_one_step_is_the_documents_four_steps():
    x, t = problem()
    trained, by_steps = net(), net()
    history = reference.train(trained, x, t, steps=1, batch_size=10, learning_rate=0.3, rng=5)
    chosen = np.random.default_rng(5).choice(60, 10)
    gradients = by_steps.gradient(x[chosen], t[chosen])
    for name in by_steps.params:
        by_steps.params[name] = by_steps.params[name] - 0.3 * gradients[name]
        np.testing.assert_array_equal(trained.params[name], by_steps.params[name])
    assert history.loss.tolist() == [by_steps.loss(x[chosen], t[chosen])]  # after the update
    assert history.train_accuracy.tolist() == [by_steps.accuracy(x, t)]


def test_one_seed_gives_one_trajectory_whatever_the_gradient_source():
    x, t = problem()
    seen = {}

    def recording(name, source):
        def gradient(net, x_batch, t_batch):
            seen.setdefault(name, []).append((x_batch, t_batch))
            return source(net, x_batch, t_batch)

        return gradient

    sources = {
        "by hand": reference.by_hand,
        "differences": lambda net, x, t: net.numerical_gradient(x, t),
        "again": lambda net, x, t: net.gradient(x, t),
    }
    losses = {
        name: reference.train(
            net(), x, t, steps=8, batch_size=5, rng=3, gradient=recording(name, source)
        ).loss
        for name, source in sources.items()
    }
    default = reference.train(net(), x, t, steps=8, batch_size=5, rng=np.random.default_rng(3)).loss
    assert losses["by hand"].tolist() == losses["again"].tolist() == default.tolist()
    np.testing.assert_allclose(losses["differences"], default, rtol=1e-7)
    for name in ("differences", "again"):
        for (x1, t1), (x2, t2) in zip(seen["by hand"], seen[name], strict=True):
            assert (x1 == x2).all()
            assert (t1 == t2).all()
    assert reference.train(net(), x, t, steps=8, batch_size=5, rng=4).loss.tolist() != default.tolist()


def test_arrays_that_the_caller_holds_are_never_written_to():
    x, t = problem()
    trained = net()
    held = dict(trained.params)
    for a in (*held.values(), x, t):
        a.flags.writeable = False
    before = {name: p.copy() for name, p in held.items()}
    reference.train(trained, x, t, steps=3, batch_size=4, rng=0)
    for name, p in held.items():
        assert (p == before[name]).all()
        assert trained.params[name] is not p
        assert (trained.params[name] != p).any()


def test_the_parameters_keep_their_dtype():
    x, t = problem()
    trained = net()
    trained.params = {name: p.astype(np.float32) for name, p in trained.params.items()}
    reference.train(
        trained, x, t, steps=2, gradient=lambda n, x, t: {k: np.ones(p.shape) for k, p in n.params.items()}
    )
    assert {p.dtype for p in trained.params.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("steps", "every", "expected"),
    [(7, 3, [0, 3, 6]), (6, 3, [0, 3, 5]), (1, 3, [0]), (0, 3, []), (5, None, [0, 3, 4]), (3, 100, [0, 2])],
)
def test_accuracies_are_taken_when_said(steps, every, expected):
    x, t = problem(60)
    history = reference.train(
        net(), x, t, steps=steps, batch_size=20, rng=0, x_test=x, t_test=t, evaluate_every=every
    )
    assert history.accuracy_steps.tolist() == expected  # an epoch is 60 / 20 steps
    assert history.train_accuracy.shape == (len(expected),)
    assert history.train_accuracy.tolist() == history.test_accuracy.tolist()
    assert history.loss.shape == (steps,)


def test_without_a_test_set_there_is_no_test_accuracy():
    history = reference.train(net(), *problem(), steps=2, rng=0)
    assert history.test_accuracy is None
    assert history.train_accuracy.shape == (2,)
    with pytest.raises(dataclasses.FrozenInstanceError):
        history.loss = np.zeros(2)


def test_mini_batches_are_drawn_with_replacement_from_matching_rows():
    x = np.arange(6.0)[:, None]
    x_batch, t_batch = reference.mini_batch(x, np.arange(6), 50, np.random.default_rng(0))
    assert x_batch.shape == (50, 1)
    assert x_batch[:, 0].tolist() == t_batch.tolist()
    assert set(t_batch) == set(range(6))


def test_one_hot_targets_are_taken():
    x, t = problem()
    by_label = reference.train(net(), x, t, steps=4, rng=0)
    by_row = reference.train(net(), x, np.eye(3)[t], steps=4, rng=0)
    assert by_label.loss.tolist() == by_row.loss.tolist()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"steps": -1}, ValueError, "steps must be at least 0, got -1"),
        ({"steps": 1.5}, TypeError, r"steps must be an integer, got 1\.5 \(float\)"),
        ({"steps": np.inf}, TypeError, "steps must be an integer, got inf"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_size": "10"}, TypeError, "batch_size must be an integer, got '10'"),
        ({"learning_rate": np.nan}, ValueError, "learning_rate must be finite and 0 or above, got nan"),
        ({"learning_rate": -0.1}, ValueError, r"learning_rate must be finite and 0 or above, got -0\.1"),
        ({"learning_rate": "0.1"}, TypeError, "learning_rate must be a real number, got '0.1'"),
        ({"evaluate_every": 0}, ValueError, "evaluate_every must be at least 1, got 0"),
        (
            {"x": np.ones((0, 3)), "t": []},
            ValueError,
            r"x must be \(examples, inputs\) and not empty, got .*\(0, 3\)",
        ),
        ({"x": np.ones(3)}, ValueError, r"x must be \(examples, inputs\) and not empty, got shape \(3,\)"),
        ({"t": [0, 1]}, ValueError, r"x holds 60 examples, but t has shape \(2,\); pass one target for each"),
        ({"t": 0}, ValueError, r"x holds 60 examples, but t has shape \(\)"),
        (
            {"x_test": np.ones((1, 3))},
            ValueError,
            "t_test is missing, got the other one only; pass both or neither",
        ),
        ({"t_test": [0]}, ValueError, "x_test is missing"),
        (
            {"x_test": np.ones((1, 3)), "t_test": [0, 1]},
            ValueError,
            "x_test holds 1 examples, but t_test has shape",
        ),
    ],
)
def test_bad_arguments(arguments, error, message):
    x, t = problem()
    with pytest.raises(error, match="train: " + message):
        reference.train(net(), **{"x": x, "t": t, "steps": 1, **arguments})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda g: g.pop("b2"),
            ValueError,
            r"got gradients for \['W1', 'W2', 'b1'\], the parameters are \['W1', 'W2'",
        ),
        (
            lambda g: g.update(W3=1.0),
            ValueError,
            r"got gradients for .*'W3'.*; return one gradient for each name",
        ),
        (
            lambda g: g.update(b1=np.ones(1)),
            ValueError,
            r"gradient of b1 has shape \(1,\), the parameter has \(8,\)",
        ),
        (
            lambda g: g.update(b1=np.ones(8, complex)),
            TypeError,
            "b1 must hold real numbers, got dtype complex128",
        ),
    ],
)
def test_bad_gradients_update_nothing(change, error, message):
    x, t = problem()
    trained = net()
    before = dict(trained.params)

    def gradient(net, x, t):
        gradients = net.gradient(x, t)
        change(gradients)
        return gradients

    with pytest.raises(error, match="update: .*" + message):
        reference.train(trained, x, t, steps=1, gradient=gradient)
    assert all(trained.params[name] is before[name] for name in before)
