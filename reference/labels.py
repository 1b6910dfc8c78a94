"""How a target t is read: as one-hot rows or as class numbers.

The number of axes decides, never the number of elements: comparing sizes takes the labels of a (1, n)
output for one-hot, and broadcasts labels of shape (n, 1) into an n x n loss.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def read_labels(shape: tuple[int, ...], t: ArrayLike, who: str) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Give the class number of each row of an output, and whether the row's target is unknown (NaN).

    shape: of the output, (classes,) or (batch, classes)
    t: with as many axes, one-hot rows of that shape, read by argmax even where not one-hot, any real dtype;
       with one axis less, integer labels in 0..classes-1 (for a 1-D output, one integer)
    Returns labels (batch,) and unknown (batch,), with a batch of 1 for a 1-D output.  A one-hot row with NaN
    names no class: unknown is True there, and the caller's result is NaN.
    Raises TypeError on a wrong dtype, ValueError on a wrong shape or a label out of range.
    """
    target = np.asarray(t)
    classes = shape[-1]
    if target.ndim == len(shape):
        _check_one_hot(target, shape, who)
        rows = np.atleast_2d(target)  # (batch, classes)
        unknown = np.isnan(rows).any(axis=-1)  # (batch,)
        return rows.argmax(axis=-1), unknown  # (batch,), (batch,)
    if target.ndim == len(shape) - 1:
        _check_labels(target, shape, who)
        labels = np.atleast_1d(target).astype(np.intp)  # (batch,)
        return labels, np.zeros(labels.shape, dtype=np.bool_)  # (batch,), (batch,)
    raise ValueError(
        f"{who}: t has shape {target.shape}, which does not fit an output of shape {shape}; pass one-hot "
        f"rows of shape {shape} or integer labels of shape {shape[:-1]} in 0..{classes - 1}"
    )


def _check_one_hot(target: NDArray[np.generic], shape: tuple[int, ...], who: str) -> None:
    if target.shape != shape:
        raise ValueError(
            f"{who}: one-hot t has shape {target.shape}, the output has shape {shape}; they must be equal "
            f"(labels have shape {shape[:-1]})"
        )
    if target.dtype.kind not in "fiub":
        raise TypeError(
            f"{who}: one-hot t must hold real numbers, got dtype {target.dtype}; pass t.astype(float)"
        )


def _check_labels(target: NDArray[np.generic], shape: tuple[int, ...], who: str) -> None:
    if target.dtype.kind not in "iu":
        raise TypeError(
            f"{who}: labels must be integers, got t of shape {target.shape} with dtype {target.dtype}; pass "
            f"t.astype(int), or one-hot rows of shape {shape}"
        )
    if target.shape != shape[:-1]:
        raise ValueError(
            f"{who}: got {target.size} labels for {shape[0]} rows (t has shape {target.shape}, the output "
            f"{shape}); pass one label for every row"
        )
    outside = (target < 0) | (target >= shape[-1])  # type: ignore[operator]
    if outside.any():
        # NumPy would read -1 as the last class.
        where = np.flatnonzero(outside)[0]
        raise ValueError(
            f"{who}: label {target.flat[where]} at position {where} is out of range; "
            f"with {shape[-1]} classes a label is in 0..{shape[-1] - 1}"
        )
