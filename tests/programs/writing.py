"""Writes in place, into memory of one's own, through views of it; in JAX what stands for them, `.at[]`."""

from __future__ import annotations

import math

import numpy as np

from tests.programs.indexing import key_of, part_of
from tests.programs.scope import Scope, Value

COPIES = {"exact": "np.array({0}, order='C')", "numpy": "{0}.copy()", "torch": "{0}.clone()"}
AT = {"": "set", "+": "add", "*": "multiply"}


def copied(scope: Scope) -> None:
    """A copy, into a part of which something is written."""
    x = scope.pick(lambda v: v.ndim > 0)
    key = key_of(scope, x.shape, False).replace(", None", "")
    part = part_of(x.shape, key)
    y = scope.pick(lambda v: v.dtype == x.dtype and _spreads(v.shape, part))
    sign = scope.one_of("", "+", "*")
    texts = {d: f"{{out}} = {text}\n{{out}}[{key}] {sign}= {{1}}" for d, text in COPIES.items()} | {
        "jax": f"{{0}}.at[{key}].{AT[sign]}({{1}})"
    }
    texts["exact"] = _as_number(texts["exact"], y)
    scope.add(f"copy and write {sign}=", [x, y], texts, owned=True)


def filled(scope: Scope) -> None:
    """An empty array, filled row by row from another; each row reads the one before."""
    x = scope.pick(lambda v: v.ndim >= 1 and v.shape[0] > 1)
    number = scope.number()
    make = {"exact": f"zeros({x.shape})", "numpy": "np.zeros_like({0})", "torch": "torch.zeros_like({0})"}
    loop = f"{{out}}[0] = {{0}}[0]\nfor i in range(1, len({{0}})):\n    {{out}}[i] = {{0}}[i] * {number} + {{out}}[i - 1] * {{0}}[i]"
    torch = loop.replace("{out}[i - 1]", scope.one_of("{out}[i - 1].clone()", "{out}[i - 1]"))
    texts = {d: f"{{out}} = {text}\n{torch if d == 'torch' else loop}" for d, text in make.items()}
    at = f"{{out}} = jnp.zeros_like({{0}}).at[0].set({{0}}[0])\nfor i in range(1, len({{0}})):\n    {{out}} = {{out}}.at[i].set({{0}}[i] * {number} + {{out}}[i - 1] * {{0}}[i])"
    scope.add("fill by rows", [x], {**texts, "jax": at}, owned=True)


def through_view(scope: Scope) -> None:
    """A write through a view, or a view of a view."""
    x = scope.pick(lambda v: v.ndim > 0)
    number = scope.number()
    views = [
        ("{out}[::2]", "{out}[::2]"),
        ("{out}.ravel()[:2]", "{out}.view(-1)[:2]"),
        ("{out}[-1:]", "{out}[-1:]"),
    ]
    if x.ndim > 1:
        views += [
            ("{out}.T[0]", "{out}.transpose(0, -1)[0]"),
            ("{out}[1:2][:, 0]", "{out}.narrow(0, 1, 1).select(1, 0)"),
        ]
    view, torch = scope.one_of(*views)
    change = scope.one_of(f"*= {number}", f"+= {number}", "*= view")
    texts = {
        d: f"{{out}} = {text}\nview = {torch if d == 'torch' else view}\nview {change}"
        for d, text in COPIES.items()
    }
    texts["torch"] = texts["torch"].replace("*= view", scope.one_of("*= view.clone()", "*= view.sin()"))
    if ".sin" in texts["torch"]:
        texts = {d: t.replace("*= view", "*= np.sin(view)") if d != "torch" else t for d, t in texts.items()}
    scope.add("write through a view", [x], texts, owned=True)


def in_place(scope: Scope) -> None:
    """A write into a value that is there already, and is perhaps used elsewhere."""
    x = scope.pick(lambda v: v.name in scope.own)
    y = scope.pick(lambda v: v.dtype == x.dtype and v.name != x.name and _spreads(v.shape, x.shape))
    number = scope.number()
    text = scope.one_of(
        "{0} += {1}", f"{{0}} *= {number}", "{0} *= {1}", "{0}[0] = {0}[-1] * 2", f"{{0}}[{{0}} > 0.5] = N({number})",
        f"{{0}}[...] = {{1}} * {number}",
    )  # fmt: skip
    torch = scope.one_of(
        text, text.replace("{0} += {1}", "{0}.add_({1}, alpha=1)").replace("{0} *= {1}", "{0}.mul_({1})")
    )
    if "> 0.5" in text:
        torch = f"{{0}}.masked_fill_({{0}} > 0.5, {number})"
    numpy = text.replace("{0} += {1}", scope.one_of("np.add({0}, {1}, out={0})", "{0} += {1}"))
    text = _as_number(text, y)
    scope.add(
        "in place", [x, y], {"exact": text, "numpy": numpy.replace("N(", "("), "torch": torch}, writes=True
    )


def masked(scope: Scope) -> None:
    """A copy, overwritten where it is large, or filled along its diagonal, or by numbers of elements."""
    x = scope.pick(lambda v: v.ndim > 0)
    number = scope.number()
    options = [
        {
            "exact": "{out} = np.array({0}, order='C')\n{out}[{out} > 0.5] *= 0.25",
            "jax": "jnp.where({0} > 0.5, {0} * 0.25, {0})",
            "torch": "{out} = {0}.clone()\n{out}[{out} > 0.5] *= 0.25",
        },
        {
            "exact": f"{{out}} = np.array({{0}}, order='C')\n{{out}}[{{out}} < 0] = N({number})",
            "numpy": f"{{out}} = {{0}}.copy()\nnp.copyto({{out}}, {number}, where={{out}} < 0)",
            "jax": f"jnp.where({{0}} < 0, {number}, {{0}})",
            "torch": f"{{0}}.masked_fill({{0}} < 0, {number})",
        },
    ]
    if x.ndim == 2 and min(x.shape) == x.shape[1]:
        diagonal = f"np.arange({x.shape[1]})"
        options.append(
            {
                "exact": f"{{out}} = np.array({{0}}, order='C')\n{{out}}[{diagonal}, {diagonal}] = N({number})",
                "numpy": f"{{out}} = {{0}}.copy()\nnp.fill_diagonal({{out}}[:{x.shape[1]}], {number})",
                "jax": f"jnp.fill_diagonal({{0}}[:{x.shape[1]}], {number}, inplace=False)"
                if x.shape[0] == x.shape[1]
                else "",
                "torch": f"{{out}} = {{0}}.clone()\n{{out}}[:{x.shape[1]}].fill_diagonal_({number})",
            }
        )
    scope.add("write by mask", [x], scope.one_of(*options), owned=True)


def _as_number(text: str, y: Value) -> str:
    """NumPy would write an array without axes as it is into one of objects, and not its number."""
    return text if y.ndim else text.replace("{1}", "({1} + 0)")


def _spreads(shape: tuple[int, ...], into: tuple[int, ...]) -> bool:
    """Whether an array of this shape can be written into one of that."""
    try:
        return np.broadcast_shapes(shape, into) == into and math.prod(into) > 0
    except ValueError:
        return False


MAKERS = {copied: 3, filled: 1, through_view: 2, in_place: 3, masked: 1}
