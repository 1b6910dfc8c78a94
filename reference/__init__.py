"""The functions and networks of Deep Learning from Scratch, chapter 4, with gradients derived by hand.

NumPy only.  Every name is reached from here.  The gradient of `f(*args)` is `f_vjp(cotangent, *args)`, where
the cotangent is dL/df for some scalar L: an array of f's output shape, or a number where f gives a number.
It returns dL/d(argument), an array for one differentiable argument and a tuple for several.
"""

from reference.activations import (
    identity_function,
    identity_function_vjp,
    relu,
    relu_grad,
    relu_vjp,
    sigmoid,
    sigmoid_grad,
    sigmoid_grad_vjp,
    sigmoid_vjp,
    step_function,
    swish,
    swish_vjp,
)
from reference.descent import function_2, function_2_vjp, gradient_descent
from reference.losses import (
    EPSILON,
    cross_entropy_error,
    cross_entropy_error_vjp,
    mean_squared_error,
    mean_squared_error_vjp,
    softmax,
    softmax_loss,
    softmax_loss_vjp,
    softmax_vjp,
)
from reference.networks import (
    SimpleNet,
    TwoLayerNet,
    simple_net_loss,
    simple_net_loss_vjp,
    simpleNet,
    two_layer_net_loss,
    two_layer_net_loss_vjp,
)
from reference.numerical import numerical_gradient, numerical_gradient_1d, numerical_gradient_2d
from reference.training import History, by_hand, mini_batch, train, update

__all__ = [
    "EPSILON",
    "History",
    "SimpleNet",
    "TwoLayerNet",
    "by_hand",
    "cross_entropy_error",
    "cross_entropy_error_vjp",
    "function_2",
    "function_2_vjp",
    "gradient_descent",
    "identity_function",
    "identity_function_vjp",
    "mean_squared_error",
    "mean_squared_error_vjp",
    "mini_batch",
    "numerical_gradient",
    "numerical_gradient_1d",
    "numerical_gradient_2d",
    "relu",
    "relu_grad",
    "relu_vjp",
    "sigmoid",
    "sigmoid_grad",
    "sigmoid_grad_vjp",
    "sigmoid_vjp",
    "simpleNet",
    "simple_net_loss",
    "simple_net_loss_vjp",
    "softmax",
    "softmax_loss",
    "softmax_loss_vjp",
    "softmax_vjp",
    "step_function",
    "swish",
    "swish_vjp",
    "train",
    "two_layer_net_loss",
    "two_layer_net_loss_vjp",
    "update",
]
