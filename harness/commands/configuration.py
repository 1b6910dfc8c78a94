"""Options that the command line leaves open: from the environment, then from pyproject.toml.

`GRADPROOF_JOBS=2`, and `jobs = 2` in `[tool.gradproof]`, are `--jobs 2` for every command that has the
option; `[tool.gradproof.report]` is for one command, and wins. All of the file is checked, whatever the
command; it is decoded and never run.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from cyclopts import App, ArgumentCollection, Token

from harness.selection import NothingSelected, UsageError, near_matches
from harness.settings import CASES, FILE, TABLE, listed_cases, nearest

PREFIX = "GRADPROOF_"
ALLOWED: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    Path: "a path, as a string",
    tuple: "a string or a list of strings",
}
Command = tuple[str, ...]  # its name, and before it those of the groups that it is in; () is all of them
Types = dict[str, Any]  # the options by name, with their types


@dataclass(frozen=True, slots=True)
class Setting:
    """An option, set for one command or a group: the words of a command line, and the place."""

    command: Command
    option: str
    words: tuple[str, ...]
    place: str


class ConfiguredApp(App):
    """A command line whose options may be set in the environment and in a file, too."""

    def __call__(self, tokens: str | Iterable[str] | None = None, **options: Any) -> Any:
        """Run a command; what it has to say against an option that was set elsewhere names the place.

        Raises:
            UsageError: A name or a value is not allowed, on the command line or elsewhere.
            NothingSelected: A pattern matches nothing.
        """
        used: list[Setting] = []
        self.config = (partial(_fill_in, self._known, used),)
        try:
            return super().__call__(tokens, **options)
        except (UsageError, NothingSelected) as problem:
            said = str(problem)
            named = [s.place for s in used if re.search(rf"--{s.option}\b|no {s.option} matches", said)]
            if named:
                problem.args = (f"{said} (set by {', '.join(named)})",)
            raise

    @cached_property
    def _known(self) -> dict[Command, Types]:
        """All commands with their options; cyclopts takes long to look at them."""
        return dict(_commands(self))


def _commands(app: App, group: Command = ()) -> Iterator[tuple[Command, Types]]:
    for name in app:
        if name.startswith("-"):
            continue
        command = app[name]
        arguments = command.assemble_argument_collection() if command.default_command else ()
        options = (a for a in arguments if a.index is None and a.name.startswith("--"))
        yield (*group, name), {a.name.removeprefix("--"): a.hint for a in options}
        yield from _commands(command, (*group, name))


def _fill_in(
    commands: Mapping[Command, Types],
    used: list[Setting],
    app: App,
    command: Command,
    arguments: ArgumentCollection,
) -> None:
    """What cyclopts calls when the command line is read: give a value to each option that has none."""
    types = _types(commands, ())
    in_file = (s for s in _in_file(commands, types) if command[: len(s.command)] == s.command)
    nearest_first = sorted(in_file, key=lambda setting: -len(setting.command))
    for setting in [*_in_environment(commands, types), *nearest_first]:
        for argument in arguments:
            if argument.name == f"--{setting.option}" and not argument.tokens:
                for word in setting.words:
                    argument.append(Token(keyword=setting.place, value=word, source=setting.place))
                used.append(setting)


def _types(commands: Mapping[Command, Types], group: Command) -> Types:
    """The options of all commands of a group; one name has one type in all of them."""
    inside = (types for name, types in commands.items() if name[: len(group)] == group)
    return {option: hint for types in inside for option, hint in types.items()}


def _in_environment(commands: Mapping[Command, Types], types: Types) -> Iterator[Setting]:
    for variable, text in sorted(os.environ.items()):
        option = variable.removeprefix(PREFIX).lower().replace("_", "-")
        if not variable.startswith(PREFIX) or not text:
            continue
        if option in types:
            place = f"{variable}={text}"
            yield Setting((), option, _words(text, types[option], place, Path(), strict=False), place)
        elif of_one := [(c, o) for c, own in commands.items() for o in own if option == "-".join((*c, o))]:
            command, name = of_one[0][0], of_one[0][1].replace("-", "_")
            raise UsageError(
                f"{variable} is set, and a variable is for all commands: set {PREFIX}{name.upper()}, or "
                f"{name} in [{'.'.join(('tool', TABLE, *command))}] of {FILE}"
            )
        elif difflib.get_close_matches(option, types):
            # One that resembles no option is for something else: a script's GRADPROOF_VERSION.
            raise UsageError(
                f"{variable} is set and there is no --{option}; {near_matches(option, list(types))}"
            )


def _in_file(commands: Mapping[Command, Types], types: Types) -> Iterator[Setting]:
    """The settings of the nearest file that has our table; `cases` are the catalogue's."""
    found = nearest()
    if found:
        path, table = found
        listed_cases()  # what is wrong with them is said whatever the command
        if isinstance(table, dict):
            table = {key: value for key, value in table.items() if key != CASES}
        yield from _in_table(table, (), commands, types, path)


def _in_table(
    table: Any, group: Command, commands: Mapping[Command, Types], types: Types, path: Path
) -> Iterator[Setting]:
    where = f"[{'.'.join(('tool', TABLE, *group))}] of {path}"
    if not isinstance(table, dict):
        raise UsageError(f"{where} is {json.dumps(table, default=str)}: it must be a table of options")
    for key, value in table.items():
        name = key.replace("_", "-")
        # `baseline` is a file for one command and a group of others: a table is the group's.
        if (*group, name) in commands and (isinstance(value, dict) or name not in types):
            yield from _in_table(value, (*group, name), commands, _types(commands, (*group, name)), path)
        elif name in types:
            place = f"{key} = {json.dumps(value, default=str)} in {where}"
            yield Setting(group, name, _words(value, types[name], place, path.parent, strict=True), place)
        else:
            inside = [c[-1] for c in commands if c[:-1] == group] + ([] if group else [CASES])
            raise UsageError(f"unknown key {key!r} in {where}; {near_matches(name, [*types, *inside])}")


def _words(value: Any, hint: Any, place: str, folder: Path, strict: bool) -> tuple[str, ...]:
    """A value as a command line would have it; a relative path starts at the folder of its file."""
    if get_origin(hint) is tuple and isinstance(value, str):
        value = [value] if strict else value.replace(",", " ").split()
    try:
        found = msgspec.convert(value, hint, strict=strict, dec_hook=lambda kind, text: kind(folder / text))
    except msgspec.ValidationError:
        found = ()
    words = tuple(map(str, found if isinstance(found, tuple) else (found,)))
    if not words:
        raise UsageError(f"{place}: it must be {_allowed(hint)}")
    return words


def _allowed(hint: Any) -> str:
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_allowed(part) for part in get_args(hint) if part is not NoneType)
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, get_args(hint)))}"
    return ALLOWED[get_origin(hint) or hint]
