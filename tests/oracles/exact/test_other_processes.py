"""Collective operators of torch.distributed: they write what other processes gave, and no schema says so."""

import pytest
import torch
from torch import distributed

from oracles.exact.from_aten import record
from oracles.exact.program.errors import Opaque


@pytest.fixture
def alone():
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def reduced(x):
    y = x * 2
    distributed.all_reduce(y)
    return y


@pytest.mark.skipif(not distributed.is_available(), reason="torch is built without it")
@pytest.mark.usefixtures("alone")
def test_the_operator_is_named():
    """It was said that something is computed outside torch, through .numpy() or a Python number."""
    with pytest.raises(Opaque, match=r"other processes .*c10d.allreduce_, called at .*test_other_processes"):
        record(reduced, [torch.tensor([1.0, 2.0])])
