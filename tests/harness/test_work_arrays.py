"""Work arrays of the user's, of which nobody knows what they hold: an answer does not depend on it."""

from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest

from gradproof import check_gradient, check_layer, check_network, exact_gradient

X = np.array([0.3, -0.7, 1.2])


WRITES = {
    "a slice": lambda h, x: h.__setitem__(slice(None), x),
    "out=": lambda h, x: np.multiply(x, 1.0, out=h),
    "of a product": lambda h, x: np.dot(np.eye(3), x, out=h),
    "copyto": lambda h, x: np.copyto(h, x),
    "put": lambda h, x: h.put([0, 1, 2], x),
    "elements": lambda h, x: [h.__setitem__(k, x[k]) for k in range(3)],
    "flat": lambda h, x: h.flat.__setitem__(slice(None), x),
    "all of flat": lambda h, x: setattr(h, "flat", x),
    "a view": lambda h, x: h.reshape(3, 1).__setitem__((slice(None), 0), x),
    "where it is positive, and where not": lambda h, x: (
        h.__setitem__(x > 0, x[x > 0]),
        h.__setitem__(x <= 0, x[x <= 0]),
    ),
    "sums": lambda h, x: (h.fill(0), np.add.at(h, [0, 1, 2], x)),
}
HOLDERS = {
    "an attribute": lambda h: (held := SimpleNamespace(h=h), lambda: held.h)[1],
    "a list": lambda h: lambda held=[[h]]: held[0][0],
    "a deque": lambda h: (held := deque([0, h], maxlen=2), lambda: held[1])[1],
    "a dictionary": lambda h: (held := {"a": {"h": h}}, lambda: held["a"]["h"])[1],
    "a closure": lambda h: lambda: h,
}
CASES = [(write, "an attribute") for write in WRITES] + [("a slice", holder) for holder in HOLDERS]


@pytest.mark.parametrize(("write", "holder"), CASES)
@pytest.mark.parametrize("before", [np.full(3, 9.0), X], ids=["other numbers", "the same"])
def test_what_is_written_is_seen_whatever_was_there(write, holder, before):
    array = before.copy()
    read = HOLDERS[holder](array)

    def function(x):
        WRITES[write](read(), x)
        return x * read()

    right = check_gradient(function, (X,), vjp=lambda g, x: g * 2 * x)
    assert right.passed, str(right)
    assert check_gradient(function, (X,), vjp=lambda g, x: g * 2.02 * x).verdict == "wrong"
    assert np.array_equal(array, before)


@pytest.mark.parametrize("before", [0.0, 1.0])
def test_zeros_and_ones_fall_together_with_what_is_written(before):
    work, x = SimpleNamespace(h=np.full((4, 3), before)), np.full((4, 3), before)

    def function(x):
        work.h[:, :] = x
        return work.h * work.h * 3

    assert check_gradient(function, (x,), vjp=lambda g, x: g * 6 * x).passed
    np.testing.assert_array_equal(exact_gradient(function, (x,), cotangent=x).mid.astype(float), 6 * x * x)


@pytest.mark.parametrize("dtype", [bool, np.float32, complex])
def test_of_other_dtypes(dtype):
    work = SimpleNamespace(h=(np.abs(X) > 0).astype(dtype))

    def function(x):
        work.h[:] = np.abs(x) > 0
        return x * x * work.h.real

    assert check_gradient(function, (X,), vjp=lambda g, x: g * 2 * x).passed
    assert check_gradient(function, (X,), vjp=lambda g, x: g * x).verdict == "wrong"


def test_many_of_them():
    work = [X * k for k in range(12)]

    def function(x):
        for k, own in enumerate(work):
            np.multiply(x, k, out=own)
        return x * work[-1]

    assert check_gradient(function, (X,), vjp=lambda g, x: g * 22 * x).passed
    assert check_gradient(function, (X,), vjp=lambda g, x: g * 21 * x).verdict == "wrong"


def test_numbers_that_are_read_before_they_are_written_count():
    """A mean that has come to rest is still half of what it was."""
    state = SimpleNamespace(mean=X.copy())

    def function(x):
        state.mean[:] = 0.5 * state.mean + 0.5 * x
        return x * state.mean

    assert check_gradient(function, (X,), vjp=lambda g, x: g * (0.5 * X + x)).passed
    assert check_gradient(function, (X,), vjp=lambda g, x: g * 2 * x).verdict == "wrong"


@pytest.mark.parametrize("filled", [False, True])
def test_a_cache_that_is_filled_once_is_none_of_them(filled):
    """What is there is taken: where it is, the function is another one."""
    cache = SimpleNamespace(h=X.copy() if filled else np.zeros(3))

    def function(x):
        if not cache.h.any():
            cache.h[:] = x
        return x * cache.h

    right, other = (lambda g, x: g * 2 * x), (lambda g, x: g * X)
    right, other = (other, right) if filled else (right, other)
    assert check_gradient(function, (X,), vjp=right).passed
    assert check_gradient(function, (X,), vjp=other).verdict == "wrong"


@pytest.mark.parametrize(("factor", "verdict"), [(2, "accurate"), (2.02, "wrong")])
def test_a_gradient_whose_recording_breaks_off_begins_again_from_what_was_there(factor, verdict):
    own = SimpleNamespace(h=X.copy(), busy=False, calls=[], last={})

    def vjp(g, x):
        assert not own.busy
        own.busy = True
        own.calls.append(1)
        own.last["call"] = len(own.calls)
        np.multiply(x, 1.0, out=own.h)
        own.busy = False
        return factor * g * own.h

    assert check_gradient(lambda x: x * x, (X,), vjp=vjp).verdict == verdict
    assert not own.busy
    assert not own.last


def test_a_gradient_to_which_it_matters_what_is_there():
    own = SimpleNamespace(h=X.copy())

    def vjp(g, x):
        factor = 2 if np.array_equal(own.h, x) else 2.5
        own.h[:] = x
        return factor * g * x

    assert not check_gradient(lambda x: x * x, (X,), vjp=vjp).passed


@pytest.mark.parametrize("before", [np.zeros(3), X * X], ids=["other numbers", "the same"])
def test_a_result_that_lies_in_one(before):
    """The next evaluation finds what was there before the first: the result is taken first."""
    work = SimpleNamespace(h=before.copy())

    def function(x):
        np.multiply(x, x, out=work.h)
        return work.h

    right = check_gradient(function, (X,), vjp=lambda g, x: g * 2 * x)
    assert right.passed, str(right)
    assert check_gradient(function, (X,), vjp=lambda g, x: g * 2.02 * x).verdict == "wrong"


class Scaled:
    """Its state h has a gradient beside it, and neither is a parameter."""

    def __init__(self, n, factor):
        self.W, self.dW = np.array([1.0, 2.0, 3.0]), np.zeros(3)
        self.h, self.dh, self.factor = np.zeros((n, 3)), np.zeros((n, 3)), factor

    def forward(self, x):
        np.tanh(x, out=self.h)
        return self.h * self.W

    def backward(self, dout):
        np.multiply(dout, self.W, out=self.dh)
        self.dW[...] = self.factor * (dout * self.h).sum(0)
        return self.dh * (1 - self.h**2)


class Linear:
    def __init__(self, n, factor):
        self.params = {"W": np.arange(9.0).reshape(3, 3) / 8, "b": np.zeros(3)}
        self.h, self.d, self.dW, self.factor = np.zeros((n, 3)), np.zeros((n, 3)), np.zeros((3, 3)), factor

    def loss(self, x, t):
        np.dot(x, self.params["W"], out=self.h)
        np.add(self.h, self.params["b"], out=self.h)
        return 0.5 * np.sum((self.h - t) ** 2)

    def gradient(self, x, t):
        self.loss(x, t)
        np.subtract(self.h, t, out=self.d)
        np.dot(x.T, self.d, out=self.dW)
        return {"W": self.factor * self.dW, "b": self.d.sum(0)}


@pytest.mark.parametrize("n", [4, 400], ids=["small", "large"])
@pytest.mark.parametrize(("factor", "verdict"), [(1, "accurate"), (1.01, "wrong")])
def test_a_layer_and_a_network_that_have_run_at_this_very_point(n, factor, verdict):
    x = np.random.default_rng(0).normal(size=(n, 3))
    layer, net, t = Scaled(n, factor), Linear(n, factor), np.flip(x)
    layer.forward(x)
    layer.backward(np.ones_like(x))
    net.gradient(x, t)
    for found in (check_layer(layer, x), check_network(net, x, t)):
        assert found.verdict == verdict, str(found)
        assert not [part for part in found.parts if part.name == "h"]


def test_a_torch_buffer_keeps_no_graph_of_a_check():
    torch = pytest.importorskip("torch")
    x = torch.tensor(X)
    work = SimpleNamespace(h=torch.zeros(3, dtype=torch.float64))

    def function(x):
        work.h.copy_(x)
        return work.h * x

    for _ in range(2):
        assert check_gradient(function, (x,), vjp=lambda g, x: g * 2 * x).passed
        assert check_gradient(function, (x,), vjp=lambda g, x: g * x).verdict == "wrong"
        assert check_gradient(function, (x,)).passed
        assert not work.h.any()
        assert not work.h.requires_grad


def test_a_torch_module_that_writes_into_a_buffer_may_be_checked_again():
    torch = pytest.importorskip("torch")
    x = torch.tensor(X)

    class Squared(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("h", torch.zeros(3, dtype=torch.float64))

        def forward(self, x):
            self.h.copy_(x)
            return self.h * x * x

    module = Squared()
    for order in (1, 2, 1):
        assert check_gradient(module, (x,), order=order).passed
        assert not (module.h.any() or module.h.requires_grad)  # noqa: PT018


def test_a_torch_buffer_of_which_there_are_views_keeps_its_graph():
    """No view can be taken from its graph, and torch refuses a view in a graph of a base in none."""
    torch = pytest.importorskip("torch")
    base = torch.zeros(6, dtype=torch.float64)
    work = SimpleNamespace(base=base, h=base[:3])

    def function(x):
        work.h.copy_(x)
        return work.h * x

    found = check_gradient(function, (torch.tensor(X),))
    assert found.passed, str(found)


def test_numpy_code_that_jax_calls():
    jax = pytest.importorskip("jax")
    work = SimpleNamespace(h=np.float32([0.5, 2.0, -1.0]))
    point, factor = jax.numpy.asarray(work.h), 2.0

    def squared(x):
        work.h[:] = x
        return work.h * work.h

    @jax.custom_vjp
    def function(x):
        return jax.pure_callback(squared, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    function.defvjp(lambda x: (function(x), x), lambda x, g: (factor * x * g,))
    assert check_gradient(function, (point,)).passed
    factor = 2.5
    assert check_gradient(function, (point,)).verdict == "wrong"


@pytest.mark.parametrize("size", [3, 3000], ids=["small", "large"])
def test_nan_and_signs_of_zeros_are_put_back(size):
    """Thousands of small arrays are compared by their bits, which are not the same for these."""
    before = np.zeros(size)
    before[1] = np.nan
    work = SimpleNamespace(h=before.copy(), zeros=np.zeros(3))

    def function(x):
        work.h[0] = 1
        work.h[1] = 2
        work.zeros[:] = -0.0
        return x * x

    assert check_gradient(function, (X,), vjp=lambda g, x: g * 2 * x).passed
    assert np.array_equal(work.h, before, equal_nan=True)
    assert not np.signbit(work.zeros).any()


@pytest.mark.parametrize("kind", [np.matrix, np.recarray])
def test_arrays_of_other_kinds_are_put_back(kind):
    own = np.zeros((1, 3)).view(kind)
    work = SimpleNamespace(own=own)

    def function(x):
        np.asarray(work.own)[0] += 1
        return x * np.asarray(work.own)[0, 0]

    assert check_gradient(function, (X,), vjp=lambda g, x: g).passed
    assert not np.asarray(own).any()
