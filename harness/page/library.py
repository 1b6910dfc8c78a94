"""The libraries of the extra `html`, imported where they are used; without one the error says what to do."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.files import replace_file

TEMPLATES = Path(__file__).parent / "templates"
LIBRARIES = ("altair", "jinja2", "vl_convert")
PART = re.compile(r"\b(?:clip|gradient_)\d+\b")
ADVICE = "pip install 'gradproof[html]'"


class MissingLibrary(ImportError):
    """A page or a picture was asked for, and a library that makes it is not installed."""


def library(name: str) -> ModuleType:
    """A library of the extra.

    Raises:
        MissingLibrary: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as problem:
        raise MissingLibrary(f"pages and pictures need {name}, which is not here: {ADVICE}") from problem


def template(name: str) -> Any:
    """A template of this room; what is filled into it is escaped."""
    jinja = library("jinja2")
    environment = jinja.Environment(
        loader=jinja.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(name)


def svg(spec: dict[str, Any]) -> str:
    """A chart as SVG, the same for the same chart.

    Vega numbers its parts over all charts of a process; here they are named by what is drawn, so that two
    pictures on one page have names of their own.
    """
    text = str(library("vl_convert").vegalite_to_svg(json.dumps(spec)))
    own = hashlib.sha256(PART.sub("", text).encode()).hexdigest()[:8]
    names = list(dict.fromkeys(PART.findall(text)))
    return PART.sub(lambda found: f"g{own}-{names.index(found[0])}", text)


def png(spec: dict[str, Any]) -> bytes:
    """A chart as PNG."""
    return bytes(library("vl_convert").vegalite_to_png(json.dumps(spec), scale=2.0))


def confirm() -> None:
    """Say so at once if a library is missing, before seconds are spent on what a page shows.

    Raises:
        MissingLibrary: One is not installed.
    """
    for name in LIBRARIES:
        library(name)


@cache
def drawing() -> str:
    """Vega as one script, for a page that asks no network. Making it takes seconds, so it is kept."""
    converter = library("vl_convert")
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "gradproof")
    kept = folder / f"vega-{converter.__version__}.js"
    try:
        return kept.read_text(encoding="utf-8")
    except OSError:
        pass
    made = str(converter.javascript_bundle())
    with suppress(OSError):  # a home that cannot be written into: it is made again next time
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(kept, made)
    return made
