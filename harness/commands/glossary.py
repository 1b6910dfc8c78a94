"""The words of a check's message that head no column, each explained as a verdict is."""

from __future__ import annotations

from harness.proof.evidence import BUDGET
from harness.report.columns import COLUMNS
from harness.verdicts import Entry

# fmt: off
WORDS: dict[str, Entry] = {
    "attainable": COLUMNS["attainable_ulp"].entry,
    "program bound": COLUMNS["bound_ulp"].entry,
    "bits lost": COLUMNS["bits_lost"].entry,
    "ulp": Entry("The distance between neighbouring numbers of a dtype, at a number.",
        "2^(e - p + 1) for a number between 2^e and 2^(e + 1), with p bits in the significand.",
        "2.2e-16 at 1.0 in float64 (p = 53), 1.2e-07 in float32 (p = 24)"),
    "budget": BUDGET,
    "kink": Entry("A point where the slopes of two sides differ: there is no one derivative.",
        "T is then the interval of all slopes between those of the sides.",
        "relu at 0, the ties of a maximum",
        "Each slope of the interval is legal: see `explain convention`."),
    "cotangent": Entry("What the gradient is contracted with, in the shape of the result: dL/dy.",
        "Drawn from the seed, of both signs, if not given; 1 for a single number.", "cotangent=np.ones(3)",
        "Pass the one of your loss with cotangent= to see what it sees."),
    "direction": Entry("A row of a second or third derivative: how the first one depends on its cotangent.",
        "A rule by hand is differentiated in its cotangent too, from order 2 on.",
        "direction, cotangent: wrong, where a backward calls g.detach()",
        "Keep the cotangent in the rule: no detach, .data, no_grad, once_differentiable or stop_gradient."),
    "probe": Entry("A use that callers make of a right gradient: another layout, a second call, one result.",
        "Done at the given point once the gradient is right there; a row names the probe that failed.",
        "expanded: the cotangent that sum().backward() gives, which has strides of 0",
        "Choose some with probes=; docs/contract.md has the list."),
    "value": Entry("What the function returned, compared with what its own program may compute.",
        "The recording is tied to the run by it; with spec= it is compared with that function's.",
        "value: f returns shape (2,), spec returns ()",
        "Let the function return the same wherever it runs, and what spec= returns."),
    "seed": COLUMNS["seed"].entry,
    "T": Entry("The truth: the derivative of the forward, as an interval around it that is proven.",
        "The forward is differentiated, and evaluated in ball arithmetic at exactly the given numbers.",
        "true -0.0308838947..., of which every digit is proven"),
    "a": Entry("What the inputs allow: the error that rounding them alone causes (`attainable`, in ulps).",
        "The largest change of T over half-ulp changes of the inputs and the cotangent.",
        "attainable 1.6"),
    "E": Entry("The gradient program under test in exact arithmetic: it is wrong where E and T are disjoint.",
        "The program is recorded as it runs, and evaluated in ball arithmetic.",
        "the formula gives 0.0957 at x[1, 3], the derivative is 0.2768"),
    "B": Entry("All that the program may compute, rounded as its dtype rounds: the tolerance, derived.",
        "Each operation of the program adds its rounding; C outside of B is miscomputed.",
        "program bound 187: C may be 187 ulps from T"),
    "C": Entry("What your code computed.", "The gradient is run as it is; each element is compared with T.",
        "computed 0.0919541704"),
}
# fmt: on
