"""The Hypothesis strategies of `harness.strategies`."""

from harness.strategies import *  # noqa: F403
