"""One derivative that is not the derivative, with the line that shows it; and the page of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import torch

from tests.power.fault import address
from tests.power.function import Subject
from tests.power.points import Point
from tests.power.subjects import SUBJECTS

REPORTS = {
    ("torch.sigmoid", 1): "pytorch/pytorch#195681",
    ("torch.expm1", 1): "pytorch/pytorch#192406",
    ("torch.exp2", 1): "pytorch/pytorch#192407",
    ("F.silu", 2): "pytorch/pytorch#195682",
    ("jsp.i0", 1): "jax-ml/jax#39797",
    ("jnp.sinc", 1): "jax-ml/jax#40629",
    ("jnp.sqrt", 1): "jax-ml/jax#39799",
    ("jnp.tanh", 1): "jax-ml/jax#40343",
    ("jnp.tanh", 2): "jax-ml/jax#39801",
    ("jax.nn.selu", 1): "jax-ml/jax#39796",
    ("jnp.arcsinh", 1): "jax-ml/jax#40634",
    ("jnp.arccosh", 1): "jax-ml/jax#40634",
}


class Defect(NamedTuple):
    """One derivative at one point.

    Attributes:
        argument: In which argument (forward: None, along ones in all of them).
        element: In which element of it, where it is a row.
        points: At how many points this derivative fails.
    """

    label: str
    dtype: str
    mode: str
    order: int
    x: Point
    argument: int | None
    element: int | None
    computed: float
    true: str
    verdict: str
    bits_lost: float
    points: int = 1

    @property
    def subject(self) -> Subject:
        """Of what it is the derivative."""
        return SUBJECTS[self.label]

    @property
    def place(self) -> int | None:
        """Which of the point's numbers it is the derivative in."""
        if self.argument is None or self.element is None:
            return self.argument
        return self.argument * (len(self.x) // self.subject.call.rows) + self.element

    @property
    def report(self) -> str:
        """The public report of it that is known here."""
        return REPORTS.get((self.subject.call.name, self.order), "")

    @property
    def derivative(self) -> str:
        """Which derivative it is, in a few signs."""
        if self.argument is None:
            return f"{self.order}, forward"
        if len(self.x) == 1:
            return f"{self.order}"
        element = "" if self.element is None else f"[{self.element}]"
        return f"{self.order}, in {self.subject.names[self.argument]}{element}"

    @property
    def reproducer(self) -> str:
        """One line that gives what is computed."""
        call, moving = self.subject.call, self.subject.moving
        library = "torch.func" if call.is_torch else "jax"
        form = "torch.tensor({!r}, dtype=torch.{})" if call.is_torch else "np.{1}({0!r})"
        values = [form.format(v, self.dtype) for v in self.subject.arguments(self.x)]
        names = [n if k in moving else values[k] for k, n in enumerate(self.subject.names)]
        f, at = call.name, ", ".join(values[k] for k in moving)
        if not call.bare or len(moving) < len(names):
            f = f"lambda {', '.join(self.subject.names[k] for k in moving)}: {call.written(names)}"
        if self.argument is None:
            ones = ", ".join(f"{values[k]} * 0 + 1" for k in moving)
            comma = "," if len(moving) == 1 else ""
            return f"{library}.jvp({f}, ({at}{comma}), ({ones}{comma}))[1]"
        if self.order == 2 and len(self.x) == 1:
            f = f"{library}.grad({f})"
        elif self.order == 2 and len(moving) == 1:
            f = f"lambda x: {library}.grad({f})(x).sum()"
        elif self.order == 2:
            every = tuple(range(len(moving)))
            f = f"lambda *x: sum(g.sum() for g in {library}.grad({f}, {every})(*x))"
        which = moving.index(self.argument)
        return (
            f"{library}.grad({f}{f', {which}' if which else ''})({at})"
            f"{'' if self.element is None else f'[{self.element}]'}"
        )


def page(defects: Sequence[Defect]) -> str:
    """All defects in Markdown."""
    several = sum(len(d.x) > 1 for d in defects)
    reported = sum(d.report != "" for d in defects)
    lines = [
        "# Live defects",
        "",
        f"Derivatives that torch {torch.__version__} and JAX {jax.__version__} compute and that are "
        "not the derivatives, found by `make power` on the boundary corpus: for each function, dtype, mode, "
        "order and argument the point at which the most is lost, of so many that fail. Each was found again "
        "at that point alone, and its truth once more with mpmath by differences at up to 1500 digits. "
        "`imprecise`: the formula is right, and its execution loses digits that the input allows; "
        "`miscomputed`: not even what rounding allows; `wrong`: another formula. Order 1 is the derivative "
        "in one argument, or forward along ones in all of them; order 2 the derivative of the sum of all "
        "those of order 1. JAX runs with 64-bit numbers enabled; `F` is torch.nn.functional, `jsp` "
        "jax.scipy.special, `jnp` jax.numpy.",
        "",
        f"{len(defects)} entries, {several} of them of several numbers; {reported} have a public report "
        "known here.",
    ]
    for title, own in (
        ("Of one number", [d for d in defects if len(d.x) == 1]),
        ("Of several arguments", [d for d in defects if len(d.x) > 1 and not d.subject.call.rows]),
        ("Of rows", [d for d in defects if len(d.x) > 1 and d.subject.call.rows]),
    ):
        lines += ["", f"## {title}", "", *_table(own)]
    return "\n".join([*lines, ""])


def _table(defects: Sequence[Defect]) -> list[str]:
    lines = [
        "| function | dtype | order | at | computed | true | verdict | bits | points | reproduce | report |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for d in sorted(defects, key=lambda d: (d.label, d.dtype, d.order, d.mode, d.argument or 0)):
        link = f"[{d.report}]({address(d.report)})" if d.report else ""
        point = ", ".join(map(repr, d.x))
        cells = (
            d.label, d.dtype, d.derivative, point, repr(d.computed), d.true, d.verdict,
            f"{d.bits_lost:.1f}", d.points, f"`{d.reproducer}`", link,
        )  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines
