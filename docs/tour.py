"""A tour: three gradients of the sigmoid, judged from the parts. `python docs/tour.py` takes a second.

`gradproof.check_gradient` does the same for any function of NumPy, JAX or PyTorch, and more: kinks, probes,
blame, written digits. This is its core, to be read from top to bottom.
"""

import numpy as np

import gradproof
from oracles.exact.enclose.limits import Limits
from oracles.exact.enclose.refine import refine
from oracles.exact.from_numpy import record
from oracles.exact.program.derive import vjp
from oracles.exact.rounding.attainable import attainable
from oracles.exact.rounding.bound import ROUNDING_MODELS, bound

# -- 1. The question: a function, and gradients of it that somebody derived by hand -----------------------


def sigmoid(x):
    """The function."""
    return 1 / (1 + np.exp(-x))


def textbook(cotangent, x):
    """Its gradient, as the textbooks have it."""
    s = sigmoid(x)
    return cotangent * s * (1 - s)


def careful(cotangent, x):
    """The same formula, since 1 - s(x) = s(-x); but nothing is subtracted."""
    return cotangent * sigmoid(x) * sigmoid(-x)


def forgetful(cotangent, x):
    """The gradient of another function."""
    return cotangent * sigmoid(x)


# The point. 40.7 is not a float64; the float64 next to it is what runs, and what is judged, exactly as it is.
x = np.array([0.5, 40.7])
cotangent = np.array([1.0, 1.0])


# -- 2. Record: the function runs once, with arrays that write down what is done to them ------------------

forward = record(sigmoid, (x,))

operations = dict.fromkeys(equation.called for equation in forward.program.equations)
assert list(operations) == ["negative", "exp", "add", "divide"]


# -- 3. T, the truth: derive the program of the gradient, and run it in ball arithmetic -------------------

BITS = 128  # the first precision; `refine` doubles it until every radius is small

# No derivative of a scalar function is typed in: exp' comes from exp's power series, which Arb computes.
derivative = vjp(forward.program, wrt=[0])
(T,) = refine(derivative, [*forward.values, cotangent], BITS, Limits())

# Each element is a ball: a midpoint, and a radius that is proven to reach the true value.
assert T.digits((1,), 20) == "2.1096702884774950491e-18"
assert T.radius.max() < 1e-36

ulp = np.spacing(T.mid)  # the distance between float64 numbers there
print("T", [T.digits((k,), 20) for k in range(2)])


# -- 4. a, what the inputs allow: move x and the cotangent by half an ulp; how far does T move? -----------

# Nobody knows x better than to half an ulp, so nobody can ask a program to come closer. This is sampled and
# not proven. Therefore it may excuse an error, and it is never the reason for an accusation.
(a,), _ = attainable(derivative, [*forward.values, cotangent], [0], [T], 1)
print("a", a / ulp, "ulp")


# -- 5. E, the formula: the gradient under test is recorded too, and run in exact arithmetic --------------


def written(gradient):
    """Its program, at the point."""
    return record(gradient, (cotangent, x))


def formula(gradient):
    """What it computes where nothing rounds."""
    program = written(gradient)
    (E,) = refine(program.program, program.values, BITS, Limits())
    return E


def is_right(E):
    """Two balls that do not overlap hold different numbers, which proves that the formula is another one."""
    return all(e.overlaps(t) for e, t in zip(E.balls, T.balls, strict=True))


assert is_right(formula(textbook))
assert is_right(formula(careful))
assert not is_right(formula(forgetful))


# -- 6. B, what rounding allows: the same program, where each ball grows as float64 rounds ----------------


def allowed(gradient):
    """Balls that hold everything that the program may compute. This is the tolerance, and nobody chose it."""
    program = written(gradient)
    (B,) = bound(program.program, program.values, ROUNDING_MODELS["numpy"]).balls
    return B


for gradient in (textbook, careful):
    reach = [float(abs(b - t.mid()).upper()) for b, t in zip(allowed(gradient), T.balls, strict=True)]
    print("B", gradient.__name__, np.array(reach) / ulp, "ulp")


# -- 7. C, what ran: the gradient itself, in float64; and the four are compared ---------------------------

DIGITS = 53  # bits of a float64's significand
BUDGET = DIGITS // 2  # the one policy: half of them may be lost


def verdict(gradient):
    """The verdict on a gradient: the worst over the elements."""
    C = gradient(cotangent, x)
    error = np.abs((C - T.mid) - T.rest)  # T has more digits than a float64: the midpoint, and the rest
    with np.errstate(divide="ignore"):
        lost = np.where(C == 0, DIGITS, np.clip(np.log2(error / a), 0, DIGITS))
    print("C", gradient.__name__, C, "is off by", error / ulp, "ulp:", lost, "bits lost")

    if not is_right(formula(gradient)):
        return "wrong"  # E and T are disjoint
    if not all(float(c) in b for c, b in zip(C, allowed(gradient), strict=True)):
        return "miscomputed"  # C is outside B: something else than this program was executed
    if lost.max() > BUDGET:
        return "imprecise"  # C is inside B: the program itself loses the digits
    return "accurate"


VERDICTS = {
    textbook: "imprecise",  # at 40.7, s rounds to 1, and 1 - s to 0
    careful: "accurate",
    forgetful: "wrong",
}
for gradient, said in VERDICTS.items():
    assert verdict(gradient) == said


# -- 8. The same through the front door -------------------------------------------------------------------

for gradient, said in VERDICTS.items():
    result = gradproof.check_gradient(sigmoid, (x,), vjp=gradient)
    assert result.verdict == said
    print(result)
