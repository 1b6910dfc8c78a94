"""The options of every command: name, type, default and help of each stand here, once; cyclopts fills them.

`--format csv` sets the field `format`; the text below a field is its help. A class in another (`scope`) gives
its fields as if they stood there. `configuration` reads the same fields, so a file can set an option, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from harness.selection import ALL, BASELINE, SAVED, TIMEOUT_S, Scope

FLAT = Parameter(name="*")  # an option is called as its field, without the name of what holds it
From = Annotated[Path | None, Parameter(name="from")]
Rows = Annotated[Scope, FLAT]


@dataclass(frozen=True)
class ReportOptions:
    """What to run, what to show, and where."""

    scope: Rows = field(default_factory=Scope)
    seed: int = 0
    """Seeds every draw."""
    full: bool = False
    """Run everything, torch.compile too, and show all rows, not only the worst of each case and oracle."""
    allow: str = ""
    """undecided, unsupported, separated by commas: rows with such a verdict do not fail."""
    format: str = ""
    """text, csv, md, jsonl, separated by commas; by default text, and with --output all of them; and html, a
    page of all this with charts, svg and png, the charts alone, where they are named, with --output."""
    table: str = ""
    """The one table to show, such as timings or verdicts; csv shows one, by default the first."""
    output: Path | None = None
    """A folder for the tables (csv, md) and the rows as they come (records.jsonl)."""
    jobs: int = 0
    """Worker processes; 0 compares in this process. Timing always runs alone, afterwards."""
    scheduler: str = ""
    """The address of a Dask scheduler, tcp://HOST:PORT: its cluster compares, in place of --jobs."""


@dataclass(frozen=True)
class GateOptions:
    """What to run or read, what to compare it with, and what fails."""

    scope: Rows = field(default_factory=Scope)
    timing: str = ""
    """What a slower row does: gate (fail), warn, off; by default gate, and warn on another machine."""
    strict: bool = False
    """Fail on rows that the baseline does not have, too."""
    format: str = ""
    """text, github, jsonl, sarif, csv, md; by default github where GITHUB_STEP_SUMMARY is set, else text."""
    baseline: Path = BASELINE
    """The baseline's file."""
    save: Path = SAVED
    """Where the rows of the run go as they come."""
    resume: bool = False
    """Continue the saved run if it was killed."""
    from_: From = None
    """Compare this saved run; nothing is run."""
    against: Path | None = None
    """With --from: compare with this saved run instead of the baseline."""
    jobs: int = 1
    """Worker processes; 0 compares in this process. Timing always runs alone, afterwards."""
    scheduler: str = ""
    """The address of a Dask scheduler, tcp://HOST:PORT: its cluster compares, in place of --jobs."""
    timeout: float = TIMEOUT_S
    """Seconds that the rows of one case and dtype may take; then each runs alone, and what hangs fails."""


@dataclass(frozen=True)
class CheckOptions:
    """What the gradient is compared with, at which arguments, and how strictly; "" is not given."""

    spec: str = ""
    """The function that it is meant to be, where it is a kernel or an approximation."""
    vjp: str = ""
    """Its hand-written gradient, backward(cotangent, *args)."""
    residual_vjp: str = ""
    """The same for a function that returns (result, residuals): backward(residuals, cotangent)."""
    grad: str = ""
    """Its hand-written gradient without a cotangent, of a function that returns a single number."""
    surrogate: str = ""
    """The function whose derivative the gradient should be, where it is not its own (straight-through)."""
    layer: bool = False
    """The name is a layer, a torch module, or what makes one when it is called."""
    argnums: str = ""
    """Which arguments are differentiated, such as 0,2; by default all floating ones."""
    kwargs: str = ""
    """Keyword arguments as JSON, such as '{"axis": -1}'; of what makes the layer, with --layer."""
    shape: tuple[str, ...] = ()
    """Shape of one argument, once per argument: 32,64 or 32,64:float32; 32:int64:10 has integers below 10."""
    dtype: str = "float64"
    """The dtype of arguments whose shape names none: float64, float32, float16 or bfloat16."""
    inputs: Path | None = None
    """An .npz file with the arguments in order, instead of shapes."""
    framework: str = ""
    """numpy, jax or torch; by default what the function's module imports."""
    mode: str = "reverse"
    """Which derivative: reverse, forward, or forward-over-reverse."""
    order: int = 1
    """The order of the derivative: 1, 2 or 3."""
    seed: int = 0
    """Seeds the arguments and the cotangent."""
    seconds: float | None = None
    """The limit for the exact evaluations, counted in work that takes about so long."""
    bits_lost: float | None = None
    """The budget of lost bits; `explain budget` says what it is by default."""
    boundary: str = ""
    """Boundary values to try beside the arguments: all, or names such as zeros,ties."""
    samples: int = 0
    """How many more points to draw around the arguments."""
    search: int = 0
    """How many inputs to ask in search of the worst one; it is shrunk, and kept in .gradproof/search."""
    probes: str = "all"
    """Uses of the gradient to try once it is right: all, none, or names such as expanded,twice."""
    resolution: str = "format"
    """How small a difference between two formulas is wrong: format (what the dtype resolves) or exact."""
    upstream: str = "warn"
    """What becomes of digits that a library's own function loses: warn, or fail."""
    known: Path | None = None
    """A TOML file of findings that you accept, each with a reason and a link."""
    threads: int = 1
    """Threads that evaluate a large array."""
    format: str = ""
    """text, csv, md, jsonl, separated by commas; by default text, and with --output all of them."""
    output: Path | None = None
    """A folder for the table: check.csv, check.md, check.jsonl."""
    html: Path | None = None
    """A file for a page that explains the gradient: error over the input, tensor, source."""


@dataclass(frozen=True)
class SearchedOptions(CheckOptions):
    """The same for `search`, whose --evaluations says how many inputs are asked."""

    search: Annotated[int, Parameter(show=False)] = 0


@dataclass(frozen=True)
class SearchOptions:
    """How much is searched, and where."""

    evaluations: int = 2000
    """How many inputs are asked, by each hunt."""
    hunts: int = 1
    """Hunts, each with a seed of its own, from --seed on; what they find is compared, and the worst shown."""
    jobs: int = 0
    """Worker processes; 0 hunts in this process."""
    scheduler: str = ""
    """The address of a Dask scheduler, tcp://HOST:PORT: its cluster hunts, in place of --jobs."""


@dataclass(frozen=True)
class BaselineOptions:
    """Which baseline, and which run it is made to agree with."""

    baseline: Path = BASELINE
    """The baseline's file."""
    anew: bool = False
    """Write every row, as if there were no baseline."""
    from_: From = None
    """Use this saved run; nothing is run."""
    jobs: int = 1
    """Worker processes; 0 compares in this process."""
    timeout: float = TIMEOUT_S
    """Seconds that the rows of one case and dtype may take."""


@dataclass(frozen=True)
class AtlasOptions:
    """Which functions, in which dtypes, and where the rows go."""

    functions: tuple[str, ...] = ALL
    """Only functions that match this pattern, such as `special.*`, `torch.fft.*` or `jax.nn.gelu`; may be
    given again."""
    dtype: str = ""
    """Only these, separated by commas: float64, float32, float16, bfloat16."""
    quick: bool = False
    """A tenth of the points."""
    format: str = ""
    """text, csv, html, separated by commas; by default text, and with --output text and csv."""
    output: Path | None = None
    """A folder for the summary (atlas.csv), the page (atlas.html) and the rows as they come (atlas.jsonl)."""
    resume: bool = False
    """Go on with the run in the folder, if it was killed."""
    jobs: int = 1
    """Worker processes; 0 measures in this process, where nothing is stopped."""
    scheduler: str = ""
    """The address of a Dask scheduler, tcp://HOST:PORT: its cluster measures, in place of --jobs."""
    timeout: float = 120.0
    """Seconds that one function may take; then its row says so."""
