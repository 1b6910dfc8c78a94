"""The page of a result: its data are the row's numbers, it holds everything, and nothing of it can run."""

import pickle
import re
from array import array
from html import unescape

import numpy as np
import pytest

import harness
from harness.page import document, library, sweep
from harness.page.asking import COLUMNS, Asking, is_elementwise
from harness.page.elements import elements
from harness.page.tensor import tensor
from tests.harness.page.subjects import X, called, data_of, gelu, gelu_backward, softmax, softmax_backward

NUMBERS = ("bits_lost", "error_ulp", "attainable_ulp", "bound_ulp", "computed", "true", "verdict")


@pytest.fixture(autouse=True, scope="module")
def quick():
    """Without Vega, which takes seconds to be bundled, and with few points."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document, "drawing", lambda: "window.vega = 1")
        patch.setattr(sweep, "COUNT", 24)
        patch.setattr(sweep, "START", 20)
        yield


@pytest.fixture(scope="module")
def imprecise():
    return harness.check_gradient(
        gelu, (X,), vjp=gelu_backward, boundary=["zeros", "saturated-40"], probes=False
    )


@pytest.fixture(scope="module")
def html(imprecise):
    return imprecise.to_html()


def test_every_picture_has_the_numbers_of_its_row(html):
    data = data_of(html)
    assert len(data["rows"]) == 3
    for row in data["rows"]:
        cells = [called(data["columns"]["cell"], c) for c in data["tensors"][row["tensor"]]["cells"]]
        assert len(cells) == 6
        (worst,) = (c for c in cells if c["worst"])
        assert f"x[{worst['at']}]" == row["where"]
        assert {n: worst[n] for n in NUMBERS} == {n: row[n] for n in NUMBERS}
    over = data["sweeps"][data["rows"][0]["sweep"]]
    points = [called(data["columns"]["point"], p) for p in over["points"]]
    (given,) = (p for p in points if p["x"] == over["given"][0])
    assert {n: given[n] for n in NUMBERS} == {n: data["rows"][0][n] for n in NUMBERS}
    assert [p["place"] for p in points] == sorted(p["place"] for p in points)


def test_what_a_sweep_says_of_a_number_a_check_says_too(html):
    over = data_of(html)["sweeps"][0]
    for point in over["points"][:: len(over["points"]) // 5]:
        told = called(COLUMNS, point)
        x = X.copy()
        x[0, 0] = float(told["x"])
        with np.errstate(all="ignore"):
            again = harness.check_gradient(gelu, (x,), vjp=gelu_backward, probes=False).sights[0]
        element = elements(again, 0)
        assert element.verdict((0, 0)) == told["verdict"]


def test_beside_the_gradient_is_the_value_at_the_same_numbers(html):
    over = data_of(html)["sweeps"][0]
    values = {p["x"]: p for p in (called(COLUMNS, v) for v in over["values"])}
    assert {p[0] for p in over["points"]} == set(values)
    far = values["-7"]
    assert float(far["computed"]) == gelu(np.array([-7.0]))[0]
    assert float(far["true"]) == pytest.approx(-2.31544226207255e-15, rel=1e-12)
    assert far["bits_lost"] > 30
    assert float(values["0"]["error_ulp"]) == 0


def test_a_function_that_mixes_elements_is_asked_one_number_at_a_time():
    mixed = harness.check_gradient(softmax, (X,), vjp=softmax_backward).sights[0]
    alone = harness.check_gradient(gelu, (X,), vjp=gelu_backward).sights[0]
    assert not is_elementwise(mixed.posed)
    assert is_elementwise(alone.posed)
    one = Asking(alone, 0, (0, 0)).one_by_one([-6.0, 2.0])
    many = Asking(alone, 0, (0, 0)).at_once([-6.0, 2.0])
    for x in one:
        here, there = called(COLUMNS, one[x]), called(COLUMNS, many[x])
        assert here["verdict"] == there["verdict"]
        assert here["true"] == there["true"]
    total = Asking(mixed, 0, (0, 0))
    total.one_by_one([2.0])
    x = X.copy()
    x[0, 0] = 2.0
    assert float(called(COLUMNS, total.values[2.0])["computed"]) == softmax(x)[0, 0]


def test_a_number_without_a_truth_takes_no_other_along():
    found = harness.check_gradient(np.sqrt, (np.array([2.0, 3.0]),), vjp=lambda g, x: g / np.sqrt(x) / 2)
    over = sweep.sweep(found.sights[0], 0, (0,))
    points = [called(COLUMNS, p) for p in over["points"]]
    assert {p["verdict"] for p in points if float(p["x"]) > 1e-300} == {"accurate"}
    assert {p["verdict"] for p in points if float(p["x"]) < 0} == {""}
    assert len([p for p in points if p["computed"] is not None]) >= 10


def test_the_lines_of_the_source_share_the_error(html):
    source = data_of(html)["sources"][0]
    by_text = {line["text"].strip(): line for one in source["listings"] for line in one["lines"]}
    forward = sum(line["forward"]["share"] for line in by_text.values() if line["forward"])
    backward = sum(line["backward"]["share"] for line in by_text.values() if line["backward"])
    assert forward == pytest.approx(1, abs=1e-3)
    assert backward == pytest.approx(1, abs=1e-3)
    assert by_text["return 0.5 * x * (1 + np.tanh(u))"]["forward"]["bits"] > 30
    guilty = [text for text, line in by_text.items() if line["guilty"]]
    assert guilty == ["t = np.tanh(u)"]
    assert by_text[guilty[0]]["backward"]["share"] > 0.9


def test_a_large_tensor_shows_the_worst_of_each_block():
    found = harness.check_gradient(
        gelu, (np.linspace(-7, 3, 70).reshape(7, 10),), vjp=gelu_backward, probes=False
    )
    one = tensor(elements(found.sights[0], 0), rows=3, columns=4)
    assert (one["rows"], one["columns"], one["block"], one["elements"]) == (3, 4, [3, 3], 70)
    assert len(one["cells"]) == 3 * 4
    (worst,) = (c for c in one["cells"] if c[2])
    assert worst[3] == ", ".join(map(str, found.worst.element))


def test_names_that_are_markup_are_text():
    def function(x):
        return x * x

    name = "<script>alert(1)</script><!--"
    function.__name__ = function.__qualname__ = name
    found = harness.check_gradient(function, (X[0],), vjp=lambda g, x: 2 * g * x, probes=False)
    html = found.to_html(f"run {name}")
    outside = html.replace("&lt;script&gt;alert(1)&lt;/script&gt;&lt;!--", "")
    assert "alert(1)" not in outside.replace("\\u003cscript\\u003ealert(1)\\u003c/script\\u003e", "")
    assert data_of(html)["rows"]
    assert html.count("<script") == 4


def test_the_policy_allows_the_two_scripts_alone(html):
    policy = unescape(re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1])
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.count("'sha256-") == 2
    assert "unsafe-eval" not in policy
    assert not re.search(r"<[^>]*\s(src|href)=[\"']?(https?:|//)", html)


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    def missing(name, *rest):
        if name == "vl_convert":
            raise ImportError(name)
        return importing(name, *rest)

    importing = library.importlib.import_module
    monkeypatch.setattr(library.importlib, "import_module", missing)
    with pytest.raises(library.MissingLibrary, match=r"pip install 'gradproof\[html\]'"):
        library.confirm()


def test_a_result_that_was_pickled_or_has_no_numbers_has_a_page(imprecise):
    plain = pickle.loads(pickle.dumps(imprecise))
    assert plain.sights == ()
    assert str(plain) == str(imprecise)
    assert [row["verdict"] for row in data_of(plain.to_html())["rows"]] == [
        part.verdict for part in imprecise.parts if not part.of_value
    ]
    opaque = harness.check_gradient(lambda x: np.array(array("d", x)), (X[0],), vjp=lambda g, x: g)
    (row,) = data_of(opaque.to_html())["rows"]
    assert row["verdict"] == "unsupported"


def luminance(colour):
    """As WCAG has it."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_words_and_links_are_told_from_what_is_behind_them(scheme):
    style = (library.TEMPLATES / "page.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--(\w+): (#\w+);", re.findall(r":root \{[^}]*\}", style)[scheme]))
    for words in ("ink", "soft", "focus"):
        for behind in ("paper", "wash"):
            pair = sorted(0.05 + luminance(colours[name]) for name in (words, behind))
            assert pair[1] / pair[0] >= 4.5, (words, behind)
