"""Our check as the tables of power ask it: what is found counts, whoever is to be blamed."""

from __future__ import annotations

from typing import Any
from unittest import mock

import harness
from harness.proof import answer
from harness.result import Result


def check(*args: Any, **options: Any) -> Result:
    """`check_gradient`, without asking whose fault it is, which takes as long as all the rest."""
    with mock.patch.object(answer, "whose", return_value=None):
        return harness.check_gradient(*args, upstream="fail", **options)
