"""What the command `check` does: the gradient of a function that is named by its import path."""

from __future__ import annotations

import json
import math
import sys
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
from harness.inputs.corpus import CORPUS
from harness.layers import check_layer
from harness.networks import check_network
from harness.proof.question import Probe
from harness.report.delivery import WRITERS, deliver, replace_file, whatever_the_reader_does
from harness.report.progress import announced
from harness.report.tables import Table, frame_of
from harness.result import AGAIN, COLUMNS, Result
from harness.selection import UsageError, listed, refuse_wrong_numbers
from harness.verdicts import ExitCode, Verdict
from oracles.exact.core.blocks import in_threads
from oracles.exact.program.program import FLOATS
from oracles.frameworks.framework import NAMES

WHERE = frozenset({"format", "output", "html"})
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
        if options.html:
            again = as_command(["check", name], options, WHERE)
            replace_file(options.html, announced(lambda: found.to_html(again), f"the page of {name}"))
            print(f"the page is {options.html}", file=sys.stderr)
    return _exit_code(found)


def checked(name: str, options: CheckOptions) -> Result:
    """Import what is named, and check it.

    Raises:
        UsageError: It is not there, or an option does not fit.
        Exception: Whatever it raises.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UpstreamWarning)  # the result says so itself
            check = _of_layer if options.layer else _of_function
            with in_threads(options.threads):
                return check(name, options)
    except UsageError:
        raise
    except ValueError as problem:
        raise UsageError(in_options(str(problem))) from problem
    except Exception as problem:
        if options.shape:
            problem.add_note(
                f"gradproof: the arguments were drawn by --shape {' --shape '.join(options.shape)}, in "
                f"{options.dtype} where that names no dtype; labels below 10 are --shape 32:int64:10"
            )
        raise


def _confirm_page(file: Path | None) -> None:
    """Refuse what cannot be written, before anything is computed."""
    if file is None:
        return
    if file.is_dir() or not file.absolute().parent.is_dir():
        raise UsageError(f"--html is {file}; name a file in a folder that is there")
    confirmed("--html")


def _of_function(name: str, options: CheckOptions) -> Result:
    function = imported(name)
    return check_gradient(
        function, arguments_of(options), kwargs=_kwargs(options.kwargs), argnums=_argnums(options.argnums),
        framework=options.framework or framework_of(function), mode=options.mode, order=options.order,
        **_others(options, "spec", "vjp", "residual_vjp", "grad", "surrogate"), **_common(options),
    )  # fmt: skip


def _of_layer(name: str, options: CheckOptions) -> Result:
    """A layer or a network of the book's kind; a torch module is a function with parameters."""
    for option in ("vjp", "residual_vjp", "grad", "surrogate", "argnums"):
        if getattr(options, option):
            raise UsageError(f"--{option.replace('_', '-')} is for functions; a layer has its own backward")
    layer = named(name)
    if isinstance(layer, type) or not (hasattr(layer, "forward") or hasattr(layer, "loss")):
        layer = _made(name, layer, _kwargs(options.kwargs))
    elif options.kwargs:
        raise UsageError(f"--kwargs is for what makes a layer, and {name} is one")
    if "torch" in sys.modules and isinstance(layer, sys.modules["torch"].nn.Module):
        return check_gradient(
            layer, arguments_of(options), framework="torch", mode=options.mode, order=options.order,
            **_others(options, "spec"), **_common(options),
        )  # fmt: skip
    if (options.mode, options.order) != ("reverse", 1):
        raise UsageError("--mode and --order are for functions; a layer has one gradient, its backward's")
    given, about = arguments_of(options), {**_others(options, "spec"), **_common(options)}
    if len(given) > 2:
        raise UsageError(f"a layer takes x, and a loss or a network x and t; got {len(given)} arguments")
    if hasattr(layer, "forward") or len(given) == 1:
        return check_layer(layer, given[0], given[1] if len(given) == 2 else None, **about)
    return check_network(layer, given[0], given[1], **about)


def _made(name: str, maker: Any, kwargs: dict[str, Any]) -> Any:
    if not callable(maker):
        raise UsageError(f"{name} must be a layer, or what makes one, got a {type(maker).__name__}")
    try:
        return maker(**kwargs)
    except TypeError as problem:
        raise UsageError(
            f"{name} cannot be called: {problem}; give --kwargs, or name a function that makes it"
        ) from problem


def _others(options: CheckOptions, *names: str) -> dict[str, Any]:
    return {name: imported(path) for name in names if (path := getattr(options, name))}


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
        raise UsageError(f"--argnums is {text!r}; name arguments by their numbers, such as 0,2") from None


def _kwargs(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError as problem:
        raise UsageError(f"--kwargs is no JSON: {problem}; write '{{\"axis\": -1}}'") from None
    if not isinstance(found, dict):
        raise UsageError(f"--kwargs is {text}; write a JSON object, '{{\"axis\": -1}}'")
    return found


def _formats(options: CheckOptions) -> list[str]:
    if options.output and options.output.exists() and not options.output.is_dir():
        raise UsageError(f"--output {options.output} is a file; name a folder, which may be new")
    formats = listed("--format", options.format or (",".join(FORMATS) if options.output else "text"), FORMATS)
    if options.output is None and len(formats) > 1:
        raise UsageError(
            f"--format {options.format} needs --output DIR: several formats do not share a screen"
        )
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
    deliver([table], formats=[name for name in formats if name in WRITERS], output=output)
    if "jsonl" in formats:
        lines = "".join(f"{json.dumps(row)}\n" for row in rows)
        if output is None:
            sys.stdout.write(lines)
        else:
            replace_file(output / "check.jsonl", lines)


def _plain(value: Any) -> Any:
    """For JSON, which has no NaN and no infinities: those are words, as in a run's file."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else repr(float(value))
    return str(value) if isinstance(value, tuple) else value


def _boundary(text: str) -> bool | list[str]:
    return text == "all" if text in {"", "all"} else listed("--boundary", text, list(CORPUS))


def _probes(text: str) -> bool | list[str]:
    return text == "all" if text in {"all", "none"} else listed("--probes", text, list(Probe))


def _exit_code(found: Result) -> ExitCode:
    if found.verdict is Verdict.NONE:
        return ExitCode.NOTHING_COMPARED
    return ExitCode.OK if found.passed else ExitCode.FAILED
