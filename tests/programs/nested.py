"""Constructs within constructs: branches and rules in loops, maps of loops, gradients inside, blocks without gradients."""

from __future__ import annotations

import numpy as np

from tests.programs.scope import Scope, Value


def _rows(v: Value) -> bool:
    return v.ndim in (1, 2) and v.shape[0] > 1 and bool(np.max(np.abs(v.array)) < 4)


RULE = {
    "jax": """@jax.custom_jvp
def {name}(u):
    return jnp.sin(u) * u


{name}.defjvp(lambda p, t: ({name}(p[0]), t[0] * (jnp.cos(p[0]) * p[0] + jnp.sin(p[0]))))""",
    "torch": """class {name}_function(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return torch.sin(u) * u

    @staticmethod
    def backward(ctx, g):
        (u,) = ctx.saved_tensors
        return g * (torch.cos(u) * u + torch.sin(u))


{name} = {name}_function.apply""",
    "numpy": "def {name}(u):\n    return np.sin(u) * u",
    "exact": "def {name}(u):\n    return np.sin(u) * u",
}


def rule_in_loop(scope: Scope) -> None:
    """A custom rule inside a loop."""
    x, times = scope.pick(_rows), 1 + scope.below(3)
    loop = f"c = {{0}}\nfor i in range({times}):\n    c = {{name}}(c) * 0.5\n{{out}} = c"
    jax = scope.one_of(
        loop,
        f"{{out}} = lax.fori_loop(0, {times}, lambda i, c: {{name}}(c) * 0.5, {{0}})",
        f"{{out}} = lax.scan(lambda c, _: ({{name}}(c) * 0.5, None), {{0}}, None, length={times})[0]",
        f"{loop.replace('{out} = c', '{out} = jax.vmap({name})(c)')}",
    )
    exact = (
        loop.replace("{out} = c", "{out} = {name}(c)") if "vmap" in jax and scope.framework == "jax" else loop
    )
    scope.add("rule in a loop", [x], {"exact": exact, "numpy": loop, "torch": loop, "jax": jax}, outside=RULE)


def branch_in_loop(scope: Scope) -> None:
    """A branch on a value in each turn."""
    x = scope.pick(_rows)
    edge = scope.one_of(0.13, -0.27, 0.41)
    turn = f"    c = c * u if np.sum(u) > {edge} else c * 0.5 + u\n    ys.append(c)"
    loop = f"c, ys = {{0}}[0], []\nfor u in {{0}}:\n{turn}\n{{out}} = np.stack(ys)"
    jax = (
        f"def body(c, u):\n    c = lax.cond(jnp.sum(u) > {edge}, lambda a: a * u, lambda a: a * 0.5 + u, c)\n"
        f"    return c, c\n{{out}} = lax.scan(body, {{0}}[0], {{0}})[1]"
    )
    torch = loop.replace("np.sum", "torch.sum").replace("np.stack", "torch.stack")
    scope.add("branch in a loop", [x], {"exact": loop, "torch": torch, "jax": jax})


def carried_array(scope: Scope) -> None:
    """An array that a loop carries, reads by number and writes into."""
    x = scope.pick(_rows)
    n, number = x.shape[0], scope.number()
    text = (
        f"for i in range(1, {n}):\n    {{out}}[i] = {{out}}[i - 1] * {{0}}[i] + {number} * {{out}}[{n} - i]"
    )
    texts = {
        "exact": f"{{out}} = np.array({{0}}, order='C')\n{text}", "numpy": f"{{out}} = {{0}}.copy()\n{text}",
        "torch": "{out} = {0}.clone()\n" + text.replace("{out}[i - 1]", "{out}[i - 1].clone()").replace("- i]", "- i].clone()"),
        "jax": f"{{out}} = lax.fori_loop(1, {n}, lambda i, a: a.at[i].set(a[i - 1] * {{0}}[i] + {number} * a[{n} - i]), {{0}})",
    }  # fmt: skip
    scope.add("array in a loop", [x], texts, owned=True)


def mapped_loop(scope: Scope) -> None:
    """A loop for each row, by vmap in JAX; a loop in a loop elsewhere."""
    x = scope.pick(lambda v: _rows(v) and v.ndim == 2)
    m, n = x.shape
    inner = f"for r in range({m}):\n    c = 0 * {{0}}[r, 0]\n    for k in range({n}):\n        c = np.tanh(c + {{0}}[r, k])\n        ys.append(c)"
    loop = f"ys = []\n{inner}\n{{out}} = np.reshape(np.stack(ys), ({m}, {n}))"
    body = "def body(c, u):\n    c = jnp.tanh(c + u)\n    return c, c\n"
    jax = scope.one_of(
        body + "{out} = jax.vmap(lambda r: lax.scan(body, 0 * r[0], r)[1])({0})",
        body + "{out} = lax.scan(lambda s, r: (s, lax.scan(body, 0 * r[0], r)[1]), 0.0, {0})[1]",
        body + "{out} = lax.map(lambda r: lax.scan(body, 0 * r[0], r)[1], {0})",
        body + "{out} = lax.scan(body, 0 * {0}[:, 0], {0}.T)[1].T",
    )
    torch = loop.replace("np.tanh", "torch.tanh").replace(
        "np.reshape(np.stack(ys), ", "torch.stack(ys).reshape("
    )
    scope.add("loop for each row", [x], {"exact": loop, "torch": torch, "jax": jax})


def gradient_inside(scope: Scope) -> None:
    """The gradient of an inner function, as a part of the value."""
    x = scope.pick(lambda v: bool(np.max(np.abs(v.array), initial=0) < 4))
    exact, body = scope.one_of(
        ("np.cos({0}) * {0} + np.sin({0})", "np.sin(u) * u"), ("3 * {0} * {0}", "u * u * u"),
        ("{0} * np.exp({0}) + np.exp({0})", "np.exp(u) * u"),
    )  # fmt: skip
    inner = f"lambda u: ({body.replace('np.', 'torch.')}).sum()"
    jaxed = f"lambda u: jnp.sum({body.replace('np.', 'jnp.')})"
    texts = {
        "exact": exact, "numpy": "",
        "jax": scope.one_of(f"jax.grad({jaxed})({{0}})", f"jax.vjp({jaxed}, {{0}})[1](jnp.ones((), {{0}}.dtype))[0]"),
        "torch": scope.one_of(
            f"torch.func.grad({inner})({{0}})",
            "with torch.enable_grad():\n    inner = {0} if {0}.requires_grad else {0}.clone().requires_grad_()\n"
            f"    (({{out}}),) = torch.autograd.grad(({inner})(inner), inner, create_graph=True)",
        ),
    }  # fmt: skip
    scope.add("gradient inside", [x], texts)


def under_no_grad(scope: Scope) -> None:
    """A part of the value that torch's reverse mode does not see, and forward mode does."""
    x = scope.pick(lambda v: v.ndim > 0)
    torch = "with torch.no_grad():\n    most = {0}.max()\n{out} = {0} - 0.5 * most * {0}"
    scope.add(
        "no_grad", [x], {"exact": "{0} - 0.5 * no_grad(np.max({0})) * {0}", "numpy": "", "torch": torch}
    )


def held(scope: Scope) -> None:
    """A part of the value that gradients do not see."""
    x = scope.pick(lambda v: v.ndim > 0)
    texts = {
        "exact": "{0} - 0.5 * stop(np.max({0})) * {0}", "numpy": "",
        "jax": "{0} - 0.5 * lax.stop_gradient(jnp.max({0})) * {0}",
        "torch": scope.one_of(
            "{0} - 0.5 * {0}.data.max() * {0}", "{0} - 0.5 * {0}.detach().max() * {0}",
        ),
    }  # fmt: skip
    scope.add("held", [x], texts)


def convolved(scope: Scope) -> None:
    """A convolution of two rows."""
    x = scope.pick(lambda v: v.ndim == 1)
    y = scope.pick(lambda v: v.ndim == 1 and v.dtype == x.dtype and v.array.size <= x.array.size)
    texts = {
        "exact": "np.convolve({0}, {1})", "jax": "jnp.convolve({0}, {1})",
        "torch": f"F.conv1d({{0}}[None, None], {{1}}.flip(0)[None, None], padding={y.array.size - 1})[0, 0]",
    }  # fmt: skip
    scope.add("convolve", [x, y], texts)


def normed(scope: Scope) -> None:
    """What networks are made of: layer norm, cross entropy, attention."""
    x = scope.pick(lambda v: v.ndim == 2 and v.shape[1] > 1 and bool((np.std(v.array, -1) > 0.1).all()))
    n = x.shape[1]
    mean = f"np.sum({{0}}, -1, keepdims=True) / {n}"
    soft = "np.exp({a}) / np.sum(np.exp({a}), -1, keepdims=True)"
    kinds = {
        "layer_norm": {
            "exact": f"d = {{0}} - {mean}\n{{out}} = d / np.sqrt(np.sum(d * d, -1, keepdims=True) / {n} + 0.125)",
            "jax": "jax.nn.standardize({0}, -1, epsilon=0.125)", "torch": f"F.layer_norm({{0}}, ({n},), eps=0.125)",
        },
        "cross_entropy": {
            "exact": f"-np.sum(np.log({soft.format(a='{0}')})[:, 0]) / {x.shape[0]}",
            "numpy": "-np.mean(scipy.special.log_softmax({0}, -1)[:, 0])",
            "jax": "-jnp.mean(jax.nn.log_softmax({0})[:, 0])",
            "torch": f"F.cross_entropy({{0}}, torch.zeros({x.shape[0]}, dtype=torch.int64))",
        },
        "attention": {
            "exact": f"s = np.matmul({{0}}, np.transpose({{0}})) * 0.25\n{{out}} = np.matmul({soft.format(a='s')}, {{0}})",
            "jax": "jax.nn.softmax({0} @ {0}.T * 0.25) @ {0}",
            "torch": "F.scaled_dot_product_attention({0}[None], {0}[None], {0}[None], scale=0.25)[0]",
        },
    }  # fmt: skip
    kind = scope.one_of(*kinds)
    scope.add(kind, [x], kinds[kind])


MAKERS = {
    rule_in_loop: 1, branch_in_loop: 1, carried_array: 1, mapped_loop: 1, gradient_inside: 1, held: 1, under_no_grad: 1, convolved: 1,
    normed: 2,
}  # fmt: skip
