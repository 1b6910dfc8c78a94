"""Refuses what torch leaves out of a gradient without a word: a constant there would be a silent zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oracles.exact.program.errors import Unsupported
from oracles.exact.program.program import Var
from oracles.exact.program.recording import Recorder


def refuse_marked(recorder: Recorder, marked: Mapping[Var, str], outputs: Sequence[Var]) -> None:
    """A result depends on what a custom function has marked as non-differentiable.

    Who means a constant says so outside of the custom function.
    """
    by = next((marked[v] for v in marked if recorder.reach(outputs, {v})), "")
    if by:
        raise Unsupported(
            f"{by} marks a result as non-differentiable (ctx.mark_non_differentiable) that depends on "
            "what is differentiated, and what is returned depends on it: torch leaves its part of the "
            "gradient out and says nothing; detach() it after the call if a constant is meant"
        )


def refuse_without_gradient(operator: str) -> None:
    """Autograd knows no gradient of the operator that made this, and its value is not constant."""
    raise Unsupported(
        f"torch gives no gradient through {operator}, though its value depends on what is "
        "differentiated; call it under torch.no_grad() if a constant is meant"
    )


# A custom derivative that is differentiated uses something that counts, and that autograd does not follow.
UNFOLLOWED = (
    "a custom backward, or jvp, that is differentiated again uses what autograd does not follow "
    "(detached, or saved without history), so its own derivative is lost; check it with order=2"
)
