"""Functions and layers with a fault at a few inputs, where a line of code can import them."""

import numpy as np


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softplus_vjp(g, x):
    with np.errstate(all="ignore"):
        return g * (np.exp(x) / (1 + np.exp(x)))


def right_softplus_vjp(g, x):
    e = np.exp(-np.abs(x))
    return g * np.where(x > 0, 1, e) / (1 + e)


def beyond(x):
    return x * 2.0


def beyond_vjp(g, x):
    return g * np.where((x > 300) | ((x > 37) & (x < 38)), 3.0, 2.0)


def contiguous_alone(g, x):
    return 2 * g if x.flags.c_contiguous else 2 * g + 1e-9


class Affine:
    """Wrong where a bias is large."""

    def __init__(self):
        self.W, self.b = np.ones((3, 2)), np.zeros(2)

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        self.dW = np.dot(self.x.T, dout)
        self.db = dout.sum(axis=0) * (1 if self.b[0] < 0.5 else 2)
        return np.dot(dout, self.W.T)
