"""Answers by identity: one for each object that lives, whatever its hash and its idea of equality are."""

from __future__ import annotations

import gc
import weakref

from oracles.exact.program.identity import by_identity


class _Odd(type):
    """A type all of whose types are equal, and have no hash."""

    def __eq__(cls, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_each_has_its_own_answer_and_is_asked_once() -> None:
    asked = []

    @by_identity
    def named(kind: type) -> str:
        asked.append(kind.__name__)
        return kind.__name__

    one, two = _Odd("one", (), {}), _Odd("two", (), {})
    assert [named(kind) for kind in (one, two, one, two)] == ["one", "two", "one", "two"]
    assert asked == ["one", "two"]


def test_what_is_gone_is_forgotten() -> None:
    """Python gives its place to another object, which is not answered for by the first."""

    @by_identity
    def named(kind: type) -> str:
        return kind.__name__

    for k in range(3):
        kind = _Odd(f"kind{k}", (), {})
        gone = weakref.ref(kind)
        assert named(kind) == f"kind{k}"
        del kind
        gc.collect()
        assert gone() is None
    known = next(c.cell_contents for c in named.__closure__ if isinstance(c.cell_contents, dict))  # type: ignore[attr-defined]
    assert not known
