"""What the command `check` does: the gradient of a function that is named by its import path."""

from __future__ import annotations

import inspect
import json
import math
import re
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.accepted import UpstreamWarning
from harness.check import check_gradient
from harness.commands.named import arguments_of, framework_of, imported, named
from harness.commands.options import CheckOptions
from harness.commands.pages import confirmed
from harness.commands.phrasing import as_command, in_options
from harness.files import replace_file
from harness.inputs.corpus import CORPUS
from harness.layers import check_layer
from harness.networks import check_network
from harness.proof.question import Probe
from harness.report.delivery import WRITERS, deliver, whatever_the_reader_does, write_tables
from harness.report.progress import announced
from harness.report.tables import Table, frame_of
from harness.result import AGAIN, COLUMNS, Result
from harness.runs.raised import OURS, Ended, Raised, is_users, staying, told
from harness.runs.writing import refuse_unwritable
from harness.selection import UsageError, listed, refuse_wrong_numbers
from harness.subject.by_hand import HandWritten, WithoutCotangent
from harness.verdicts import ExitCode, Verdict
from oracles.exact.core.blocks import in_threads
from oracles.exact.program.errors import first_line
from oracles.exact.program.program import FLOATS
from oracles.exact.program.trees import Flat
from oracles.exact.program.words import kind_of
from oracles.frameworks.framework import NAMES, NO_GRADIENTS

FUNCTIONS = ("spec", "vjp", "residual_vjp", "grad", "surrogate")  # what else is named on the command line
WHERE = frozenset({"format", "output", "html"})
MISFIT = re.compile(r"([\w.<>]+)\(\) (?:takes|missing|got)")  # as Python says it of a call
OF_LABELS = re.compile(r"\b(ind(ex|ices)|int(eger|\d))", re.IGNORECASE)  # that were drawn as floats
_KWARGS = "--kwargs must be a JSON object, such as '{\"axis\": -1}'"
FORMATS = ("text", *WRITERS, "jsonl")


def run_check(name: str, options: CheckOptions) -> ExitCode:
    """Import, draw or load the inputs, check, and show the result."""
    if options.dtype not in FLOATS:
        listed("--dtype", options.dtype, sorted(FLOATS))
    if options.framework:
        listed("--framework", options.framework, NAMES)
    refuse_wrong_numbers(options.seed)
    if options.threads < 1:
        raise UsageError(f"--threads must be an integer >= 1, got {options.threads}")
    formats = _formats(options)
    _confirm_page(options.html)
    found = announced(lambda: checked(name, options), name)
    with whatever_the_reader_does():
        _deliver(found, formats, options.output)
    if file := options.html:
        again = as_command(["check", name], options, WHERE)
        with staying():
            page = announced(lambda: found.to_html(again), f"the page of {name}")
        with whatever_the_reader_does():
            replace_file(file, page)
            print(f"the page is {file}", file=sys.stderr)
    return _exit_code(found)


def checked(name: str, options: CheckOptions) -> Result:
    """Import what is named, and check it.

    Raises:
        UsageError: It is not there, or an option does not fit.
        Raised: What it raises, in its own lines.
        Ended: It would end the program.
    """
    paths = [name, *filter(None, (getattr(options, option) for option in FUNCTIONS))]
    roots = {path.partition(":")[0].partition(".")[0] for path in paths}
    try:
        with warnings.catch_warnings(), staying():
            warnings.simplefilter("ignore", UpstreamWarning)  # the result says so itself
            check = _of_layer if options.layer else _of_function
            with in_threads(options.threads):
                return check(name, options)
    except (UsageError, Ended):
        raise
    except Exception as problem:
        if isinstance(problem, TypeError) and not is_users(problem):
            _refuse_misfit(problem, [path.partition(":")[2] for path in paths])
        users = is_users(problem, roots)
        raised = _whose(problem, paths) if users else _without_lines(problem, name, options)
        if raised:
            _note_shapes(problem, options)
            raise Raised(told(problem, raised, roots)) from problem
        if isinstance(problem, ValueError):
            raise UsageError(in_options(str(problem))) from problem
        raise


def _refuse_misfit(problem: TypeError, names: Sequence[str]) -> None:
    """Say so where a function that was named takes other arguments than it is given."""
    called = MISFIT.match(str(problem))
    if called and any(f".{name}." in f".{called[1]}." for name in names):
        raise UsageError(
            f"{problem}; --shape is given once for each argument, --kwargs names the others, and a "
            "hand-written gradient takes the cotangent first"
        ) from problem


def _whose(problem: Exception, paths: Sequence[str]) -> str:
    """Which named function raised it: the outermost of them that was running, or else the first."""
    codes = {getattr(inspect.unwrap(named(path)), "__code__", None): path for path in reversed(paths)}
    running = (frame.f_code for frame, _ in traceback.walk_tb(problem.__traceback__))
    return next((codes[code] for code in running if code in codes), paths[0])


def _without_lines(problem: Exception, name: str, options: CheckOptions) -> str:
    """Which named function raised it that has no lines, as `math.sin`: our call is the innermost; or ""."""
    codes = [frame.f_code for frame, _ in traceback.walk_tb(problem.__traceback__)]
    call = [code for code in codes if code.co_filename.startswith(OURS)][-1]
    if call is Flat.result.__code__:
        return name
    by_hand = {HandWritten._found.__code__, WithoutCotangent.__call__.__code__}
    return options.vjp or options.residual_vjp or options.grad if call in by_hand else ""


def _note_shapes(problem: Exception, options: CheckOptions) -> None:
    if options.shape:
        labels = isinstance(problem, IndexError | TypeError) and OF_LABELS.search(str(problem))
        problem.add_note(
            f"gradproof: the arguments were drawn by --shape {' --shape '.join(options.shape)}, in "
            f"{options.dtype} where that names no dtype"
            + ("; labels below 10 are --shape 32:int64:10" if labels else "")
        )


def _confirm_page(file: Path | None) -> None:
    """Refuse what cannot be written, before anything is computed."""
    if file is None:
        return
    if file.is_dir() or not file.absolute().parent.is_dir():
        raise UsageError(f"--html must be a file in a folder that is there, got {file}")
    refuse_unwritable(f"--html {file}", file.parent)
    confirmed("--html")


def _of_function(name: str, options: CheckOptions) -> Result:
    function = imported(name)
    found = check_gradient(
        function, arguments_of(options), kwargs=_kwargs(options.kwargs), argnums=_argnums(options.argnums),
        **_others(options, *FUNCTIONS), **_common(options),
        **_derivative(options, options.framework or framework_of(function)),
    )  # fmt: skip
    if found.diagnosis == NO_GRADIENTS:
        raise UsageError(
            "NumPy has no gradients of its own: give --vjp, --grad or --residual-vjp MODULE:FUNCTION, or "
            "--framework jax or torch where the function is written in one"
        )
    return found


def _of_layer(name: str, options: CheckOptions) -> Result:
    """A layer or a network of the book's kind; a torch module is a function with parameters."""
    for option in (*FUNCTIONS[1:], "argnums"):
        if getattr(options, option):
            raise UsageError(f"--{option.replace('_', '-')} is for functions; a layer has its own backward")
    layer = named(name)
    if isinstance(layer, type) or not (hasattr(layer, "forward") or hasattr(layer, "loss")):
        layer = _made(name, layer, _kwargs(options.kwargs))
    elif options.kwargs:
        raise UsageError(f"--kwargs is for what makes a layer, and {name} is one")
    if "torch" in sys.modules and isinstance(layer, sys.modules["torch"].nn.Module):
        args = arguments_of(options)
        try:
            return check_gradient(
                layer, args, **_derivative(options, "torch"), **_others(options, "spec"), **_common(options)
            )  # fmt: skip
        except RuntimeError as problem:
            _refuse_other_dtype(name, layer, args, problem)
            raise
    if (options.mode, options.order) != ("reverse", 1):
        raise UsageError("--mode and --order are for functions; a layer has one gradient, its backward's")
    given, about = arguments_of(options), {**_others(options, "spec"), **_common(options)}
    if len(given) > 2:
        raise UsageError(f"a layer takes x, and a loss or a network x and t; got {len(given)} arguments")
    if hasattr(layer, "forward") or len(given) == 1:
        return check_layer(layer, given[0], given[1] if len(given) == 2 else None, **about)
    return check_network(layer, given[0], given[1], **about)


def _refuse_other_dtype(name: str, layer: Any, args: Sequence[Any], problem: RuntimeError) -> None:
    """Say so where the parameters of a torch module that raised have another dtype than its arguments."""
    held = {str(p.dtype).removeprefix("torch.") for p in layer.parameters() if p.is_floating_point()}
    given = {arg.dtype.name for arg in args if arg.dtype.name in FLOATS}
    if len(held) == 1 and given - held:
        raise UsageError(
            f"{name} raises {first_line(problem)}; its parameters are {', '.join(held)}, and the arguments "
            f"{', '.join(sorted(given))}: add --dtype {', '.join(held)}"
        ) from problem


def _made(name: str, maker: Any, kwargs: dict[str, Any]) -> Any:
    if not callable(maker):
        raise UsageError(f"{name} must be a layer, or what makes one, got {kind_of(maker)}")
    try:
        return maker(**kwargs)
    except TypeError as problem:
        raise UsageError(
            f"{name} cannot be called: {problem}; give --kwargs, or name a function that makes it"
        ) from problem


def _others(options: CheckOptions, *names: str) -> dict[str, Any]:
    return {name: imported(path) for name in names if (path := getattr(options, name))}


def _derivative(options: CheckOptions, framework: str) -> dict[str, Any]:
    return {"framework": framework, "mode": options.mode, "order": options.order}


def _common(options: CheckOptions) -> dict[str, Any]:
    seconds = {} if options.seconds is None else {"seconds": options.seconds}
    return {
        "seed": options.seed, "bits_lost": options.bits_lost, "boundary": _boundary(options.boundary),
        "samples": options.samples, "search": options.search, "probes": _probes(options.probes),
        "resolution": options.resolution, "upstream": options.upstream, "known": options.known, **seconds,
    }  # fmt: skip


def _argnums(text: str) -> list[int] | None:
    if not text:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--argnums must be numbers of arguments, such as 0,2, got {text!r}") from None


def _kwargs(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError as problem:
        raise UsageError(f"{_KWARGS}, got {text!r} ({problem})") from None
    if not isinstance(found, dict):
        raise UsageError(f"{_KWARGS}, got {text!r}")
    return found


def _formats(options: CheckOptions) -> list[str]:
    if options.output and options.output.exists() and not options.output.is_dir():
        raise UsageError(f"--output must be a folder, which may be new, got the file {options.output}")
    formats = listed("--format", options.format or (",".join(FORMATS) if options.output else "text"), FORMATS)
    if options.output is None and len(formats) > 1:
        raise UsageError(
            f"--format {options.format} needs --output DIR: several formats do not share a screen"
        )
    if options.output:
        refuse_unwritable(f"--output {options.output}", options.output, made=True)
    return formats


def _deliver(found: Result, formats: Sequence[str], output: Path | None) -> None:
    if "text" in formats:
        said = (t if t.startswith(AGAIN) else in_options(t) for t in str(found).splitlines())
        print("\n".join(said))
        if found.finding and found.finding.test:
            print(f"\nAs a test:\n\n{found.finding.test}")
    rows = [{str(name): _plain(v) for name, v in row.items()} for row in found.rows.to_dict("records")]
    table = Table(
        "check",
        f"{found.subject}: {found.verdict.value or 'nothing compared'}",
        frame_of(rows),
        tuple(COLUMNS),
    )
    lines = "".join(f"{json.dumps(row)}\n" for row in rows) if "jsonl" in formats else ""
    kinds = [name for name in formats if name in WRITERS]
    if output is None:
        deliver([table], formats=kinds)
        sys.stdout.write(lines)
        return
    files = write_tables([table], kinds, output) if rows and kinds else []
    if lines:
        files.append(output / "check.jsonl")
        replace_file(files[-1], lines)
    if files:
        print(f"written to {output}: {', '.join(file.name for file in files)}", file=sys.stderr)


def _plain(value: Any) -> Any:
    """For JSON, which has no NaN and no infinities: those are words, as in a run's file."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else repr(float(value))
    return str(value) if isinstance(value, tuple) else value


def _boundary(text: str) -> bool | list[str]:
    return text == "all" if text in {"", "all", "none"} else _some("--boundary", text, list(CORPUS))


def _probes(text: str) -> bool | list[str]:
    return text == "all" if text in {"all", "none"} else _some("--probes", text, list(Probe))


def _some(option: str, text: str, names: Sequence[str]) -> list[str]:
    try:
        return listed(option, text, names)
    except UsageError as problem:
        raise UsageError(f"{problem}; {option} all tries all, and none none") from None


def _exit_code(found: Result) -> ExitCode:
    if found.verdict is Verdict.NONE:
        return ExitCode.NOTHING_COMPARED
    return ExitCode.OK if found.passed else ExitCode.FAILED
