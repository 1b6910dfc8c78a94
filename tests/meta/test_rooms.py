"""Which room imports which, read from the source: the direction is one, and frameworks stay lazy."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FRAMEWORKS = {"jax", "jaxlib", "torch"}
WRITTEN_IN = {
    "jax_functions.py": {"jax"},
    "torch_functions.py": {"torch"},
    "in_jax.py": {"jax"},
    "in_torch.py": {"torch"},
    "torch_path.py": {"torch"},
    "jax_calls.py": {"jax"},
    "jax_run.py": {"jax"},
    "jax_parts.py": {"jax"},
    "jax_names.py": {"jax"},
    "jax_operands.py": {"jax"},
    "jax_ownership.py": {"jax"},
    "jax_loops.py": {"jax"},
    "jax_ending.py": {"jax"},
    "jax_programs.py": {"jax"},
    "torch_calls.py": {"torch"},
    "torch_state.py": {"torch"},
    "torch_gradients.py": {"torch"},
    "torch_operands.py": {"torch"},
    "torch_rules.py": {"torch"},
    "torch_held.py": {"torch"},
    "torch_pieces.py": {"torch"},
    "torch_modules.py": {"torch"},
    "torch_derivatives.py": {"torch"},
    "torch_trained.py": {"torch"},
    "torch_fast_paths.py": {"torch"},
    "jax_directions.py": {"jax"},
}


def sources(room):
    found = sorted((ROOT / room).rglob("*.py"))
    assert found
    return found


def typing_only(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports(source, lazy):
    """The modules imported; with `lazy`, inside functions too. What type checkers alone see is left out."""
    found = set()

    def visit(node):
        if typing_only(node):
            for child in node.orelse:
                visit(child)
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not lazy:
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            found.add(node.module)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(source))
    return found


def tops(path, lazy):
    return {name.partition(".")[0] for name in imports(path.read_text(encoding="utf-8"), lazy)}


@pytest.mark.parametrize(
    ("source", "at_once", "ever"),
    [
        ("import jax", {"jax"}, {"jax"}),
        ("import numpy as np, torch.nn", {"numpy", "torch.nn"}, {"numpy", "torch.nn"}),
        ("from jax.numpy import ones", {"jax.numpy"}, {"jax.numpy"}),
        ("def f():\n    import jax", set(), {"jax"}),
        ("class A:\n    import jax", {"jax"}, {"jax"}),
        ("class A:\n    def f(self):\n        import jax", set(), {"jax"}),
        ("try:\n    import torch\nexcept ImportError:\n    pass", {"torch"}, {"torch"}),
        ("if TYPE_CHECKING:\n    import jax\nelse:\n    import torch", {"torch"}, {"torch"}),
        ("if typing.TYPE_CHECKING:\n    import jax", set(), set()),
    ],
)
def test_the_reader_of_imports_sees_what_python_would_run(source, at_once, ever):
    assert imports(source, lazy=False) == at_once
    assert imports(source, lazy=True) == ever


def allowed_at_once(path):
    """The two catalogues, and in oracles/exact what says its framework in its file's or its folder's name."""
    if "exact" in path.parts:
        name = str(path.relative_to(ROOT / "oracles" / "exact"))
        words = (("jax", "jax"), ("aten", "torch"), ("torch", "torch"))
        return {framework for word, framework in words if word in name}
    return WRITTEN_IN.get(path.name, set())


@pytest.mark.parametrize(
    "path", sources("harness") + sources("oracles"), ids=lambda p: f"{p.parent.name}-{p.stem}"
)
def test_no_framework_is_imported_at_module_level(path):
    assert tops(path, lazy=False) & FRAMEWORKS <= allowed_at_once(path)


@pytest.mark.parametrize("path", sources("harness"), ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_the_harness_imports_no_framework(path):
    assert not tops(path, lazy=True) & FRAMEWORKS


@pytest.mark.parametrize("path", sources("oracles"), ids=lambda p: p.stem)
def test_oracles_import_the_harness_for_type_checking_only(path):
    assert "harness" not in tops(path, lazy=True)


@pytest.mark.parametrize("path", sources("reference"), ids=lambda p: p.stem)
def test_the_reference_imports_numpy_itself_and_the_standard_library(path):
    assert tops(path, lazy=True) - set(sys.stdlib_module_names) <= {"numpy", "reference"}


@pytest.mark.parametrize(
    ("name", "framework"), [("jax_functions.py", "jax"), ("torch_functions.py", "torch")]
)
def test_each_frameworks_catalogue_is_written_with_that_framework_alone(name, framework):
    """Importing the reference, NumPy or the other framework would make it a copy."""
    found = tops(ROOT / "oracles" / name, lazy=True) - set(sys.stdlib_module_names)
    assert found == {framework}


@pytest.mark.parametrize(
    "path", sources("harness") + sources("oracles"), ids=lambda p: f"{p.parent.name}-{p.stem}"
)
def test_nothing_imports_the_tests(path):
    draws = path == ROOT / "harness" / "strategies.py"  # for the users' tests
    assert not tops(path, lazy=True) & {"tests", "pytest", *(() if draws else ("hypothesis",))}


def test_every_oracle_class_is_final_and_the_abstract_one_cannot_be_made():
    import oracles
    from harness.runs import runner
    from oracles.exact_oracle import ExactOracle

    classes = [c for c in vars(oracles).values() if isinstance(c, type) and issubclass(c, oracles.Oracle)]
    concrete = {c for c in classes if c is not oracles.Oracle} | {ExactOracle}
    assert len(concrete) == 5
    assert {type(oracle) for oracle in runner.oracles().values()} == concrete
    assert all(getattr(c, "__final__", False) for c in concrete)
    with pytest.raises(TypeError, match="abstract"):
        oracles.Oracle()
