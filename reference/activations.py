"""Activation functions, element by element, with their derivatives by hand.

For y = f(x) element by element, L a scalar and g = dL/dy the cotangent, dL/dx = g f'(x).

The sigmoid is written with t = exp(-|x|), which lies in [0, 1] and never overflows:

    sigmoid(x)   = 1 / (1 + e^-x)      = 1 / (1 + t)  for x >= 0,   t / (1 + t)  for x < 0
    sigmoid'(x)  = s(x) s(-x)          = t / (1 + t)^2
    sigmoid''(x) = s'(x) (1 - 2 s(x))  = s'(x) (-tanh(x / 2))

    swish'(x)    = s(x) + x s'(x)      = s(x) (1 + x s(-x))

The textbook forms s (1 - s) and 1 - 2 s subtract nearly equal numbers, in the right tail and at 0;
these do not subtract at all.

Every function takes an array, a list or a number.  float16, 32 and 64 keep their dtype, integers become
float64, other dtypes raise TypeError.  No finite x gives a warning.  NaN in gives NaN out, silently, except
where said.  Source: Saito, Deep Learning from Scratch, chapters 3 and 4.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference.checks import Floats, as_cotangent, as_floating


def identity_function(x: ArrayLike) -> Floats:
    """Return x itself, as a new floating array of the same shape (...)."""
    return +as_floating(x, "identity_function")


def identity_function_vjp(cotangent: ArrayLike, x: ArrayLike) -> Floats:
    """dL/dx = g.  Shapes: cotangent (...), x (...), result (...)."""
    x = as_floating(x, "identity_function_vjp")  # (...)
    return +as_cotangent(cotangent, x, x.shape, "identity_function_vjp")  # (...)


def step_function(x: ArrayLike) -> NDArray[np.int64]:
    """1 where x > 0, else 0; int64, of the shape (...) of x.  NaN gives 0.

    An integer output has no gradient; that is not the same as a gradient of zero, so there is no VJP.
    """
    return (as_floating(x, "step_function") > 0).astype(np.int64)


@np.errstate(under="ignore")  # exp(-|x|) may underflow, and 0 is then the right answer
def sigmoid(x: ArrayLike) -> Floats:
    """1 / (1 + e^-x), of the shape (...) of x; smooth everywhere."""
    x = as_floating(x, "sigmoid")  # (...)
    t = np.exp(-np.abs(x))  # (...) in [0, 1]
    y: Floats = np.where(x >= 0, 1, t) / (1 + t)  # (...)
    return y


def sigmoid_vjp(cotangent: ArrayLike, x: ArrayLike) -> Floats:
    """dL/dx = g sigmoid'(x).  Shapes: cotangent (...), x (...), result (...)."""
    x = as_floating(x, "sigmoid_vjp")  # (...)
    return _scaled(cotangent, sigmoid_grad(x), "sigmoid_vjp")  # (...)


@np.errstate(under="ignore")
def sigmoid_grad(x: ArrayLike) -> Floats:
    """sigmoid'(x) = t / (1 + t)^2, of the shape (...) of x; smooth, even, at most 1/4."""
    x = as_floating(x, "sigmoid_grad")  # (...)
    t = np.exp(-np.abs(x))  # (...)
    slope: Floats = t / (1 + t) ** 2  # (...)
    return slope


@np.errstate(under="ignore")
def sigmoid_grad_vjp(cotangent: ArrayLike, x: ArrayLike) -> Floats:
    """dL/dx = g sigmoid''(x) = -g sigmoid'(x) tanh(x/2).  Shapes: cotangent (...), x (...), result (...)."""
    x = as_floating(x, "sigmoid_grad_vjp")  # (...)
    return _scaled(cotangent, sigmoid_grad(x) * -np.tanh(x / 2), "sigmoid_grad_vjp")  # (...)


@np.errstate(under="ignore")
def swish(x: ArrayLike) -> Floats:
    """x sigmoid(x), of the shape (...) of x; smooth everywhere.  Also called SiLU."""
    x = as_floating(x, "swish")  # (...)
    return x * sigmoid(x)  # (...)


@np.errstate(under="ignore")
def swish_vjp(cotangent: ArrayLike, x: ArrayLike) -> Floats:
    """dL/dx = g s(x) (1 + x s(-x)), with s the sigmoid.  Shapes: cotangent (...), x (...), result (...)."""
    x = as_floating(x, "swish_vjp")  # (...)
    return _scaled(cotangent, sigmoid(x) * (1 + x * sigmoid(-x)), "swish_vjp")  # (...)


def relu(x: ArrayLike) -> Floats:
    """max(0, x), of the shape (...) of x; not differentiable at 0, where `relu_grad` picks a slope."""
    return np.maximum(as_floating(x, "relu"), 0)


def relu_grad(x: ArrayLike) -> Floats:
    """1 where x >= 0, else 0, of the shape (...) and dtype of x.  NaN gives 0.

    At 0 (and -0.0) every slope in [0, 1] is a subgradient.  The document takes 1, and so does this function;
    JAX and PyTorch take 0.  A declared convention, not a difference to mend.
    """
    x = as_floating(x, "relu_grad")  # (...)
    return (x >= 0).astype(x.dtype)  # (...)


def relu_vjp(cotangent: ArrayLike, x: ArrayLike) -> Floats:
    """dL/dx = g relu'(x), with relu'(0) = 1.  Shapes: cotangent (...), x (...), result (...).

    NaN in x gives NaN, as relu(NaN) does.
    """
    x = as_floating(x, "relu_vjp")  # (...)
    return _scaled(cotangent, np.where(np.isnan(x), x, relu_grad(x)), "relu_vjp")  # (...)


@np.errstate(under="ignore")
def _scaled(cotangent: ArrayLike, slope: Floats, who: str) -> Floats:
    """g f'(x), the VJP of any function that works element by element."""
    return as_cotangent(cotangent, slope, slope.shape, who) * slope  # (...)
