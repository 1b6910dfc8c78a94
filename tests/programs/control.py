"""Control flow: Python's on shapes and on values; JAX's scan, cond, switch, loops, map and vmap."""

from __future__ import annotations

import numpy as np

from tests.programs.scope import Scope, Unfit, Value

BODIES = (  # of a carry c and an element u
    "np.tanh(c) * 0.5 + u",
    "c * u + 0.25",
    "np.where(u > 0, c + u, c * 0.5)",
    "np.maximum(c, u) * 0.75",
    "np.sin(c + u)",
    "c - 0.5 * u * u",
)


def _in(text: str, dialect: str) -> str:
    """A body in another dialect."""
    return text.replace("np.", {"jax": "jnp.", "torch": "torch."}.get(dialect, "np."))


def scan(scope: Scope) -> None:
    """A carry along the first axis; the last one or all of them."""
    x = scope.pick(lambda v: 0 < v.ndim < 3 and v.shape[0] > 1)
    body, reverse, last = scope.one_of(*BODIES), bool(scope.below(2)), bool(scope.below(2))
    order = f"reversed(range({x.shape[0]}))" if reverse else f"range({x.shape[0]})"
    loop = [
        "c = {0}[0] * 0.5", f"ys = [None] * {x.shape[0]}", f"for i in {order}:", "    u = {0}[i]", "    ys[i] = c",
        "    c = BODY",
    ]  # fmt: skip
    texts = {}
    for dialect, stack in {
        "exact": "np.stack(ys)",
        "numpy": "np.stack(ys)",
        "torch": "torch.stack(ys)",
    }.items():
        lines = [line.replace("BODY", _in(body, dialect)) for line in loop]
        texts[dialect] = "\n".join([*lines, "{out} = c" if last else f"{{out}} = {stack}"])
    def_body = f"def body(c, u):\n    return {_in(body, 'jax')}, c"
    again = scope.one_of("body", "jax.checkpoint(body)", "jax.jit(body)")
    unroll = scope.one_of("", "", ", unroll=2")
    texts["jax"] = (
        f"{def_body}\nc, ys = lax.scan({again}, {{0}}[0] * 0.5, {{0}}, reverse={reverse}{unroll})\n"
        f"{{out}} = {'c' if last else 'ys'}"
    )
    scope.add("scan", [x], texts)


def repeated(scope: Scope) -> None:
    """A loop of a written number of steps."""
    x, times, number = scope.pick(), 1 + scope.below(4), scope.number()
    body = scope.one_of(f"np.sin(c) * {number}", "c * 0.5 + {0} * {0}", "np.tanh(c * {0})", "c + i * 0.25")
    loop = "c = {0}\nfor i in range(%d):\n    c = %s\n{out} = c"
    texts = {d: loop % (times, _in(body, d)) for d in ("exact", "numpy", "torch")}
    if scope.below(3) == 0:
        texts["jax"] = loop % (times, _in(body, "jax"))
    else:
        carry = "{0} * 1.0" if "i *" in body else "{0}"
        texts["jax"] = f"{{out}} = lax.fori_loop(0, {times}, lambda i, c: {_in(body, 'jax')}, {carry})"
    scope.add("loop", [x], texts)


def _edge(scope: Scope, x: Value) -> float:
    """A number that is not near the sum of the values."""
    total = float(np.sum(x.array))
    return round(total + scope.one_of(-1, 1) * (1 + abs(total) / 4))


def branch(scope: Scope) -> None:
    """One of two formulas, by a value."""
    x = scope.pick()
    edge = _edge(scope, x)
    one, other = scope.one_of(
        ("np.sin({0})", "{0} * {0}"), ("{0} * 0.5", "np.cos({0}) * {0}"), ("{0} + 1", "-{0}")
    )
    ways = {
        d: f"if {s} > {edge}:\n    {{out}} = {_in(one, d)}\nelse:\n    {{out}} = {_in(other, d)}"
        for d, s in {"exact": "np.sum({0})", "numpy": "{0}.sum()", "torch": "{0}.sum()"}.items()
    }
    functions = f"lambda {{0}}: {_in(one, 'jax')}, lambda {{0}}: {_in(other, 'jax')}"
    ways["jax"] = scope.one_of(
        f"{{out}} = lax.cond({{0}}.sum() > {edge}, {functions}, {{0}})",
        f"{{out}} = lax.switch(jnp.where({{0}}.sum() > {edge}, 0, 1), [{functions}], {{0}})",
        f"{{out}} = jnp.where({{0}}.sum() > {edge}, {_in(one, 'jax')}, {_in(other, 'jax')})",
    )
    scope.add("branch", [x], ways)


def until(scope: Scope) -> None:
    """A loop that a value ends."""
    x = scope.pick(lambda v: bool(0.1 < np.sum(np.abs(v.array)) < 40))
    body = scope.one_of("c * 0.5", "c * 0.75 * np.cos({0})")
    ways = {
        d: f"c = {{0}} * 1.5\nwhile {_total(d)} > 0.7:\n    c = {_in(body, d)}\n{{out}} = c"
        for d in ("exact", "numpy", "torch")
    }
    total = "jnp.sum(jnp.abs(c))"
    ways["jax"] = (
        f"{{out}} = lax.while_loop(lambda c: {total} > 0.7, lambda c: {_in(body, 'jax')}, {{0}} * 1.5)"
    )
    if scope.framework == "jax" and scope.below(3):
        raise Unfit  # it has no reverse mode
    scope.add("while", [x], ways)


def _total(dialect: str) -> str:
    return {"exact": "np.sum(abs(c))", "numpy": "np.abs(c).sum()", "torch": "c.abs().sum()"}[dialect]


def mapped(scope: Scope) -> None:
    """A function of each row: by hand, by vmap, by map."""
    x = scope.pick(lambda v: 0 < v.ndim < 3)
    body = scope.one_of(
        "u * np.sum(u)", "np.sin(u) - u", "u - np.max(u)", "np.sort(u)[::-1]" if x.ndim > 1 else "u * u"
    )
    texts = {"exact": f"np.stack([{body} for u in {{0}}])"}
    if "[::-1]" not in body:
        function = f"lambda u: {_in(body, 'torch')}"
        texts["torch"] = scope.one_of(
            f"torch.vmap({function})({{0}})", f"torch.stack([{_in(body, 'torch')} for u in {{0}}])"
        )
    function = f"lambda u: {_in(body, 'jax')}"
    texts["jax"] = scope.one_of(
        f"jax.vmap({function})({{0}})", f"lax.map({function}, {{0}})", f"jax.jit(jax.vmap({function}))({{0}})"
    )
    scope.add("map", [x], texts)


def associative(scope: Scope) -> None:
    """All products or extrema so far, by JAX's parallel scan."""
    x = scope.pick(lambda v: v.ndim > 0 and v.shape[0] > 1)
    exact, jax = scope.one_of(
        ("np.multiply.accumulate({0}, 0)", "jnp.multiply"), ("np.maximum.accumulate({0}, 0)", "jnp.maximum")
    )
    scope.add("associative_scan", [x], {"exact": exact, "jax": f"lax.associative_scan({jax}, {{0}})"})


def recomputed(scope: Scope) -> None:
    """A function whose values the backward computes again."""
    x, body = scope.pick(), scope.one_of("np.sin({0}) * {0}", "np.tanh({0})", "{0} * {0} + np.cos({0})")
    inner = f"lambda {{0}}: {_in(body, 'torch')}"
    ways = {
        "exact": body, "numpy": "",
        "jax": f"jax.checkpoint(lambda {{0}}: {_in(body, 'jax')})({{0}})",
        "torch": f"torch.utils.checkpoint.checkpoint({inner}, {{0}}, use_reentrant=False)",
    }  # fmt: skip
    scope.add("checkpoint", [x], ways, outside={"torch": "import torch.utils.checkpoint"})


MAKERS = {scan: 3, repeated: 2, branch: 2, until: 1, mapped: 2, associative: 1, recomputed: 1}
