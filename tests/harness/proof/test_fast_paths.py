"""The fast paths of torch's encoder layers: no gradient takes them, so the value is compared without them."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.backends import mha

import gradproof
from oracles.frameworks.torch_fast_paths import by_no_fast_path

PADDED = torch.tensor([[0, 0, 0, 0, 1], [0, 0, 0, 1, 1]]).bool()
X = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True), 1
    ).eval()


pytestmark = pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")


def test_an_encoder_with_padding_is_compared_with_what_its_gradient_is_that_of(encoder):
    assert gradproof.check_gradient(encoder, (X,), kwargs={"src_key_padding_mask": PADDED}).passed
    assert mha.get_fastpath_enabled.__module__ == mha.__name__
    assert mha.get_fastpath_enabled()


def test_where_none_is_taken_the_value_is_that_without_autograd(encoder):
    modes = []

    def function(x):
        modes.append(torch.is_grad_enabled())
        return encoder.train()(x)

    with torch.no_grad():
        by_no_fast_path(function, (X,))
    assert not any(modes)


def test_one_under_the_functions_own_no_grad_is_taken(encoder):
    with torch.no_grad():
        zeros = encoder(X, src_key_padding_mask=PADDED)
    assert not zeros[PADDED].any()

    def function(x):
        with torch.no_grad():
            known = encoder(X, src_key_padding_mask=PADDED)
        return encoder(x) + known

    with torch.no_grad():
        found = by_no_fast_path(function, (X.clone().requires_grad_(),))
    assert torch.allclose(found, encoder(X) + zeros, atol=1e-5)


def test_what_it_finds_is_what_autograd_gives_where_the_fast_path_gives_zeros(encoder):
    x = X.clone().requires_grad_()
    with torch.no_grad():
        found = by_no_fast_path(lambda x: encoder(x, src_key_padding_mask=PADDED), (x,))
    assert torch.equal(found, encoder(x, src_key_padding_mask=PADDED))
    assert found[PADDED].all()


@pytest.mark.parametrize("enabled", [True, False])
def test_the_users_setting_stays(encoder, enabled):
    mha.set_fastpath_enabled(enabled)
    try:
        with torch.no_grad():
            by_no_fast_path(lambda x: encoder(x, src_key_padding_mask=PADDED), (X,))
        assert mha.get_fastpath_enabled() is enabled
    finally:
        mha.set_fastpath_enabled(True)
