"""A sparse tensor of torch as a node of a tree: its values are the leaf, and where they lie is the node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from oracles.exact.program.errors import Unsupported

COO = "torch.sparse_coo"
BY_ROWS = ("torch.sparse_csr", "torch.sparse_bsr")  # compressed: number by number, or block by block
LAYOUTS = (COO, *BY_ROWS, "torch.sparse_csc", "torch.sparse_bsc")


def is_sparse(part: Any) -> bool:
    """Whether it is a sparse tensor in a layout that is known here."""
    ours = type(part).__module__.partition(".")[0] == "torch"
    return ours and str(getattr(part, "layout", "")) in LAYOUTS


@dataclass(frozen=True, eq=False)
class Pattern:
    """Where the values of a sparse tensor lie.

    Attributes:
        layout, size: The tensor's.
        indices: As torch takes them: of each axis together, or compressed ones first.
        coalesced: Whether no place is stored twice, as a COO tensor says of itself.
    """

    layout: Any
    size: tuple[int, ...]
    indices: tuple[Any, ...]
    coalesced: bool

    @classmethod
    def of(cls, tensor: Any) -> Pattern:
        """That of a tensor."""
        layout, size = tensor.layout, tuple(tensor.shape)
        if str(layout) == COO:
            return cls(layout, size, (tensor._indices(),), tensor.is_coalesced())
        rows = str(layout) in BY_ROWS
        pair = ("crow_indices", "col_indices") if rows else ("ccol_indices", "row_indices")
        return cls(layout, size, tuple(getattr(tensor, name)() for name in pair), True)

    def filled(self, values: Any) -> Any:
        """The tensor with these values, to which autograd leads; what is no tensor stays what it is."""
        import torch

        if not isinstance(values, torch.Tensor):
            return values
        how: dict[str, Any] = {"check_invariants": False, "size": self.size}
        if len(self.indices) == 1:
            how |= {"is_coalesced": True} if self.coalesced else {}
            return torch.sparse_coo_tensor(self.indices[0], values, **how)
        compressed, plain = self.indices
        if values.is_complex() and values.requires_grad:
            raise Unsupported(
                f"a {self.layout} tensor of complex numbers: torch leads from it to real values alone; "
                "pass a COO tensor"
            )
        return torch.sparse_compressed_tensor(compressed, plain, values, layout=self.layout, **how)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pattern):
            return False
        mine, others = ((p.layout, p.size, p.coalesced) for p in (self, other))
        return mine == others and all(map(_same, self.indices, other.indices))

    def __hash__(self) -> int:
        return hash((str(self.layout), self.size, self.coalesced))


def values_of(tensor: Any) -> Any:
    """What a sparse tensor stores."""
    return tensor._values() if str(tensor.layout) == COO else tensor.values()


def _same(one: Any, other: Any) -> bool:
    return one.shape == other.shape and bool((one == other).all())


def without_sparse(tree: Any) -> Any:
    """A tree of results, its sparse tensors dense."""
    if is_sparse(tree):
        return tree.to_dense()
    if isinstance(tree, dict):
        return {key: without_sparse(part) for key, part in tree.items()} if _holds(tree.values()) else tree
    if isinstance(tree, list | tuple) and _holds(tree):
        parts = [without_sparse(part) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return tree


def _holds(parts: Any) -> bool:
    """Whether a sparse tensor is among them, or in them."""
    inner = (p.values() if isinstance(p, dict) else p for p in parts if isinstance(p, dict | list | tuple))
    return any(map(is_sparse, parts)) or any(map(_holds, inner))
