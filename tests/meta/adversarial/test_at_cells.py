"""What is read from a grid at its points: an index steps there, and the slopes of both cells are legal.

Images are sampled at their own pixels, and tables at whole numbers: the first points that people try.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from jax.scipy.ndimage import map_coordinates

import harness
from oracles.exact.program.errors import Undecided

TABLE = np.array([1.0, 3.0, -2.0, 5.0, 4.0])
IMAGE = np.random.default_rng(0).normal(size=(4, 4))


def between(table, x, cells, least=min):
    share = x - cells
    return (1 - share) * table[cells] + share * table[least(cells + 1, len(TABLE) - 1)]


def in_numpy(x, table):
    return between(table, x, np.floor(x).astype(int), np.minimum)


def in_numpy_clipped(x, table):
    return between(table, x, np.clip(np.floor(x), 0, 3).astype(int), np.minimum)


def in_numpy_by_trunc(x, table):
    return between(table, x, x.astype(int), np.minimum)


def in_jax(x, table):
    return between(table, x, jnp.floor(x).astype(int), jnp.minimum)


def in_torch(x, table):
    return between(table, x, x.floor().long(), lambda i, most: i.clamp(max=most))


def gathered(x, table):
    cells = torch.stack([x.floor().long(), x.floor().long() + 1])
    two = torch.gather(table.expand(2, -1), 1, cells)
    return two[0] + (x - cells[0]) * (two[1] - two[0])


def selected(x, table):
    cells = x.long()
    one, other = table.index_select(0, cells), table.take(cells + 1)
    return one + (x - cells) * (other - one)


def embedded(x, table):
    cells = x.long()
    one, other = (F.embedding(i, table[:, None])[:, 0] for i in (cells, cells + 1))
    return one + (x - cells) * (other - one)


def hats(x, table):
    """By masks of indices instead of indices."""
    cells, places = x.floor().long()[:, None], torch.arange(len(TABLE))
    share = (x[:, None] - cells).to(x.dtype)
    return ((1 - share) * (cells == places) + share * (cells + 1 == places)) @ table


ENCLOSED = [
    in_numpy,
    in_numpy_clipped,
    in_numpy_by_trunc,
    in_jax,
    in_torch,
    gathered,
    selected,
    embedded,
    hats,
]


def given(function, *arrays):
    if function in (in_jax,) or "jax" in function.__name__:
        with jax.enable_x64(True):
            return tuple(map(jnp.asarray, arrays))
    if "numpy" in function.__name__:
        return arrays
    return tuple(map(torch.tensor, arrays))


def ends(enclosure):
    return enclosure.mid - enclosure.radius, enclosure.mid + enclosure.radius


@pytest.mark.parametrize("function", ENCLOSED)
def test_both_cells_have_legal_slopes_and_the_table_one(function):
    with jax.enable_x64(True):
        of_x, of_table = harness.exact_gradient(
            lambda *args: function(*args).sum(), given(function, np.array([1.0, 2.5, 2.0]), TABLE)
        )
    assert np.allclose(ends(of_x), ([-5.0, 7.0, -5.0], [2.0, 7.0, 7.0]))
    assert np.allclose(ends(of_table), [0.0, 1.0, 1.5, 0.5, 0.0], rtol=0, atol=1e-30)


def in_cells(of):
    """The pullback of `in_numpy`, with the cells that this gives."""

    def pullback(g, x, table):
        cells, onto = of(x), np.zeros_like(table)
        other = np.minimum(cells + 1, len(table) - 1)
        np.add.at(onto, cells, g * (1 - (x - cells)))
        np.add.at(onto, other, g * (x - cells))
        return g * (table[other] - table[cells]), onto

    return pullback


def below(x):
    return np.ceil(x).astype(int) - 1


@pytest.mark.parametrize("of", [lambda x: np.floor(x).astype(int), below], ids=["floor", "below"])
@pytest.mark.parametrize("x", [[1.0, 2.0], [1.0, 1.0], [0.5, 3.0], [2.5, 1.25]])
def test_a_gradient_may_take_either_cell(of, x):
    found = harness.check_gradient(in_numpy, (np.array(x), TABLE), vjp=in_cells(of))
    assert found.passed, str(found)
    assert found.verdict == ("accurate" if x == [2.5, 1.25] else "convention")


@pytest.mark.parametrize("factors", [(1.5, 1), (1, 1.1), (-1, 1)], ids=str)
def test_what_no_cell_has_is_wrong(factors):
    right = in_cells(below)
    found = harness.check_gradient(
        in_numpy, (np.array([1.0, 2.0]), TABLE),
        vjp=lambda g, *args: tuple(k * part for k, part in zip(factors, right(g, *args), strict=True)),
    )  # fmt: skip
    assert found.verdict == "wrong", str(found)


PIXELS = np.stack(np.meshgrid(np.arange(4.0), np.arange(4.0), indexing="ij"))


def test_an_image_at_its_own_pixels_in_jax():
    with jax.enable_x64(True):
        image, at = jnp.asarray(IMAGE), jnp.asarray(PIXELS)
        found = harness.check_gradient(lambda i, x: map_coordinates(i, x, order=1), (image, at))
        of_image, of_x = harness.exact_gradient(
            lambda i, x: map_coordinates(i, x, order=1).sum(), (image, at[:, 1:3, 1:3])
        )
    verdicts = {part.name: part.verdict for part in found.parts}
    assert np.array_equal(
        of_image.mid == 0, ~np.pad(np.ones((2, 2), bool), 1)
    )  # a slope of 0 is exactly that
    assert (verdicts["i"], verdicts["x"]) == ("accurate", "convention")
    inside = np.zeros((4, 4))
    inside[1:3, 1:3] = 1
    assert np.allclose(ends(of_image), inside, rtol=0, atol=1e-30)
    steps = [np.diff(IMAGE, axis=axis) for axis in (0, 1)]
    sides = [(steps[0][:2, 1:3], steps[0][1:, 1:3]), (steps[1][1:3, :2], steps[1][1:3, 1:])]
    assert np.allclose(ends(of_x), ([np.minimum(*s) for s in sides], [np.maximum(*s) for s in sides]))


class Sampled(torch.autograd.Function):
    """grid_sample, whose gradient of the image is half of it."""

    @staticmethod
    def forward(ctx, image, grid):
        ctx.save_for_backward(image, grid)
        return F.grid_sample(image, grid, align_corners=False)

    @staticmethod
    def backward(ctx, g):
        image, grid = (v.detach().requires_grad_() for v in ctx.saved_tensors)
        with torch.enable_grad():
            out = F.grid_sample(image, grid, align_corners=False)
        of_image, of_grid = torch.autograd.grad(out, (image, grid), g)
        return of_image / 2, of_grid


def test_an_image_at_its_own_pixels_in_torch():
    image = torch.tensor(IMAGE)[None, None]
    theta = torch.eye(2, 3, dtype=torch.float64)[None]

    def warped(sample):
        return lambda image, theta: sample(image, F.affine_grid(theta, [1, 1, 4, 4], align_corners=False))

    right = warped(lambda image, grid: F.grid_sample(image, grid, align_corners=False))
    found = {part.name: part.verdict for part in harness.check_gradient(right, (image, theta)).parts}
    assert (found["image"], found["theta"]) == ("accurate", "convention")
    assert harness.check_gradient(warped(Sampled.apply), (image, theta)).verdict == "wrong"


def histogram_in_jax(x, size):
    cells = jnp.floor(x).astype(int)
    return jnp.zeros(5).at[cells].add(1 - (x - cells)).at[cells + 1].add(x - cells) * size


def histogram_in_torch(x, size):
    cells = x.floor().long()
    zeros = torch.zeros(5, dtype=x.dtype)
    return zeros.index_add(0, cells, 1 - (x - cells)).scatter_add(0, cells + 1, x - cells) * size


@pytest.mark.parametrize("function", [histogram_in_jax, histogram_in_torch])
def test_what_is_added_up_at_an_index_is_there_for_its_side(function):
    size = np.array([1.0, 4.0, 2.0, 7.0, 0.0])
    with jax.enable_x64(True):
        of_x, of_size = harness.exact_gradient(
            lambda *args: function(*args).sum(), given(function, np.array([1.0, 2.5]), size)
        )
    assert np.allclose(ends(of_x), ([-2.0, 5.0], [3.0, 5.0]))
    assert np.allclose(ends(of_size), [0.0, 1.0, 0.5, 0.5, 0.0], rtol=0, atol=1e-30)


def test_a_volume_has_eight_cells_around_a_point():
    volume = np.random.default_rng(1).normal(size=(3, 3, 3))
    with jax.enable_x64(True):
        _, of_x = harness.exact_gradient(
            lambda v, x: map_coordinates(v, x, order=1).sum(), (jnp.asarray(volume), jnp.ones((3, 1)))
        )
    steps = [np.diff(np.moveaxis(volume, axis, 0)[:, 1, 1]) for axis in range(3)]
    assert np.allclose(np.array(ends(of_x))[..., 0].T, [sorted(s) for s in steps])


def test_a_table_that_jumps_has_the_slopes_of_its_sides():
    def steps(x, table):
        return (x * table[np.floor(x).astype(int)]).sum()

    x = np.array([2.0])
    for slope, verdict in [(3.0, "convention"), (-2.0, "convention"), (4.0, "wrong")]:
        found = harness.check_gradient(
            lambda x: steps(x, x[0] * 0 + TABLE), (x,), grad=lambda x, slope=slope: np.array([slope])
        )
        assert found.verdict == verdict, str(found)


BENDS = {
    "abs": (np.abs, lambda y: (-1.0, 1.0)),
    "relu": (lambda y: np.maximum(y, 0.0), lambda y: (0.0, 1.0)),
    "clip": (lambda y: np.clip(y, 0.0, 1.0), lambda y: (0.0, 1.0)),
}


@pytest.mark.parametrize("name", BENDS)
@pytest.mark.parametrize("seed", range(4))
def test_a_kink_of_what_is_read_at_a_jump_bends_there(name, seed):
    """Its surface is no hyperplane, and with a mixture of the cells the two numbers do not meet at all."""
    bend, slopes = BENDS[name]
    table = np.random.default_rng(seed).normal(size=5)
    table[2] = 0.0

    def function(x, table):
        return bend(in_numpy(x, table)).sum()

    try:
        of_x, of_table = harness.exact_gradient(function, (np.array([2.0]), table))
    except Undecided:
        return
    low, high = ends(of_table)
    assert low[2] <= min(slopes(0)) + 1e-12
    assert high[2] >= max(slopes(0)) - 1e-12
    steps = [table[2] - table[1], table[3] - table[2]]
    low, high = ends(of_x)
    assert low[0] <= min(k * step for k in slopes(0) for step in steps) + 1e-12
    assert high[0] >= max(k * step for k in slopes(0) for step in steps) - 1e-12


KNOTS = np.arange(5.0)


def by(cells):
    """Interpolation of a table between the cells that are found so."""
    return lambda x, table: (lambda i: (1 - (x - i)) * table[i] + (x - i) * table[i + 1])(cells(x))


def jnp_lerp(side):
    def function(x, table):
        knots = jnp.asarray(KNOTS)
        i = jnp.clip(jnp.searchsorted(knots, x, side=side) - 1, 0, 3)
        share = (x - knots[i]) / (knots[i + 1] - knots[i])
        return (1 - share) * table[i] + share * table[i + 1]

    return function


def torch_lerp(right):
    def function(x, table):
        knots = torch.tensor(KNOTS)
        i = (torch.searchsorted(knots, x, right=right) - 1).clamp(0, 3)
        share = (x - knots[i]) / (knots[i + 1] - knots[i])
        return torch.lerp(table[i], table[i + 1], share)

    return function


def numpy_lerp(x, table):
    """The knots are no argument: where they are read is decided."""
    i = np.clip(np.searchsorted(KNOTS, x) - 1, 0, 3)
    share = (x - KNOTS[i]) / (KNOTS[i + 1] - KNOTS[i])
    return (1 - share) * table[i] + share * table[i + 1]


BY_COMPARISONS = {
    "numpy lerp": numpy_lerp,
    "numpy digitize": by(lambda x: np.digitize(x, KNOTS) - 1),
    "numpy searchsorted": by(lambda x: np.maximum(np.searchsorted(KNOTS, x) - 1, 0)),
    "numpy count": by(lambda x: (x[:, None] >= KNOTS).sum(1) - 1),
    "numpy where": by(lambda x: np.where(x >= 2, 2, np.where(x >= 1, 1, 0))),
    "numpy argmax": by(lambda x: np.argmax(KNOTS[None, 1:] > x[:, None], axis=1)),
    "numpy two": by(lambda x: (x >= 1).astype(int) + (x > 2)),
    "jax interp": lambda x, table: jnp.interp(x, jnp.asarray(KNOTS), table),
    "jax searchsorted": jnp_lerp("left"),
    "jax searchsorted right": jnp_lerp("right"),
    "jax digitize": by(lambda x: jnp.digitize(x, jnp.asarray(KNOTS)) - 1),
    "jax count": by(lambda x: (x[:, None] >= jnp.asarray(KNOTS)).sum(1) - 1),
    "jax where": by(lambda x: jnp.where(x >= 2, 2, jnp.where(x >= 1, 1, 0))),
    "torch searchsorted": torch_lerp(False),
    "torch searchsorted right": torch_lerp(True),
    "torch bucketize": by(lambda x: torch.bucketize(x, torch.tensor(KNOTS), right=True) - 1),
    "torch count": by(lambda x: (x[:, None] >= torch.tensor(KNOTS)).sum(1) - 1),
    "torch where": by(lambda x: torch.where(x >= 2, 2, torch.where(x >= 1, 1, 0))),
}


def of(name, *arrays):
    with jax.enable_x64(True):
        kinds = {"numpy": np.asarray, "jax": jnp.asarray, "torch": torch.tensor}
        return tuple(map(kinds[name.split()[0]], arrays))


@pytest.mark.parametrize("name", BY_COMPARISONS)
def test_cells_that_comparisons_find_have_both_sides(name):
    function = BY_COMPARISONS[name]
    with jax.enable_x64(True):
        of_x, of_table = harness.exact_gradient(
            lambda *args: function(*args).sum(), of(name, np.array([1.0, 0.5, 2.0]), TABLE)
        )
    assert np.allclose(ends(of_x), ([-5.0, 2.0, -5.0], [2.0, 2.0, 7.0]))
    assert np.allclose(ends(of_table), [0.5, 1.5, 1.0, 0.0, 0.0], rtol=0, atol=1e-30)


@pytest.mark.parametrize("name", ["jax interp", "torch bucketize"])
def test_their_own_gradients_at_knots_are_legal(name):
    with jax.enable_x64(True):
        found = harness.check_gradient(BY_COMPARISONS[name], of(name, np.array([1.0, 0.5, 2.0]), TABLE))
    assert found.verdict == "convention", str(found)


@pytest.mark.parametrize(
    ("side", "factor", "verdict"),
    [("left", 1, "convention"), ("right", 1, "convention"), ("left", 1.5, "wrong"), ("right", 1.5, "wrong")],
)
def test_a_table_that_is_searched_has_the_slopes_of_its_sides(side, factor, verdict):
    def gradient(x, table):
        i = np.searchsorted(KNOTS, x, side)
        onto = np.zeros_like(table)
        np.add.at(onto, i, x)
        return factor * table[i], onto

    found = harness.check_gradient(
        lambda x, table: (x * table[np.searchsorted(KNOTS, x)]).sum(),
        (np.array([1.0, 2.0]), TABLE),
        grad=gradient,
    )
    assert found.verdict == verdict, str(found)


@pytest.mark.parametrize("name", ["numpy", "jax", "torch"])
def test_a_pixel_whose_coordinates_are_in_one_array(name):
    def sampled(image, at, cells):
        (a, b), (u, v) = cells.T, (at - cells).T
        upper = (1 - v) * image[a, b] + v * image[a, b + 1]
        return ((1 - u) * upper + u * ((1 - v) * image[a + 1, b] + v * image[a + 1, b + 1])).sum()

    cells = {
        "numpy": lambda at: np.floor(at).astype(int),
        "jax": lambda at: jnp.floor(at).astype(int),
        "torch": lambda at: at.floor().long(),
    }[name]
    with jax.enable_x64(True):
        of_image, of_x = harness.exact_gradient(
            lambda image, at: sampled(image, at, cells(at)),
            of(name, IMAGE, np.array([[1.0, 2.0], [0.5, 1.0]])),
        )
    expected = np.zeros((4, 4))
    expected[1, 2], expected[:2, 1] = 1, 0.5
    assert np.allclose(ends(of_image), expected, rtol=0, atol=1e-30)
    low, high = ends(of_x)
    one, other = np.diff(IMAGE, axis=0), np.diff(IMAGE, axis=1)
    assert np.allclose([low[0, 0], high[0, 0]], sorted([one[0, 2], one[1, 2]]))
    assert np.allclose([low[0, 1], high[0, 1]], sorted([other[1, 1], other[1, 2]]))
    assert np.allclose([low[1, 0], high[1, 0]], one[0, 1])


def test_knots_that_are_twice_there_are_passed_at_once():
    def function(x, table):
        knots = jnp.array([0.0, 1.0, 1.0, 2.0, 3.0])
        i = jnp.searchsorted(knots, x, side="right") - 1
        return (table[i] * x).sum()

    with jax.enable_x64(True):
        of_x, _ = harness.exact_gradient(function, of("jax", np.array([1.0, 1.5]), TABLE))
    assert np.allclose(ends(of_x), ([-2.0, -2.0], [1.0, -2.0]))
    assert np.array_equal(of_x.leaps, [True, False])


@pytest.mark.parametrize("at", [0.0, 2.0])
def test_a_number_that_stays_at_a_knot_has_one_side(at):
    of_x, of_table = harness.exact_gradient(
        lambda x, table: (table[np.searchsorted(KNOTS, np.maximum(x, 2.0))] * x).sum(),
        (np.array([at]), TABLE),
    )
    if at < 2:
        assert of_x.leaps is None
        assert np.allclose(ends(of_x), TABLE[2])
        assert np.allclose(ends(of_table), 0.0)
    else:
        assert of_x.leaps.all()
        assert np.allclose(ends(of_x), ([-2.0], [5.0]))


def test_a_number_that_jumps_itself_is_at_a_knot_on_one_side_alone():
    """Below 0 it is 2 and above -1; so slopes of the cell below the knot at 2 are not legal."""

    def function(x, table):
        u = np.where(x > 0, x - 1.0, 2.0 - x)
        return (x * table[np.searchsorted(KNOTS, u)]).sum()

    try:
        _, of_table = harness.exact_gradient(function, (np.array([0.0]), TABLE))
    except Undecided:
        return
    assert np.allclose(ends(of_table), 0.0)


def test_what_is_not_followed_is_not_claimed():
    """One index of two numbers at a jump has four sides, that of five has more than are written."""

    def function(x, table):
        return table[(x > 0).sum()] * x.sum()

    of_x, _ = harness.exact_gradient(function, (np.zeros(2), TABLE))
    assert np.allclose(ends(of_x), ([-2.0, -2.0], [3.0, 3.0]))
    with pytest.raises(Undecided, match="two numbers that decide a branch, a mask or an order are equal"):
        harness.exact_gradient(function, (np.zeros(4), TABLE))
    with pytest.raises(Undecided, match="two numbers that decide a branch, a mask or an order are equal"):
        harness.exact_gradient(
            lambda x, k: k[(x[:, None] > k[:3]).sum(1)] * x, (np.ones(2), KNOTS), cotangent=np.ones(2)
        )


@pytest.mark.parametrize("x", [[1.0, 0.5, 2.0], [2.0], [2.0, 2.0], [0.5, 2.5]], ids=str)
@pytest.mark.parametrize("of", [np.floor, lambda x: np.searchsorted(KNOTS, x) - 1], ids=["floor", "search"])
@pytest.mark.parametrize(("factor", "passes"), [(1.0, True), (1.1, False)])
def test_a_table_that_the_code_holds(x, of, factor, passes):
    """Neither it nor its knots are arguments: in NumPy each place is decided, and both sides are recorded."""

    def function(x):
        i = of(x).astype(int)
        return TABLE[i] + (x - KNOTS[i]) * (TABLE[i + 1] - TABLE[i])

    def pullback(g, x):
        i = np.floor(x).astype(int)
        return factor * g * (TABLE[i + 1] - TABLE[i])

    found = harness.check_gradient(function, (np.array(x),), vjp=pullback)
    assert found.passed == passes, str(found)
    whole = not np.any(np.array(x) % 1 == 0)
    assert found.verdict == (("accurate" if whole else "convention") if passes else "wrong")


def bilinear(image, at):
    cells = np.floor(at).astype(int)
    (a, b), (i, j) = (at - cells).T, cells.T
    upper = (1 - b) * image[i, j] + b * image[i, j + 1]
    return (1 - a) * upper + a * ((1 - b) * image[i + 1, j] + b * image[i + 1, j + 1])


def bilinear_grad(factor):
    def pullback(g, image, at):
        cells = np.floor(at).astype(int)
        (a, b), (i, j) = (at - cells).T, cells.T
        onto = np.zeros_like(image)
        for down, right, share in [
            (0, 0, (1 - a) * (1 - b)), (0, 1, (1 - a) * b), (1, 0, a * (1 - b)), (1, 1, a * b)
        ]:  # fmt: skip
            np.add.at(onto, (i + down, j + right), factor * g * share)
        below = image[i + 1, j] - image[i, j], image[i + 1, j + 1] - image[i, j + 1]
        beside = image[i, j + 1] - image[i, j], image[i + 1, j + 1] - image[i + 1, j]
        return onto, np.stack([
            g * ((1 - b) * below[0] + b * below[1]), g * ((1 - a) * beside[0] + a * beside[1])
        ], 1)  # fmt: skip

    return pullback


POINTS = {
    "two": [[2.0, 1.0], [1.0, 2.0]],
    "a row": [[1.0, 1.0], [1.0, 2.0]],
    "one twice": [[1.0, 1.0], [1.0, 1.0]],
    "on a line": [[2.0, 1.5]],
    "some": [[1.5, 1.0], [1.0, 1.2], [2.0, 2.0]],
    "a grid": [[i, j] for i in (1.0, 2.0) for j in (1.0, 2.0)],
}


@pytest.mark.parametrize("name", POINTS)
def test_all_sides_of_each_point_are_looked_at(name):
    """Else the hulls of the image's slopes stay, in which any wrong gradient lies."""
    arguments = IMAGE, np.array(POINTS[name])
    of_image, _ = harness.exact_gradient(bilinear, arguments, cotangent=np.ones(len(POINTS[name])))
    assert np.max(of_image.radius) < 1e-30
    for factor, passes in [(1, True), (0, False), (1.01, False)]:
        found = harness.check_gradient(bilinear, arguments, vjp=bilinear_grad(factor))
        assert found.passed == passes, str(found)
