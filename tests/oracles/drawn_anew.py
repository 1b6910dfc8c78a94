"""Cases with shapes of one's own, and exact gradients from high-precision differences."""

import dataclasses

import mpmath as mp
import numpy as np
from hypothesis import strategies as st

from harness.cases import catalogue
from harness.cases.case import InputMaker
from harness.subject.derivative import signed

SIDES = st.integers(1, 6)


def decimals(rng, dtype, *shape):
    return np.asarray(signed(rng, dtype, shape))  # never 0, so never at a kink


def classes(rng, dtype, rows, width, way):
    t = rng.integers(0, width, rows)
    return t if way == "labels" else np.eye(width, dtype=dtype)[t]


def positive(rng, dtype, *shape):
    return np.asarray(np.round(rng.uniform(0.05, 0.95, shape), 3), dtype)


@st.composite
def shaped_cases(draw, name):
    """The case of that name with one input, `drawn`, of a random shape."""
    n, m, k, h = (draw(SIDES) for _ in range(4))
    way = draw(st.sampled_from(["labels", "one-hot"]))
    axes = tuple(draw(st.lists(SIDES, max_size=3)))

    def make(rng, dtype, shape):
        if catalogue()[name].function.__module__ == "reference.activations":
            return (decimals(rng, dtype, *axes),)
        if name == "mean_squared_error":
            return decimals(rng, dtype, *axes), decimals(rng, dtype, *axes)
        if name == "function_2":
            return (decimals(rng, dtype, 2, *axes),)
        if name == "softmax":
            return (decimals(rng, dtype, n, m),)
        if name == "cross_entropy_error":
            return positive(rng, dtype, n, m), classes(rng, dtype, n, m, way)
        if name == "softmax_loss":
            return decimals(rng, dtype, n, m), classes(rng, dtype, n, m, way)
        if name == "simple_net":
            return decimals(rng, dtype, k, m), decimals(rng, dtype, n, k), classes(rng, dtype, n, m, way)
        shapes = (k, h), (h,), (h, m), (m,)
        weights = [decimals(rng, dtype, *s) for s in shapes]
        weights[0] /= 4  # six products of up to 4 would saturate the sigmoid, whose slope then cancels
        return (*weights, decimals(rng, dtype, n, k), classes(rng, dtype, n, m, way))

    return dataclasses.replace(catalogue()[name], inputs=(InputMaker("drawn", make, ()),))


# The catalogue once more, for numbers of any precision: plain definitions, no gradient.


def sigmoid(v):
    return 1 / (1 + mp.exp(-v))


def sigmoid_grad(v):
    return sigmoid(v) * (1 - sigmoid(v))


ELEMENTWISE = {"sigmoid": sigmoid, "sigmoid_grad": sigmoid_grad, "swish": lambda v: v * sigmoid(v)}


def loss(scores, t):
    """The document's cross entropy of the softmax; `t` holds one class a row."""
    total = mp.mpf(0)
    for row, c in zip(scores, t, strict=True):
        e = [mp.exp(s) for s in row]
        total -= mp.log(e[c] / mp.fsum(e) + mp.mpf(1e-7))
    return total / len(t)


def affine(x, w, b):
    columns = range(len(w[0]))
    return [[mp.fsum(r[i] * w[i][j] for i in range(len(w))) + b[j] for j in columns] for r in x]


def exact(array):
    """Nested lists of exact numbers; a class index for each row of a target is made by the caller."""
    return [exact(a) for a in array] if np.ndim(array) else mp.mpf(float(array))


def exact_value(name, args):
    """The scalar or the nested list of values of a case at exact arguments (lists)."""
    if name in ELEMENTWISE:
        return [[ELEMENTWISE[name](v) for v in row] for row in args[0]]
    if name == "simple_net":
        w, x, t = args
        return loss(affine(x, w, [0] * len(w[0])), t)
    w1, b1, w2, b2, x, t = args
    hidden = [[sigmoid(v) for v in row] for row in affine(x, w1, b1)]
    return loss(affine(hidden, w2, b2), t)


def entries(nested, path=()):
    """Every index into nested lists."""
    if isinstance(nested, list):
        for i, inner in enumerate(nested):
            yield from entries(inner, (*path, i))
    else:
        yield path


def at(nested, path):
    for i in path:
        nested = nested[i]
    return nested


def moved(nested, path, by):
    if not path:
        return nested + by
    return [moved(inner, path[1:], by) if i == path[0] else inner for i, inner in enumerate(nested)]


def exact_gradient(case, cotangent, args):
    """By central differences with 420 digits and h = 1e-35: right to 60 digits, with no derivation."""
    with mp.workdps(420):
        h = mp.mpf(10) ** -35
        full = [exact(a) for a in args]
        if len(args) > 1:
            full[-1] = [int(c) for c in np.argmax(args[-1], axis=-1)]
        weights = exact(cotangent)

        def projected(position, path, step):
            changed = list(full)
            changed[position] = moved(full[position], path, step)
            value = exact_value(case.name, changed)
            return mp.fsum(at(weights, p) * at(value, p) for p in entries(value))

        gradients = []
        for position in case.argnums:
            gradient = np.zeros(np.shape(args[position]))
            for path in entries(full[position]):
                up, down = projected(position, path, h), projected(position, path, -h)
                gradient[path] = float((up - down) / (2 * h))
            gradients.append(gradient)
        return gradients
