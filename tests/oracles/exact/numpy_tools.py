"""What the tests of the NumPy front end share."""

from __future__ import annotations

import numpy as np

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_numpy import record
from oracles.exact.program.balls import exact, precision
from oracles.exact.program.derive import jvp, vjp

BITS = 256


def leaves(tree):
    return (
        [leaf for part in tree for leaf in leaves(part)]
        if isinstance(tree, list | tuple)
        else [np.asarray(tree)]
    )


def middle(balls):
    return np.array([float(b) for b in np.asarray(balls).ravel()]).reshape(np.shape(balls))


def directions(arrays, seed):
    rng = np.random.default_rng(seed)
    return [
        np.round(rng.uniform(0.25, 1.5, np.shape(a)) * rng.choice([-1, 1], np.shape(a)), 2) for a in arrays
    ]


def inner(xs, ys):
    with precision(BITS):
        return sum(np.sum(np.asarray(x) * y) for x, y in zip(xs, ys, strict=True))


def slopes(function, points):
    """<u, Jv>, <J'u, v>, and (f(x + hv) - f(x - hv)) / 2h, as near as h^2: in 256 bits with h = 2^-40."""
    recording = record(function, points, {})
    v, u = directions(points, 0), directions([np.empty(o.shape) for o in recording.program.outputs], 1)
    wrt = range(len(points))
    forward = inner(evaluate(jvp(recording.program, wrt), [*points, *v], BITS), u)
    backward = inner(v, evaluate(vjp(recording.program, wrt), [*points, *u], BITS))
    with precision(BITS):
        step = 2.0**-40
        ends = [
            [np.asarray(exact(p) + exact(s * step * d)) for p, d in zip(points, v, strict=True)]
            for s in (1, -1)
        ]
        above, below = (inner(evaluate(recording.program, end, BITS), u) for end in ends)
        return forward, backward, (above - below) / (2 * step)


def value(function, *args):
    """What the function gives, exactly, as float64."""
    recording = record(function, args, {})
    found = [middle(v) for v in evaluate(recording.program, recording.values, BITS)]
    return found[0] if len(found) == 1 else found


def gradient(function, *args, cotangent=None, wrt=None):
    """The exact gradient as balls, one array per floating argument."""
    recording = record(function, args, {})
    outs = recording.program.outputs
    cotangents = [np.ones(v.shape) for v in outs] if cotangent is None else [cotangent]
    wrt = range(len(recording.values)) if wrt is None else wrt
    return evaluate(vjp(recording.program, wrt), [*recording.values, *cotangents], BITS)


def piecewise(a):
    """As NumPy code is written that other frameworks cannot trace: branches, and writes."""
    out = np.zeros_like(a)
    for i in range(a.size):
        out[i] = a[i] ** 2 if a[i] > 0.5 else np.exp(a[i])
    return out
