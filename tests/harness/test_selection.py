"""Choosing by name."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.selection import NothingSelected, UsageError, listed, matching, near_matches

NAMES = ["sigmoid", "sigmoid_grad", "softmax", "softmax_loss", "relu"]


@given(pattern=st.text("sigmoduflxar_*?", max_size=8))
def test_a_pattern_matches_as_in_a_shell_or_raises(pattern):
    wanted = [name for name in NAMES if fnmatchcase(name, pattern)]
    if wanted:
        assert matching([pattern], NAMES) == wanted
    else:
        with pytest.raises(NothingSelected):
            matching([pattern], NAMES)


@given(patterns=st.lists(st.sampled_from([*NAMES, "*", "so*", "?elu"]), min_size=1))
def test_several_patterns_choose_a_union_without_repeats_in_order(patterns):
    wanted = [name for name in NAMES if any(fnmatchcase(name, p) for p in patterns)]
    assert matching(patterns, NAMES) == wanted


def test_one_pattern_without_a_match_is_an_error_though_another_matches():
    with pytest.raises(NothingSelected, match="no case matches 'rellu'; near matches: relu"):
        matching(["softmax", "rellu"], NAMES)


@pytest.mark.parametrize(
    ("typed", "near"), [("sigmiod", "sigmoid"), ("softmx_loss", "softmax_loss"), ("rel*x", "relu")]
)
def test_the_nearest_match_comes_first(typed, near):
    with pytest.raises(NothingSelected, match=f"near matches: {near}\\b"):
        matching([typed], NAMES)


def test_what_is_far_from_all_names_gets_all_of_them_and_no_name_comes_twice():
    assert near_matches("xml", ["md", "text", "text"]) == "allowed are md, text"
    assert near_matches("tex", ["md", "text", "text"]) == "near matches: text"
    assert near_matches("xml", [f"{k}" for k in range(40)]).endswith(", 29, and 10 more")


def test_names_are_told_apart_by_case():
    with pytest.raises(NothingSelected):
        matching(["RELU"], NAMES)


@given(asked=st.lists(st.sampled_from(NAMES), min_size=1), space=st.sampled_from(["", " "]))
def test_a_list_keeps_the_allowed_order_without_repeats(asked, space):
    text = f"{space},{space}".join(asked)
    assert listed("--x", text, NAMES) == [name for name in NAMES if name in asked]


@pytest.mark.parametrize("text", ["", ",", " , "])
def test_an_empty_list_names_what_is_allowed(text):
    with pytest.raises(UsageError, match="--oracle is empty; allowed are sigmoid, sigmoid_grad"):
        listed("--oracle", text, NAMES)


def test_an_unknown_name_gets_the_option_and_near_matches():
    with pytest.raises(UsageError, match="--oracle: no 'softmaxx'; near matches: softmax,"):
        listed("--oracle", "relu,softmaxx", NAMES)


def test_a_list_takes_no_patterns():
    with pytest.raises(UsageError):
        listed("--oracle", "*", NAMES)
