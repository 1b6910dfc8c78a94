"""The page in a real browser: read, filtered, sorted, pointed at and typed at, on a desk and on a phone.

It is asked of the Chromium of the system, and skipped where there is none.
"""

import itertools
import random
import shutil

import numpy as np
import pytest

import harness
from harness.page import sweep
from harness.page.document import Document, Section, page
from harness.page.leaf import Leaves, grow
from tests.harness.page.subjects import X, called, data_of, gelu, gelu_backward
from tests.sampling import long

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
playwright = pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
DRAWN = """document.body.dataset.ready && [...document.querySelectorAll("main > :not([hidden]) .chart")]
    .every(chart => chart.dataset.ready)"""

HEADINGS = """[...document.querySelectorAll("h1, h2, h3, h4")].filter(one => one.offsetParent)
    .map(one => one.tagName)"""


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def html():
    gelu.__name__ = gelu_backward.__name__ = "<script>gelu"
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sweep, "COUNT", 24)
            patch.setattr(sweep, "START", 20)
            found = harness.check_gradient(gelu, (X,), vjp=gelu_backward, boundary=["zeros", "saturated-40"])
            return found.to_html("gradproof check <script>gelu")
    finally:
        gelu.__name__, gelu_backward.__name__ = "gelu", "gelu_backward"


class Page:
    """An open page, with what the console said and what was asked of the network."""

    def __init__(self, browser, file, width, scheme="light"):
        self.trouble = []
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page.on("console", lambda said: self.trouble.append(said.text))
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("request", lambda asked: asked.url.startswith("file:") or self.trouble.append(asked.url))
        self.page.set_default_timeout(5000)
        self.page.goto(file.as_uri())
        self.wait()

    def wait(self):
        """Until every chart is drawn."""
        for _ in range(300):
            if self.page.evaluate(DRAWN):
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"not drawn: {self.trouble}")


@pytest.fixture
def opened(browser, html, tmp_path):
    file = tmp_path / "page.html"
    file.write_text(html, encoding="utf-8")
    pages = []

    def opening(width, scheme="light"):
        pages.append(Page(browser, file, width, scheme))
        return pages[-1]

    yield opening
    for one in pages:
        one.page.close()
        assert one.trouble == []


def test_rows_are_filtered_and_sorted_in_place_and_lead_to_their_pages(opened):
    one = opened(1440)
    page = one.page
    assert page.locator("h1").inner_text() == "<script>gelu: imprecise"
    assert page.locator("#home .rows tbody tr").count() == 3
    page.keyboard.press("/")
    page.keyboard.type("zeros")
    assert page.locator("#home .rows tbody tr").count() == 1
    page.locator("#filter").fill("")
    page.locator(".rows th button", has_text="Point").click()
    assert page.locator("#home .rows tbody td.input").all_inner_texts() == ["given", "saturated-40", "zeros"]
    page.locator(".rows th button", has_text="Point").click()
    assert page.locator("#home .rows tbody td.input").first.inner_text() == "zeros"
    page.select_option('[aria-label="verdict"]', "accurate")
    assert page.locator("#home .rows tbody tr").count() == 2
    page.locator("#home .rows tbody tr a").first.click()
    one.wait()
    assert page.locator("#leaf h2").inner_text() == "<script>gelu / x"
    page.locator("#home").wait_for(state="hidden")
    page.keyboard.press("Escape")
    page.locator("#home").wait_for(state="visible")


def test_a_dot_says_its_numbers_and_a_cell_what_it_holds(opened, html):
    one = opened(1440)
    page, data = one.page, data_of(html)
    row = data["rows"][0]
    points = [called(data["columns"]["point"], p) for p in data["sweeps"][row["sweep"]]["points"]]
    given = next(p for p in points if p["x"] == "-7")
    dots = page.locator("#first figure .mark-symbol.role-mark path[aria-label*='-7;']")
    box = dots.first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_timeout(100)
    said = page.locator("#vg-tooltip-element").inner_text()
    assert given["computed"] in said
    assert given["true"] in said
    cells = [called(data["columns"]["cell"], c) for c in data["tensors"][row["tensor"]]["cells"]]
    rectangles = page.locator("#first .heat .mark-rect.role-mark path")
    rectangles.nth(4).click()
    assert cells[4]["true"] in page.locator("#first .told").inner_text()
    page.keyboard.press("ArrowLeft")
    assert cells[3]["true"] in page.locator("#first .told").inner_text()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark")])
def test_a_phone_shows_it_in_its_width_in_the_dark_too(opened, width, scheme):
    page = opened(width, scheme).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ink, paper = (
        page.evaluate(f"getComputedStyle(document.body).{name}.match(/\\d+/g).map(Number)")
        for name in ("color", "backgroundColor")
    )
    assert (np.mean(ink) > np.mean(paper)) == (scheme == "dark")
    assert page.locator("#first .why").inner_text().startswith("tanh at subjects.py")


def large():
    """A report of 2,000 rows, some of them with their error over the input."""
    rng, leaves = random.Random(0), Leaves()
    for k in range(2000):
        told = {"function": f"package.function_{k // 8}", "system": f"system {k % 2}", "dtype": "float64"}
        told |= {"input": f"point {k // 2 % 4}", "verdict": "imprecise", "outcome": "info", "digits": 53}
        told |= {"bits_lost": rng.random(), "error_ulp": rng.random(), "where": f"x[{k}]"}
        told["diagnosis"] = f"tanh at kernels.py:{rng.randrange(900)} contributes {rng.randrange(99)} %"
        points = [
            ["1", j / 100 - 1, "0.5", repr(rng.random()), *(rng.random() for _ in range(4)), "wrong"]
            for j in range(200 if k % 100 == 0 else 0)
        ]
        over = {"argument": "x", "dtype": "float64", "digits": 53, "budget": 26, "given": ["1", 0.5]}
        grow(leaves, told, {"sweep": {**over, "points": points}} if points else {})
    return page(Document("large", leaves))


@long
def test_two_thousand_rows_open_in_two_seconds_and_come_as_one_scrolls(browser, tmp_path):
    file = tmp_path / "large.html"
    file.write_text(large(), encoding="utf-8")
    assert file.stat().st_size < 4_000_000
    own = browser.new_page(viewport={"width": 1440, "height": 900})
    try:
        session = own.context.new_cdp_session(own)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})  # a busy machine is not counted
        own.goto(file.as_uri())
        own.locator("body[data-ready]").wait_for(state="attached")  # no eval: the page forbids it
        taken = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        assert taken["TaskDuration"] < 2
        rows = own.locator("#home .rows tbody tr")
        assert rows.count() < 1000
        assert own.locator("#many").inner_text() == "2000 of 2000 rows"
        own.locator("#filter").fill("function_249")
        assert own.locator(".matrix tbody tr:visible").count() == 1
        own.locator("#filter").fill("")
        before = rows.count()
        rows.last.scroll_into_view_if_needed()
        playwright.expect(rows).not_to_have_count(before)
        own.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert rows.count() == 2000
    finally:
        own.close()


def test_on_a_phone_a_function_s_name_in_the_matrix_is_whole_and_each_verdict_says_its_dtype(
    browser, tmp_path
):
    file = tmp_path / "large.html"
    file.write_text(large(), encoding="utf-8")
    own = browser.new_page(viewport={"width": 390, "height": 844})
    try:
        own.goto(file.as_uri())
        own.locator("body[data-ready]").wait_for(state="attached")
        row = own.locator(".matrix tbody tr").first
        name, cell = row.locator("th").bounding_box(), row.locator("td").first
        assert name["height"] < 40  # one line
        assert cell.bounding_box()["y"] > name["y"]
        assert cell.get_attribute("data-kind") == "system 0 float64"
        assert own.evaluate("document.documentElement.scrollWidth") == 390
    finally:
        own.close()


@pytest.mark.parametrize("systems", [1, 2])
def test_headings_skip_no_level_and_one_place_is_the_main_one(browser, tmp_path, systems):
    """With one system a page begins with its worst row, and so with a heading of its own."""
    leaves = Leaves()
    for k in range(4):
        told = {"function": "f", "system": f"system {k % systems}", "input": f"point {k}", "verdict": "wrong"}
        grow(leaves, {**told, "command": "gradproof check f"}, {})
    file = tmp_path / "page.html"
    file.write_text(page(Document("f", leaves, (), "gradproof report", (Section("times", "Times"),))))
    own = browser.new_page()
    try:
        own.goto(file.as_uri())
        for place in ("", "#row-0"):
            own.goto(f"{file.as_uri()}{place}")
            own.locator("body[data-ready]").wait_for(state="attached")
            seen = [int(one[1]) for one in own.evaluate(HEADINGS)]
            assert seen[0] == 1
            assert len(seen) > 2
            assert all(later <= before + 1 for before, later in itertools.pairwise(seen)), seen
            assert own.locator("main").count() == 1
    finally:
        own.close()
