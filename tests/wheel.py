"""Build the wheel, install it in fresh environments, leave the checkout, and use it there: `make wheel`.

One environment has the base alone, as `pip install gradproof` gives it; the other sees the frameworks of the
environment that this runs in, which takes no second download.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from venv import EnvBuilder

from tests.meta.pages import STARTS, blocks, failures

ROOT = Path(__file__).parents[1]
EXAMPLES = [block for page in (ROOT / "README.md", *STARTS) for block in blocks(page, "python")]

LIBRARY = """
from array import array
import numpy as np


def gelu(x):
    return 0.5 * x * (1 + np.tanh(0.79788456 * (x + 0.044715 * x**3)))


def gelu_backward(g, x):
    t = np.tanh(0.79788456 * (x + 0.044715 * x**3))
    return g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.79788456 * (1 + 0.134145 * x**2))


def wrong_backward(g, x):
    return gelu_backward(g, x) * 1.01


def opaque(x):
    return np.array(array('d', x))
"""
USE = """
import numpy as np, gradproof, harness, mylib
x = np.array([0.3, -1.2, 2.0])
assert "site-packages" in harness.__file__ and "site-packages" in mylib.__file__, harness.__file__
assert gradproof.check_gradient(lambda x: mylib.gelu(x), (x,), vjp=mylib.gelu_backward).passed
found = gradproof.check_gradient(mylib.gelu, (x,), vjp=mylib.wrong_backward)
assert found.verdict == "wrong" and not found, found
try:
    page = found.to_html()
except ImportError as missing:
    assert "pip install 'gradproof[html]'" in str(missing), missing
else:
    assert "<script" in page
assert "wrong" in found._repr_html_()
said = gradproof.check_gradient(mylib.opaque, (x,), vjp=lambda g, x: g).diagnosis
assert "mylib" in said and "return np.array(array('d', x))" in said, said
"""
JUDGED = """
import numpy as np, gradproof, mylib
for dtype in ("float32", "float64"):
    x = np.linspace(-3, 3, 12).astype(dtype)
    for vjp in (mylib.gelu_backward, mylib.wrong_backward):
        found = gradproof.check_gradient(mylib.gelu, (x,), vjp=vjp)
        print(dtype, found.verdict, [f"{part.judgement.bits_lost:.1f}" for part in found.parts])
"""
DOCTOR = """
from harness.commands.doctor import examine_machine
print(next(finding for finding in examine_machine() if finding.what == "fast core"))
"""
SUITE = """
import numpy as np
import gradproof
import mylib

X = np.array([0.3, -1.2, 2.0])


def test_right(gradient):
    gradient.check(mylib.gelu, (X,), vjp=mylib.gelu_backward)


def test_wrong(gradient):
    gradient.check(mylib.gelu, (X,), vjp=mylib.wrong_backward)


def test_direct():
    assert gradproof.check_gradient(mylib.gelu, (X,), vjp=mylib.gelu_backward)
"""


class Environment:
    """A virtual environment, and a folder outside the checkout to work in."""

    def __init__(self, home: Path, wheel: Path, *options: str) -> None:
        EnvBuilder(with_pip=True, clear=True).create(home / "env")
        folder = home / "env" / ("Scripts" if os.name == "nt" else "bin")
        self.python, self.script = folder / "python", folder / "gradproof"
        self.work = home / "work"
        self.work.mkdir()
        self.run(self.python, "-m", "pip", "install", "--quiet", wheel, *options)
        (code,) = self.run(
            self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"
        ).split()
        self.packages = Path(code)

    def run(self, *command: str | Path, code: int = 0) -> str:
        """Its output.

        Raises:
            SystemExit: Another exit code came; the message has all that was printed.
        """
        env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
        found = subprocess.run(
            [str(c) for c in command], cwd=self.work, env=env, capture_output=True, text=True, check=False
        )
        if found.returncode != code:
            shown = " ".join(str(c) for c in command)[:200]
            raise SystemExit(f"{shown}: exit {found.returncode}, not {code}\n{found.stdout}\n{found.stderr}")
        return found.stdout

    def runs(self, code: str) -> None:
        """Run Python code; a warning is an error."""
        self.run(self.python, "-W", "error", "-c", code)

    def shows(self, *frameworks: str) -> None:
        """Run the examples of README and of the first pages that need these.

        Raises:
            SystemExit: One failed, or prints something else than it says.
        """
        shown = [block for block in EXAMPLES if block.framework in frameworks]
        with TemporaryDirectory() as folder:
            if said := failures(shown, Path(folder), str(self.python), path=""):
                raise SystemExit("\n".join(said))


@contextmanager
def step(name: str) -> Iterator[None]:
    """Say what is done."""
    print(f"{name} ...", end=" ", flush=True)
    yield
    print("right", flush=True)


def built(folder: Path) -> Path:
    """The wheel, built from the source distribution; with its types and metadata."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    roots = {n.partition("/")[0] for n in names if ".dist-info" not in n}
    assert roots == {"gradproof", "harness", "oracles", "reference", "gradproof_pytest.py"}, roots
    assert {f"{r}/py.typed" for r in roots if "." not in r} <= set(names)
    assert any(n.startswith("oracles/exact/core/_core.") for n in names), "the fast core was not compiled"
    assert not wheel.stem.endswith("-any"), f"{wheel.name} holds compiled code"
    assert {"page.html", "page.css", "page.js", "notebook.html"} <= {n.rpartition("/")[2] for n in names}
    metadata = zipfile.ZipFile(wheel).read(next(n for n in names if n.endswith("METADATA"))).decode()
    for field in ("Project-URL: Homepage", "Classifier: Typing :: Typed", "Keywords: ", "License-File: "):
        assert field in metadata, field
    text = metadata.partition("\n\n")[2]  # the README, as an index shows it
    dead = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith(("http", "#"))]
    assert not dead, f"links that an index cannot follow: {dead}"
    return wheel


def without_compiler(folder: Path) -> Path:
    """The wheel as a machine builds it that has no compiler."""
    (nothing := folder / "nothing").mkdir()
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    env = {**os.environ, "CC": str(nothing / "cc"), "PATH": str(nothing)}
    subprocess.run(command, check=True, capture_output=True, env=env)
    (wheel,) = folder.glob("*.whl")
    assert wheel.stem.endswith("-py3-none-any"), wheel.name
    assert not [n for n in zipfile.ZipFile(wheel).namelist() if "/_core." in n], "a core of another machine"
    return wheel


def main() -> int:
    """Use it as its users do."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with step("the wheel is built from the source distribution, whole"):
            wheel = built(folder)
        constraints = ("--constraint", str(ROOT / "constraints.txt"))
        with step("the base alone is installed"):
            (folder / "base").mkdir()
            base = Environment(folder / "base", wheel, "pytest", *constraints)
            (base.packages / "mylib.py").write_text(LIBRARY, encoding="utf-8")
        with step("the fast core is used"):
            assert "compiled" in (said := base.run(base.python, "-c", DOCTOR)), said
            judged = base.run(base.python, "-c", JUDGED)
        with step("an installed library is judged like a checkout, and its lines are named"):
            base.runs(USE)
        with step("the examples without a framework run"):
            base.shows("numpy")
        with step("the main job runs without a framework"):
            assert "softmax_loss" in base.run(base.script, "report", "--quick")
        with step("a function of one's own is checked by its name"):
            check = (base.script, "check", "mylib:gelu", "--shape", "4")
            base.run(*check, "--vjp", "mylib:gelu_backward")
            base.run(*check, "--vjp", "mylib:wrong_backward", code=1)
        with step("the plugin works in a foreign project"):
            (base.work / "test_theirs.py").write_text(SUITE, encoding="utf-8")
            said = base.run(base.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", code=1)
            assert "1 failed, 2 passed" in said, said
            assert re.search(r"\d checked: .*1 wrong", said), said
        with step("without a compiler the verdicts are the same, and what the doctor says helps"):
            (folder / "pure").mkdir()
            plain = without_compiler(folder / "pure")
            base.run(base.python, "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", plain)
            assert "it was not built" in (said := base.run(base.python, "-c", DOCTOR)), said
            assert base.run(base.python, "-c", JUDGED) == judged, judged
            base.run(base.python, "-m", "oracles.exact.core.build")
            assert "compiled" in (said := base.run(base.python, "-c", DOCTOR)), said
        with step("all frameworks are seen"):
            (folder / "full").mkdir()
            full = Environment(folder / "full", wheel, "--no-deps")
            (full.packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
        with step("the examples of torch and JAX run"):
            full.runs("\n".join(["import harness", 'assert "env" in harness.__file__.split("/")']))
            full.shows("torch")
            full.shows("jax")
        with step("the main job runs with all frameworks"):
            said = full.run(full.python, "-m", "harness", "report", "--quick", "--jobs", "2")
            assert all(word in said for word in ("jax", "torch", "exact"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
