"""The command line: `report`, `list`, `bench`. Nothing heavy is imported before a command needs it."""

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


@app.command
def report(
    *,
    case: tuple[str, ...] = ("*",),
    oracle: str = "",
    dtype: str = "",
    seed: int = 0,
    quick: Flag = False,
    full: Flag = False,
    format: str = "",
    output: Path | None = None,
    jobs: int = 1,
) -> ExitCode:
    """Run every case against every oracle and show the tables.

    Parameters
    ----------
    case
        Only cases that match this pattern (`*`, `?`); may be given again.
    oracle
        Only these oracles, separated by commas: exact, numpy, jax, torch, fd.
    dtype
        Only these, separated by commas: float64, float32.
    seed
        Seeds every draw.
    quick
        Ordinary inputs in float64 only, and a short learning run.
    full
        Show all rows, not only the worst of each case and oracle.
    format
        text, csv, md, jsonl, separated by commas; by default text, and with --output all of them.
    output
        A folder for the tables (csv, md) and the rows as they come (records.jsonl).
    jobs
        Processes that compare at once. Timing always runs alone, afterwards.
    """
    from harness.report.command import Options, run_report

    return run_report(Options(case, oracle, dtype, seed, quick, full, format, output, jobs))


@app.command(name="list")
def list_(what: str = "catalogue") -> ExitCode:
    """Show the cases with their inputs and the oracles with what they need, or what the exact oracle covers.

    Parameters
    ----------
    what
        catalogue, or ops: the operations of NumPy, JAX and PyTorch with and without a rule.
    """
    from harness.report.command import print_catalogue, print_operations
    from harness.selection import listed

    (chosen,) = listed("list", what, ("catalogue", "ops"))
    return print_catalogue() if chosen == "catalogue" else print_operations()


@app.command
def coverage() -> ExitCode:
    """Count the functions of JAX and PyTorch whose gradients the exact oracle proves, and name the others."""
    from harness.report.command import run_coverage

    return run_coverage()


@app.command
def bench() -> ExitCode:
    """Run the paired benchmarks and show how many times faster each is."""
    from harness.report.command import run_bench

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
