"""The tables of the documents' outputs and of the learning."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from harness.book.documents import Reproduced
from harness.book.learning import Learned
from harness.report.tables import Table, frame_of

LEARNING_COLUMNS = (
    "source", "steps", "first_loss", "last_loss", "held_out_accuracy", "max_loss_difference",
    "max_parameter_difference", "time_s", "reason",
)  # fmt: skip


def documents(rows: Sequence[Reproduced]) -> Table:
    """What the document prints, and what we print."""
    frame = frame_of(dataclasses.asdict(row) for row in rows)
    return Table(
        "documents",
        "The document's printed outputs, digit for digit",
        frame.sort_values("equal", kind="stable"),
        ("equal", "what", "documented", "ours", "proven"),
        "proven: with exact gradients, in exact arithmetic",
    )


def learning(rows: Sequence[Learned]) -> Table:
    """The four steps of learning on real digits, per gradient source."""
    frame = frame_of(dataclasses.asdict(row) for row in rows)
    return Table(
        "learning",
        "Learning: TwoLayerNet(784, 100, 10) on 4,000 MNIST digits, 1,000 held out",
        frame,
        LEARNING_COLUMNS,
        "each source starts from the same weights and sees the same mini-batches of 100 at rate 0.1; "
        "differences are to the first source's run",
    )
