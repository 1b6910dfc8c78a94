"""The drop-in checkers of `harness.dropin`."""

from harness.dropin import *  # noqa: F403
