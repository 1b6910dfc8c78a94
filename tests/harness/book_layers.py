"""Layers in the style of "Deep Learning from Scratch", chapters 5 to 7, each also with one mistake.

A layer keeps what backward needs from forward, and leaves the gradients of its parameters in attributes, or
in a dictionary or list beside them.
"""

import numpy as np


class Relu:
    wrong = False

    def __init__(self):
        self.off = None

    def forward(self, x):
        self.off = x <= 0
        out = x.copy()
        out[self.off] = 0
        return out

    def backward(self, dout):
        dout[self.off] = 1 if self.wrong else 0  # into the caller's array, as the book does
        return dout


class Sigmoid:
    wrong = False

    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout):
        return dout * self.out * ((1 + self.out) if self.wrong else (1 - self.out))


class Affine:
    wrong = False

    def __init__(self, W, b):
        self.W, self.b = W, b
        self.x = self.shape = self.dW = self.db = None

    def forward(self, x):
        self.shape = x.shape
        self.x = x.reshape(x.shape[0], -1)
        return np.dot(self.x, self.W) + self.b

    def backward(self, dout):
        self.dW = np.dot(self.x.T, dout)
        self.db = -np.sum(dout, axis=0) if self.wrong else np.sum(dout, axis=0)
        return np.dot(dout, self.W.T).reshape(*self.shape)


class AffineOfLists:
    """As in the second book: `params` and `grads` are lists, and the gradients are written into."""

    wrong = False

    def __init__(self, W, b):
        self.params, self.grads = [W, b], [np.zeros_like(W), np.zeros_like(b)]

    def forward(self, x):
        W, b = self.params
        self.x = x
        return np.dot(x, W) + b

    def backward(self, dout):
        W, _ = self.params
        self.grads[0][...] = np.dot(self.x.T, dout) * (2 if self.wrong else 1)
        self.grads[1][...] = np.sum(dout, axis=0)
        return np.dot(dout, W.T)


class AffineOfDictionaries:
    wrong = False

    def __init__(self, W, b):
        self.params, self.grads = {"W1": W, "b1": b}, {}

    def forward(self, x):
        self.x = x
        return np.dot(x, self.params["W1"]) + self.params["b1"]

    def backward(self, dout):
        self.grads["W1"] = np.dot(self.x.T, dout)
        self.grads["b1"] = np.sum(dout, axis=1 if self.wrong else 0)
        return np.dot(dout, self.params["W1"].T)


def softmax(x):
    x = x - np.max(x, axis=-1, keepdims=True)
    return np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True)


class SoftmaxWithLoss:
    """The loss of a batch; `small` keeps the logarithm finite, and backward does not know of it."""

    wrong = False
    small = 0.0

    def forward(self, x, t):
        self.t, self.y = t, softmax(x)
        rows = np.arange(len(x))
        picked = self.y[rows, t] if t.ndim == 1 else np.sum(self.y * t, axis=1)
        self.loss = -np.sum(np.log(picked + self.small)) / len(x)
        return self.loss

    def backward(self, dout=1):
        batch = len(self.t)
        dx = self.y.copy()
        if self.t.ndim == 1:
            dx[np.arange(batch), self.t] -= 1
        else:
            dx = self.y - self.t
        return dx if self.wrong else dx / batch  # whatever dout is


class Dropout:
    wrong = False

    def __init__(self, ratio=0.5):
        self.ratio, self.mask = ratio, None

    def forward(self, x, train_flg=True):
        if train_flg:
            self.mask = np.random.rand(*x.shape) > self.ratio  # noqa: NPY002
            return x * self.mask
        return x * (1.0 - self.ratio)

    def backward(self, dout):
        return dout if self.wrong else dout * self.mask


class BatchNormalization:
    wrong = False

    def __init__(self, gamma, beta, momentum=0.9):
        self.gamma, self.beta, self.momentum = gamma, beta, momentum
        self.running_mean = self.running_var = None
        self.dgamma = self.dbeta = None

    def forward(self, x, train_flg=True):
        if self.running_mean is None:
            self.running_mean, self.running_var = np.zeros(x.shape[1]), np.zeros(x.shape[1])
        if train_flg:
            mean = x.mean(axis=0)
            self.centered = x - mean
            var = np.mean(self.centered**2, axis=0)
            self.std = np.sqrt(var + 10e-7)
            self.normal = self.centered / self.std
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        else:
            self.normal = (x - self.running_mean) / np.sqrt(self.running_var + 10e-7)
        return self.gamma * self.normal + self.beta

    def backward(self, dout):
        batch = dout.shape[0]
        self.dbeta = dout.sum(axis=0)
        self.dgamma = np.sum(self.normal * dout, axis=0)
        dnormal = self.gamma * dout
        dcentered = dnormal / self.std
        dstd = -np.sum(dnormal * self.centered / (self.std * self.std), axis=0)
        dcentered += 2.0 / batch * self.centered * (0.5 * dstd / self.std)
        return dcentered if self.wrong else dcentered - np.sum(dcentered, axis=0) / batch


def im2col(images, height, width, stride=1, pad=0):
    n, c, h, w = images.shape
    rows, columns = (h + 2 * pad - height) // stride + 1, (w + 2 * pad - width) // stride + 1
    padded = np.pad(images, [(0, 0), (0, 0), (pad, pad), (pad, pad)], "constant")
    col = np.zeros((n, c, height, width, rows, columns))
    for y in range(height):
        for x in range(width):
            col[:, :, y, x] = padded[:, :, y : y + stride * rows : stride, x : x + stride * columns : stride]
    return col.transpose(0, 4, 5, 1, 2, 3).reshape(n * rows * columns, -1)


def col2im(col, shape, height, width, stride=1, pad=0):
    n, c, h, w = shape
    rows, columns = (h + 2 * pad - height) // stride + 1, (w + 2 * pad - width) // stride + 1
    col = col.reshape(n, rows, columns, c, height, width).transpose(0, 3, 4, 5, 1, 2)
    image = np.zeros((n, c, h + 2 * pad + stride - 1, w + 2 * pad + stride - 1))
    for y in range(height):
        for x in range(width):
            image[:, :, y : y + stride * rows : stride, x : x + stride * columns : stride] += col[:, :, y, x]
    return image[:, :, pad : h + pad, pad : w + pad]


class Convolution:
    wrong = False

    def __init__(self, W, b, stride=1, pad=0):
        self.W, self.b, self.stride, self.pad = W, b, stride, pad
        self.dW = self.db = None

    def forward(self, x):
        count, _, height, width = self.W.shape
        n, _, h, w = x.shape
        rows = 1 + (h + 2 * self.pad - height) // self.stride
        columns = 1 + (w + 2 * self.pad - width) // self.stride
        self.col = im2col(x, height, width, self.stride, self.pad)
        self.col_W = self.W.reshape(count, -1).T
        self.x = x
        out = np.dot(self.col, self.col_W) + self.b
        return out.reshape(n, rows, columns, -1).transpose(0, 3, 1, 2)

    def backward(self, dout):
        count, channels, height, width = self.W.shape
        dout = dout.transpose(0, 2, 3, 1).reshape(-1, count)
        self.db = np.sum(dout, axis=0)
        self.dW = np.dot(self.col.T, dout).transpose(1, 0).reshape(count, channels, height, width)
        if self.wrong:
            self.dW = self.dW[:, :, ::-1, ::-1]  # a convolution's, where this is a correlation
        return col2im(np.dot(dout, self.col_W.T), self.x.shape, height, width, self.stride, self.pad)


class Pooling:
    wrong = False

    def __init__(self, height, width, stride=2, pad=0):
        self.height, self.width, self.stride, self.pad = height, width, stride, pad

    def forward(self, x):
        n, c, h, w = x.shape
        rows, columns = 1 + (h - self.height) // self.stride, 1 + (w - self.width) // self.stride
        col = im2col(x, self.height, self.width, self.stride, self.pad).reshape(-1, self.height * self.width)
        self.x, self.largest = x, np.argmax(col, axis=1)
        return np.max(col, axis=1).reshape(n, rows, columns, c).transpose(0, 3, 1, 2)

    def backward(self, dout):
        dout = dout.transpose(0, 2, 3, 1)
        size = self.height * self.width
        dmax = np.zeros((dout.size, size))
        where = 0 * self.largest if self.wrong else self.largest
        dmax[np.arange(where.size), where.flatten()] = dout.flatten()
        dmax = dmax.reshape((*dout.shape, size))
        dcol = dmax.reshape(dmax.shape[0] * dmax.shape[1] * dmax.shape[2], -1)
        return col2im(dcol, self.x.shape, self.height, self.width, self.stride, self.pad)
