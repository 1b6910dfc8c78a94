"""A random program: steps that each know their own text in every dialect, and the source they make together.

Four dialects: `numpy`, `jax` and `torch` are what the frameworks run; `exact` is NumPy's text over arrays of
any numbers (mpmath's, see `numbers`), and says what the program means: it is no code of gradproof's.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from typing import Any

FRAMEWORKS = ("numpy", "jax", "torch")
IMPORTS = {
    "exact": "import numpy as np",
    "numpy": "import numpy as np\nimport scipy.special",
    "jax": "import jax\nimport jax.numpy as jnp\nfrom jax import lax",
    "torch": "import torch\nimport torch.nn.functional as F",
}
_files = count()


@dataclass(frozen=True)
class Step:
    """One statement, or several lines that belong together.

    Attributes:
        kind: Which construct it is, for the tables.
        operands: The names of the values that it reads.
        result: The name of what it gives.
        texts: By dialect, its lines: `{out}` is the result, `{0}` the first operand.
        outside: By dialect, what stands before the function (`{name}` is free for a definition).
        wrong: By dialect, the same with a mistake in the derivative; empty where there is none to make.
        writes: Whether it writes into its first operand, and gives nothing new.
    """

    kind: str
    operands: tuple[str, ...]
    result: str
    texts: dict[str, str]
    outside: dict[str, str]
    wrong: dict[str, str]
    writes: bool = False

    def lines(self, dialect: str) -> list[str]:
        """Its lines."""
        return self._filled(self.texts[dialect]).split("\n")

    def before(self, dialect: str, mistaken: bool = False) -> list[str]:
        """What stands before the function."""
        text = (self.wrong if mistaken else self.outside).get(dialect, "")
        return [*self._filled(text).split("\n"), ""] if text else []

    def _filled(self, text: str) -> str:
        for k, name in enumerate(self.operands):
            text = text.replace(f"{{{k}}}", name)
        return text.replace("{out}", self.result).replace("{name}", f"rule_{self.result}")


@dataclass(frozen=True)
class Program:
    """Steps over some arguments, and what they give back.

    Attributes:
        arguments: Their names.
        steps: In order.
        results: The names of what is returned: one, or several as a tuple.
        mistaken: The step whose derivative has a mistake, by its number; None where all are right.
    """

    arguments: tuple[str, ...]
    steps: tuple[Step, ...]
    results: tuple[str, ...]
    mistaken: int | None = None

    def source(self, dialect: str) -> str:
        """A module that can be pasted and run."""
        before = [line for k, s in enumerate(self.steps) for line in s.before(dialect, k == self.mistaken)]
        body = [f"    {line}" for s in self.steps for line in s.lines(dialect)]
        head = [IMPORTS[dialect], "", *before, f"def program({', '.join(self.arguments)}):"]
        return "\n".join([*head, *body, f"    return {', '.join(self.results)}", ""])

    def function(self, dialect: str, **names: Any) -> Callable[..., Any]:
        """The function itself; tracebacks and messages show its source."""
        source, file = self.source(dialect), f"<program {next(_files)}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        scope: dict[str, Any] = {"__name__": "program", **names}
        exec(compile(source, file, "exec"), scope)
        found: Callable[..., Any] = scope["program"]
        return found

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The constructs in it."""
        return tuple(dict.fromkeys(s.kind for s in self.steps))

    def needed(self) -> Program:
        """Without the steps that nothing needs; one that writes stays."""
        kept: list[Step] = []
        wanted = set(self.results)
        mistaken = None if self.mistaken is None else self.steps[self.mistaken]
        for step in reversed(self.steps):
            if step.writes or step.result in wanted or step is mistaken:
                kept.append(step)
                wanted.update(step.operands)
        kept.reverse()
        return replace(self, steps=tuple(kept), mistaken=None if mistaken is None else kept.index(mistaken))


def results_of(value: Any) -> Sequence[Any]:
    """What a program returned, as a sequence."""
    return value if isinstance(value, tuple) else (value,)
