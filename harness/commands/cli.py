"""The command line, one function a command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import difflib
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

from cyclopts import (
    App,
    CycloptsError,
    MissingArgumentError,
    Parameter,
    UnknownOptionError,
    UnusedCliTokensError,
)

from harness.commands.configuration import ConfiguredApp
from harness.commands.options import (
    FLAT,
    AtlasOptions,
    BaselineOptions,
    CheckOptions,
    GateOptions,
    ReportOptions,
    SearchedOptions,
    SearchOptions,
)
from harness.runs.raised import Ended, Raised, ending, is_users, refuse_silent_exit, told
from harness.runs.writing import Unwritten
from harness.selection import NothingSelected, Unreachable, Untrusted, UsageError
from harness.verdicts import ExitCode
from harness.version import __version__

if TYPE_CHECKING:
    from harness.runs.journal import Journal


def _shown(default: object) -> str | None:
    """A default as the help has it; what is empty, or no, is left out."""
    if default in ("", (), None) or default is False:
        return None
    return ", ".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _said(code: ExitCode) -> str:
    """An exit code as the help has it: its number, and what it means."""
    meaning = code.entry.meaning.partition(":")[0].rstrip(".")
    return f"{code.value} {meaning[:1].lower()}{meaning[1:]}"


class Terminated(KeyboardInterrupt):
    """Somebody ends the program, by SIGTERM."""


FEW = 8  # options that a message lists
NARROWEST, WIDEST = 20, 1000  # of a screen
_CALLED = Path(*sys.argv[:1])  # the script, or the module that `python -m` runs
app = ConfiguredApp(
    name="gradproof" if "gradproof" in (_CALLED.stem, _CALLED.parent.name) else "python -m harness",
    help="Checks a gradient, and proves the answer.",
    help_epilogue=f"Exit codes: {', '.join(map(_said, ExitCode))}."
    "\n\nAn option that is not given is read from the environment (GRADPROOF_JOBS=2), then from "
    "[tool.gradproof] in pyproject.toml (jobs = 2).",
    version=__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # `run` answers it, with a message and its own exit code
    # --quick has no --no-quick, and a pattern no --empty-case.
    default_parameter=Parameter(negative=(), show_default=_shown),
)
Baselines = Annotated[BaselineOptions, FLAT]


@app.command
def report(*, options: Annotated[ReportOptions, FLAT] = ReportOptions()) -> ExitCode:
    """Run every case against every oracle and show the tables.

    --quick also shortens the learning, from 300 steps to 50.
    """
    from harness.commands.report import run_report

    return run_report(options)


@app.command
def gate(*, options: Annotated[GateOptions, FLAT] = GateOptions()) -> ExitCode:
    """Run, and compare with the baseline: fails where a verdict got worse or more than one bit more is lost.

    Without --oracle, every oracle that the baseline has must be installed.
    """
    from harness.commands.gate import run_gate

    return run_gate(options)


@app.command
def check(function: str, *, options: Annotated[CheckOptions, FLAT] = CheckOptions()) -> ExitCode:
    """Check the gradient of one function; functions are named package.module:name.

    Parameters
    ----------
    function
        The function, such as mypackage.kernels:fused_softmax.
    """
    from harness.commands.check import run_check

    return run_check(function, options)


@app.command
def search(
    function: str,
    *,
    extent: Annotated[SearchOptions, FLAT] = SearchOptions(),
    options: Annotated[SearchedOptions, FLAT] = SearchedOptions(),
) -> ExitCode:
    """Look for the input at which a gradient is worst, and shrink it; a `check` that searches.

    Parameters
    ----------
    function
        The function, such as mypackage.kernels:fused_softmax. Without --shape it takes three numbers for each
        argument that has no default.
    """
    from harness.commands.search import run_search

    return run_search(function, extent, options)


baseline_app = App(name="baseline", help="Show what a run would change in the baseline, or change it.")
app.command(baseline_app)


@baseline_app.command
def diff(*glob: str, options: Baselines = BaselineOptions()) -> ExitCode:
    """Show what `baseline update` would change, by kind: worse, created, trimmed, fixed, renewed.

    Parameters
    ----------
    glob
        Only rows whose case/oracle/dtype/input matches; a pattern without a slash is a case.
    """
    from harness.commands.baseline import run_diff

    return run_diff(glob, options)


@baseline_app.command
def update(*glob: str, reason: str = "", options: Baselines = BaselineOptions()) -> ExitCode:
    """Make the baseline agree with a run. Refused where CI is set, and without a reason.

    Parameters
    ----------
    glob
        Only rows whose case/oracle/dtype/input matches; a pattern without a slash is a case.
    reason
        Why the rows change; it is kept in the baseline.
    """
    from harness.commands.baseline import run_update

    return run_update(glob, reason, options)


@app.command
def schema(of: str = "finding") -> ExitCode:
    """Show the JSON Schema of what `gate` and `report` write.

    Parameters
    ----------
    of
        finding (a line of `gate --format jsonl`), record, header (a saved run's lines), or baseline.
    """
    from harness.commands.schema import print_schema

    return print_schema(of)


@app.command(name="list")
def list_(what: str = "catalogue") -> ExitCode:
    """Show the cases with their inputs and the oracles with what they need, or what the exact oracle covers.

    Parameters
    ----------
    what
        catalogue, or ops: the operations of NumPy, JAX and PyTorch with and without a rule.
    """
    from harness.commands.listing import print_listing

    return print_listing(what)


@app.command
def explain(*word: str) -> ExitCode:
    """Say what a word of a table or a message means, with an example and what to do; alone, list the words.

    Parameters
    ----------
    word
        A verdict, a word of a message, an outcome, a column, or an exit code: `imprecise`, `attainable`,
        `known`, `bits_lost`, `exit 3`; `columns` lists the columns.
    """
    from harness.commands.explain import print_explanation

    return print_explanation(word)


@app.command
def coverage() -> ExitCode:
    """Count the functions of JAX and PyTorch whose gradients the exact oracle proves, and name the others."""
    from harness.commands.coverage import run_coverage

    return run_coverage()


atlas_app = App(
    name="atlas", help="Show how accurate the gradients of torch and JAX are, function by function."
)
app.command(atlas_app)


@atlas_app.default
def atlas(*, options: Annotated[AtlasOptions, FLAT] = AtlasOptions()) -> ExitCode:
    """Measure the gradients of torch's and JAX's functions, and the values of NumPy's and SciPy's.

    Each in four dtypes and two orders, at ordinary numbers, boundary values and over a whole dtype: verdicts,
    the worst point, bits lost, ulps, and time against the function. All take half an hour on two cores.
    """
    from harness.commands.atlas import run_atlas

    return run_atlas(options)


@atlas_app.command(name="diff")
def atlas_diff(old: Path, new: Path) -> ExitCode:
    """Say what is better and what is worse in one atlas.csv than in another; fails if something is worse.

    Parameters
    ----------
    old, new
        The files.
    """
    from harness.commands.atlas import run_diff

    return run_diff(old, new)


@app.command
def bench() -> ExitCode:
    """Run the paired benchmarks and show how many times faster each is."""
    from harness.commands.bench import run_bench

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
    _fit_screen()
    _journals().clear()  # a process may run several commands: each tells of its own rows
    try:
        result = app(tokens, exit_on_error=False, print_error=False)
    except UnknownOptionError as problem:
        return _say(_unknown(problem), ExitCode.USAGE)
    except CycloptsError as problem:
        return _say(_misused(problem), ExitCode.USAGE)
    except UsageError as problem:
        return _say(str(problem), ExitCode.USAGE)
    except NothingSelected as problem:
        return _say(str(problem), ExitCode.NOTHING_COMPARED)
    except Untrusted as problem:
        return _say(str(problem), ExitCode.FAILED)
    except Unreachable as problem:
        return _say(f"{problem}; {_kept()}", ExitCode.FAILED)
    except (Unwritten, Raised, Ended) as problem:
        return _say(str(problem), ExitCode.FAILED)
    except Terminated:
        _say(f"ended by SIGTERM; {_kept()}", ExitCode.INTERRUPTED)
        raise
    except KeyboardInterrupt:
        return _say(f"interrupted; {_kept()}", ExitCode.INTERRUPTED)
    except BaseException as problem:
        return _say_raised(problem)
    return result if isinstance(result, ExitCode) else ExitCode.OK


def _fit_screen() -> None:
    """Give a screen a size that text fits in: without a column rich shows nothing, and the help never ends.

    What is 0 or no number counts as not set.
    """
    width, height = shutil.get_terminal_size()
    if "COLUMNS" in os.environ or width < NARROWEST:
        os.environ["COLUMNS"] = str(min(max(width, NARROWEST), WIDEST))
    if "LINES" in os.environ:
        os.environ["LINES"] = str(height)


def _unknown(problem: UnknownOptionError) -> str:
    """What is said of an option that there is not: the nearest one, or all where they are few."""
    word = problem.token.keyword or problem.token.value
    names = [name for one in problem.argument_collection if one.parse for name in one.names]
    options = {name.removeprefix("--"): name for name in names if name.startswith("--")}
    near = difflib.get_close_matches(word.strip("-").partition("=")[0], options, 1)
    if near:
        return f"Unknown option: {word}. Did you mean {options[near[0]]}?"
    if 0 < len(options) <= FEW:
        return f"Unknown option: {word}. Options are {', '.join(options.values())}."
    return f"Unknown option: {word}. `{_command(problem)} --help` lists all."


def _misused(problem: CycloptsError) -> str:
    """What is said of words that a command does not take, or of one that it lacks."""
    command = _command(problem)
    if isinstance(problem, UnusedCliTokensError):
        words = ", ".join(map(repr, problem.unused_tokens or ()))
        return f"`{command}` takes no {words}; `{command} --help` lists what it takes"
    if isinstance(problem, MissingArgumentError) and problem.argument and problem.keyword is None:
        name = problem.argument.name.removeprefix("--").upper()
        return f"`{command}` needs {name}; `{command} --help` says what that is"
    return str(problem)


def _command(problem: CycloptsError) -> str:
    return " ".join([app.name[0], *(problem.command_chain or ())])


def _say_raised(problem: BaseException) -> ExitCode:
    """What is raised by code of the user's that is run in passing, as that of a list of cases.

    Raises:
        BaseException: It is none of the user's: a defect of ours, with its whole traceback, or a closed pipe.
    """
    if not isinstance(problem, Exception):
        if not is_users(problem):  # a library's, whose reader went away
            raise problem
        return _say(ending(problem), ExitCode.FAILED)
    if is_users(problem):
        return _say(told(problem, "your code"), ExitCode.FAILED)
    if isinstance(problem, OSError) and not isinstance(problem, BrokenPipeError):
        return _say(str(problem), ExitCode.FAILED)
    raise problem


def main() -> NoReturn:
    """The entry point of `python -m harness`."""
    _open_closed_streams()
    refuse_silent_exit()
    _end_at_sigterm()
    code: int = ExitCode.PIPE_CLOSED
    try:
        code = run()
        sys.stdout.flush()
    except Terminated:
        code = ExitCode.TERMINATED
    except BrokenPipeError:
        # The reader of a pipe (head, less) went away; what it wanted it has. Silence the exit's own flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _end_at_sigterm() -> None:
    """End as Ctrl-C does: what runs in other processes is stopped, and what was written is said."""

    def end(*_: object) -> NoReturn:
        raise Terminated

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end)


def _open_closed_streams() -> None:
    """What is said to a stream that is closed (`>&-`) goes nowhere; the exit code says it all the same."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def _journals() -> list[Journal]:
    """The files of rows that this command has begun."""
    module = sys.modules.get("harness.runs.journal")  # not there before a run, or after an interrupted import
    return getattr(getattr(module, "Journal", None), "begun", [])


def _kept() -> str:
    """What an interrupted command leaves behind."""
    written = [j for j in _journals() if j.rows]
    if not written:
        return "nothing was written"
    rows = ", ".join(f"{j.rows} row{'s' if j.rows > 1 else ''} in {j.path}" for j in written)
    return f"{rows} stay; `gate` and `atlas` go on from there with --resume"


def _say(message: str, code: ExitCode) -> ExitCode:
    print(f"gradproof: {message}", file=sys.stderr)
    return code
