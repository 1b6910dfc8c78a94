"""Views and other shapes: what moves numbers and computes none."""

from __future__ import annotations

import math

from tests.programs.scope import Scope, Unfit, Value


def _has_axes(n: int) -> object:
    return lambda v: v.ndim >= n


def reshape(scope: Scope) -> None:
    """The same numbers in another shape."""
    x = scope.pick(lambda v: v.ndim > 0)
    size = math.prod(x.shape)
    columns = scope.one_of(*(k for k in range(1, size + 1) if size % k == 0))
    shape = scope.one_of((size,), (size // columns, columns), (-1, columns), (1, size))
    ways = {
        "exact": f"np.reshape({{0}}, {shape})",
        "numpy": scope.one_of(f"{{0}}.reshape{shape}", f"np.reshape({{0}}, {shape})"),
        "jax": f"jnp.reshape({{0}}, {shape})",
        "torch": scope.one_of(f"{{0}}.reshape{shape}", f"{{0}}.contiguous().view{shape}"),
    }
    scope.add("reshape", [x], ways)


def permute(scope: Scope) -> None:
    """Axes in another order."""
    x = scope.pick(lambda v: v.ndim >= 2)
    order = list(range(x.ndim))
    scope.rng.shuffle(order)
    how = scope.below(3)
    ways = [
        {"exact": f"np.transpose({{0}}, {order})", "jax": f"jnp.transpose({{0}}, {order})",
         "torch": f"{{0}}.permute({order})"},
        {"exact": "np.swapaxes({0}, 0, -1)", "jax": "jnp.swapaxes({0}, 0, -1)", "torch": "{0}.transpose(0, -1)"},
        {"exact": "np.moveaxis({0}, 0, -1)", "jax": "jnp.moveaxis({0}, 0, -1)", "torch": "{0}.movedim(0, -1)"},
    ][how]  # fmt: skip
    scope.add("transpose", [x], ways)


def axes(scope: Scope) -> None:
    """One axis more, one less, or repeated along a new one."""
    x = scope.pick()
    new = scope.below(x.ndim + 1)
    if 1 in x.shape and scope.below(2):
        at = x.shape.index(1)
        ways = {"exact": f"np.squeeze({{0}}, {at})", "jax": f"jnp.squeeze({{0}}, {at})",
                "torch": f"{{0}}.squeeze({at})"}  # fmt: skip
        scope.add("squeeze", [x], ways)
        return
    if scope.below(2):
        ways = {"exact": f"np.expand_dims({{0}}, {new})", "jax": f"jnp.expand_dims({{0}}, {new})",
                "torch": f"{{0}}.unsqueeze({new})"}  # fmt: skip
        scope.add("expand_dims", [x], ways)
        return
    shape = (2, *x.shape)
    if math.prod(shape) > 24:
        raise Unfit
    ways = {"exact": f"np.broadcast_to({{0}}, {shape})", "jax": f"jnp.broadcast_to({{0}}, {shape})",
            "torch": f"{{0}}.expand{shape}"}  # fmt: skip
    scope.add("broadcast_to", [x], ways)


def joined(scope: Scope) -> None:
    """Several arrays in one."""
    x = scope.pick(lambda v: v.ndim > 0 and math.prod(v.shape) <= 12)
    if scope.below(2):
        y = scope.pick(lambda v: v.shape == x.shape and v.dtype == x.dtype)
        axis = scope.below(x.ndim + 1)
        ways = {"exact": f"np.stack([{{0}}, {{1}}], {axis})", "jax": f"jnp.stack([{{0}}, {{1}}], {axis})",
                "torch": f"torch.stack([{{0}}, {{1}}], {axis})"}  # fmt: skip
        scope.add("stack", [x, y], ways, owned=True)
        return
    axis = scope.below(x.ndim)

    def fits(v: Value) -> bool:
        same = v.ndim == x.ndim and v.dtype == x.dtype and math.prod(v.shape) <= 12
        return same and all(
            a == b for k, (a, b) in enumerate(zip(v.shape, x.shape, strict=True)) if k != axis
        )

    y = scope.pick(fits)
    ways = {"exact": f"np.concatenate([{{0}}, {{1}}, {{0}}], {axis})",
            "jax": f"jnp.concatenate([{{0}}, {{1}}, {{0}}], {axis})",
            "torch": f"torch.cat([{{0}}, {{1}}, {{0}}], {axis})"}  # fmt: skip
    scope.add("concatenate", [x, y], ways, owned=True)


def moved(scope: Scope) -> None:
    """Rolled, flipped, repeated, padded, differences of neighbours, a triangle, a diagonal."""
    x = scope.pick(lambda v: v.ndim > 0 and math.prod(v.shape) <= 12)
    axis = scope.below(x.ndim)
    one = x.shape[axis]
    copied = "" if scope.framework == "numpy" else "np.array"  # there it is a view, and elsewhere a copy
    kinds: dict[str, dict[str, str]] = {
        "roll": {"exact": f"np.roll({{0}}, 1, {axis})", "jax": f"jnp.roll({{0}}, 1, {axis})",
                 "torch": f"torch.roll({{0}}, 1, {axis})"},
        "flip": {"exact": f"{copied}(np.flip({{0}}, {axis}))", "numpy": f"np.flip({{0}}, {axis})", "jax": f"jnp.flip({{0}}, {axis})",
                 "torch": f"torch.flip({{0}}, [{axis}])"},
        "repeat": {"exact": f"np.repeat({{0}}, 2, {axis})", "jax": f"jnp.repeat({{0}}, 2, {axis})",
                   "torch": f"{{0}}.repeat_interleave(2, {axis})"},
        "tile": {"exact": f"np.tile({{0}}, {(2,) * x.ndim if x.ndim == 1 else (2, *[1] * (x.ndim - 1))})",
                 "jax": f"jnp.tile({{0}}, {(2,) * x.ndim if x.ndim == 1 else (2, *[1] * (x.ndim - 1))})",
                 "torch": f"{{0}}.repeat{(2,) * x.ndim if x.ndim == 1 else (2, *[1] * (x.ndim - 1))}"},
    }  # fmt: skip
    if one > 1:
        kinds["diff"] = {"exact": f"np.diff({{0}}, axis={axis})", "jax": f"jnp.diff({{0}}, axis={axis})",
                         "torch": f"torch.diff({{0}}, dim={axis})"}  # fmt: skip
        kinds["unbind"] = {
            "exact": f"{{out}}, *rest_{{out}} = [np.take({{0}}, k, {axis}) * (k + 1) for k in range({one})][::-1]",
            "jax": f"{{out}}, *rest_{{out}} = [u * (k + 1) for k, u in enumerate(jnp.moveaxis({{0}}, {axis}, 0))][::-1]",
            "torch": f"{{out}}, *rest_{{out}} = [u * (k + 1) for k, u in enumerate({{0}}.unbind({axis}))][::-1]",
        }
        half = one // 2
        kinds["split"] = {
            "exact": f"first, second = np.split({{0}}, [{half}], {axis})\n{{out}} = np.concatenate([second, first], {axis})",
            "jax": f"first, second = jnp.split({{0}}, [{half}], {axis})\n{{out}} = jnp.concatenate([second, first], {axis})",
            "torch": f"first, second = {{0}}.split([{half}, {one - half}], {axis})\n{{out}} = torch.cat([second, first], {axis})",
        }
    if x.ndim == 1:
        kinds["pad"] = {
            "exact": "np.concatenate([0 * {0}[:1], {0}, 0 * {0}[:1], 0 * {0}[:1]])",
            "numpy": "np.pad({0}, (1, 2))",
            "jax": "jnp.pad({0}, (1, 2))",
            "torch": "F.pad({0}, (1, 2))",
        }
        kinds["diagflat"] = {"exact": f"np.eye({one}, dtype=int) * {{0}}", "numpy": "np.diag({0})",
                             "jax": "jnp.diag({0})", "torch": "torch.diag({0})"}  # fmt: skip
    if x.ndim == 2:
        lower = f"np.tril(np.ones({x.shape}, int))"
        kinds["tril"] = {"exact": f"{lower} * {{0}}", "numpy": "np.tril({0})", "jax": "jnp.tril({0})",
                         "torch": "torch.tril({0})"}  # fmt: skip
        kinds["diagonal"] = {"exact": "np.diagonal({0})", "jax": "jnp.diagonal({0})",
                             "torch": "torch.diagonal({0})"}  # fmt: skip
        kinds["rot90"] = {
            "exact": f"{copied}(np.rot90({{0}}))",
            "numpy": "np.rot90({0})",
            "jax": "jnp.rot90({0})",
            "torch": "torch.rot90({0})",
        }
    kind = scope.one_of(*kinds)
    scope.add(kind, [x], kinds[kind])


MAKERS = {reshape: 2, permute: 2, axes: 2, joined: 2, moved: 3}
