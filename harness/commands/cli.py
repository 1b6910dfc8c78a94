"""The command line, one function a command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

from cyclopts import App, CycloptsError, Parameter

from harness.commands.configuration import ConfiguredApp
from harness.defaults import BASELINE, SAVED, TIMEOUT_S
from harness.selection import NothingSelected, Untrusted, UsageError
from harness.verdicts.exit_codes import ExitCode
from harness.version import __version__

app = ConfiguredApp(
    name="python -m harness",
    help="Tells you whether a gradient is right: every function against independent derivations.",
    help_epilogue="Exit codes: 0 right, 1 a check failed, 2 usage, 3 nothing was compared, 130 interrupted."
    "\n\nOptions not given: HARNESS_JOBS=2, then jobs = 2 in [tool.harness] of pyproject.toml.",
    version=__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # `run` answers it, with a message and its own exit code
)
Flag = Annotated[bool, Parameter(negative="")]
Patterns = Annotated[tuple[str, ...], Parameter(negative="")]
From = Annotated[Path | None, Parameter(name="from")]


@app.command
def report(
    *,
    case: Patterns = ("*",),
    input: Patterns = ("*",),
    oracle: str = "",
    dtype: str = "",
    seed: int = 0,
    quick: Flag = False,
    full: Flag = False,
    allow: str = "",
    format: str = "",
    output: Path | None = None,
    jobs: int = 0,
) -> ExitCode:
    """Run every case against every oracle and show the tables.

    Parameters
    ----------
    case
        Only cases that match this pattern (`*`, `?`); may be given again.
    input
        Only inputs that match this pattern, such as `saturated-*`; may be given again.
    oracle
        Only these oracles, separated by commas: exact, numpy, jax, jax-jit, torch, torch-compile,
        fd.
    dtype
        Only these, separated by commas: float64, float32.
    seed
        Seeds every draw.
    quick
        Ordinary inputs in float64 only, and a short learning run.
    full
        Run everything, torch.compile too, and show all rows, not only the worst of each case and oracle.
    allow
        undecided, unsupported, separated by commas: rows with such a verdict do not fail.
    format
        text, csv, md, jsonl, separated by commas; by default text, and with --output all of them.
    output
        A folder for the tables (csv, md) and the rows as they come (records.jsonl).
    jobs
        Processes that compare at once; 0 is this one. Timing always runs alone, afterwards.
    """
    from harness.commands.report import Options, run_report

    return run_report(Options(case, input, oracle, dtype, seed, quick, full, allow, format, output, jobs))


@app.command
def gate(
    *,
    case: Patterns = ("*",),
    input: Patterns = ("*",),
    oracle: str = "",
    dtype: str = "",
    quick: Flag = False,
    timing: str = "",
    strict: Flag = False,
    format: str = "",
    baseline: Path = BASELINE,
    save: Path = SAVED,
    resume: Flag = False,
    from_: From = None,
    against: Path | None = None,
    jobs: int = 1,
    timeout: float = TIMEOUT_S,
) -> ExitCode:
    """Run, and compare with the baseline: fails where a verdict got worse or more than one bit more is lost.

    Parameters
    ----------
    case
        Only cases that match this pattern (`*`, `?`); may be given again.
    input
        Only inputs that match this pattern; may be given again.
    oracle
        Only these oracles, separated by commas; otherwise all that the baseline has must be installed.
    dtype
        Only these, separated by commas: float64, float32.
    quick
        Ordinary inputs in float64 only.
    timing
        What a slower row does: gate (fail), warn, off; by default gate, and warn on another machine.
    strict
        Fail on rows that the baseline does not have, too.
    format
        text, github, jsonl, csv, md; by default github where GITHUB_STEP_SUMMARY is set, else text.
    baseline
        The baseline's file.
    save
        Where the rows of the run go as they come.
    resume
        Go on with the run that is saved there and was killed.
    from_
        Compare this saved run; nothing is run.
    against
        With --from: compare with this saved run instead of the baseline.
    jobs
        Processes that compare at once; 0 is this one. Timing always runs alone, afterwards.
    timeout
        Seconds that the rows of one case and dtype may take; then one by one, and what hangs fails.
    """
    from harness.commands.gate import Options, run_gate
    from harness.runs.scope import Scope

    scope = Scope(case, input, oracle, dtype, quick)
    return run_gate(
        Options(scope, timing, strict, format, baseline, save, resume, from_, against, jobs, timeout)
    )


@app.command
def check(
    function: str,
    *,
    spec: str = "",
    vjp: str = "",
    residual_vjp: str = "",
    surrogate: str = "",
    shape: Patterns = (),
    dtype: str = "float64",
    inputs: Path | None = None,
    framework: str = "",
    mode: str = "reverse",
    order: int = 1,
    seed: int = 0,
    bits_lost: float | None = None,
    boundary: Flag = False,
    samples: int = 0,
) -> ExitCode:
    """Say whether the gradient of a function of your own is right; functions are named package.module:name.

    Parameters
    ----------
    function
        The function, such as mypackage.kernels:fused_softmax.
    spec
        The function that it is meant to be, where it is a kernel or an approximation.
    vjp
        Its hand-written gradient, backward(cotangent, *args).
    residual_vjp
        The same as kernels have it: the function returns (result, residuals); backward(residuals, cotangent).
    surrogate
        The function whose gradient is meant to be its own.
    shape
        The shape of an argument, such as 32,64, drawn by --seed; given again for the next argument.
    dtype
        Of the drawn arguments: float64, float32, float16 or bfloat16.
    inputs
        An .npz file with the arguments in order, instead of shapes.
    framework
        numpy, jax or torch; by default what the function's module imports.
    mode
        reverse, forward, or forward-over-reverse.
    order
        1, 2 or 3.
    seed
        Seeds the arguments and the cotangent.
    bits_lost
        The budget of lost bits; `explain budget` says what it is by default.
    boundary
        Try zeros, ties, saturation and other boundary values beside the arguments.
    samples
        How many more points to draw around the arguments.
    """
    from harness.commands.check import Options, run_check

    return run_check(
        Options(
            function, spec, vjp, residual_vjp, surrogate, shape, dtype, inputs, framework, mode, order, seed,
            bits_lost, boundary, samples,
        )
    )  # fmt: skip


baseline_app = App(name="baseline", help="Look at what a run would change in the baseline, or change it.")
app.command(baseline_app)


@baseline_app.command
def diff(
    *glob: str,
    baseline: Path = BASELINE,
    anew: Flag = False,
    from_: From = None,
    jobs: int = 1,
    timeout: float = TIMEOUT_S,
) -> ExitCode:
    """Show what `baseline update` would change, by kind: worse, created, trimmed, fixed, renewed.

    Parameters
    ----------
    glob
        Only rows whose case/oracle/dtype/input matches; a pattern without a slash is a case.
    baseline
        The baseline's file.
    anew
        As if there were no baseline.
    from_
        Use this saved run; nothing is run.
    jobs
        Processes that compare at once; 0 is this one.
    timeout
        Seconds that the rows of one case and dtype may take.
    """
    from harness.commands.baseline import Options, run_diff

    return run_diff(Options(glob, "", anew, baseline, from_, jobs, timeout))


@baseline_app.command
def update(
    *glob: str,
    reason: str = "",
    baseline: Path = BASELINE,
    anew: Flag = False,
    from_: From = None,
    jobs: int = 1,
    timeout: float = TIMEOUT_S,
) -> ExitCode:
    """Make the baseline agree with a run. Refused where CI is set, and without a reason.

    Parameters
    ----------
    glob
        Only rows whose case/oracle/dtype/input matches; a pattern without a slash is a case.
    reason
        Why the rows change; it is kept in the baseline.
    baseline
        The baseline's file.
    anew
        Write every row, whatever the old file holds.
    from_
        Use this saved run; nothing is run.
    jobs
        Processes that compare at once; 0 is this one.
    timeout
        Seconds that the rows of one case and dtype may take.
    """
    from harness.commands.baseline import Options, run_update

    return run_update(Options(glob, reason, anew, baseline, from_, jobs, timeout))


@app.command
def schema(of: str = "finding") -> ExitCode:
    """Show the JSON Schema of a file or line that the harness writes.

    Parameters
    ----------
    of
        finding (a line of `gate --format jsonl`), record, header (a saved run's lines), or baseline.
    """
    from harness.report.schemas import print_schema

    return print_schema(of)


@app.command(name="list")
def list_(what: str = "catalogue") -> ExitCode:
    """Show the cases with their inputs and the oracles with what they need, or what the exact oracle covers.

    Parameters
    ----------
    what
        catalogue, or ops: the operations of NumPy, JAX and PyTorch with and without a rule.
    """
    from harness.commands.showing import print_catalogue, print_operations
    from harness.selection import listed

    (chosen,) = listed("list", what, ("catalogue", "ops"))
    return print_catalogue() if chosen == "catalogue" else print_operations()


@app.command
def explain(*word: str) -> ExitCode:
    """Say what a word of a table or a message means, with an example and what to do; alone, list the words.

    Parameters
    ----------
    word
        A verdict, an outcome, a column, or an exit code: `imprecise`, `known`, `bits_lost`, `exit 3`.
    """
    from harness.commands.showing import print_explanation

    return print_explanation(" ".join(word))


@app.command
def coverage() -> ExitCode:
    """Count the functions of JAX and PyTorch whose gradients the exact oracle proves, and name the others."""
    from harness.commands.showing import run_coverage

    return run_coverage()


@app.command
def bench() -> ExitCode:
    """Run the paired benchmarks and show how many times faster each is."""
    from harness.commands.showing import run_bench

    return run_bench()


@app.command
def doctor() -> ExitCode:
    """Say whether this machine is fit for a run (versions, threads, timer, noise), and what to do if not."""
    from harness.commands.doctor import run_doctor

    return run_doctor()


def run(tokens: list[str] | None = None) -> ExitCode:
    """Run one command line and return its exit code; messages for the user go to stderr."""
    # XLA reads this once, when jax starts: one thread, so that times compare with the others' one thread.
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    try:
        result = app(tokens, exit_on_error=False, print_error=False)
    except CycloptsError as problem:
        return _say(str(problem), ExitCode.USAGE)
    except UsageError as problem:
        return _say(str(problem), ExitCode.USAGE)
    except NothingSelected as problem:
        return _say(str(problem), ExitCode.NOTHING_COMPARED)
    except Untrusted as problem:
        return _say(str(problem), ExitCode.FAILED)
    except OSError as problem:
        if isinstance(problem, BrokenPipeError):
            raise
        return _say(f"{problem}: nothing more can be written there", ExitCode.FAILED)
    except KeyboardInterrupt:
        return _say("interrupted; the rows written so far stay", ExitCode.INTERRUPTED)
    return result if isinstance(result, ExitCode) else ExitCode.OK


def main() -> NoReturn:
    """The entry point of `python -m harness`."""
    code = ExitCode.PIPE_CLOSED
    try:
        code = run()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of a pipe (head, less) went away; what it wanted it has. Silence the exit's own flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _say(message: str, code: ExitCode) -> ExitCode:
    print(f"harness: {message}", file=sys.stderr)
    return code
