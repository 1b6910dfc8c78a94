"""Integers that the backward of a layer leaves a gradient for: compared as the floats that they equal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from harness.subject.contents import Place, parts, put, read, said
from harness.subject.copies import Copies, is_near, ones, pull
from harness.subject.derivative import Array
from harness.subject.moving import is_trained
from harness.subject.pairs import non_arrays_with_gradients


def with_floats(copies: Copies, inputs: Sequence[Array], is_constant: Callable[[Place], bool]) -> None:
    """Let a layer go on as a copy in which these are floats, where its forward gives the very same then."""
    ran = copies.new()
    out = copies.run(ran, inputs)
    pull(ran, ones(out))
    for place, gradient in non_arrays_with_gradients(ran):
        value, left = read(copies.layer, place), read(ran, gradient)
        if is_constant(place) or not np.any(left) or not _is_apart(copies.layer, value):
            continue
        if not is_trained(copies.contents, ran, place, gradient, lambda own: copies.run(own, inputs), out):
            continue
        with suppress(Exception):  # an index is no float
            if is_near(copies.run(_floating(copies.new(), place, left), inputs), out):
                copies.replace(_floating(copies.new(), place, left))
                copies.notes[f"{said(place)} is compared as a float, since a gradient is left for it"] = None


def _is_apart(layer: Any, value: Any) -> bool:
    """Whether it is an integer, or an array of such that no other one shares its memory with."""
    if not isinstance(value, np.ndarray):
        return type(value) is int or isinstance(value, np.integer)
    others = [part for _, part in parts(layer) if isinstance(part, np.ndarray) and part is not value]
    return value.dtype.kind in "iu" and not any(np.may_share_memory(value, other) for other in others)


def _floating(layer: Any, place: Place, like: Any) -> Any:
    """The layer with floats in the place of integers."""
    value = read(layer, place)
    array = isinstance(value, np.ndarray)
    put(layer, place, value.astype(np.asarray(like).dtype) if array else float(value))
    return layer
