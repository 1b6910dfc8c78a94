"""A sparse or mkldnn tensor of torch as a node of a tree: its values are the leaf, its layout is the node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from oracles.exact.program.errors import Unsupported

COO = "torch.sparse_coo"
BY_ROWS = ("torch.sparse_csr", "torch.sparse_bsr")  # compressed: number by number, or block by block
SPARSE = (COO, *BY_ROWS, "torch.sparse_csc", "torch.sparse_bsc")
MKLDNN = "torch._mkldnn"  # blocks as oneDNN likes them, which nobody reads; every element is stored


def is_sparse(part: Any) -> bool:
    """Whether it is a sparse tensor in a layout that is known here."""
    return _layout_of(part) in SPARSE


def has_own_layout(part: Any) -> bool:
    """Whether it is sparse or mkldnn: a tensor that stands for a dense one."""
    return _layout_of(part) in (*SPARSE, MKLDNN)


def _layout_of(part: Any) -> str:
    ours = type(part).__module__.partition(".")[0] == "torch"
    return str(getattr(part, "layout", "")) if ours else ""


@dataclass(frozen=True, eq=False)
class Pattern:
    """Where the values of a tensor lie that has a layout of its own.

    Attributes:
        layout, size: The tensor's.
        indices: As torch takes them: of each axis together, or compressed ones first; none of mkldnn's.
        coalesced: Whether no place is stored twice, as a COO tensor says of itself.
    """

    layout: Any
    size: tuple[int, ...]
    indices: tuple[Any, ...]
    coalesced: bool

    @property
    def is_sparse(self) -> bool:
        """Whether some elements are not stored; all of mkldnn's are."""
        return str(self.layout) in SPARSE

    @classmethod
    def of(cls, tensor: Any) -> Pattern:
        """That of a tensor."""
        layout, size = tensor.layout, tuple(tensor.shape)
        if str(layout) == MKLDNN:
            return cls(layout, size, (), True)
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
        if str(self.layout) == MKLDNN:
            return values.to_mkldnn()
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
    """What such a tensor stores."""
    if str(tensor.layout) == MKLDNN:
        return tensor.detach().to_dense()
    return tensor._values() if str(tensor.layout) == COO else tensor.values()


def _same(one: Any, other: Any) -> bool:
    return one.shape == other.shape and bool((one == other).all())


def made_dense(tree: Any) -> Any:
    """A tree of results, its sparse and mkldnn tensors dense."""
    if has_own_layout(tree):
        return tree.to_dense()
    if isinstance(tree, dict):
        return {key: made_dense(part) for key, part in tree.items()} if _holds(tree.values()) else tree
    if isinstance(tree, list | tuple) and _holds(tree):
        parts = [made_dense(part) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return tree


def _holds(parts: Any) -> bool:
    """Whether such a tensor is among them, or in them."""
    inner = (p.values() if isinstance(p, dict) else p for p in parts if isinstance(p, dict | list | tuple))
    return any(map(has_own_layout, parts)) or any(map(_holds, inner))
