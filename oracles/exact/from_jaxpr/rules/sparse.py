"""JAX's sparse arrays (`jax.experimental.sparse`): each operation is what JAX runs for it on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any

from oracles.exact.from_jaxpr.call import Eqn, Rule
from oracles.exact.from_jaxpr.rules.references import traced


def _as_coded(name: str) -> Rule:
    """JAX's own function of dense arrays: of the stored values, and of where they are."""
    home = f"jax.experimental.sparse.{name.partition('_')[0]}"

    def rule(call: Eqn, *operands: Any) -> Sequence[Any]:
        coded = getattr(import_module(home), f"_{name}_impl")
        return traced(call, partial(coded, **call.params), *operands)

    return rule


_NAMES = {
    "bcoo": "todense fromdense extract transpose dot_general dot_general_sampled spdot_general sort_indices "
    "sum_duplicates",
    "bcsr": "todense fromdense extract dot_general",
    "coo": "todense fromdense matvec matmat",
    "csr": "todense fromdense matvec matmat",
}
SPARSE: dict[str, Rule] = {
    f"{kind}_{name}": _as_coded(f"{kind}_{name}") for kind, names in _NAMES.items() for name in names.split()
}
