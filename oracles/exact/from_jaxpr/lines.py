"""Whose code is traced, and that what a rule by hand computes is on the rule's own lines."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import jax
from jax._src import source_info_util  # where an equation is from has no public name
from jax._src.interpreters import ad  # nor has what runs a rule

from oracles.exact.from_jaxpr.meanwhile import Meanwhile

JAX = os.path.dirname(jax.__file__) + os.sep
_HERE = getattr(source_info_util, "_source_info_context", None)


def is_library(name: str) -> bool:
    """Whether a file is part of JAX."""
    return name.startswith(JAX)


def place_of(traced: Any) -> str:
    """Where a function that was traced, or is about to be, stands: "file.py:12"; "" if nobody knows."""
    about = getattr(traced, "debug_info", None)
    return (getattr(about, "func_src_info", None) or "").partition(" at ")[2]


def is_in_library(traced: Any) -> bool:
    """Whether what was traced, or is about to be, is a function of JAX's own."""
    return is_library(place_of(traced))


def _of_rules() -> dict[Any, Callable[..., Any]]:
    """What runs the backward of a custom_vjp, by its primitive; nothing in a JAX that names it otherwise."""
    primitive = getattr(ad, "custom_lin_p", None)
    known = ad.primitive_transposes
    return {primitive: known[primitive]} if _HERE and primitive in known else {}


def _on_its_own_lines(transpose: Callable[..., Any]) -> Callable[..., Any]:
    def transposed(*args: Any, **params: Any) -> Any:
        assert _HERE
        if is_in_library(params.get("bwd")):
            return transpose(*args, **params)
        before, _HERE.context = _HERE.context, source_info_util.new_source_info()
        try:
            return transpose(*args, **params)
        finally:
            _HERE.context = before

    return transposed


_AS_THEY_ARE = _of_rules()
_WITH_LINES = {primitive: _on_its_own_lines(rule) for primitive, rule in _AS_THEY_ARE.items()}

# JAX says of all that a rule's backward computes that it is on the line of the call: it is on its own.
rules_on_their_lines = Meanwhile(
    lambda: ad.primitive_transposes.update(_WITH_LINES), lambda: ad.primitive_transposes.update(_AS_THEY_ARE)
)
