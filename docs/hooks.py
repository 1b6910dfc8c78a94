"""Pages of the site that live outside of docs/: the measured tables, and the pages for contributors.

On GitHub `../reports/power.md` is a link that works; here the same file becomes the page `reports/power.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]


def on_files(files: Files, config: Any) -> Files:
    """Add what `nav` names and docs/ does not have."""
    for page in _pages(config.nav):
        if files.get_file_from_path(page) is None:
            files.append(File.generated(config, page, abs_src_path=str(ROOT / page)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lead a link out of docs/ to the page that it is here; `[1 2] [3 4]` in a table is no link."""
    if page.file.src_uri.startswith("reports/"):
        return markdown.replace("] [", "] \\[")
    return markdown.replace("](../reports/", "](reports/").replace("](../C", "](C")


def _pages(nav: Any) -> Iterator[str]:
    """The paths in `nav`, a tree of lists and dictionaries."""
    if isinstance(nav, str):
        yield nav
    for branch in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _pages(branch)
