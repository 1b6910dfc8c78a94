"""What people call gradients in a dictionary: the names of what they are of, or `dw`, `grad_w`, `w_grad`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

FORMS = ("{}", "d{}", "d_{}", "grad_{}", "{}_grad")


def under_own_names(found: dict[Any, Any], names: Collection[Any]) -> dict[Any, Any]:
    """The same under the names of what the gradients are of; as it is where no form fits all keys, or names.

    So `{"w": ..., "dw": ...}` stays what it is, where both are names.
    """
    for form in FORMS:
        known = {form.format(name) if form != "{}" else name: name for name in names}
        if found.keys() <= known.keys() or known.keys() <= found.keys():
            return {known.get(key, key): part for key, part in found.items()}
    return found


def named_as(given: Any, part: Any) -> Any:
    """Gradients in dictionaries, lists and tuples of these too, named as the argument's entries are."""
    if type(part) is type(given) is dict:
        return {key: named_as(given.get(key), one) for key, one in under_own_names(part, given).items()}
    if type(part) in {list, tuple} and isinstance(given, list | tuple) and len(part) == len(given):
        return type(part)(map(named_as, given, part))
    return part
