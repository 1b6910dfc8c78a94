"""Gradients that a function takes of its own without a graph: what they give is held fixed.

So torch has it where `create_graph=True` is left out, as for what is detached, and that is the derivative of
the function as it is written. Who forgot it in a penalty on a gradient, or in a second derivative, trains
without that part; so it is said.
"""

from __future__ import annotations

from collections.abc import Sequence

from oracles.exact.program.primitives.arithmetic import no_grad_
from oracles.exact.program.program import Program


def held_gradients(function: Program, wrt: Sequence[int]) -> list[str]:
    """Where they are taken, in words, if the results depend on them, and they on the inputs in `wrt`."""
    taken = [e for e in function.equations if e.primitive is no_grad_ and e.params["in_backward"]]
    if not taken:
        return []
    moving = function.between([function.inputs[k] for k in wrt], [e.operands[0] for e in taken])
    used = function.between([e.output for e in taken], function.outputs)
    counting = [e for e in taken if e.operands[0] in moving and e.output in used]
    places = dict.fromkeys(e.origin.place if e.origin else None for e in counting)
    return [
        f"a gradient is taken without create_graph=True{f' at {place}' if place else ''}: what it gives is "
        "held fixed here, as if detached"
        for place in places
    ]
