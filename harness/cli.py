"""The command line, one function a command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

from cyclopts import App, CycloptsError, Parameter

from harness.exit_codes import ExitCode
from harness.selection import NothingSelected, UsageError
from harness.version import __version__

app = App(
    name="python -m harness",
    help="Tells you whether a gradient is right: every function against independent derivations.",
    help_epilogue="Exit codes: 0 right, 1 a check failed, 2 usage, 3 nothing was compared, 130 interrupted.",
    version=__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # `run` answers it, with a message and its own exit code
)
Flag = Annotated[bool, Parameter(negative="")]
Patterns = Annotated[tuple[str, ...], Parameter(negative="")]


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
    jobs: int = 1,
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
        Processes that compare at once. Timing always runs alone, afterwards.
    """
    from harness.report.command import Options, run_report

    return run_report(Options(case, input, oracle, dtype, seed, quick, full, allow, format, output, jobs))


@app.command(name="list")
def list_(what: str = "catalogue") -> ExitCode:
    """Show the cases with their inputs and the oracles with what they need, or what the exact oracle covers.

    Parameters
    ----------
    what
        catalogue, or ops: the operations of NumPy, JAX and PyTorch with and without a rule.
    """
    from harness.report.showing import print_catalogue, print_operations
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
    from harness.report.showing import print_explanation

    return print_explanation(" ".join(word))


@app.command
def coverage() -> ExitCode:
    """Count the functions of JAX and PyTorch whose gradients the exact oracle proves, and name the others."""
    from harness.report.showing import run_coverage

    return run_coverage()


@app.command
def bench() -> ExitCode:
    """Run the paired benchmarks and show how many times faster each is."""
    from harness.report.showing import run_bench

    return run_bench()


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
    except OSError as problem:
        if isinstance(problem, BrokenPipeError):
            raise
        return _say(f"{problem}: nothing more can be written there", ExitCode.FAILED)
    except KeyboardInterrupt:
        return _say("interrupted; the rows written so far stay", ExitCode.INTERRUPTED)
    return result if isinstance(result, ExitCode) else ExitCode.OK


def main() -> NoReturn:
    """The entry point of `python -m harness`."""
    code = ExitCode.OK
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
