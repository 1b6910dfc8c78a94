"""What people call gradients in a dictionary: the names of what they are of, or `dw`, `grad_w`, `w_grad`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

FORMS = ("{}", "d{}", "d_{}", "grad_{}", "{}_grad")


def under_own_names(found: dict[Any, Any], names: Collection[Any]) -> dict[Any, Any]:
    """The same under the names of what the gradients are of; as it is where one form does not fit all keys.

    So `{"w": ..., "dw": ...}` stays what it is, where both are names.
    """
    for form in FORMS:
        known = {form.format(name) if form != "{}" else name: name for name in names}
        if found.keys() <= known.keys():
            return {known[key]: part for key, part in found.items()}
    return found
