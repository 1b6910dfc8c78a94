"""Pages of the site that live outside of docs/: the measured tables, the pages for contributors, the words.

On GitHub `../reports/power.md` is a link that works; here the same file becomes the page `reports/power.md`.
What `gradproof explain` says of every word becomes the page `words.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from harness.commands.explain import WORDS

ROOT = Path(__file__).parents[1]
TABLES = ("reports/suites.csv",)  # that pages lead to
TITLES = ("", "How: ", "For example: ", "What to do: ")


def on_files(files: Files, config: Any) -> Files:
    """Add what `nav` and pages name and docs/ does not have."""
    files.append(File.generated(config, "words.md", content=words()))
    for page in (*_pages(config.nav), *TABLES):
        if files.get_file_from_path(page) is None:
            files.append(File.generated(config, page, abs_src_path=str(ROOT / page)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lead a link out of docs/ to the page that it is here; `[1 2] [3 4]` in a table is no link."""
    if page.file.src_uri.startswith("reports/"):
        return markdown.replace("] [", "] \\[")
    for folder in ("reports/", "oracles/", "C"):
        markdown = markdown.replace(f"](../{folder}", f"]({folder}")
    return markdown


def words() -> str:
    """Every word of a table or a message, by its kind."""
    text = "# Words\n\nWhat `gradproof explain WORD` says, of every word of a table or a message.\n"
    for kind, entries in WORDS.items():
        text += f"\n## {kind.capitalize()}s\n"
        for word, entry in entries.items():
            said = [f"{title}{line}" for title, line in zip(TITLES, entry, strict=True) if line]
            text += f"\n### {word}\n\n" + "\n\n".join(map(_escaped, said)) + "\n"
    return text


def _escaped(text: str) -> str:
    """A line of plain text as Markdown."""
    return re.sub(r"([\\*_<\[\]])", r"\\\1", text) if "`" not in text else text


def _pages(nav: Any) -> Iterator[str]:
    """The paths in `nav`, a tree of lists and dictionaries."""
    if isinstance(nav, str):
        yield nav
    for branch in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _pages(branch)
