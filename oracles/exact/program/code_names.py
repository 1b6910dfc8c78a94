"""The names that code has: what it may look up, in its own words and in its strings."""

from __future__ import annotations

import dis
import re
import types
from collections.abc import Iterable
from typing import NamedTuple

from oracles.exact.program.identity import by_identity

# What gives by its name, a string, what no code names: a variable, and a module.
BY_NAME = frozenset(
    {"getattr", "setattr", "attrgetter", "methodcaller", "vars", "globals"}
    | {"__dict__", "getmembers", "eval", "exec"}
)


class NamesInCode(NamedTuple):
    """What code says, with the code inside it.

    Attributes:
        names: The names that it uses: globals and attributes, and what it finds by a string that it has.
        strings: The strings that it has.
        words: The names in these.
        imported: What it may import where it runs.
    """

    names: frozenset[str]
    strings: frozenset[str]
    words: frozenset[str]
    imported: frozenset[str]


def names_in(code: types.CodeType) -> frozenset[str]:
    """The names that code uses: globals and attributes, and what it finds by a string that it has."""
    return names_of_code(code).names


@by_identity
def names_of_code(code: types.CodeType) -> NamesInCode:
    """What code says; code never changes, so it is read once."""
    return _read(code)


def _read(code: types.CodeType) -> NamesInCode:
    inner = [names_of_code(const) for const in code.co_consts if isinstance(const, types.CodeType)]
    each = [const for own in code.co_consts for const in (own if type(own) is tuple else (own,))]
    strings = frozenset(const for const in each if type(const) is str).union(*(one.strings for one in inner))
    names, words = frozenset(code.co_names), frozenset(words_in(strings))
    imports = dis.opmap["IMPORT_NAME"] in code.co_code[::2]
    imported = names if imports else frozenset[str]()
    named = names if BY_NAME.isdisjoint(names) else names | words
    return NamesInCode(
        names=named.union(*(one.names for one in inner)),
        strings=strings,
        words=words,
        imported=imported.union(*(one.imported for one in inner)),
    )


def words_in(strings: Iterable[str]) -> set[str]:
    """The names in strings, as in "sub.name"; what is long is a text."""
    return {word for string in strings if len(string) <= 100 for word in re.findall(r"[^\W\d]\w*", string)}
