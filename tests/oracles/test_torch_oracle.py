"""PyTorch: global state, strides, dtypes, and the caller's arrays."""

import numpy as np
import pytest
import torch

from harness.cases import catalogue
from oracles import TorchOracle

INPUTS = [
    (case, maker.name) for case in catalogue().values() for maker in case.inputs if maker.name != "document"
]
each_input = pytest.mark.parametrize(("case", "name"), INPUTS, ids=[f"{c.name}-{n}" for c, n in INPUTS])


def ask(case, name, dtype="float64"):
    args, cotangent = case.draw(name, dtype, 0)
    subject = TorchOracle().subject(case, np.dtype(dtype))
    loaded = [subject.load(a) for a in args]
    return args, cotangent, loaded, subject.value(*loaded), subject.gradient(subject.load(cotangent), *loaded)


@pytest.fixture
def user_settings():
    before = torch.get_default_dtype(), torch.is_grad_enabled()
    yield
    torch.set_default_dtype(before[0])
    torch.set_grad_enabled(before[1])


@pytest.mark.parametrize("default", [torch.float32, torch.float64])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_default_dtype_matters_not_and_stays(user_settings, default, dtype):
    torch.set_default_dtype(default)
    for case in catalogue().values():
        _, _, _, value, gradient = ask(case, "ordinary", dtype)
        assert torch.get_default_dtype() is default
        kind = getattr(torch, dtype)
        assert value.dtype is (torch.int64 if case.vjp is None else kind)
        assert all(g is None or g.dtype is kind for g in gradient)


def test_grad_mode_stays_on(user_settings):
    torch.set_grad_enabled(True)
    ask(catalogue()["softmax_loss"], "ordinary")
    assert torch.is_grad_enabled()


def test_a_gradient_is_computed_under_the_users_no_grad(user_settings):
    torch.set_grad_enabled(False)
    gradient = ask(catalogue()["softmax_loss"], "ordinary")[-1]
    assert not torch.is_grad_enabled()
    assert gradient[0] is not None


@pytest.mark.parametrize("case", catalogue().values(), ids=lambda case: case.name)
@pytest.mark.parametrize("name", ["strided", "stride-0"])
def test_loading_keeps_the_strides(case, name):
    args, _, loaded, *_ = ask(case, name)
    for array, tensor in zip(args, loaded, strict=True):
        assert tuple(s * array.itemsize for s in tensor.stride()) == array.strides


@each_input
def test_no_input_is_changed(case, name):
    """Loaded tensors share memory with the arrays: an operation in place would be seen in them."""
    args, cotangent, loaded, *_ = ask(case, name)
    again, cotangent_again = case.draw(name, "float64", 0)
    assert all(
        np.array_equal(a, b) for a, b in zip((*args, cotangent), (*again, cotangent_again), strict=True)
    )
    assert not any(tensor.requires_grad for tensor in loaded)


def test_a_gradient_asked_twice_is_the_same():
    """Nothing accumulates from one call to the next."""
    case = catalogue()["two_layer_net"]
    args, cotangent = case.draw("ordinary", "float64", 0)
    subject = TorchOracle().subject(case, np.dtype("float64"))
    loaded = [subject.load(a) for a in (cotangent, *args)]
    first, second = subject.gradient(*loaded), subject.gradient(*loaded)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_value_carries_no_graph():
    assert not ask(catalogue()["softmax_loss"], "ordinary")[3].requires_grad
