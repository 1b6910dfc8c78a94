"""The pictures of README and docs are those that are drawn now."""

import re

import pytest

from tests.meta.pictures import FOLDER, drawn, unlike


@pytest.fixture(scope="module")
def now():
    return drawn()


def test_every_picture_is_current_and_shown(now):
    files = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert files.keys() == now.keys()
    stale = {name: said for name, text in now.items() if (said := unlike(files[name], text))}
    assert stale == {}, "draw them anew with `make pictures`"
    pages = [FOLDER.parents[1] / "README.md", FOLDER.parent / "page.md"]
    shown = re.findall(r"pictures/([\w-]+\.svg)", "".join(page.read_text(encoding="utf-8") for page in pages))
    assert set(shown) == files.keys()


def test_a_picture_that_says_or_draws_something_else_is_told(now):
    text = now["tensor.svg"]
    assert unlike(text, text) == ""
    assert unlike(text, text.replace("bits lost", "bits kept"))
    assert unlike(text, re.sub(r"computed: \d", "computed: x", text, count=1))
    assert unlike(text, text.replace("stroke-width", "stroke-height", 1))
