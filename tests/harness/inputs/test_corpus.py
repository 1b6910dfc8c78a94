"""One corpus: each entry is what its name says, for a user's array and for a case, and names a bug."""

import re

import ml_dtypes
import numpy as np
import pytest

from harness import check_gradient
from harness.cases import catalogue
from harness.inputs.corpus import CORPUS, chosen
from harness.inputs.points import at

X = np.array([[0.5, -1.25, 2.0], [3.0, -0.75, 1.5]])
OF_ITS_OWN = {"ordinary", "large", "document", "labels", "vector"}
# What each makes of X, and of a lone number.
MADE = {
    "zeros": lambda a: (a == 0).all(),
    "negative-zeros": lambda a: (a == 0).all() and np.signbit(a).all(),
    "ones": lambda a: (a == 1).all(),
    "distinct": lambda a: len(np.unique(a)) == a.size,
    "ties": lambda a: a.ndim == 0 or (a[:, :2] == np.abs(a).max()).all(),
    "equal-rows": lambda a: a.ndim == 0 or ((a == a[:, :1]).all() and len(np.unique(a)) == 2),
    "constant": lambda a: len(np.unique(a)) == 1,
    "one-zero": lambda a: (a == 0).sum() == 1,
    "two-zeros": lambda a: (a == 0).sum() == min(2, a.size),
    "integers": lambda a: (a == np.round(a)).all(),
    "saturated-8": lambda a: (np.abs(a) == 8).all(),
    "saturated-20": lambda a: (np.abs(a) == 20).all(),
    "saturated-40": lambda a: (np.abs(a) == 40).all(),
    "saturated-710": lambda a: (np.abs(a) == 710).all(),
    "exp-overflows": lambda a: np.isinf(np.exp(np.abs(a))).all() and np.isfinite(a).all(),
    "exp2-overflows": lambda a: np.isinf(np.exp2(np.abs(a))).all() and np.isfinite(a).all(),
    "square-overflows": lambda a: np.isinf(a * a).all() and np.isfinite(a).all(),
    "subnormal": lambda a: ((a != 0) & (np.abs(a) < ml_dtypes.finfo(a.dtype).smallest_normal)).all(),
    "tiny": lambda a: ((a != 0) & (np.abs(a) < 1e-2)).all(),
    "huge": lambda a: ((np.abs(a) > 1e3) & np.isfinite(a)).all(),
    "strided": lambda a: not a.flags.forc,
    "stride-0": lambda a: a.strides[0] == 0,
    "one-element": lambda a: a.size == 1,
    "batch-of-one": lambda a: len(a) == 1,
    "empty": lambda a: a.size == 0,
}


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("name", CORPUS)
def test_each_entry_is_what_its_name_says(name, dtype):
    one = CORPUS[name]
    for given in (
        X.astype(dtype),
        -np.abs(X).astype(dtype),
        *([] if one.is_layout else [X.astype(dtype)[0, 0]]),
    ):
        kept = given.copy()
        made = at(one, np.asarray(given))
        assert made.dtype == dtype
        assert MADE[name](made), made
        assert np.array_equal(given, kept)
        assert one.is_layout or made.shape == given.shape


def test_numbers_of_one_size_keep_their_signs():
    assert np.array_equal(np.sign(at(CORPUS["saturated-20"], X)), np.sign(X))
    assert at(CORPUS["saturated-20"], -np.abs(X)).ravel().tolist() == [20.0] + 5 * [-20.0]


def test_a_layout_has_the_same_numbers():
    assert np.array_equal(at(CORPUS["strided"], X), X)
    assert np.array_equal(at(CORPUS["stride-0"], X), X[[0, 0]])


@pytest.mark.parametrize("one", CORPUS.values(), ids=lambda one: one.name)
def test_each_entry_names_a_bug_with_its_report(one):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", one.name)
    assert len(one.bug.split()) > 2
    assert re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/(issues|pull)/\d+", one.link)


def test_a_case_and_a_user_ask_at_the_same_names():
    named = {m.name for case in catalogue().values() for m in case.inputs}
    assert named - OF_ITS_OWN <= set(CORPUS)
    assert {m.name for case in catalogue().values() for m in case.inputs if m.boundary} == named - OF_ITS_OWN


def double(g, x):
    return 2 * g * x


def inputs(boundary):
    return list(check_gradient(np.square, (X,), vjp=double, boundary=boundary).rows["input"])


def test_names_choose_what_is_tried_in_the_order_of_the_corpus():
    assert inputs(["ties", "zeros"]) == ["given", "zeros", "ties"]
    assert inputs(("stride-0",)) == ["given", "stride-0"]
    assert inputs(False) == ["given"]
    assert inputs(True) == ["given", *CORPUS]
    assert chosen(True) == chosen(CORPUS)


@pytest.mark.parametrize(
    ("boundary", "said"),
    [
        (["ziros"], "boundary: no 'ziros'; near matches: zeros"),
        ("zeros", r"boundary must be True, False or a list of names, got 'zeros': write \['zeros'\]"),
        ("all", "boundary must be True, False or a list of names, got 'all': pass boundary=True"),
        ([], "boundary must be True, False or a list of names, got an empty list: leave it out"),
        ([1], "boundary must be True, False or a list of names, got 1"),
    ],
)
def test_a_name_that_does_not_exist_says_which_do(boundary, said):
    with pytest.raises(ValueError, match=said):
        inputs(boundary)
