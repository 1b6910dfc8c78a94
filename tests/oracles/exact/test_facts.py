"""What is known of each primitive, and what is missing: a new one has to say so here."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

import oracles.exact
from oracles.exact import program
from oracles.exact.program import primitives
from oracles.exact.program.program import PRIMITIVES

for module in walk_packages(program.__path__, f"{program.__name__}."):  # each may define primitives
    import_module(module.name)
ROOT = Path(oracles.exact.__file__).parent
COMPARISONS = {"lt", "le", "gt", "ge", "eq", "ne"}
STEPS = {"sign", "floor", "ceil", "round", "trunc"}
AROUND = {f"{name}_around" for name in STEPS}  # at their jumps, in a derivative
QUOTIENTS = {"integer_div", "integer_rem", "integer_floor_div", "integer_floor_rem"}
LOGIC = {"and", "or", "xor", "not", "reduce_and", "reduce_or"} | QUOTIENTS
ORDERS = {"argmax", "argsort"}
KINDS = {"is_nan", "is_infinite", "surely_larger", "surely_equal"}
EXACT = COMPARISONS | LOGIC | ORDERS | KINDS  # their results are no floats
MATRICES = {"matrix_exp", "matrix_exp_along", "solve", "det", "cholesky", "eigenvalues", "eigenvectors"}
MATRICES |= {"least_squares", "orthonormal", "triangular"}
MATRICES |= {f"{of}_eigen{what}" for of in ("complex", "hermitian") for what in ("values", "vectors")}
CHOICES = {"lapack_signs", "lapack_gauge", "lapack_phases"}
CONSTANT = {
    "constant",
    "pi",
    "cosines",
    "detach",
    "anchor",
    "nearest",
    "no_grad",
    "signed",
    "weights",
}
CONSTANT |= CHOICES | STEPS | AROUND | EXACT
MOVES = {"reshape", "permute", "broadcast", "take", "concatenate"}
LINEAR = MOVES | {
    "add",
    "sub",
    "neg",
    "scale",
    "convert",
    "reduce_sum",
    "cumsum",
    "scatter_add",
    "matmul",
    "matrix_exp_along",
    "solve",
    "least_squares",
    "undetermined_along",
    "symmetric",
    "no_slope",
}
LINEAR |= {"select", "blend", "mixture", "arrange"}
OPENED = COMPARISONS | MOVES | KINDS | LOGIC - QUOTIENTS | {"select", "convert"}
ROWS = {
    "reduce_max",
    "reshape",
    "permute",
    "broadcast",
    "take",
    "detach",
    "no_grad",
    "convert",
    "maximum",
    "select",
    "sub",
}
ROWS |= {"taylor", "reduce_sum", "eq"}
UNMODELLED = {"holomorphic", "unknown"}  # nothing is known of SciPy's kernels of complex numbers
EVERY = set(PRIMITIVES)
FACTS = {
    "evaluate": EVERY,
    "jvp": EVERY - CONSTANT,
    "transpose": LINEAR,
    "rounded": EVERY - EXACT - UNMODELLED,
    "opened": OPENED,
    "rows": ROWS,
    "comparison": COMPARISONS,
    "edge": COMPARISONS - {"eq", "ne"} | ORDERS,  # where two numbers are equal is an isolated point
    "jumps": COMPARISONS | STEPS | AROUND | ORDERS,
    "apart": STEPS | ORDERS | {"maximum", "minimum", "reduce_max", "reduce_min", "matmul", "cumsum", "sort"},
    "terms": {"add", "sub", "reduce_sum"},
    "itself": COMPARISONS | {"sub"},
    "around": STEPS | {"select", "convert", "taylor"},
    "cost": MATRICES | {"matmul", "taylor"},
    "kink": AROUND | {"blend", "weights", "mixture", "arrange", "edge_rate", "unit"},
}


def test_the_table_is_about_every_fact():
    assert set(FACTS) | {"name"} == set(primitives.arithmetic.add.__dataclass_fields__)


@pytest.mark.parametrize("fact", FACTS)
def test_every_primitive_has_the_fact_or_is_known_to_lack_it(fact):
    lacks = (None,) if fact == "itself" else (None, False)  # what a number and itself give may be 0, or false
    assert {name for name, p in PRIMITIVES.items() if getattr(p, fact) not in lacks} == FACTS[fact]


@pytest.mark.parametrize("name", sorted(COMPARISONS))
def test_the_opposite_of_a_comparison_is_its_own(name):
    comparison = PRIMITIVES[name].comparison
    opposite = PRIMITIVES[comparison.opposite].comparison
    assert opposite.opposite == name
    assert (comparison.larger is None) == (opposite.larger is None)


def test_no_table_elsewhere_is_keyed_by_a_primitive_s_name():
    """Sets and dictionaries of names that are looked up by `primitive.name`."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted(ROOT.rglob("*.py"))
        if "from_jaxpr" not in path.parts  # there it is JAX's own primitives that have names
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"primitive\.name (not )?in|\w\[[\w.]*primitive\.name\](?! = )", line)
    ]
    assert found == []
