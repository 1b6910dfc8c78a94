"""What a part is asked of is asked as a whole where that is wanted."""

from tests import sampling


def test_a_part_is_each_so_many_th_and_the_whole_is_all(monkeypatch):
    monkeypatch.setattr(sampling, "WHOLE", False)
    assert (sampling.sample("abcde", 2), sampling.draws(3, 8)) == (["a", "c", "e"], 3)
    assert sampling.cells("ab", "xyz") == [("a", "x"), ("a", "z"), ("b", "y")]
    monkeypatch.setattr(sampling, "WHOLE", True)
    assert len(sampling.cells("ab", "xyz")) == 6
    assert (sampling.sample("abcde", 2), sampling.draws(3, 8)) == (list("abcde"), 8)
