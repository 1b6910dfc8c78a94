"""All functions whose derivatives are tried, in each library that has them."""

from __future__ import annotations

from tests.power import rows, several, unary
from tests.power.function import Subject

SUBJECTS = {
    subject.label: subject
    for table in (unary.FUNCTIONS, several.FUNCTIONS, rows.FUNCTIONS)
    for function in table.values()
    for subject in (Subject(call, function) for call in (function.torch, function.jax) if call)
}
