"""Which arguments are a batch: what our cutting did is never called wrong, and what is wrong is seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient
from harness.inputs.axes import Axes, resized
from harness.inputs.points import points
from harness.subject.target import target_of
from tests.sampling import sample

RNG = np.random.default_rng(0)
CUT = ["one-element", "batch-of-one", "empty"]
LABELS = np.array([0, 2, 1, 2])


def normal(*shape):
    return RNG.normal(size=shape)


def add(x, b):
    return x + b


def add_vjp(g, x, b):
    return g.copy(), g.sum(0)


def affine(x, w, b):
    return x @ w + b


def affine_vjp(g, x, w, b):
    return g @ w.T, x.T @ g, g.sum(0)


def cross_entropy(x, t):
    moved = x - x.max(axis=1, keepdims=True)
    return -(moved - np.log(np.exp(moved).sum(axis=1, keepdims=True)))[np.arange(len(x)), t].mean()


def cross_entropy_vjp(g, x, t):
    p = np.exp(x - x.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(x)), t] -= 1
    return g * p / len(x)


def layernorm(x, g, b):
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5) * g + b


def layernorm_vjp(dy, x, g, b):
    centred = x - x.mean(axis=1, keepdims=True)
    scale = 1 / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    h, dh = centred * scale, dy * g
    rest = dh.mean(axis=1, keepdims=True) + h * (dh * h).mean(axis=1, keepdims=True)
    return scale * (dh - rest), (dy * h).sum(0), dy.sum(0)


def classified(x, w, t):
    return cross_entropy(x @ w, t)


def classified_vjp(g, x, w, t):
    dy = cross_entropy_vjp(g, x @ w, t)
    return dy @ w.T, x.T @ dy


def of_rows(tree):
    return tree["x"] * tree["weights"][0][:, None]


def of_rows_vjp(g, tree):
    return {
        "x": g * tree["weights"][0][:, None],
        "weights": [(g * tree["x"]).sum(1)],
    }


def lookup(table, index):
    return table[index]


def lookup_vjp(g, table, index):
    found = np.zeros_like(table)
    np.add.at(found, index, g)
    return found


# A function, its right gradient, its arguments, and their shapes at a batch of one; None where it has none.
RIGHT = {
    "a bias": (add, add_vjp, (normal(3, 4), np.zeros(4)), [(1, 4), (4,)]),
    "a bias as long as the batch": (add, add_vjp, (normal(4, 4), np.zeros(4)), [(1, 4), (4,)]),
    "labels": (cross_entropy, cross_entropy_vjp, (normal(4, 3), LABELS), [(1, 3), (1,)]),
    "as many labels as classes": (cross_entropy, cross_entropy_vjp, (normal(4, 4), LABELS), [(1, 4), (1,)]),
    "an affine layer": (
        affine, affine_vjp, (normal(3, 4), normal(4, 5), normal(5)), [(1, 4), (4, 5), (5,)],
    ),
    "a square one": (
        affine, affine_vjp, (normal(4, 4), normal(4, 4), normal(4)), [(1, 4), (4, 4), (4,)],
    ),
    "weights first": (
        lambda w, x: x @ w, lambda g, w, x: (x.T @ g, g @ w.T), (normal(4, 5), normal(3, 4)),
        [(4, 5), (1, 4)],
    ),
    "layer norm": (layernorm, layernorm_vjp, (normal(3, 4), normal(4), normal(4)), [(1, 4), (4,), (4,)]),
    "a square layer norm": (
        layernorm, layernorm_vjp, (normal(4, 4), normal(4), normal(4)), [(1, 4), (4,), (4,)],
    ),
    "a square matrix and labels": (
        classified, classified_vjp, (normal(4, 4), normal(4, 4), LABELS), [(1, 4), (4, 4), (1,)],
    ),
    "containers": (
        of_rows, of_rows_vjp, ({"x": normal(3, 3), "weights": [normal(3)]},), [(1, 3), (1,)],
    ),
    "a table as long as its index": (lookup, lookup_vjp, (normal(4, 3), LABELS), [(1, 3), (1,)]),
    "vectors": (lambda a, b: a * b, lambda g, a, b: (g * b, g * a), (normal(3), normal(3)), [(1,), (1,)]),
    "one array": (np.square, lambda g, x: 2 * g * x, (normal(3, 4),), [(1, 4)]),
    "a batch of one that is broadcast": (add, lambda g, x, b: (g, g.sum(0, keepdims=True)),
                                         (normal(1, 4), normal(1, 4)), None),
    "a mask of pairs": (
        lambda x, m: (x @ x.T + m) @ x,
        lambda g, x, m: ((x @ x.T + m).T @ g + (g @ x.T) @ x + (g @ x.T).T @ x, g @ x.T),
        (normal(4, 3), normal(4, 4)), None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_gradient_passes_wherever_arguments_are_cut(name):
    f, vjp, args, shapes = RIGHT[name]
    found = check_gradient(f, args, vjp=vjp, boundary=CUT, probes=False)
    rows = found.rows[found.rows["input"] == "batch-of-one"]
    assert found.passed, str(found)
    compared = list(rows["verdict"].dropna())
    assert compared.count("accurate") == (len(found.rows[found.rows["input"] == "given"]) if shapes else 0)

    target = target_of(f, args, {}, None, "numpy")
    made = dict(points(target, ["batch-of-one"], 0, 0))
    if shapes:
        assert [a.shape for a in made["batch-of-one"]] == shapes


@pytest.mark.parametrize("name", sample(RIGHT, 2))
def test_a_right_gradient_passes_wherever_a_search_goes(name, tmp_path, monkeypatch):
    """What it says of large and tiny numbers is another matter: only shapes must not make it wrong."""
    monkeypatch.chdir(tmp_path)
    f, vjp, args, _ = RIGHT[name]
    found = check_gradient(f, args, vjp=vjp, search=60, probes=False)
    assert "wrong" not in set(found.rows["verdict"]), str(found)
    assert not any("shape" in str(said) for said in found.faults)


def test_a_gradient_that_is_wrong_for_one_row_is_seen_beside_weights():
    def kept(g, x, w, b):
        return g @ w.T, x.T @ g, g.sum(0) if len(x) > 1 else g

    _, _, args, _ = RIGHT["an affine layer"]
    found = check_gradient(affine, args, vjp=kept, boundary=["batch-of-one"])
    assert not found.passed
    assert "shape (1, 5) instead of (5,)" in str(found)


def test_keywords_are_cut_with_the_batch():
    found = check_gradient(
        lambda x, w=None: x * w[:, None], (normal(4, 4),), kwargs={"w": normal(4)},
        vjp=lambda g, x, w: g * w[:, None], boundary=["batch-of-one"],
    )  # fmt: skip
    assert found.passed
    assert [*found.rows["shape"]] == [(4, 4), (1, 4)]


def test_what_a_function_holds_from_outside_is_not_broadcast():
    mask = normal(3, 4)
    found = check_gradient(lambda x: x * mask, (normal(3, 4),), vjp=lambda g, x: g * mask, boundary=CUT[:2])
    assert found.passed
    said = found.rows.set_index("input")["diagnosis"]
    assert all(
        said[name].startswith("not taken: ValueError: operands could not be broadcast") for name in CUT[:2]
    )


def test_jax_that_moves_an_index_that_is_outside_gets_none():
    """By itself it clips indices silently, and a scatter by hand drops them."""

    def vjp(g, table, index):
        return jnp.zeros_like(table).at[index].add(g)

    for index in (jnp.array([3, 1, 3]), jnp.array([3, 1, 2, 3])):
        found = check_gradient(lookup, (jnp.asarray(normal(4, 3)), index), vjp=vjp, boundary=CUT)
        assert found.passed, str(found)
        assert "accurate" in set(found.rows[found.rows["input"] == "batch-of-one"]["verdict"])


def test_a_function_that_reads_fixed_places_is_not_asked_where_there_are_none():
    """JAX clips an index that is outside, and torch reads a sparse matrix as it comes."""
    places = jnp.array([3, 1])
    found = check_gradient(
        lambda x: x[places], (jnp.asarray(normal(4, 3)),),
        vjp=lambda g, x: jnp.zeros_like(x).at[places].add(g), boundary=CUT, search=20, probes=False,
    )  # fmt: skip
    assert found.passed, str(found)
    assert "batch-of-one" not in set(found.rows["input"])

    starts, columns = torch.tensor([0, 2, 3, 4]), torch.tensor([0, 1, 2, 0])

    def multiplied(v, x):
        return torch.sparse_csr_tensor(starts, columns, v, (3, 3)) @ x

    assert check_gradient(multiplied, (torch.randn(4), torch.randn(3, 3)), boundary=CUT, probes=False).passed


def test_a_largest_element_is_looked_for_in_all():
    found = check_gradient(
        lambda x: x.max(axis=0), (normal(4, 3),), vjp=lambda g, x: g * (x == x.max(axis=0)), boundary=CUT[:2]
    )
    assert {"one-element", "batch-of-one"} <= set(found.rows["input"][found.rows["verdict"] == "accurate"])


def test_parameters_of_a_module_keep_their_shapes():
    torch.manual_seed(0)
    # Both crash the process where torch gets weights of another shape.
    for module, x in ((torch.nn.GRU(3, 2), (2, 1, 3)), (torch.nn.GRU(3, 3, batch_first=True), (3, 3, 3))):
        found = check_gradient(module, (torch.randn(x),), boundary=CUT, probes=False, search=5)
        assert found.passed
        shapes = found.rows[found.rows["input"] == "batch-of-one"]["shape"].to_list()
        assert shapes[:2] == [tuple(p.shape) for p in list(module.parameters())[:2]]
        assert shapes[-1] == (1, *x[1:])


def test_a_parameter_beside_other_arguments_keeps_its_shape_and_alone_it_does_not():
    w = torch.nn.Parameter(torch.randn(4, 4))
    target = target_of(torch.matmul, (torch.randn(4, 4), w), {}, None, None)
    assert Axes(target).all == ((0, 0), (0, 1))
    assert Axes(target_of(torch.tanh, (w,), {}, None, None)).all == ((0, 0), (0, 1))


@pytest.mark.parametrize(
    ("f", "args", "shapes"),
    [
        (torch.exp, (torch.randn(4, dtype=torch.complex128),), [(1,)]),
        (torch.mul, tuple(torch.randn(s, dtype=torch.complex128) for s in ((2, 4), (4,))), [(1, 1), (1,)]),
        (torch.mul, (torch.tensor(1 + 2j), torch.randn(2, dtype=torch.complex64)), [(), (1,)]),
    ],
)
def test_complex_numbers_stay_whole(f, args, shapes):
    found = check_gradient(f, args, boundary=CUT, probes=False)
    rows = found.rows[found.rows["input"] == "one-element"]
    assert found.passed
    assert [*rows["verdict"]] == ["accurate"] * len(shapes)
    assert [*rows["shape"]] == shapes


def test_axes_that_go_together_are_in_one_group():
    def groups(name):
        f, _, args, _ = RIGHT[name]
        return Axes(target_of(f, args, {}, None, "numpy")).groups

    assert groups("an affine layer") == (((1, 1), (2, 0)), ((0, 1), (1, 0)), ((0, 0),))
    assert groups("a square layer norm") == (((0, 0),), ((0, 1), (1, 0), (2, 0)))
    assert groups("labels") == (((0, 0), (1, 0)), ((0, 1),))
    assert groups("a batch of one that is broadcast") == (((0, 1), (1, 1)),)
    inverse = Axes(target_of(np.linalg.inv, (normal(2, 2),), {}, None, "numpy"))
    assert inverse.groups == (((0, 0), (0, 1)),)


def test_integers_that_are_places_stay_places():
    x, k = normal(4, 3), np.array([3, -4, 9, -100, 1], np.int8)
    _, shorter = resized((x, k), {(0, 0): 2})
    assert shorter.dtype == np.int8
    assert shorter.tolist() == [1, 0, 9, -100, 1]
    assert resized((x, k), {(0, 0): 6})[1] is k
    assert resized((x, k), {(0, 0): 2}, last=True)[0].tolist() == x[2:].tolist()


def test_a_framework_s_own_gradient_passes_at_a_batch_of_one():
    def mean_loss(params, batch):
        logits = jnp.tanh(batch["x"] @ params["w"]) + params["b"]
        return -jax.nn.log_softmax(logits)[jnp.arange(len(batch["t"])), batch["t"]].mean()

    args = (
        {"w": jnp.asarray(normal(4, 4)), "b": jnp.zeros(4)},
        {"x": jnp.asarray(normal(4, 4)), "t": jnp.asarray(LABELS)},
    )
    found = check_gradient(mean_loss, args, boundary=CUT[:2])
    assert found.passed
    shapes = found.rows[found.rows["input"] == "batch-of-one"]["shape"]
    assert sorted(shapes) == [(1, 4), (4,), (4, 4)]
