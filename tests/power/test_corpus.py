"""At each boundary value the bug that its entry names shows, and the right gradient passes."""

import pytest

from harness.inputs.corpus import CORPUS
from tests.power.checkers import CHECKERS
from tests.power.detection import boundary
from tests.power.faults import FAULTS
from tests.sampling import sample

REPORTED = {fault.link: fault for fault in FAULTS}
NOT_RECREATED = {"empty"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("one", sample(CORPUS.values(), 2), ids=lambda one: one.name)
def test_the_bug_of_an_entry_shows_at_its_value_and_the_right_gradient_does_not(one):
    if one.name in NOT_RECREATED:
        assert one.link not in REPORTED
        return
    fault, ours = REPORTED[one.link], CHECKERS["ours"]
    places = [args for args in boundary(fault, [one.name]) if ours(fault, False, args) is False]
    assert places
    assert any(ours(fault, True, args) for args in places)
