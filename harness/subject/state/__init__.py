"""What a function can change besides its arguments."""

from harness.subject.state.state import State, current, leaving_no_trace, unchanged

__all__ = ["State", "current", "leaving_no_trace", "unchanged"]
