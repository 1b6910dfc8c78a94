"""Every column of every table: what it is called, how it is written, and what it means.

`python -m gradproof explain COLUMN` shows the meaning; a table names its columns in the order of need.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.verdicts import Entry


@dataclass(frozen=True)
class Layout:
    """How a screen writes the values of a column.

    Attributes:
        number: The format of a float.
        right: Whether the values stand at the right, as numbers do; whole numbers always do.
        least: The least width at which words can be read: they fold at the screen's edge and are never cut.
            0 is a column that does not fold.
        wide: Whether it takes what is left of the screen before it folds.
        yes_no: Whether the value is true or false.
        no: The word for false, and its style.
    """

    number: str = ".1e"
    right: bool = False
    least: int = 0
    wide: bool = False
    yes_no: bool = False
    no: tuple[str, str] = ("NO", "bold red")


PLAIN, YES_NO = Layout(), Layout(yes_no=True)
EITHER = Layout(yes_no=True, no=("no", "dim"))  # where no is as good as yes
WORDS, INPUT, DIAGNOSIS = Layout(least=17), Layout(least=10, wide=True), Layout(least=60)
SIZE, SHORT, RATIO = (Layout(number, right=True) for number in (".1e", ".3g", ".4g"))


@dataclass(frozen=True)
class Column:
    """One column; `heading` is what a screen calls it, "" its name."""

    name: str
    meaning: str = ""
    how: str = ""
    example: str = ""
    advice: str = ""
    format: Layout = PLAIN
    heading: str = ""

    @property
    def title(self) -> str:
        """What a screen calls it."""
        return self.heading or self.name

    @property
    def entry(self) -> Entry:
        """What it means."""
        return Entry(self.meaning, self.how, self.example, self.advice)


# fmt: off
# The fields of a record. The examples are of one row: softmax_loss by hand, float32, input `large`.
RECORD = (
    Column("case", "The function whose gradient is looked at.",
        "Named in the catalogue, which `python -m gradproof list` shows.", "softmax_loss",
        "Choose with --case; `*` and `?` work."),
    Column("input", "The point at which the gradient is taken, by name.",
        "Ordinary inputs are drawn from the seed; boundary inputs (zeros, ties, saturation, ...) are fixed.",
        "saturated-40: every element is 40 or -40", "Choose with --input; `*` and `?` work.", format=INPUT),
    Column("dtype", "The floating-point format of the arguments.",
        "The budget, the ulps and the program bound are this format's.",
        "float32: 24 bits, of which 12 may be lost", "Choose with --dtype."),
    Column("oracle", "Who computed the gradient.",
        "numpy: by hand; jax, torch: automatic, eager or compiled; exact: the truth; fd: differences.", "jax",
        "Choose with --oracle; `python -m gradproof list` says what each needs."),
    Column("seed", "What the ordinary inputs and the cotangent are drawn from.",
        "The same seed gives the same numbers, whatever else is selected.", "0",
        "Try others with --seed; boundary inputs stay the same."),
    Column("shapes", "The shapes of the arguments, in order.", "Read from the arrays that were drawn.",
        "(32,64) (32,64)"),
    Column("verdict", "What is proven of the gradient: the worst over its elements.",
        "T, C, E and B are compared as sets, element by element.", "accurate",
        "Explain the word that you see, for example `explain imprecise`."),
    Column("outcome", "What follows from the row for the run.",
        "From the verdict, the list of known defects, and --allow.", "pass",
        "Explain the word that you see, for example `explain known`."),
    Column("bits_lost", "How many bits the program loses beyond what its inputs allow, at the worst element.",
        "log2(error / attainable), from 0 to the significand; over the budget is imprecise.",
        "1.82 of float32's 24: log2(4.18 / 1.18)", "Look at the diagnosis for the operation that loses them.",
        format=SHORT),
    Column("error_ulp", "How far the worst element is from the truth, in units in its last place.",
        "abs(C - T) / ulp(T).", "4.18",
        "Compare with attainable_ulp: large is fine where the inputs allow no better.", format=SHORT),
    Column("attainable_ulp", "The error that the inputs' own rounding excuses, in ulps of the worst element.",
        "The largest change of T over half-ulp changes of inputs and cotangent, plus half an ulp.",
        "1.18", "No program with these inputs can be asked for less.", format=SHORT),
    Column("bound_ulp",
        "How far rounding can carry this program from the truth, in ulps of the worst element.",
        "The program over balls that are rounded as its dtype rounds; inf if nothing bounds it.", "187",
        "An error above it is not rounding: see `explain miscomputed`.", format=SHORT),
    Column("where", "The worst element: argument and index.",
        "By verdict, then bits lost, then error in ulps.", "x[7, 55]", "Start there."),
    Column("diagnosis",
        "Why, in words: the operation that loses the digits, or the reason why there is no verdict.",
        "A backward error analysis names the operation that contributes most to the bound.",
        "at a kink, x[0, 0] takes 1 of the slope (0.44; legal is 0 to 0.44), and 11 more elements at kinks",
        "Read it first.", format=DIAGNOSIS),
    Column("blame", "Whose fault it is that a row is not right: yours, or a library's.",
        "A library's function is checked alone on the operands that it got; it is the library's where the "
        "gradient would be right if that function were rounded correctly. Blank where nobody can tell.",
        "jax: lax.logistic at jax_functions.py:21 (https://github.com/jax-ml/jax/issues/40342)",
        "yours: rewrite the operation that the diagnosis names; a library's: follow the link, or report it."),
    Column("operation", "The operation where the gradient goes wrong; empty where that is not known.",
        "As the diagnosis names it: a formula's, or the one that loses the digits.", "multiply",
        "Annotations and SARIF point there."),
    Column("file", "The file of that operation, where it is one of the project's.",
        "Relative to the folder of the run.", "kernels/gelu.py"),
    Column("line", "The line of that operation.", "0 where it is not known.", "31"),
    Column("computed", "What the oracle returned at the worst element.", "C, as a float64.",
        "8.732496644370258e-05"),
    Column("true", "The true derivative at the worst element, as the nearest float64.",
        "T, differentiated and evaluated in ball arithmetic; at a kink the middle of what is legal.",
        "8.732493599571947e-05", "true_digits has more of it."),
    Column("true_digits", "Twenty digits of the true derivative at the worst element.",
        "T with a proven radius; `?` where it is an interval, at a kink.", "8.7324935995719462623e-5",
        "Use it as the expected value of a test."),
    Column("max_abs_error", "The largest absolute error over all elements.",
        "max abs(C - T), kinks left out.", "5.5e-09", format=SIZE, heading="abs error"),
    Column("max_rel_error", "The largest relative error over all elements.",
        "max abs(C - T) / abs(T), kinks left out.", "4.2e-07",
        "It is large where T is almost 0; bits_lost says whether that is excused.", format=SIZE),
    Column("scaled_error", "The largest error relative to the largest element of its argument.",
        "max abs(C - T) / max abs(T); on the exact oracle's own rows the proven error of the truth.",
        "1.8e-07", "It informs; verdicts are per element.", format=SIZE),
    Column("proven_digits", "How many decimal digits of the truth are proven.",
        "-log10 of the largest radius relative to the largest element.", "36.0"),
    Column("error_estimate", "What finite differences say of their own error.", "abs(D(h) - D(h/2)).",
        "1.6e-10, where the error was 2.2e-03 (softmax at `huge`)", "Do not rely on it.", format=SIZE,
        heading="estimate"),
    Column("first_call_time_s", "Seconds until the first value and gradient.",
        "Set-up, compilation and one call of each.", "1.0e-04", format=SIZE, heading="first call s"),
    Column("value_time_s", "Seconds for one value.", "Median, on one thread, after the first call.",
        "1.5e-05", format=SIZE, heading="value s"),
    Column("value_time_ratio", "How many times longer one value takes than the NumPy reference.",
        "Measured in turns in one process; the median of the rounds. The reference's own: to a yardstick.",
        "1.0", format=RATIO, heading="value ratio"),
    Column("gradient_time_s", "Seconds for one gradient.", "Median, on one thread, after the first call.",
        "2.0e-05", format=SIZE, heading="gradient s"),
    Column("gradient_time_ratio", "How many times longer one gradient takes than the hand-derived one.",
        "Measured in turns in one process; the median of the rounds. The hand-derived one's own: to a"
        " yardstick, the softmax of 100 numbers.", "57 for the finite differences of softmax_loss",
        "Compare with `low` and `high` before you call it a difference.", format=RATIO, heading="ratio"),
    Column("gradient_time_ratio_low", "The low end of gradient_time_ratio.",
        "A 99 % bootstrap interval of the median of the rounds.", "55", format=RATIO, heading="low"),
    Column("gradient_time_ratio_high", "The high end of gradient_time_ratio.",
        "A 99 % bootstrap interval of the median of the rounds.", "66",
        "Far from low: the machine was busy; run it again.", format=RATIO, heading="high"),
)
OTHERS = (
    Column("digits", "How many decimal digits finite differences get right.",
        "-log10 of scaled_error, at most 17.", "2.087 for softmax at `huge`",
        "Do not judge a gradient by them.", format=RATIO),
    Column("note", "A remark on the row.", "In words.", "no change at 7: f(x + h) = f(x - h)", format=WORDS),
    Column("equal", "Whether we print what the document prints.", "Digit for digit.", "yes",
        "NO fails the run: look at ours.", format=YES_NO),
    Column("what", "What the row is about.", "In words.", "numerical_gradient at (3, 4)", format=WORDS),
    Column("documented", "What the document prints.", "Copied from it.", "[6. 8.]", format=WORDS),
    Column("ours", "What we print at that place.", "Run now.", "[6. 8.]", "Compare with documented.",
        format=WORDS),
    Column("proven", "The same with exact gradients, in exact arithmetic.", "In balls.",
        "[-2.25154873e+128 3.00206497e+128] for gradient_descent, lr 10: the document's digits are rounding",
        "Compare with documented.", format=WORDS),
    Column("source", "Whose gradients drive the learning, or the book that a case is from.", "By name.",
        "jax", format=WORDS),
    Column("steps", "Steps of learning.", "300, or 50 with --quick.", "300"),
    Column("first_loss", "The loss before learning.", "Of the first mini-batch.", "2.24451", format=RATIO,
        heading="first loss"),
    Column("last_loss", "The loss of the last mini-batch.", "At the last step.", "1.55097",
        "Compare the sources.", format=RATIO, heading="last loss"),
    Column("held_out_accuracy", "The share of 1,000 held-out digits that are recognised.",
        "After the last step.", "0.669", format=RATIO, heading="accuracy"),
    Column("max_loss_difference", "How far the losses drift from those of the first source.",
        "The largest over all steps.", "6.7e-16 (jax against numpy)",
        "More than rounding: one of the gradients is wrong.", format=SIZE, heading="loss diff"),
    Column("max_parameter_difference", "How far the learned weights are from those of the first source.",
        "The largest over all weights.", "6.7e-16 (jax against numpy)",
        "More than rounding: one of the gradients is wrong.", format=SIZE, heading="param diff"),
    Column("time_s", "Seconds of learning.", "All steps.", "0.62", format=SIZE, heading="time s"),
    Column("reason", "Why the row has no numbers, and what to do.", "In words.",
        "jax is not installed: pip install 'gradproof[jax]'", "Do what it says.", format=WORDS),
    Column("met", "Whether a benchmark keeps what is promised.",
        "ratio against wanted_ratio, measured against limit.", "yes", "NO fails the command.", format=YES_NO),
    Column("name", "The name of a benchmark.", "In words.", "exact_gradient"),
    Column("ours_time_s", "Seconds of our way.", "Median, in turns with the other.", "0.2", format=SIZE,
        heading="ours s"),
    Column("other_time_s", "Seconds of the other way.", "Median, in turns with ours.", "71", format=SIZE,
        heading="other s"),
    Column("ratio", "How many times longer the other way takes.", "Median of rounds.", "363", format=RATIO),
    Column("ratio_low", "The low end of ratio.", "A 99 % interval of the median.", "175", format=RATIO,
        heading="low"),
    Column("ratio_high", "The high end of ratio.", "A 99 % interval of the median.", "184", format=RATIO,
        heading="high"),
    Column("wanted_ratio", "The ratio that is promised.", "Stated in harness/bench/paired.py.",
        "100 for exact_gradient", format=RATIO, heading="wanted"),
    Column("measured", "What a benchmark measured.", "In `unit`.", "0.8", "Compare with limit."),
    Column("limit", "The most that it may be.", "In `unit`.", "2"),
    Column("unit", "The unit of measured and limit.", "By name.", "s"),
    Column("injected", "What was done to the kernels.", "In words.", "2 more bits lost"),
    Column("trials", "How often it was done.", "Over kernels, dtypes and seeds.", "40"),
    Column("suspected", "How often a first look saw it.", "Of the trials.", "40"),
    Column("failed", "How often it failed the gate.", "Of the trials; for time, in each look.", "40"),
    Column("wanted", "How often it should fail.", "Stated in harness/bench/gate.py.", "39 to 40"),
    Column("level", "What a finding does to the gate.",
        "fail: exit code 1; warn: to be looked at; note: good news.", "fail",
        "Explain the kind that stands beside it, for example `explain worse`."),
    Column("kind", "What the gate found of a row.", "The record against the baseline.", "less accurate"),
    Column("before", "What the baseline has.", "In words.", "accurate"),
    Column("now", "What this run has.", "In words.", "wrong"),
    Column("reproduce", "The command that shows the row again.", "With its seed.", "report --case relu",
        "Paste it."),
    Column("accept", "The command that makes the baseline agree.",
        "Blank where there is nothing to agree to.", 'baseline update relu/jax/float64/ties --reason "why"',
        "Paste it, with your reason, if the change is meant."),
    Column("differentiated", "Which arguments have a gradient.", "By name.", "W1, b1, W2, b2"),
    Column("inputs", "The inputs of a case.", "By name.", "ordinary, zeros, ties", "Choose with --input.",
        format=WORDS),
    Column("not_differentiable", "Where a case has a kink.", "In words.", "at 0", "See `explain convention`.",
        format=WORDS),
    Column("ready", "Whether an oracle can run here.", "Is its package installed?", "yes", "NO: see reason.",
        format=YES_NO),
    Column("decides", "Whether an oracle's rows can fail.", "The exact one and differences only inform.",
        "yes", format=EITHER),
)
# fmt: on
COLUMNS = {column.name: column for column in (*RECORD, *OTHERS)}


def column(name: str) -> Column:
    """The column of that name; a verdict that heads a column of counts is explained as a verdict."""
    return COLUMNS.get(name) or Column(name)
